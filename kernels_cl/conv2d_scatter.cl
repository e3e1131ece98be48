/*
 * Input gradient for CPU-like devices and few channels of x, channels last: each pixel of dy gives
 * its window of dx in a row, all columns and channels side by side in KV vectors, so that few lanes
 * are empty, strides need no phases, and padding and its taps are never met.
 * One work-item is one group and makes some rows of one or more images of dx. For each row it sums
 * over tap rows and filters, PX windows in registers at a time. Neighbouring windows overlap: they
 * go to different lines of local memory, each with every lines-th window; the lines are added.
 * Local memory: the filter as [tap row][filter][KV x 16], and the lines.
 */
#include "common.clh"
#include "conv2d_scatter_args.clh"
#include "lanes.clh"

#ifndef PX
#define PX 10
#define KV 2
#endif

#define LANES (16 * KV)
#define UNROLL_P __attribute__((opencl_unroll_hint(PX)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))

void clear_floats(__local float *to, int count)
{
    for (int i = 0; i < count; i += 16)
        store_local_16(to + i, 0.0f);
}

NOINLINE void fetch_taps(__local float *taps, __global const float *filter,
                         const struct conv2d_scatter_args *a)
{
    const int row = a->k * LANES, c = a->c;
    clear_floats(taps, a->r * row);
    for (int k = 0; k < a->k; k++)
        for (int i = 0; i < c; i++)
            for (int r = 0; r < a->r; r++) {
                __local float *to = taps + r * row + k * LANES + i;
                for (int s = 0; s < a->s; s++, to += c)
                    *to = *filter++;
            }
}

/* The windows of the pixels [q, q + PX) in row `h` of dx, to their lines. `last`: lanes of the last
 * vector. */
NOINLINE void make_windows(__local float *lines, __global const float *dy,
                           __local const float *taps, int h, int q, int last,
                           const struct conv2d_scatter_args *a)
{
    const int count = a->k;
    float16 sums[PX][KV];
    UNROLL_P for (int i = 0; i < PX; i++)
        UNROLL_V for (int v = 0; v < KV; v++)
            sums[i][v] = 0.0f;
    for (int r = 0; r < a->r; r++) {
        const int at = h + a->pad_top - r * a->dilation_h, p = at / a->stride_h;
        if (at < 0 || p * a->stride_h != at || p >= a->p)
            continue;
        __global const float *from = dy + (p * a->q + q) * count;
        __local const float *tap = taps + r * count * LANES;
        for (int k = 0; k < count; k++, from++, tap += LANES) {
            float16 w[KV];
            UNROLL_V for (int v = 0; v < KV; v++)
                w[v] = vload16(v, tap);
            UNROLL_P for (int i = 0; i < PX; i++)
                UNROLL_V for (int v = 0; v < KV; v++)
                    sums[i][v] = fma((float16)(from[i * count]), w[v], sums[i][v]);
        }
    }
    /* Lanes behind the window are no products of dy: a NaN has no business there. */
    const int16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    UNROLL_P for (int i = 0; i < PX; i++)
        sums[i][KV - 1] = lane < last ? sums[i][KV - 1] : 0.0f;
    int line = q % a->lines;
    __local float *to = lines + a->first_window + q * a->stride_w * a->c;
    UNROLL_P for (int i = 0; i < PX; i++) {
        UNROLL_V for (int v = 0; v < KV; v++)
            store_local_16(to + line * a->line_floats + v * 16, sums[i][v]);
        line = line + 1 == a->lines ? 0 : line + 1;
        to += a->stride_w * a->c;
    }
}

NOINLINE void add_lines(__global float *dx, __local const float *lines, int accumulate,
                        const struct conv2d_scatter_args *a)
{
    const int count = a->w * a->c;
    lines += a->first_out;
    for (int i = 0; i < count; i += 16) {
        float16 sum = vload16(0, lines + i);
        for (int line = 1; line < a->lines; line++)
            sum += vload16(0, lines + line * a->line_floats + i);
        store_mostly(dx + i, sum, count - i, accumulate);
    }
}

/* Of a line's windows each overwrites the empty lanes behind the one before: in rising order. */
NOINLINE void make_rows(__global float *dx, __global const float *dy, __local float *lines,
                        __local const float *taps, int first_row, int end_row, int accumulate,
                        const struct conv2d_scatter_args *a)
{
    const int last = a->s * a->c - (KV - 1) * 16;
    for (int h = first_row; h < end_row; h++) {
        for (int done = 0; done < a->q; done += PX)
            make_windows(lines, dy, taps, h, min(done, a->q - PX), last, a);
        add_lines(dx + h * a->w * a->c, lines, accumulate, a);
    }
}

__kernel void conv2d_scatter(OUT(float, dx), IN(float, dy), IN(float, filter),
                             const struct conv2d_scatter_args a, const int accumulate,
                             __local float *lines, __local float *taps)
{
    const int first_row = get_group_id(0) * a.rows, end_row = min(first_row + a.rows, a.h);
    const int first_n = get_group_id(1) * a.images, end_n = min(first_n + a.images, a.n);
    fetch_taps(taps, AT(filter), &a);
    clear_floats(lines, a.lines * a.line_floats);
    for (int n = first_n; n < end_n; n++)
        make_rows(AT(dx) + n * a.out_image, AT(dy) + n * a.in_image, lines, taps, first_row,
                  end_row, accumulate, &a);
}
