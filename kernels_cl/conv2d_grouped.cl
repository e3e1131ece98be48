/*
 * Grouped convolution for CPU-like devices, channels last: register tiles of PX pixels of a row by
 * KV vectors of 16 outputs of one block of groups.
 * One work-item is one group and makes some rows (axis 0) of one image (axis 1) for one block (axis
 * 2). It brings the block's input to local memory in the form of conv2d_grouped_input.clh, so that
 * the inner loop knows neither borders nor groups.
 * The filter comes packed as [block][tap row][tap column][input][KV x 16], zeros in unused lanes.
 */
#include "common.clh"
#include "conv2d_grouped_input.clh"

#ifndef PX
#define PX 14
#endif
#ifndef KV
#define KV 1
#endif
#ifndef STEP_W
#define STEP_W 1 /* input columns from one output to the next */
#endif

#define LANES (16 * KV)
#define UNROLL_P __attribute__((opencl_unroll_hint(PX)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))

/* One tile: `patch` is where tap 0 of its first pixel is, `y` where its first pixel goes. Of its
 * pixels, [begin, end) are new. */
void make_tile(__global float *y, __local const float *patch, __global const float *taps, int row,
               int begin, int end, int outputs, __global const float *bias, int has_bias,
               int accumulate, const struct conv2d_grouped_args *a)
{
    float16 sums[PX][KV];
    UNROLL_P for (int i = 0; i < PX; i++)
        UNROLL_V for (int v = 0; v < KV; v++) sums[i][v] = 0.0f;
    for (int r = 0; r < a->taps_h; r++) {
        if (row + r * a->tap_h < 0 || row + r * a->tap_h >= a->h) {
            taps += a->taps_w * INPUTS * LANES;
            continue;
        }
        for (int s = 0; s < a->taps_w; s++) {
            __local const float *from = patch + (r * a->tap_h * a->columns + s * a->tap_w) * CELL;
            for (int j = 0; j < INPUTS; j++, taps += LANES) {
                float16 w[KV];
                UNROLL_V for (int v = 0; v < KV; v++) w[v] = vload16(v, taps);
                UNROLL_P for (int i = 0; i < PX; i++)
                    UNROLL_V for (int v = 0; v < KV; v++)
                        sums[i][v] = fma(FACTOR(from + i * STEP_W * CELL, j), w[v], sums[i][v]);
            }
        }
    }
    UNROLL_P for (int i = 0; i < PX; i++) {
        UNROLL_V for (int v = 0; v < KV; v++) {
            if (i >= begin && i < end && outputs > v * 16) {
                float16 value = sums[i][v];
                if (has_bias)
                    value += load_lanes(bias + v * 16, outputs - v * 16);
                if (a->relu)
                    value = value < 0.0f ? 0.0f : value; /* a NaN stays one */
                store_lanes(y + i * a->out_column + v * 16, value, outputs - v * 16, accumulate);
            }
        }
    }
}

__kernel void conv2d_grouped(OUT(float, y), IN(float, x), IN(float, filter), IN(float, b),
                             const struct conv2d_grouped_args a, const int has_bias,
                             const int accumulate, __local float *patch)
{
    const int band = get_group_id(0) / a.spans, span = get_group_id(0) % a.spans;
    const int n = get_group_id(1), block = get_group_id(2);
    const int pitch = a.blocks.groups * INPUTS;
    const int first_p = band * a.rows, rows = min(a.rows, a.p - first_p);
    const int end_q = min((span + 1) * a.span, a.q);
    const int first_q = min(span * a.span, max(a.q - PX, 0));
    const int image = n * a.h * a.w * pitch + first_input(&a.blocks, block);
    const int k = first_output(&a.blocks, block), outputs = num_outputs(&a.blocks, block);
    const int patch_rows = (rows - 1) * a.step_h + (a.taps_h - 1) * a.tap_h + 1;
    __global const float *taps =
        AT(filter) + block * a.taps_h * a.taps_w * INPUTS * LANES;
    if (a.taps_h > 0)
        fetch_cells(patch, AT(x) + image, a.n * a.h * a.w * pitch - image, patch_rows, a.columns,
                    a.first_h + first_p * a.step_h, a.first_w + first_q * STEP_W, a.h, a.w,
                    pitch);
    for (int j = 0; j < rows; j++) {
        const int p = first_p + j;
        __global float *to = AT(y) + a.out_first + n * a.out_image + p * a.out_row + k;
        for (int done = span * a.span; done < end_q; done += PX) {
            const int q = max(min(done, a.q - PX), 0); /* the last tile is moved left */
            make_tile(to + q * a.out_column,
                      patch + (j * a.step_h * a.columns + (q - first_q) * STEP_W) * CELL, taps,
                      a.first_h + p * a.step_h, done - q, end_q - q, outputs, AT(b) + k, has_bias,
                      accumulate, &a);
        }
    }
}

/* Packs the filter: an item makes the lanes of one term of one tap of one block. */
__kernel void conv2d_grouped_pack(OUT(float, packed), IN(float, w),
                                  const struct conv2d_grouped_pack_args a)
{
    const int row = get_global_id(0);
    const int term = row % INPUTS, tap = row / INPUTS % (a.taps_h * a.taps_w);
    const int block = row / INPUTS / (a.taps_h * a.taps_w);
    const int place = (a.first_h + tap / a.taps_w * a.step_h) * a.s + a.first_w +
                      tap % a.taps_w * a.step_w;
    const int count = num_outputs(&a.blocks, block);
    const int group = block / a.blocks.parts * a.blocks.together;
    const int skipped = block % a.blocks.parts * a.blocks.lanes;
    for (int i = 0; i < a.blocks.lanes; i++) {
        const int output = skipped + i;
        const int from = (group + output / a.blocks.outputs) * a.group +
                         output % a.blocks.outputs * a.output_step + term * a.term_step + place;
        AT(packed)[row * a.blocks.lanes + i] = i < count ? AT(w)[from] : 0.0f;
    }
}
