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

INLINE void largest_of(__global float *y, __global const float *x, const struct taps taps,
                const int vectors)
{
    float16 largest[4];
    int16 nan[4];
    EACH(v, vectors) largest[v] = -INFINITY;
    EACH(v, vectors) nan[v] = 0;
    for (int r = 0; r < taps.rows; r++)
        for (int s = 0; s < taps.columns; s++)
            EACH(v, vectors)
            {
                const float16 value = load_16(x + r * taps.down + s * taps.right + 16 * v);
                largest[v] = value > largest[v] ? value : largest[v];
                nan[v] |= value != value;
            }
    EACH(v, vectors) store_16(y + 16 * v, nan[v] ? (float16)NAN : largest[v]);
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

INLINE void value_of(__global float *y, __global const float *x, const struct taps taps,
              const int vectors, const int average)
{
    if (average)
        average_of(y, x, taps, vectors);
    else
        largest_of(y, x, taps, vectors);
}

INLINE void forward(__global float *y, __global const float *x, int count, const struct planes to,
             const struct planes from, const struct pooling pooling, const int average)
{
    const struct part part = part_of(to, pooling);
    const int channels_end = part.channels.end, end_x = count_of(count, to, from);
    for (int p = part.rows.begin; p < part.rows.end; p++) {
        const int row = (part.plane * (int)to.h.by + p) * (int)to.w.by;
        for (int q = 0; q < (int)to.w.by; q++) {
            const struct taps taps = taps_of(part.plane, p, q, from, pooling.window);
            const int pixel = (row + q) * (int)to.inner.by;
            const int room = min(part.end - pixel, end_x - taps.first - taps.extent);
            int c = part.channels.begin;
            for (; c + 64 <= channels_end; c += 64)
                value_of(y + pixel + c, x + taps.first + c, taps, 4, average);
            for (; c < channels_end && c + 16 <= room; c += 16)
                value_of(y + pixel + c, x + taps.first + c, taps, 1, average);
            for (; c < channels_end; c++) {
                const struct place at = {part.plane, p, q, c};
                y[pixel + c] = average ? average_at(x, at, from, pooling.window)
                                       : largest_at(x, at, from, pooling.window);
            }
        }
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
