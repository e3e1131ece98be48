/*
 * Filter gradient of grouped convolution for CPU-like devices, channels last: CT factors of x, each
 * an input at a tap, by KV vectors of 16 outputs of one block of groups in registers.
 * One work-item is one group and has one block (axis 0) and one slice (axis 1) of the chunks, which
 * are some rows of dy of one image each. It brings the x that a chunk's windows touch to local
 * memory in the form of conv2d_grouped_input.clh; between chunks the sums rest in `partial`
 * [slice][block][tap][input][KV x 16]. conv2d_grouped_join adds the slices in order.
 */
#include "common.clh"
#include "conv2d_grouped_input.clh"

#ifndef CT
#define CT 12
#endif
#ifndef KV
#define KV 1
#endif

#define LANES (16 * KV)
#define UNROLL_C __attribute__((opencl_unroll_hint(CT)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))
#define FACTOR_SIZE (TOGETHER ? 16 : 1)

/* Adds one chunk to CT sums; those below `skip` belong to the tile before and are not stored. */
void add_tile(__global float *partial, int skip, __local const float *x, __global const float *dy,
              int left, int rows, int first, const struct conv2d_grouped_filter_args *a)
{
    const int pitch = a->blocks.groups * a->blocks.outputs;
    float16 sums[CT][KV];
    UNROLL_C for (int i = 0; i < CT; i++)
        UNROLL_V for (int v = 0; v < KV; v++)
            sums[i][v] = first ? (float16)(0.0f) : vload16(i * KV + v, partial);
    for (int row = 0; row < rows; row++) {
        __local const float *from = x + row * a->stride_h * a->columns * CELL;
        for (int q = 0; q < a->q; q++, dy += pitch, left -= pitch, from += a->stride_w * CELL) {
            float16 d[KV]; /* lanes behind the block's outputs are never read */
            UNROLL_V for (int v = 0; v < KV; v++) d[v] = load_lanes(dy + v * 16, left - v * 16);
            UNROLL_C for (int i = 0; i < CT; i++)
                UNROLL_V for (int v = 0; v < KV; v++)
                    sums[i][v] = fma(FACTOR(from, i), d[v], sums[i][v]);
        }
    }
    UNROLL_C for (int i = 0; i < CT; i++)
        if (i >= skip)
            UNROLL_V for (int v = 0; v < KV; v++) vstore16(sums[i][v], i * KV + v, partial);
}

__kernel void conv2d_grouped_filter(OUT(float, partial), IN(float, x), IN(float, dy),
                                    const struct conv2d_grouped_filter_args a,
                                    __local float *patch)
{
    const int block = get_group_id(0), slice = get_group_id(1);
    const int x_pitch = a.blocks.groups * INPUTS, dy_pitch = a.blocks.groups * a.blocks.outputs;
    const int k = first_output(&a.blocks, block);
    const int chunks = a.n * a.chunks_per_image, span = a.taps_at_once * INPUTS;
    const int first = slice * a.chunks_per_slice, end = min(first + a.chunks_per_slice, chunks);
    __global float *sums = AT(partial) + (ulong)(slice * a.blocks.count + block) * a.r * a.s *
                                             INPUTS * LANES;
    for (int chunk = first; chunk < end; chunk++) {
        const int n = chunk / a.chunks_per_image, p = chunk % a.chunks_per_image * a.rows;
        const int rows = min(a.rows, a.p - p);
        const int image = n * a.h * a.w * x_pitch + first_input(&a.blocks, block);
        const int at = (n * a.p + p) * a.q * dy_pitch + k;
        fetch_cells(patch, AT(x) + image, a.n * a.h * a.w * x_pitch - image,
                    (rows - 1) * a.stride_h + (a.r - 1) * a.dilation_h + 1, a.columns,
                    p * a.stride_h - a.pad_top, -a.pad_left, a.h, a.w, x_pitch);
        for (int tap = 0; tap < a.r * a.s; tap += a.taps_at_once) {
            __local const float *from = patch + (tap / a.s * a.dilation_h * a.columns +
                                                 tap % a.s * a.dilation_w) * CELL;
            for (int done = 0; done < span; done += CT) {
                const int i = min(done, span - CT);
                add_tile(sums + (tap * INPUTS + i) * LANES, done - i, from + i * FACTOR_SIZE,
                         AT(dy) + at, a.n * a.p * a.q * dy_pitch - at, rows,
                         chunk == first, &a);
            }
        }
    }
}

/* dw[k,j,tap] = sum over slices, or added to it; an item an element. */
__kernel void conv2d_grouped_join(OUT(float, dw), IN(float, partial),
                                  const struct conv2d_grouped_blocks b, const int taps,
                                  const int slices, const int accumulate)
{
    const int i = get_global_id(0);
    if (i >= b.groups * b.outputs * b.inputs * taps)
        return;
    const int tap = i % taps, term = i / taps % b.inputs, k = i / taps / b.inputs;
    const int group = k / b.outputs, output = k % b.outputs;
    const int block = group / b.together * b.parts + output / b.lanes;
    const int lane = group % b.together * b.outputs + output % b.lanes;
    const ulong size = (ulong)taps * b.inputs * b.lanes;
    __global const float *from =
        AT(partial) + block * size + (ulong)(tap * b.inputs + term) * b.lanes + lane;
    float sum = 0.0f;
    for (int slice = 0; slice < slices; slice++)
        sum += from[slice * b.count * size];
    AT(dw)[i] = accumulate ? AT(dw)[i] + sum : sum;
}
