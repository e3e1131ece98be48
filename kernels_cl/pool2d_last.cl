/*
 * Max and average pooling of channels-last tensors on CPU-like devices. A work-item makes rows of y
 * (pool2d_last.clh), pixel after pixel, four vectors of 16 channels at a time or one, in registers.
 * No local memory. y does not overlap x.
 * The last vector of a pixel may reach into the next pixel: what it reads there does not matter,
 * what it writes there is overwritten. Where it would reach over the end of the tensor or of the
 * item's rows, elements are made one by one.
 */
#include "common.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "pool2d_element.clh"
#include "pool2d_last.clh"
#include "lanes.clh"

/* Returns 0, or NaN in lanes where an element is infinite or a NaN. NaNs need more instructions:
 * the largest value is one for sure only with `nan`. */
INLINE float16 largest_of(__global float *y, __global const float *x, const struct taps taps,
                          const int vectors, const int nan)
{
    float16 largest[4], not_finite[4];
    EACH(v, vectors) largest[v] = -INFINITY;
    EACH(v, vectors) not_finite[v] = 0.0f;
    for (int r = 0; r < taps.rows; r++)
        for (int s = 0; s < taps.columns; s++)
            EACH(v, vectors)
            {
                const float16 value = load_16(x + r * taps.down + s * taps.right + 16 * v);
                largest[v] = value > largest[v] ? value : largest[v];
                if (nan)
                    largest[v] = value != value ? value : largest[v];
                else
                    not_finite[v] = fma(value, (float16)0.0f, not_finite[v]);
            }
    EACH(v, vectors) store_16(y + 16 * v, largest[v]);
    EACH(v, vectors) not_finite[0] += v ? not_finite[v] : (float16)0.0f;
    return not_finite[0];
}

/* Rows are summed on their own, which keeps the rounding error of large windows small. */
INLINE void average_of(__global float *y, __global const float *x, const struct taps taps,
                const int vectors)
{
    const float factor = 1.0f / taps.divisor;
    float16 sum[4], sum_of_row[4];
    EACH(v, vectors) sum[v] = 0.0f;
    for (int r = 0; r < taps.rows; r++) {
        EACH(v, vectors) sum_of_row[v] = 0.0f;
        for (int s = 0; s < taps.columns; s++)
            EACH(v, vectors) sum_of_row[v] += load_16(x + r * taps.down + s * taps.right + 16 * v);
        EACH(v, vectors) sum[v] += sum_of_row[v];
    }
    EACH(v, vectors) store_16(y + 16 * v, sum[v] * factor);
}

INLINE float16 value_of(__global float *y, __global const float *x, const struct taps taps,
                        const int vectors, const int average, const int nan)
{
    if (!average)
        return largest_of(y, x, taps, vectors, nan);
    average_of(y, x, taps, vectors);
    return 0.0f;
}

/* What a work-item works on. */
struct forward {
    __global float *y;
    __global const float *x;
    struct planes to, from;
    struct window window;
    struct part part;
    int end_x; /* elements */
};

/* Row p of y; returns what largest_of does. */
INLINE float16 forward_row(const struct forward *f, int p, const int average, const int nan)
{
    const int channels_end = f->part.channels.end, columns = (int)f->to.w.by;
    const int row = (f->part.plane * (int)f->to.h.by + p) * columns;
    struct taps taps = taps_of(f->part.plane, p, 0, f->from, f->window);
    float16 not_finite = 0.0f;
    for (int q = 0; q < columns; q++) {
        next_taps(&taps, f->part.plane, p, q, f->from, f->window);
        const int pixel = (row + q) * (int)f->to.inner.by;
        const int room = min(f->part.end - pixel, f->end_x - taps.first - taps.extent);
        __global float *to = f->y + pixel;
        __global const float *from = f->x + taps.first;
        int c = f->part.channels.begin;
        for (; c + 64 <= channels_end; c += 64)
            not_finite += value_of(to + c, from + c, taps, 4, average, nan);
        for (; c < channels_end && c + 16 <= room; c += 16)
            not_finite += value_of(to + c, from + c, taps, 1, average, nan);
        for (; c < channels_end; c++) {
            const struct place at = {f->part.plane, p, q, c};
            to[c] = average ? average_at(f->x, at, f->from, f->window)
                            : largest_at(f->x, at, f->from, f->window);
        }
    }
    return not_finite;
}

NOINLINE void forward_row_of_nans(const struct forward *f, int p)
{
    forward_row(f, p, 0, 1);
}

INLINE void forward(__global float *y, __global const float *x, int count, const struct planes to,
                    const struct planes from, const struct pooling pooling, const int average)
{
    const struct forward f = {y, x, to, from, pooling.window, part_of(to, pooling),
                              count_of(count, to, from)};
    for (int p = f.part.rows.begin; p < f.part.rows.end; p++) {
        const float16 not_finite = forward_row(&f, p, average, 0);
        if (!average && any(not_finite != not_finite))
            forward_row_of_nans(&f, p);
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
