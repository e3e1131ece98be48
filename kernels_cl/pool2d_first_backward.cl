/*
 * Gradients of max and average pooling of channels-first tensors on CPU-like devices. A work-item
 * makes `rows` planes of dx: zeros, to which window after window adds its gradient, or its shares.
 * The taps that win are found 16 windows at a time in registers, as far as all their taps are
 * inside of x, else one by one. No local memory. dx does not overlap inputs.
 */
#include "common.clh"
#include "lanes.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "pool2d_element.clh"
#include "pool2d_first.clh"
#include "transpose.clh"

/* The last vector overlaps the one before it. */
void fill(__global float *dx, float value, int count)
{
    if (count >= 16)
        store_16(dx + count - 16, value);
    for (int i = 0; i + 16 <= count; i += 16)
        store_16(dx + i, value);
    for (int i = 0; i < count && count < 16; i++)
        dx[i] = value;
}

/* How far from the first tap of each of 16 windows the first one that equals y is; -1: none. */
int16 winners_of(__global const float *x, const float16 y, const struct taps taps)
{
    int16 winner = -1;
    for (int r = taps.rows - 1; r >= 0; r--)
        for (int s = taps.columns - 1; s >= 0; s--) {
            const int at = r * taps.down + s * taps.right;
            winner = load_strided(x + at, taps.stride) == y ? (int16)at : winner;
        }
    return winner;
}

/* The gradient of one window. */
void give(__global float *dx, __global const float *dy, __global const float *x,
          __global const float *y, int plane, int p, int q, const struct planes of_x,
          const struct planes of_y, const struct window window)
{
    const struct place at = {plane, p, q, 0};
    const int out = index_at(at, p, q, of_y);
    const int winner = winner_of(x, at, p, q, y[out], of_x, window);
    if (winner >= 0)
        dx[winner] += dy[out];
}

__kernel void max_backward(OUT(float, dx), IN(float, dy), IN(float, x), IN(float, y),
                           const int count, const struct planes to, const struct planes from,
                           const struct pooling pooling)
{
    const struct window window = pooling.window;
    const int columns = (int)from.w.by, floats = (int)(to.h.by * to.w.by);
    const int first_plane = (int)get_global_id(0) * pooling.rows;
    const int end_plane = min(count / floats, first_plane + pooling.rows);
    const int end_y = count / floats * (int)(from.h.by * from.w.by);
    const struct range inside = vectors_inside(columns, (int)to.w.by, window.w);
    fill(AT(dx) + first_plane * floats, 0.0f, (end_plane - first_plane) * floats);
    for (int row = first_plane * (int)from.h.by; row < end_plane * (int)from.h.by; row++) {
        const int plane = divide(row, from.h), p = row - plane * (int)from.h.by;
        int q = 0;
        for (; q < inside.begin; q++)
            give(AT(dx), AT(dy), AT(x), AT(y), plane, p, q, to, from, window);
        for (; q < inside.end; q += 16) {
            const struct taps taps = taps_of(plane, p, q, to, window);
            const int out = row * columns + q;
            if (taps.first + taps.reach > count)
                break;
            int winners[16];
            vstore16(winners_of(AT(x) + taps.first, load_lanes(AT(y) + out, end_y - out), taps), 0,
                     winners);
            for (int i = 0; i < min(16, inside.end - q); i++)
                if (winners[i] >= 0)
                    AT(dx)[taps.first + i * taps.stride + winners[i]] += AT(dy)[out + i];
                else
                    give(AT(dx), AT(dy), AT(x), AT(y), plane, p, q + i, to, from, window);
        }
        for (q = min(q, inside.end); q < columns; q++)
            give(AT(dx), AT(dy), AT(x), AT(y), plane, p, q, to, from, window);
    }
}

/* One window's shares. */
void share(__global float *dx, float dy, int plane, int p, int q, const struct planes of_x,
           const struct window window)
{
    const int top = first_of(p, window.h), left = first_of(q, window.w);
    const struct range rows = taps_inside(top, (int)of_x.h.by, window.h);
    const struct range columns = taps_inside(left, (int)of_x.w.by, window.w);
    const float value = dy / divisor_of(rows, columns, window);
    for (int r = rows.begin; r < rows.end; r++) {
        const int row = (plane * (int)of_x.h.by + top + r) * (int)of_x.w.by;
        for (int s = columns.begin; s < columns.end; s++)
            dx[row + left + s] += value;
    }
}

/* The shares of 16 windows. With stride 2, two columns of taps are neighbours. */
void share_16(__global float *dx, const float16 value, const struct taps taps)
{
    for (int r = 0; r < taps.rows; r++)
        for (int s = 0; s < taps.columns; s += taps.stride) {
            __global float *to = dx + r * taps.down + s;
            if (taps.stride == 1) {
                store_16(to, load_16(to) + value);
                continue;
            }
            const float16 next = s + 1 < taps.columns ? value : (float16)0.0f;
            store_16(to, load_16(to) + ZIP_LOW(value, next));
            store_16(to + 16, load_16(to + 16) + ZIP_HIGH(value, next));
        }
}

__kernel void avg_backward(OUT(float, dx), IN(float, dy), const int count, const struct planes to,
                           const struct planes from, const struct pooling pooling)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const struct window window = pooling.window;
    const int columns = (int)from.w.by, floats = (int)(to.h.by * to.w.by);
    const int first_plane = (int)get_global_id(0) * pooling.rows;
    const int end_plane = min(count / floats, first_plane + pooling.rows);
    const struct range inside = vectors_inside(columns, (int)to.w.by, window.w);
    if (is_plane(to, window)) {
        for (int plane = first_plane; plane < end_plane; plane++)
            fill(AT(dx) + plane * floats, AT(dy)[plane] / (float)floats, floats);
        return;
    }
    fill(AT(dx) + first_plane * floats, 0.0f, (end_plane - first_plane) * floats);
    for (int row = first_plane * (int)from.h.by; row < end_plane * (int)from.h.by; row++) {
        const int plane = divide(row, from.h), p = row - plane * (int)from.h.by;
        __global const float *shares = AT(dy) + row * columns;
        int q = 0;
        for (; q < inside.begin; q++)
            share(AT(dx), shares[q], plane, p, q, to, window);
        for (; q < inside.end; q += 16) {
            const struct taps taps = taps_of(plane, p, q, to, window);
            const int windows = inside.end - q;
            if (taps.first + taps.reach > end_plane * floats)
                break;
            const float16 value = load_lanes(shares + q, windows) / taps.divisor;
            share_16(AT(dx) + taps.first, lane < windows ? value : (float16)0.0f, taps);
        }
        for (q = min(q, inside.end); q < columns; q++)
            share(AT(dx), shares[q], plane, p, q, to, window);
    }
}
