/*
 * Gradient of max pooling of channels-last tensors on CPU-like devices, for windows side by side:
 * each element of dx is in one window at most, and is stored once. A work-item makes rows of dx of
 * one image, window after window, 16 channels at a time. No local memory.
 * With fewer channels vectors reach over the next pixels, which are stored later; where they
 * reach over the end of a row, what is there stays. Where x is what relu made of v, dx can be the
 * gradient of v. dx does not overlap inputs.
 */
#include "common.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "lanes.clh"
#include "pool2d_last.clh"

#define LANE ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))

struct disjoint {
    struct pooling pooling;
    int relu; /* dx is the gradient of v */
};

struct gradients {
    __global float *dx;
    __global const float *dy, *x, *y;
    int end_x, end_y;       /* elements */
    int end;                /* the index behind the rows of the item */
    int channels, row;      /* elements of a pixel, and of a row of dx */
    int rows, columns;      /* of a window */
    int relu;
};

/* The lanes whose value at tap `tap` gets the window's gradient: the first one that equals the
 * largest value or, where that is a NaN, the last NaN. `open`: lanes that have not given yet. */
int16 winners(const struct gradients *g, float16 value, float16 largest, int16 open, int at,
              int tap)
{
    int16 last_nan = (value != value) & (largest != largest);
    for (tap++; any(last_nan) && tap < g->rows * g->columns; tap++) {
        const int later = at + tap / g->columns * g->row + tap % g->columns * g->channels;
        const float16 other = load_lanes(g->x + later, g->end_x - later);
        last_nan &= other == other;
    }
    return ((value == largest) & open) | last_nan;
}

/* One window from element `at` of x on. `whole`: vectors may reach over the pixels behind. */
NOINLINE void give(const struct gradients *g, float16 gradient, float16 largest, int at, int whole,
                   int nan)
{
    int16 open = -1;
    for (int tap = 0; tap < g->rows * g->columns; tap++) {
        const int to = at + tap / g->columns * g->row + tap % g->columns * g->channels;
        const float16 value = load_lanes(g->x + to, g->end_x - to);
        const int16 wins = nan ? winners(g, value, largest, open, at, tap)
                               : (value == largest) & open;
        open &= ~wins;
        store_lanes(g->dx + to, wins ? gradient : (float16)0.0f, whole ? 16 : g->channels, 0);
    }
}

/* Without `all` the lanes from `channels` on stay as they are. */
INLINE void store_own(__global float *dx, float16 value, int channels, const int all)
{
    store_16(dx, all ? value : LANE < channels ? value : load_16(dx));
}

/* A window of 2 x 2, without NaNs. */
INLINE void give_4(__global float *dx, __global const float *x, float16 gradient, float16 largest,
                   int right, int down, int channels, const int all)
{
    const int16 first = load_16(x) == largest;
    const int16 second = ~first & (load_16(x + right) == largest);
    const int16 third = ~(first | second) & (load_16(x + down) == largest);
    const int16 fourth = ~(first | second | third) & (load_16(x + down + right) == largest);
    store_own(dx, first ? gradient : (float16)0.0f, channels, all);
    store_own(dx + right, second ? gradient : (float16)0.0f, channels, all);
    store_own(dx + down, third ? gradient : (float16)0.0f, channels, all);
    store_own(dx + down + right, fourth ? gradient : (float16)0.0f, channels, all);
}

/* A row of `count` windows, of which x starts at `to` and y at `from`. Returns where y is a NaN;
 * those windows need `nan`. */
NOINLINE int16 give_row(const struct gradients *gradients, int to, int from, int count, int nan)
{
    const struct gradients copy = *gradients, *g = &copy; /* stays in registers */
    const int channels = g->channels, row = g->row, step = g->columns * channels;
    const int by_4 = g->rows == 2 && g->columns == 2 && !nan;
    int16 nans = 0;
    for (int q = 0; q < count; q++)
        for (int c = 0; c < channels; c += 16) {
            const int at = to + q * step + c, pixel = from + q * channels + c;
            const int reach = at + step - channels + 16, whole = reach <= to + row;
            const float16 largest = load_mostly(g->y + pixel, g->end_y - pixel);
            float16 gradient = load_mostly(g->dy + pixel, g->end_y - pixel);
            if (g->relu) /* y is the winner's value */
                gradient *= largest <= 0.0f ? (float16)0.0f : (float16)1.0f;
            nans |= largest != largest;
            if (whole && by_4)
                give_4(g->dx + at, g->x + at, gradient, largest, channels, row, 16, 1);
            else if (by_4 && reach + row <= g->end)
                give_4(g->dx + at, g->x + at, gradient, largest, channels, row, channels, 0);
            else
                give(gradients, gradient, largest, at, whole, nan);
        }
    return nans;
}

void clear(__global float *dx, int begin, int end)
{
    for (int i = begin; i < end; i += 16)
        store_lanes(dx + i, 0.0f, end - i, 0);
}

__kernel void max_backward_disjoint(OUT(float, dx), IN(float, dy), IN(float, x), IN(float, y),
                                    const int count, const struct planes to,
                                    const struct planes from, const struct disjoint how)
{
    const struct pooling pooling = how.pooling;
    const struct part part = part_of(to, pooling);
    const int channels = to.inner.by, row = (int)to.w.by * channels;
    const int size = pooling.window.h.size, columns = pooling.window.w.size;
    const struct gradients g = {
        AT(dx),   AT(dy),   AT(x), AT(y), count,   count_of(count, to, from),
        part.end, channels, row,   size,  columns, how.relu};
    for (int h = part.rows.begin; h < part.rows.end; h += size) {
        const int p = h / size, first = (part.plane * (int)to.h.by + h) * row;
        const int made = p < (int)from.h.by ? (int)from.w.by * columns * channels : 0;
        const int at = (part.plane * (int)from.h.by + p) * (int)from.w.by * channels;
        if (made > 0 && any(give_row(&g, first, at, (int)from.w.by, 0)))
            give_row(&g, first, at, (int)from.w.by, 1);
        for (int r = 0; made < row && r < min(size, part.rows.end - h); r++)
            clear(g.dx, first + r * row + made, first + (r + 1) * row);
    }
}
