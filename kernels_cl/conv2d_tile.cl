/*
 * Convolution for CPU-like devices, channels last: register tiles of PX pixels of a row by KV
 * vectors of 16 outputs, so that a multiply-add needs about half a load.
 * One work-item is one group and makes some rows of one or more images for `blocks_per_group`
 * blocks of outputs. It copies the input rows that they need to local memory once, zeros where
 * columns of padding are, so that a tile reads close together and knows no borders; rows and
 * columns of taps that meet padding only are left out. Where one block's filter is large, all
 * tiles take one part of the channels after the other while that part of the filter is in the
 * cache; their sums rest in `rests` in between.
 * The filter comes packed as [block][part of c][tap row][tap column][c][KV x 16], zeros behind k.
 */
#include "common.clh"
#include "conv2d_tile_args.clh"
#include "lanes.clh"
#include "patch.clh"

#ifndef PX
#define PX 14
#endif
#ifndef KV
#define KV 2
#endif

#define LANES (16 * KV)
#define UNROLL_P __attribute__((opencl_unroll_hint(PX)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))

/* `count` terms of a tile, without its first LOW and its last HIGH pixels. */
#define ADD_TERMS(LOW, HIGH)                                                                       \
    for (int c = 0; c < count; c++, taps += LANES) {                                               \
        float16 w[KV];                                                                             \
        UNROLL_V for (int v = 0; v < KV; v++) w[v] = vload16(v, taps);                             \
        UNROLL_P for (int i = LOW; i < PX - HIGH; i++)                                             \
            UNROLL_V for (int v = 0; v < KV; v++)                                                  \
                sums[i][v] = fma((float16)(from[i * step + c]), w[v], sums[i][v]);                 \
    }

/* What all tiles of one pass have in common: a block of outputs and a part of the channels. */
struct pass {
    __global const float *taps, *bias;
    int k;                /* the first output */
    int channels;
    int first, last;      /* part of the channels */
    int has_bias, accumulate;
    int stream;           /* whole tiles past the caches */
};

/* Adds a pass to the sums of one tile. `patch`: where tap 0 of its first pixel is, in input row
 * `row` and column `column`; `y`: where its first pixel goes. Of the pixels, [begin, end) are
 * new. */
NOINLINE void add_tile(__global float *y, __local const float *patch, __local float *rest, int row,
                       int column, int begin, int end, int row_size, const struct pass *pass,
                       const struct conv2d_tile_args *a)
{
    const int step = a->step_w * a->cell;
    const int reach = (PX - 1) * a->step_w;
    const int inside =
        column >= 0 && column + reach + (a->taps_w - 1) * a->tap_w < a->w;
    const int at_once = inside ? a->taps_at_once : 1;
    const int count = pass->channels * at_once;
    float16 sums[PX][KV], bias[KV];
    UNROLL_V for (int v = 0; v < KV; v++)
        bias[v] = pass->has_bias
                      ? load_mostly(pass->bias + pass->k + v * 16, a->k - pass->k - v * 16)
                      : (float16)(0.0f);
    UNROLL_P for (int i = 0; i < PX; i++)
        UNROLL_V for (int v = 0; v < KV; v++)
            sums[i][v] = pass->first ? bias[v] : vload16(i * KV + v, rest);
    for (int r = 0; r < a->taps_h; r++) {
        if (row + r * a->tap_h < 0 || row + r * a->tap_h >= a->h)
            continue;
        for (int s = 0; s < a->taps_w; s += at_once) {
            const int low = column + s * a->tap_w;
            __local const float *from = patch + r * row_size + s * a->tap_w * a->cell;
            __global const float *taps =
                pass->taps + (r * a->taps_w + s) * pass->channels * LANES;
            if (inside || (low >= 0 && low + reach < a->w)) {
                ADD_TERMS(0, 0)
            } else if (low + reach < 0 || low >= a->w) {
                continue;
            } else if (low < 0) {
                ADD_TERMS(1, 0)
            } else {
                ADD_TERMS(0, 1)
            }
        }
    }
    if (!pass->last) {
        UNROLL_P for (int i = 0; i < PX; i++)
            UNROLL_V for (int v = 0; v < KV; v++)
                store_local_16(rest + (i * KV + v) * 16, sums[i][v]);
        return;
    }
    if (a->relu)
        UNROLL_P for (int i = 0; i < PX; i++)
            UNROLL_V for (int v = 0; v < KV; v++)
                sums[i][v] = sums[i][v] < 0.0f ? 0.0f : sums[i][v]; /* a NaN stays one */
    y += pass->k;
    const int whole = begin <= 0 && end >= PX && pass->k + LANES <= a->k && !pass->accumulate;
    if (whole && pass->stream) {
        UNROLL_P for (int i = 0; i < PX; i++)
            UNROLL_V for (int v = 0; v < KV; v++)
                STREAM(sums[i][v], y + i * a->out_column + v * 16);
    } else if (whole) {
        UNROLL_P for (int i = 0; i < PX; i++)
            UNROLL_V for (int v = 0; v < KV; v++)
                store_16(y + i * a->out_column + v * 16, sums[i][v]);
    } else {
        float16 kept[PX * KV];
        UNROLL_P for (int i = 0; i < PX; i++)
            UNROLL_V for (int v = 0; v < KV; v++)
                kept[i * KV + v] = sums[i][v];
        for (int i = max(begin, 0); i < min(end, PX); i++)
            for (int v = 0; v < KV && pass->k + v * 16 < a->k; v++)
                store_mostly(y + i * a->out_column + v * 16, kept[i * KV + v],
                             a->k - pass->k - v * 16, pass->accumulate);
    }
}

