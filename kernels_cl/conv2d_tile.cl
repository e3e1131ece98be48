/*
 * Convolution for CPU-like devices, channels last: register tiles of PX pixels of a row by KV
 * vectors of 16 outputs, so that a multiply-add needs about half a load.
 * One work-item is one group and makes one row of one image for `blocks_per_group` blocks of
 * outputs. For each tile of PX pixels it copies the input that the tile's windows touch to local
 * memory, zeros where there is padding: the inner loops then know no borders, and rows whose length
 * is a power of two do not fall on each other in the cache. The last tile of a row is moved left to
 * end with it where the row is long enough.
 * The filter comes packed as [block][tap row][tap column][c][KV x 16], zeros behind k.
 */
#include "common.clh"
#include "conv2d_tile_args.clh"
#include "patch.clh"

#ifndef PX
#define PX 14
#endif
#ifndef KV
#define KV 2
#endif

#define LANES (16 * KV)

/* 16 floats of which `count` exist; zeros behind them. */
float16 load_lanes(__global const float *from, int count)
{
    if (count >= 16)
        return vload16(0, from);
    float lanes[16];
    for (int i = 0; i < 16; i++)
        lanes[i] = i < count ? from[i] : 0.0f;
    return vload16(0, lanes);
}

void store(__global float *y, float16 value, int count, int accumulate)
{
    if (count >= 16) {
        vstore16(accumulate ? vload16(0, y) + value : value, 0, y);
        return;
    }
    float lanes[16];
    vstore16(value, 0, lanes);
    for (int i = 0; i < count; i++)
        y[i] = accumulate ? y[i] + lanes[i] : lanes[i];
}

__kernel void conv2d_tile(OUT(float, y), IN(float, x), IN(float, filter), IN(float, b),
                          const struct conv2d_tile_args a, const int has_bias,
                          const int accumulate, __local float *patch)
{
    const int p = get_group_id(0), n = get_group_id(1);
    const int first_block = get_group_id(2) * a.blocks_per_group;
    const int blocks = (a.k + LANES - 1) / LANES;
    const int end_block = min(first_block + a.blocks_per_group, blocks);
    const int columns = (PX - 1) * a.step_w + (a.taps_w - 1) * a.tap_w + 1;
    const int block_size = a.taps_h * a.taps_w * a.c * LANES;
    const int step = a.step_w * a.cell;
    __global const float *image = AT(x) + n * a.in_image;
    __global float *out = AT(y) + a.out_first + n * a.out_image + p * a.out_row;
    /* `done`: where the last tile, moved left, begins to be new: an element is stored once. */
    for (int done = 0; done < a.q; done += PX) {
        const int q = a.q >= PX ? min(done, a.q - PX) : 0;
        fetch_patch(patch, image, a.taps_h, columns, a.first_h + p * a.step_h, a.tap_h,
                    a.first_w + q * a.step_w, a.h, a.w, a.c, a.c, a.cell);
        for (int block = first_block; block < end_block; block++) {
            __global const float *taps = AT(filter) + block * block_size;
            float16 sums[PX][KV];
            __attribute__((opencl_unroll_hint(PX))) for (int i = 0; i < PX; i++)
                __attribute__((opencl_unroll_hint(KV))) for (int v = 0; v < KV; v++)
                    sums[i][v] = 0.0f;
            for (int r = 0; r < a.taps_h; r++) {
                for (int s = 0; s < a.taps_w; s++) {
                    __local const float *from = patch + (r * columns + s * a.tap_w) * a.cell;
                    for (int c = 0; c < a.c; c++) {
                        float16 w[KV];
                        __attribute__((opencl_unroll_hint(KV))) for (int v = 0; v < KV; v++)
                            w[v] = vload16(v, taps);
                        taps += LANES;
                        __attribute__((opencl_unroll_hint(PX))) for (int i = 0; i < PX; i++)
                            __attribute__((opencl_unroll_hint(KV))) for (int v = 0; v < KV; v++)
                                sums[i][v] = fma((float16)(from[i * step + c]), w[v], sums[i][v]);
                    }
                }
            }
            __attribute__((opencl_unroll_hint(PX))) for (int i = 0; i < PX; i++) {
                __attribute__((opencl_unroll_hint(KV))) for (int v = 0; v < KV; v++) {
                    const int k = block * LANES + v * 16;
                    const int column = q + i;
                    if (k < a.k && column >= done && column < a.q) {
                        float16 value = sums[i][v];
                        if (has_bias)
                            value += load_lanes(AT(b) + k, a.k - k);
                        if (a.relu)
                            value = value < 0.0f ? 0.0f : value; /* a NaN stays one */
                        store(out + column * a.out_column + k, value, a.k - k, accumulate);
                    }
                }
            }
        }
    }
}
