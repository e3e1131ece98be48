/*
 * Filter gradient of 1x1 convolutions for CPU-like devices, channels last: a matrix product over
 * pixels, with CT rows by KV vectors of 16 lanes in registers. The lanes are the channels of x and
 * the rows those of dy, or the other way round, as the host likes it.
 * One work-item is one group and has a block of lanes, some rows, and a slice of the pixels. It
 * copies the lanes of a chunk of pixels to local memory, pixel after pixel, and reads the rows
 * where they lie. A chunk's sums are added to `partial` [slice][row][lane], those of dy alone to
 * `bias` [slice][channel of dy]. conv2d_pointwise_join adds the slices in order: the bits do not
 * depend on scheduling.
 */
#include "common.clh"
#include "conv2d_pointwise_args.clh"
#include "conv2d_pixels.clh"
#include "lanes.clh"
#include "transpose.clh"

#ifndef CT
#define CT 6
#endif
#ifndef KV
#define KV 4
#endif

#define LANES (16 * KV)
#define CHUNK 128
#define UNROLL_C __attribute__((opencl_unroll_hint(CT)))
#define UNROLL_4 __attribute__((opencl_unroll_hint(4)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))

/* The lanes of one pixel, zeros behind the last one. */
void pack_pixel(__local float16 *to, __global const float *from, int there)
{
    if (there >= LANES) {
        UNROLL_V for (int v = 0; v < KV; v++)
            to[v] = vload16(v, from);
        return;
    }
    for (int i = 0; i < LANES; i++)
        ((__local float *)to)[i] = i < there ? from[i] : 0.0f;
}

