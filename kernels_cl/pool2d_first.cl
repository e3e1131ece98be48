/*
 * Max and average pooling of channels-first tensors on CPU-like devices. A work-item makes `rows`
 * rows of y, 16 neighbours at a time in registers, as far as all their taps are inside of x;
 * at the edges, where windows lie far apart, and where a vector would reach over the end of x, one
 * by one. No local memory. y does not overlap x.
 */
#include "common.clh"
#include "lanes.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "pool2d_element.clh"
#include "pool2d_first.clh"

float16 largest_of(__global const float *x, const struct taps taps)
{
    float16 largest = -INFINITY;
    int16 nan = 0;
    for (int r = 0; r < taps.rows; r++)
        for (int s = 0; s < taps.columns; s++) {
            const float16 value = load_strided(x + r * taps.down + s * taps.right, taps.stride);
            largest = value > largest ? value : largest;
            nan |= value != value;
        }
    return nan ? (float16)NAN : largest;
}

/* Rows are summed on their own, which keeps the rounding error of large windows small. */
float16 sum_of(__global const float *x, const struct taps taps)
{
    float16 sum = 0.0f;
    for (int r = 0; r < taps.rows; r++) {
        float16 sum_of_row = 0.0f;
        for (int s = 0; s < taps.columns; s++)
            sum_of_row += load_strided(x + r * taps.down + s * taps.right, taps.stride);
        sum += sum_of_row;
    }
    return sum;
}

INLINE float16 larger(const float16 value, const float16 largest, const int nan)
{
    const float16 found = value > largest ? value : largest; /* a NaN stays */
    return nan ? (value != value ? value : found) : found;
}

/* The lanes together. */
float over_lanes(const float16 v, const int average)
{
    const float16 a = MIX(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    const float16 b = average ? v + a : larger(v, a, 1);
    const float16 c = MIX(b, b, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    const float16 d = average ? b + c : larger(b, c, 1);
    const float16 e = MIX(d, d, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    const float16 f = average ? d + e : larger(d, e, 1);
    const float16 g = MIX(f, f, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return average ? f.s0 + g.s0 : larger(f, g, 1).s0;
}

/* A window of one row of many neighbours: 16 running sums, or largest values, for runs of 512. What
 * is no whole vector comes from one that overlaps the one before. */
INLINE float value_of_run(__global const float *x, int count, const int average)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const float16 none = average ? 0.0f : -INFINITY;
    float16 total = none;
    int i = 0;
    while (i + 16 <= count) {
        float16 run = none;
        for (const int end = min(count, i + 512); i + 16 <= end; i += 16)
            run = average ? run + load_16(x + i) : larger(load_16(x + i), run, 1);
        total = average ? total + run : larger(run, total, 1);
    }
    if (i < count) {
        const float16 last =
            count < 16 ? load_lanes(x, count) : load_16(x + count - 16);
        const int16 own = count < 16 ? lane < count : lane >= 16 - (count - i);
        const float16 rest = own ? last : none;
        total = average ? total + rest : larger(rest, total, 1);
    }
    return over_lanes(total, average);
}

void one(__global float *y, __global const float *x, int plane, int p, int q,
         const struct planes to, const struct planes from, const struct window window,
         const int average)
{
    const struct place at = {plane, p, q, 0};
    const int row = plane * (int)to.h.by + p, out = row * (int)to.w.by + q;
    y[out] = average ? average_at(x, at, from, window) : largest_at(x, at, from, window);
}

void forward(__global float *y, __global const float *x, int count, const struct planes to,
             const struct planes from, const struct pooling pooling, const int average)
{
    const struct window window = pooling.window;
    const int first_row = (int)get_global_id(0) * pooling.rows, columns = (int)to.w.by;
    const int end_row = min(count / columns, first_row + pooling.rows);
    const int end_x = count / (int)(to.h.by * to.w.by) * (int)(from.h.by * from.w.by);
    const struct range inside = vectors_inside(columns, (int)from.w.by, window.w);
    if (is_plane(from, window)) {
        const int width = (int)from.w.by;
        for (int row = first_row; row < end_row; row++)
            y[row] = value_of_run(x + row * width, width, average) / (average ? width : 1);
        return;
    }
    for (int row = first_row; row < end_row; row++) {
        const int plane = divide(row, to.h), p = row - plane * (int)to.h.by;
        int q = 0;
        for (; q < inside.begin; q++)
            one(y, x, plane, p, q, to, from, window, average);
        for (; q < inside.end; q += 16) {
            const struct taps taps = taps_of(plane, p, q, from, window);
            if (taps.first + taps.reach > end_x)
                break;
            const float16 value = average ? sum_of(x + taps.first, taps) / taps.divisor
                                          : largest_of(x + taps.first, taps);
            store_lanes(y + row * columns + q, value, min(16, inside.end - q), 0);
        }
        for (q = min(q, inside.end); q < columns; q++)
            one(y, x, plane, p, q, to, from, window, average);
    }
}

__kernel void max_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct pooling pooling)
{
    forward(AT(y), AT(x), count, to, from, pooling, 0);
}

__kernel void avg_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct pooling pooling)
{
    forward(AT(y), AT(x), count, to, from, pooling, 1);
}
