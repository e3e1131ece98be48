/*
 * 1x1 convolution for CPU-like devices, channels last: a matrix product of pixels and filter, with
 * tiles of PX pixels by KV vectors of 16 outputs in registers. The input is read where it lies, one
 * broadcast element a pixel; only the filter is packed, as [block][term][KV x 16], zeros behind the
 * last output.
 * One work-item is one group and has some pixels and some blocks of outputs. It goes through chunks
 * of pixels that stay in the first-level cache with one block of the filter. Local memory: where
 * the pixels of a chunk lie. The last pixel of a chunk stands for those that a tile has too many.
 */
#include "common.clh"
#include "conv2d_pointwise_args.clh"
#include "conv2d_pixels.clh"
#include "lanes.clh"
#include "transpose.clh"

#ifndef PX
#define PX 6
#endif
#ifndef KV
#define KV 4
#endif

#define LANES (16 * KV)
#define CHUNK 256
#define UNROLL_P __attribute__((opencl_unroll_hint(PX)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))

void clear_lanes(__global float *to, int count, int stream)
{
    int i = 0;
    for (; i + 16 <= count; i += 16)
        if (stream)
            STREAM((float16)(0.0f), to + i);
        else
            store_16(to + i, 0.0f);
    for (; i < count; i++)
        to[i] = 0.0f;
}

/* Zeros for the pixels of the result that lie between pixel m and the next ones, or between the
 * border and a pixel at it. */