__kernel void conv2d_tile(OUT(float, y), IN(float, x), IN(float, filter), IN(float, b),
                          const struct conv2d_tile_args a, const int has_bias,
                          const int accumulate, __local float *patch, __local float *rests)
{
    const int band = get_group_id(0) / a.spans, span = get_group_id(0) % a.spans;
    const int first_n = get_group_id(1) * a.images, images = min(a.images, a.n - first_n);
    const int first_block = get_group_id(2) * a.blocks_per_group;
    const int end_block = min(first_block + a.blocks_per_group, (a.k + LANES - 1) / LANES);
    /* Row j of the band is row `first_p + j period`: these share the input rows of a dilation. */
    const int first_p = band / a.period * a.rows * a.period + band % a.period;
    const int rows = clamp((a.p - first_p + a.period - 1) / a.period, 0, a.rows);
    const int patch_rows = rows > 0 ? (rows - 1) * a.jump + a.taps_h : 0;
    const int row_size = a.columns * a.cell, image_size = a.patch_rows * row_size;
    const int end_q = min((span + 1) * a.span, a.q);
    const int first_q = min(span * a.span, max(a.q - PX, 0));
    const int first_row = a.first_h + first_p * a.step_h;
    const int first_column = a.first_w + first_q * a.step_w;
    const int stream = a.stream && (size_t)(AT(y) + a.out_first) % 64 == 0;
    for (int n = 0; n < images; n++)
        fetch_patch(patch + n * image_size, AT(x) + (first_n + n) * a.in_image, patch_rows,
                    a.columns, first_row, a.tap_h, first_column, a.h, a.w, a.c, a.c, a.cell);
    for (int block = first_block; block < end_block; block++) {
        for (int c = 0; c < a.c; c += a.part) {
            const struct pass pass = {
                AT(filter) + (block * a.c + c) * a.taps_h * a.taps_w * LANES, AT(b),
                block * LANES, min(a.part, a.c - c), c == 0, c + a.part >= a.c, has_bias,
                accumulate, stream};
            __local float *rest = rests;
            for (int n = 0; n < images; n++) {
                for (int j = 0; j < rows; j++) {
                    const int p = first_p + j * a.period;
                    __global float *to = AT(y) + a.out_first + (first_n + n) * a.out_image +
                                         p * a.out_row;
                    __local const float *from =
                        patch + n * image_size + j * a.jump * row_size + c;
                    for (int done = span * a.span; done < end_q; done += PX) {
                        /* The last tile is moved left: an element is stored once. */
                        const int q = max(min(done, a.q - PX), 0);
                        add_tile(to + q * a.out_column,
                                 from + (q - first_q) * a.step_w * a.cell, rest,
                                 a.first_h + p * a.step_h, a.first_w + q * a.step_w, done - q,
                                 end_q - q, row_size, &pass, &a);
                        if (a.part < a.c)
                            rest += PX * LANES;
                    }
                }
            }
        }
    }
}
