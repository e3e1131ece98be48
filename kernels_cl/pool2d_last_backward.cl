/*
 * Gradients of max and average pooling of channels-last tensors on CPU-like devices. A work-item
 * makes rows of dx (pool2d_last.clh) from the windows that reach over them, window after window,
 * four vectors of 16 channels at a time or one. No local memory. dx does not overlap inputs.
 * The last vector of a pixel may reach into the next pixel: what it reads there does not matter, to
 * what is there it adds 0. Where it would reach over the end of the tensor or of the item's rows,
 * elements are made one by one.
 */
#include "common.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "pool2d_element.clh"
#include "pool2d_last.clh"
#include "lanes.clh"

/* What backward works on; x and y only for max. */
struct gradients {
    __global float *dx;
    __global const float *dy, *x, *y;
    struct planes of_x, of_y;
    struct window window;
    struct part part; /* of dx */
    int end_x, end_y; /* elements */
    struct range windows; /* the rows of windows that reach over the part */
    bool once;            /* no zeros come first: see backward */
};

#define LANE (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* How a tap gets its share: not, because another item makes it; as a sum; as the first one. */
#define SKIP 0
#define ADD 1
#define STORE 2

/* Gradients go to the tap that wins: the first one that equals the largest value or, where that is
 * a NaN, the last NaN. Others get 0. `whole`: no vector reaches over an end. */
INLINE void give_tap(const struct gradients *g, float16 gradient[4], const float16 largest[4],
                     int at, const int how, const int vectors, const int whole, const int nan)
{
    EACH(v, vectors)
    {
        const int to = at + 16 * v;
        const float16 value = load_lanes(g->x + to, whole ? 16 : g->end_x - to);
        const int16 wins = nan ? value != value : value == largest[v];
        const float16 share = wins ? gradient[v] : (float16)0.0f;
        gradient[v] = wins ? (float16)0.0f : gradient[v];
        if (how != SKIP && (whole || to + 16 <= g->part.end))
            store_16(g->dx + to, how == ADD ? load_16(g->dx + to) + share : share);
    }
}

/* The taps of a window. Windows before have reached over its first rows and columns, `shared`. */
INLINE void give(const struct gradients *g, float16 gradient[4], const float16 largest[4],
                 const struct taps taps, int first, int2 shared, const int vectors,
                 const int whole)
{
    for (int r = 0; r < taps.rows; r++) {
        const int h = taps.h + r * (int)g->window.h.dilation.by, at = first + r * taps.down;
        const bool mine = h >= g->part.rows.begin && h < g->part.rows.end;
        const int sums = !mine ? 0 : r < shared.x ? taps.columns : min(taps.columns, shared.y);
        int s = 0;
        for (; s < (mine ? 0 : taps.columns); s++)
            give_tap(g, gradient, largest, at + s * taps.right, SKIP, vectors, whole, 0);
        for (; s < sums; s++)
            give_tap(g, gradient, largest, at + s * taps.right, ADD, vectors, whole, 0);
        for (; s < taps.columns; s++)
            give_tap(g, gradient, largest, at + s * taps.right, STORE, vectors, whole, 0);
    }
}

/* The same for NaNs, backwards, when every element holds something. */
INLINE void give_nans(const struct gradients *g, float16 gradient[4], const float16 largest[4],
                      const struct taps taps, int first)
{
    for (int r = taps.rows - 1; r >= 0; r--) {
        const int h = taps.h + r * (int)g->window.h.dilation.by;
        const bool mine = h >= g->part.rows.begin && h < g->part.rows.end;
        for (int s = taps.columns - 1; s >= 0; s--) {
            const int at = first + r * taps.down + s * taps.right;
            if (mine)
                give_tap(g, gradient, largest, at, ADD, 1, 0, 1);
            else
                give_tap(g, gradient, largest, at, SKIP, 1, 0, 1);
        }
    }
}