void clear_around(const struct conv2d_pixels *a, __global float *y, int outputs, int m,
                  int lanes, int stream)
{
    const int row = m / a->q, q = m - row * a->q, image = row / a->p, p = row - image * a->p;
    const int h = a->top + p * a->stride_h, w = a->left + q * a->stride_w;
    const int end_h = p == a->p - 1 ? a->h : h + a->stride_h;
    const int end_w = q == a->q - 1 ? a->w : w + a->stride_w;
    for (int i = p == 0 ? 0 : h; i < end_h; i++)
        for (int j = q == 0 ? 0 : w; j < end_w; j++)
            if (i != h || j != w)
                clear_lanes(y + ((image * a->h + i) * a->w + j) * outputs, lanes, stream);
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_pointwise(OUT(float, y), IN(float, x), IN(float, filter), IN(float, b),
                               const struct conv2d_pointwise_args a, const int has_bias,
                               const int accumulate)
{
    __local float16 edge[PX * KV]; /* a tile that is not stored as it is */
    __local int from_at[CHUNK + 2 * PX], to_at[CHUNK + 2 * PX];
    const int first = get_group_id(0) * a.pixels_per_group;
    const int end = min(first + a.pixels_per_group, a.pixels.count);
    const int first_block = get_group_id(1) * a.blocks_per_group;
    const int end_block =
        min(first_block + a.blocks_per_group, (a.outputs + LANES - 1) / LANES);
    const int stream = a.stream && !accumulate && a.outputs % 16 == 0 && (size_t)AT(y) % 64 == 0;
    for (int start = first; start < end; start += a.chunk) {
        const int count = min(a.chunk, end - start);
        for (int i = 0; i < count + 2 * PX; i++) {
            const int m = min(start + i, a.pixels.count - 1);
            const int strided = strided_pixel(&a.pixels, m);
            from_at[i] = (a.strided_in ? strided : m) * a.terms;
            to_at[i] = (a.strided_in ? m : strided) * a.outputs;
        }
        if (a.clear && !accumulate) {
            const int k = first_block * LANES, end_k = min(end_block * LANES, a.outputs);
            for (int i = 0; i < count; i++)
                clear_around(&a.pixels, AT(y) + k, a.outputs, start + i, end_k - k, stream);
        }
        for (int block = first_block; block < end_block; block++) {
            const int k = block * LANES, lanes = min(LANES, a.outputs - k);
            float16 bias[KV];
            UNROLL_V for (int v = 0; v < KV; v++)
                bias[v] = has_bias ? load_lanes(AT(b) + k + 16 * v, lanes - 16 * v)
                                   : (float16)(0.0f);
            for (int tile = 0; tile < count; tile += PX) {
                __global const float *taps = AT(filter) + k * a.terms;
                __global const float *from[PX], *next[PX];
                float16 sums[PX][KV];
                UNROLL_P for (int i = 0; i < PX; i++) {
                    from[i] = AT(x) + from_at[tile + i];
                    next[i] = AT(x) + from_at[tile + PX + i];
                    UNROLL_V for (int v = 0; v < KV; v++)
                        sums[i][v] = bias[v];
                }
                for (int c0 = 0; c0 < a.terms; c0 += 16) {
                    const int end_c = min(c0 + 16, a.terms);
                    if (block == first_block)
                        UNROLL_P for (int i = 0; i < PX; i++)
                            PREFETCH(next[i] + c0);
                    for (int c = c0; c < end_c; c++) {
                        float16 w[KV];
                        UNROLL_V for (int v = 0; v < KV; v++)
                            w[v] = vload16(v, taps);
                        taps += LANES;
                        UNROLL_P for (int i = 0; i < PX; i++)
                            UNROLL_V for (int v = 0; v < KV; v++)
                                sums[i][v] = fma((float16)(from[i][c]), w[v], sums[i][v]);
                    }
                }
                if (a.relu)
                    UNROLL_P for (int i = 0; i < PX; i++)
                        UNROLL_V for (int v = 0; v < KV; v++) /* a NaN stays one */
                            sums[i][v] = sums[i][v] < 0.0f ? 0.0f : sums[i][v];
                __global float *y0 = AT(y) + k;
                if (tile + PX > count || lanes < LANES || accumulate) {
                    UNROLL_P for (int i = 0; i < PX; i++)
                        UNROLL_V for (int v = 0; v < KV; v++)
                            edge[i * KV + v] = sums[i][v];
                    for (int i = 0; i < min(PX, count - tile); i++)
                        for (int v = 0; v < KV; v++)
                            store_lanes(y0 + to_at[tile + i] + 16 * v, edge[i * KV + v],
                                        lanes - 16 * v, accumulate);
                } else if (stream) {
                    UNROLL_P for (int i = 0; i < PX; i++)
                        UNROLL_V for (int v = 0; v < KV; v++)
                            STREAM(sums[i][v], y0 + to_at[tile + i] + 16 * v);
                } else {
                    UNROLL_P for (int i = 0; i < PX; i++)
                        UNROLL_V for (int v = 0; v < KV; v++)
                            store_16(y0 + to_at[tile + i] + 16 * v, sums[i][v]);
                }
            }
        }
    }
}

/* Rows of `outputs`, each with the elements of 16 terms, to 16 terms with the outputs of each. */
void pack_transposed(__global float *to, __global const float *from, int stride, int outputs)
{
    float16 rows[16], scratch[16];
    UNROLL_16 for (int i = 0; i < 16; i++)
        rows[i] = i < outputs ? vload16(0, from + i * stride) : (float16)(0.0f);
    TRANSPOSE_16(rows, scratch)
    UNROLL_16 for (int i = 0; i < 16; i++)
        store_16(to + i * LANES, rows[i]);
}

/* The filter, w[output * output_stride + term * term_stride], as the product wants it; one of the
 * strides is 1. A group packs 64 terms of one block. */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void conv2d_pointwise_pack(OUT(float, packed), IN(float, w), const int terms,
                                    const int outputs, const int output_stride,
                                    const int term_stride)
{
    const int first = get_group_id(0) * 64, end = min(first + 64, terms);
    const int block = get_group_id(1);
    __global float *out = AT(packed) + block * terms * LANES;
    for (int v = 0; v < KV; v++) {
        const int k = block * LANES + v * 16, there = clamp(outputs - k, 0, 16);
        __global const float *in = AT(w) + min(k, outputs - 1) * output_stride;
        int term = first;
        if (term_stride == 1)
            for (; term + 16 <= end; term += 16)
                pack_transposed(out + term * LANES + v * 16, in + term, output_stride, there);
        for (; term < end; term++) {
            __global const float *from = in + term * term_stride;
            __global float *to = out + term * LANES + v * 16;
            if (output_stride == 1)
                store_16(to, load_lanes(from, there));
            else
                for (int i = 0; i < 16; i++)
                    to[i] = i < there ? from[i * output_stride] : 0.0f;
        }
    }
}