/* sums[i] = the sum of from[at[m] + i] over m < count, or that added to it with `keep`. */
void sum_pixels(__global float *sums, __global const float *from, __local const int *at, int count,
                int channels, int keep)
{
    int c = 0;
    for (; c + 64 <= channels; c += 64) {
        float16 total[4];
        UNROLL_4 for (int v = 0; v < 4; v++)
            total[v] = 0.0f;
        for (int m = 0; m < count; m++)
            UNROLL_4 for (int v = 0; v < 4; v++)
                total[v] += vload16(v, from + at[m] + c);
        UNROLL_4 for (int v = 0; v < 4; v++)
            store_lanes(sums + c + 16 * v, total[v], 16, keep);
    }
    for (; c < channels; c++) {
        float total = 0.0f;
        for (int m = 0; m < count; m++)
            total += from[at[m] + c];
        sums[c] = keep ? sums[c] + total : total;
    }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_pointwise_filter(OUT(float, partial), OUT(float, bias), IN(float, lanes),
                                      IN(float, rows), const struct conv2d_pointwise_filter_args a,
                                      const int wants_bias, const int accumulate)
{
    __local float16 packed[CHUNK * KV];
    __local int lanes_at[CHUNK], rows_at[CHUNK];
    const int lane = get_group_id(0) * LANES, slice = get_group_id(2);
    const int first_row = get_group_id(1) * a.rows_per_group;
    const int end_row = min(first_row + a.rows_per_group, a.rows);
    const int first = slice * a.pixels_per_slice;
    const int end = min(first + a.pixels_per_slice, a.pixels.count);
    __global float *sums_at = AT(partial) + (ulong)slice * a.rows * a.lane_pitch + lane;
    for (int start = first; start < end; start += a.chunk) {
        const int count = min(a.chunk, end - start), keep = accumulate || start > first;
        for (int i = 0; i < count; i++) {
            const int m = start + i, strided = strided_pixel(&a.pixels, m);
            lanes_at[i] = (a.x_in_lanes ? strided : m) * a.lanes + lane;
            rows_at[i] = (a.x_in_lanes ? m : strided) * a.rows;
        }
        for (int i = 0; i < count; i++)
            pack_pixel(packed + i * KV, AT(lanes) + lanes_at[i], a.lanes - lane);
        /* The next chunk comes from memory while this one is multiplied: some of its lanes before
         * each tile, its first rows during the last one. Where a row of pixels ends within a chunk
         * that is a guess. */
        const int lane_step = count > 1 ? lanes_at[1] - lanes_at[0] : 0;
        const int row_step = count > 1 ? rows_at[1] - rows_at[0] : 0;
        const int fetched = count * CT / (end_row - first_row) + 1;
        int next = lanes_at[count - 1] + lane_step;
        for (int row = first_row; row < end_row; row += CT) {
            for (int i = 0; i < fetched; i++, next += lane_step)
                UNROLL_V for (int v = 0; v < KV; v++)
                    PREFETCH(AT(lanes) + next + 16 * v);
            /* The last tile is moved back; what belongs to the tile before is not stored. */
            const int r = min(row, a.rows - CT);
            const int ahead = row + CT < end_row ? 16 : count * row_step + first_row - r;
            float16 sums[CT][KV];
            UNROLL_C for (int i = 0; i < CT; i++)
                UNROLL_V for (int v = 0; v < KV; v++)
                    sums[i][v] = 0.0f;
            for (int m = 0; m < count; m++) {
                __global const float *from = AT(rows) + r + rows_at[m];
                PREFETCH(from + ahead);
                float16 line[KV];
                UNROLL_V for (int v = 0; v < KV; v++)
                    line[v] = packed[m * KV + v];
                UNROLL_C for (int i = 0; i < CT; i++)
                    UNROLL_V for (int v = 0; v < KV; v++)
                        sums[i][v] = fma((float16)(from[i]), line[v], sums[i][v]);
            }
            UNROLL_C for (int i = 0; i < CT; i++)
                if (r + i >= row)
                    UNROLL_V for (int v = 0; v < KV; v++)
                        store_lanes(sums_at + (r + i) * a.lane_pitch + 16 * v, sums[i][v], 16,
                                    keep);
        }
        /* The pixels are in a cache now. */
        if (wants_bias && a.x_in_lanes && get_group_id(0) == 0)
            sum_pixels(AT(bias) + slice * a.rows + first_row, AT(rows) + first_row, rows_at, count,
                       end_row - first_row, keep);
        if (wants_bias && !a.x_in_lanes && get_group_id(1) == 0)
            sum_pixels(AT(bias) + slice * a.lanes + lane, AT(lanes), lanes_at, count,
                       min(LANES, a.lanes - lane), keep);
    }
}

/* db = the sum of the slices, or db plus it, for every `step` x 16 channels from `channel` on. */
void join_bias(__global float *db, __global const float *bias, int channel, int step, int channels,
               int slices, int accumulate)
{
    for (; channel < channels; channel += 16 * step) {
        for (int c = channel; c < min(channel + 16, channels); c++) {
            float sum = 0.0f;
            for (int slice = 0; slice < slices; slice++)
                sum += bias[slice * channels + c];
            db[c] = accumulate ? db[c] + sum : sum;
        }
    }
}

/* dw = the sum of the slices, or dw plus it. A group has 16 rows by 16 lanes; dw has rows and
 * columns like partial, or with `transposed` the other way round. Groups behind the last rows make
 * db. */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_pointwise_join(OUT(float, dw), OUT(float, db), IN(float, partial),
                                    IN(float, bias), const int rows, const int lanes,
                                    const int lane_pitch, const int slices, const int transposed,
                                    const int accumulate)
{
    const int lane = get_group_id(0) * 16, row = get_group_id(1) * 16;
    if (row >= rows) {
        join_bias(AT(db), AT(bias), lane, get_num_groups(0), transposed ? lanes : rows, slices,
                  accumulate);
        return;
    }
    __global const float *from = AT(partial) + row * lane_pitch + lane;
    float16 sums[16], scratch[16];
    UNROLL_16 for (int i = 0; i < 16; i++)
        sums[i] = 0.0f;
    for (int slice = 0; slice < slices; slice++) {
        UNROLL_16 for (int i = 0; i < 16; i++)
            sums[i] += vload16(0, from + min(i, rows - 1 - row) * lane_pitch);
        from += (ulong)rows * lane_pitch;
    }
    if (transposed) {
        TRANSPOSE_16(sums, scratch)
    }
    const int height = min(16, transposed ? lanes - lane : rows - row);
    const int width = min(16, transposed ? rows - row : lanes - lane);
    const int pitch = transposed ? rows : lanes;
    __global float *to = AT(dw) + (transposed ? lane * rows + row : row * lanes + lane);
    UNROLL_16 for (int i = 0; i < 16; i++)
        if (i < height)
            store_lanes(to + i * pitch, sums[i], width, accumulate);
}
