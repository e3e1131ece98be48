/*
 * Filter gradient for CPU-like devices, channels last: dw[tap,c,k] = sum over pixels of
 * x[pixel + tap, c] dy[pixel, k], with CT channels by KV vectors of 16 filters in registers.
 * One work-item is one group and has some blocks of filters and one slice of the chunks (some rows
 * of one image each). For a chunk it copies dy, then block by block of channels the x that the
 * windows touch, to local memory, with zeros for padding and behind the last filter; then every tap
 * adds to its sums, which rest in `partial` [slice][tap r, tap s, c][filters] between chunks.
 * conv2d_filter_join adds the slices in order: the bits do not depend on scheduling.
 */
#include "common.clh"
#include "conv2d_filter_tile_args.clh"
#include "patch.clh"

#ifndef CT
#define CT 13
#endif
#ifndef KV
#define KV 2
#endif

#define LANES (16 * KV)
#define UNROLL_C __attribute__((opencl_unroll_hint(CT)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))

/* Adds one chunk to the sums of CT consecutive inputs; those below `skip` belong to the tile
 * before and are not stored. */
void add_tile(__global float *partial, int skip, int stride, __local const float *x,
              __local const float *dy, int rows, int row_step, int column_step, int q,
              int first_chunk)
{
    float16 sums[CT][KV];
    UNROLL_C for (int i = 0; i < CT; i++)
        UNROLL_V for (int v = 0; v < KV; v++)
            sums[i][v] = first_chunk ? (float16)(0.0f) : vload16(v, partial + i * stride);
    for (int row = 0; row < rows; row++) {
        __local const float *from = x + row * row_step;
        for (int column = 0; column < q; column++) {
            float16 d[KV];
            UNROLL_V for (int v = 0; v < KV; v++)
                d[v] = vload16(v, dy);
            UNROLL_C for (int i = 0; i < CT; i++)
                UNROLL_V for (int v = 0; v < KV; v++)
                    sums[i][v] = fma((float16)(from[i]), d[v], sums[i][v]);
            dy += LANES;
            from += column_step;
        }
    }
    UNROLL_C for (int i = 0; i < CT; i++)
        if (i >= skip)
            UNROLL_V for (int v = 0; v < KV; v++)
                vstore16(sums[i][v], v, partial + i * stride);
}

/* Adds one chunk to the sums of one block of filters for one block of channels. */
void add_chunk(__global float *sums, int stride, __local const float *patch, int columns,
               int block, __local const float *gradient, int rows, int first_chunk,
               const struct conv2d_filter_tile_args *a)
{
    const int span = a->taps_at_once * block;
    for (int tap = 0; tap < a->r * a->s; tap += a->taps_at_once) {
        const int r = tap / a->s, s = tap % a->s;
        __local const float *at =
            patch + (r * a->dilation_h * columns + s * a->dilation_w) * block;
        for (int done = 0; done < span; done += CT) {
            const int i = min(done, span - CT);
            add_tile(sums + (tap * a->c + i) * stride, done - i, stride, at + i, gradient, rows,
                     a->stride_h * columns * block, a->stride_w * block, a->q, first_chunk);
        }
    }
}

__kernel void conv2d_filter_tile(OUT(float, partial), IN(float, x), IN(float, dy),
                                 const struct conv2d_filter_tile_args a, __local float *patch,
                                 __local float *gradient)
{
    const int slice = get_group_id(1);
    const int all_blocks = (a.k + LANES - 1) / LANES, stride = all_blocks * LANES;
    const int first_block = get_group_id(0) * a.blocks_per_group;
    const int blocks = min(a.blocks_per_group, all_blocks - first_block);
    const int k0 = first_block * LANES;
    const int columns = (a.q - 1) * a.stride_w + (a.s - 1) * a.dilation_w + 1;
    const int chunks = a.n * a.chunks_per_image;
    const int first = slice * a.chunks_per_slice, end = min(first + a.chunks_per_slice, chunks);
    __global float *sums = AT(partial) + (ulong)slice * a.r * a.s * a.c * stride + k0;
    for (int chunk = first; chunk < end; chunk++) {
        const int n = chunk / a.chunks_per_image;
        const int p0 = chunk % a.chunks_per_image * a.rows;
        const int rows = min(a.rows, a.p - p0), pixels = rows * a.q;
        fetch_blocks(gradient, AT(dy) + (n * a.p + p0) * a.q * a.k + k0, pixels, a.k,
                     min(blocks * LANES, a.k - k0), LANES, blocks);
        for (int c0 = 0; c0 < a.c; c0 += a.block) {
            const int block = min(a.block, a.c - c0);
            const int patch_rows = (rows - 1) * a.stride_h + (a.r - 1) * a.dilation_h + 1;
            fetch_patch(patch, AT(x) + n * a.h * a.w * a.c + c0, patch_rows, columns,
                        p0 * a.stride_h - a.pad_top, 1, -a.pad_left, a.h, a.w, a.c, block, block);
            for (int b = 0; b < blocks; b++)
                add_chunk(sums + c0 * stride + b * LANES, stride, patch, columns, block,
                          gradient + b * pixels * LANES, rows, chunk == first, &a);
        }
    }
}

/* dw[k,c,r,s] = sum over slices of partial[slice][r,s,c][k], or added to it; an item an element,
 * k fastest. */
__kernel void conv2d_filter_join(OUT(float, dw), IN(float, partial), const int k, const int c,
                                 const int taps, const int stride, const int slices,
                                 const int accumulate)
{
    const uint i = get_global_id(0);
    if (i >= (uint)k * c * taps)
        return;
    const int filter = i % k, channel = i / k % c, tap = i / k / c;
    __global const float *from = AT(partial) + (tap * c + channel) * stride + filter;
    float sum = 0.0f;
    for (int slice = 0; slice < slices; slice++)
        sum += from[(ulong)slice * taps * c * stride];
    const uint to = ((uint)filter * c + channel) * taps + tap;
    AT(dw)[to] = accumulate ? AT(dw)[to] + sum : sum;
}
