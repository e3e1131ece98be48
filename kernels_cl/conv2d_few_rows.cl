/*
 * Convolution with few filters, or the input gradient of few channels, for GPU-like devices: a tile
 * of a matrix product would be mostly empty rows. An item has all ROWS rows of PIXELS pixels in
 * registers and reads each element that it gathers itself, once; only the filters go through local
 * memory. All taps of CHUNK channels follow each other, so that the channels stay in the cache.
 * Group (x, y, z): ITEMS PIXELS pixels, phase of the stride, group of channels. Local memory: as
 * many taps of CHUNK channels at a time as fit into FILTERS floats.
 */
#include "common.clh"
#include "conv2d_implicit_args.clh"
#include "implicit_window.clh"

#ifndef ROWS
#define ROWS 4 /* a multiple of 4 */
#define PIXELS 4
#endif
#define ITEMS 128
#define CHUNK 8
#define FILTERS 2048
#define TAPS (FILTERS / (CHUNK * ROWS))

#define UNROLL __attribute__((opencl_unroll_hint))

/* Brings the filters of `count` channels and of some taps into local memory, zeros for rows and
 * channels that there are not. */
void stage(__local float *to, __global const float *w, __global const int4 *taps, const int some,
           const int count, const int filter_channel, const struct implicit_args g)
{
    for (int i = get_local_id(0); i < some * CHUNK * ROWS; i += ITEMS) {
        const int m = i % ROWS, channel = i / ROWS % CHUNK, tap = i / (ROWS * CHUNK);
        to[i] = m < g.rows && channel < count
                    ? w[m * g.filter_row + channel * filter_channel + taps[tap].w]
                    : 0.0f;
    }
}

/* sums += a tap's filters times what the pixels have there, over channels `first` on. Where there
 * is nothing some other element is read, without a branch around the load, and counts as zero. */
void add_tap(float4 sums[ROWS / 4][PIXELS], __local const float4 *filters, __global const float *x,
             const int4 windows[PIXELS], const int4 tap, const int first, const int count,
             const struct implicit_args g)
{
    uint at[PIXELS];
    bool inside[PIXELS];
    UNROLL for (int p = 0; p < PIXELS; p++) {
        inside[p] = (uint)(windows[p].y + tap.y) < (uint)g.in_rows &&
                    (uint)(windows[p].z + tap.z) < (uint)g.in_columns;
        at[p] = (inside[p] ? (uint)windows[p].x + (uint)tap.x : 0) +
                (uint)first * (uint)g.in_channel;
    }
    UNROLL for (int c = 0; c < CHUNK; c++) {
        const uint channel = (uint)min(c, count - 1) * (uint)g.in_channel;
        float values[PIXELS];
        UNROLL for (int p = 0; p < PIXELS; p++) {
            const float value = x[at[p] + channel];
            values[p] = inside[p] && c < count ? value : 0.0f;
        }
        UNROLL for (int i = 0; i < ROWS / 4; i++) {
            const float4 filter = filters[c * (ROWS / 4) + i];
            UNROLL for (int p = 0; p < PIXELS; p++) sums[i][p] += filter * values[p];
        }
    }
}

void put(__global float *y, __global const float *bias, const float4 sums[ROWS / 4][PIXELS],
         const int column, const struct implicit_args g, const struct implicit_phase f)
{
    UNROLL for (int p = 0; p < PIXELS; p++) {
        const int n = column + p * ITEMS;
        const uint place = n < f.columns ? pixel_place(g, f, n) : 0;
        UNROLL for (int m = 0; m < ROWS; m++) {
            const float4 four = sums[m / 4][p];
            const float value = m % 4 == 0   ? four.x
                                : m % 4 == 1 ? four.y
                                : m % 4 == 2 ? four.z
                                             : four.w;
            if (m < g.rows && n < f.columns)
                store(y + place + (uint)m * (uint)g.out_channel, value + (bias ? bias[m] : 0.0f),
                      g);
        }
    }
}

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void conv2d_few_rows(OUT(float, y), IN(float, x), IN(float, w), IN(float, bias),
                              IN(int, phases), IN(int, table), const struct implicit_args g,
                              const int channels, const int filter_channel, const int has_bias)
{
    __local float4 filters[FILTERS / 4];
    const struct implicit_phase f =
        ((__global const struct implicit_phase *)AT(phases))[get_group_id(1)];
    const int group = get_group_id(2);
    const int column = get_group_id(0) * (ITEMS * PIXELS) + get_local_id(0);
    __global const int4 *taps = (__global const int4 *)AT(table) + f.first_tap;
    __global const float *from = AT(x) + (ulong)group * g.in_group;
    __global const float *from_w = AT(w) + (ulong)group * g.filter_group;
    int4 windows[PIXELS];
    float4 sums[ROWS / 4][PIXELS];
    UNROLL for (int p = 0; p < PIXELS; p++) {
        windows[p] = window_of(g, f, column + p * ITEMS);
        UNROLL for (int i = 0; i < ROWS / 4; i++) sums[i][p] = (float4)(0.0f);
    }
    for (int c = 0; c < channels; c += CHUNK)
        for (int t = 0; t < f.taps; t += TAPS) {
            const int some = min(TAPS, f.taps - t), count = min(CHUNK, channels - c);
            barrier(CLK_LOCAL_MEM_FENCE);
            stage((__local float *)filters, from_w + (ulong)c * filter_channel, taps + t, some,
                  count, filter_channel, g);
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int i = 0; i < some; i++)
                add_tap(sums, filters + i * (CHUNK * ROWS / 4), from, windows, taps[t + i], c,
                        count, g);
        }
    put(AT(y) + (ulong)group * g.rows * g.out_channel,
        has_bias ? AT(bias) + group * g.rows : 0, sums, column, g, f);
}