/* How many of the rows and columns of taps other windows of the item have reached over. */
int2 shared_taps(const struct gradients *g, int p, int q, const struct taps taps)
{
    const struct axis h = g->window.h, w = g->window.w;
    const int rows = p == g->windows.begin ? 0 : h.size - (int)h.stride.by - taps.rows_before;
    const int columns = q == 0 ? 0 : w.size - (int)w.stride.by - taps.columns_before;
    return g->once ? (int2)(rows, columns) : taps.rows;
}

/* Row p of windows. Returns where y is a NaN; these windows give when `nan` is set, the others
 * when it is not. */
NOINLINE int16 give_row(const struct gradients *gradients, int p, const int nan)
{
    const struct gradients copy = *gradients, *g = &copy; /* stays in registers */
    const int channels = (int)g->of_x.inner.by, end = g->part.channels.end;
    const int row = (g->part.plane * (int)g->of_y.h.by + p) * (int)g->of_y.w.by;
    int16 nans = 0;
    for (int q = 0; q < (int)g->of_y.w.by; q++) {
        const struct taps taps = taps_of(g->part.plane, p, q, g->of_x, g->window);
        const int2 shared = shared_taps(g, p, q, taps);
        const int room = min(g->end_x, g->part.end) - taps.first - taps.extent;
        const int pixel = (row + q) * channels;
        int c = g->part.channels.begin;
        float16 largest[4], gradient[4];
        for (; !nan && c + 64 <= end; c += 64) {
            EACH(v, 4) largest[v] = load_16(g->y + pixel + c + 16 * v);
            EACH(v, 4) gradient[v] = load_16(g->dy + pixel + c + 16 * v);
            EACH(v, 4) nans |= largest[v] != largest[v];
            give(g, gradient, largest, taps, taps.first + c, shared, 4, 1);
        }
        for (; c < end; c += 16) {
            largest[0] = load_lanes(g->y + pixel + c, g->end_y - pixel - c);
            const int16 is_nan = largest[0] != largest[0];
            const int16 gives = (LANE < channels - c) & (nan ? is_nan : -1);
            const float16 all = load_lanes(g->dy + pixel + c, g->end_y - pixel - c);
            gradient[0] = gives ? all : (float16)0.0f;
            nans |= is_nan;
            if (nan)
                give_nans(g, gradient, largest, taps, taps.first + c);
            else if (c + 16 <= room)
                give(g, gradient, largest, taps, taps.first + c, shared, 1, 1);
            else
                give(g, gradient, largest, taps, taps.first + c, shared, 1, 0);
        }
    }
    return nans;
}

/* One tap of an average. */
INLINE void share_tap(const struct gradients *g, int pixel, int at, float factor, const int how)
{
    const int channels = (int)g->of_x.inner.by, end = g->part.channels.end;
    int c = g->part.channels.begin;
    for (; c + 64 <= end; c += 64)
        EACH(v, 4)
        {
            const float16 share = load_16(g->dy + pixel + c + 16 * v) * factor;
            __global float *to = g->dx + at + c + 16 * v;
            store_16(to, how == ADD ? load_16(to) + share : share);
        }
    for (; c < end && at + c + 16 <= g->part.end; c += 16) {
        const float16 share = load_lanes(g->dy + pixel + c, g->end_y - pixel - c) * factor;
        const float16 own = LANE < channels - c ? share : (float16)0.0f;
        __global float *to = g->dx + at + c;
        store_16(to, how == ADD ? load_16(to) + own : own);
    }
}

/* Row p of windows of averages. */
NOINLINE void share_row(const struct gradients *gradients, int p)
{
    const struct gradients copy = *gradients, *g = &copy; /* stays in registers */
    const int row = (g->part.plane * (int)g->of_y.h.by + p) * (int)g->of_y.w.by;
    for (int q = 0; q < (int)g->of_y.w.by; q++) {
        const struct taps taps = taps_of(g->part.plane, p, q, g->of_x, g->window);
        const int2 shared = shared_taps(g, p, q, taps);
        const int pixel = (row + q) * (int)g->of_x.inner.by;
        const float factor = 1.0f / taps.divisor;
        for (int r = max(0, g->part.rows.begin - taps.h);
             r < min(taps.rows, g->part.rows.end - taps.h); r++) {
            const int at = taps.first + r * taps.down;
            const int sums = r < shared.x ? taps.columns : min(taps.columns, shared.y);
            int s = 0;
            for (; s < sums; s++)
                share_tap(g, pixel, at + s * taps.right, factor, ADD);
            for (; s < taps.columns; s++)
                share_tap(g, pixel, at + s * taps.right, factor, STORE);
        }
    }
}

/* Zeros for the elements of the item from index `begin` to `end`, both at the start of a pixel. */
void clear(__global float *dx, int begin, int end, const struct part part, int channels)
{
    const bool all = part.channels.end - part.channels.begin == channels;
    const int run = all ? end - begin : part.channels.end - part.channels.begin;
    for (int at = begin; at < end; at += all ? run : channels)
        for (int i = 0; i < run; i++)
            dx[at + part.channels.begin + i] = 0.0f;
}

/* The points along an axis that windows reach over, when there are no gaps between them. */
int reach_of(int windows, int size, const struct axis axis)
{
    return min(size, first_of(windows - 1, axis) + axis.size);
}

/* Zeros where nothing will be stored. */
NOINLINE void clear_rest(const struct gradients *g)
{
    const int channels = (int)g->of_x.inner.by, row = (int)g->of_x.w.by * channels;
    const int rows = g->once ? reach_of((int)g->of_y.h.by, (int)g->of_x.h.by, g->window.h) : 0;
    const int columns = reach_of((int)g->of_y.w.by, (int)g->of_x.w.by, g->window.w);
    for (int h = g->part.rows.begin; h < g->part.rows.end; h++) {
        const int begin = (g->part.plane * (int)g->of_x.h.by + h) * row;
        clear(g->dx, begin + (h < rows ? columns * channels : 0), begin + row, g->part, channels);
    }
}

/* Rows of dx, from the rows of windows that reach over them. Where windows leave no gaps, the first
 * one that reaches over an element stores its share, and the others add theirs. In other cases, and
 * where vectors reach into the next pixel, all add to zeros. */
INLINE void backward(struct gradients g, int count, const struct pooling pooling,
                     const int average)
{
    const struct axis h = pooling.window.h, w = pooling.window.w;
    g.window = pooling.window;
    g.part = part_of(g.of_x, pooling);
    g.end_x = count;
    g.end_y = count_of(count, g.of_x, g.of_y);
    g.once = h.dilation.by == 1 && w.dilation.by == 1 && h.size >= (int)h.stride.by &&
             w.size >= (int)w.stride.by && g.of_x.inner.by % 16 == 0;
    g.windows.begin = windows_over(g.part.rows.begin, (int)g.of_y.h.by, h).begin;
    g.windows.end = windows_over(g.part.rows.end - 1, (int)g.of_y.h.by, h).end;
    clear_rest(&g);
    for (int p = g.windows.begin; p < g.windows.end; p++)
        if (average)
            share_row(&g, p);
        else if (any(give_row(&g, p, 0)))
            give_row(&g, p, 1);
    /* The vectors that would have reached over the end of the part. */
    for (int i = max(g.part.end - 15, 0); i < g.part.end; i++) {
        const struct place at = place_of(i, g.of_x);
        if (at.plane == g.part.plane && at.h >= g.part.rows.begin &&
            i - at.inner % 16 + 16 > g.part.end)
            g.dx[i] = average ? shared_at(g.dy, at, g.of_x, g.of_y, g.window)
                                 : won_at(g.dy, g.x, g.y, i, at, g.of_x, g.of_y, g.window);
    }
}

__kernel void max_backward(OUT(float, dx), IN(float, dy), IN(float, x), IN(float, y),
                           const int count, const struct planes to, const struct planes from,
                           const struct pooling pooling)
{
    const struct gradients g = {AT(dx), AT(dy), AT(x), AT(y), to, from};
    backward(g, count, pooling, 0);
}

__kernel void avg_backward(OUT(float, dx), IN(float, dy), const int count, const struct planes to,
                           const struct planes from, const struct pooling pooling)
{
    const struct gradients g = {AT(dx), AT(dy), 0, 0, to, from};
    backward(g, count, pooling, 1);
}
