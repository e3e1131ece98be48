/*
 * Winograd convolution for CPU-like devices, channels last, 3x3: tiles of TILE x TILE outputs. One
 * work-item is one group and has `block` consecutive tiles of all images. It transforms their input
 * to v[point][tile][c] in local memory, multiplies it at each point by the transformed filter of
 * KV x 16 outputs, PX tiles at a time in registers, to m[point][tile][KV x 16], and transforms that
 * to outputs; then the next KV x 16 outputs. A tile that reaches over the image's border, and
 * channels behind the last full vector, go through `patch`, with zeros.
 */
#include "common.clh"
#include "conv2d_winograd_args.clh"
#include "winograd_window.clh"

#ifndef PX
#define PX 6
#endif
#ifndef KV
#define KV 4
#endif

#define LANES (16 * KV)

void transform_input(__local float16 *v, size_t plane, __global const float *x,
                     const struct conv2d_winograd_args *a, int tile, __local float16 *patch)
{
    const int n = tile / (a->tiles_h * a->tiles_w), in_image = tile % (a->tiles_h * a->tiles_w);
    const int h0 = a->first_h + in_image / a->tiles_w * TILE;
    const int w0 = a->first_w + in_image % a->tiles_w * TILE;
    const int inside = h0 >= 0 && h0 + WINDOW <= a->h && w0 >= 0 && w0 + WINDOW <= a->w;
    __global const float *image = x + n * a->h * a->w * a->c;
    for (int c = 0; c < a->c; c += 16) {
        if (inside && c + 16 <= a->c) {
            UNROLL(LAST_STAGE + 1) for (int stage = 0; stage <= LAST_STAGE; stage++)
                input_of_image(v + first_row(stage) * WINDOW * plane, plane,
                               image + (h0 * a->w + w0) * a->c + c, a->w * a->c, a->c, stage);
        } else {
            fetch_window(patch, WINDOW, -1, image + c, h0, w0, a->h, a->w, a->c, a->c - c);
            UNROLL(LAST_STAGE + 1) for (int stage = 0; stage <= LAST_STAGE; stage++)
                input_of_patch(v + first_row(stage) * WINDOW * plane, plane,
                               (__local const float *)patch, WINDOW * 16, 16, stage);
        }
        v++;
    }
}

/* m[i] = sum over c of v[i cell + c] u[c], for PX tiles. */
void multiply(__local float16 *m, __local const float *v, size_t cell, __global const float *u,
              int c)
{
    float16 sums[PX][KV];
    UNROLL(PX) for (int i = 0; i < PX; i++)
        UNROLL(KV) for (int j = 0; j < KV; j++)
            sums[i][j] = 0.0f;
    for (int term = 0; term < c; term++) {
        float16 w[KV];
        UNROLL(KV) for (int j = 0; j < KV; j++)
            w[j] = *(__global const vector_anywhere *)(u + 16 * j);
        u += LANES;
        UNROLL(PX) for (int i = 0; i < PX; i++)
            UNROLL(KV) for (int j = 0; j < KV; j++)
                sums[i][j] = fma((float16)(v[i * cell + term]), w[j], sums[i][j]);
    }
    UNROLL(PX) for (int i = 0; i < PX; i++)
        UNROLL(KV) for (int j = 0; j < KV; j++)
            m[i * KV + j] = sums[i][j];
}

/* What the outputs of a tile share: how many there are, and what happens to them on their way. */
struct target {
    size_t row, column; /* elements from one to the next */
    int rows, columns;  /* that exist */
    int count;          /* channels of the vector that exist */
    int relu, accumulate;
};

void transform_output(__global float *y, __local const float16 *m, size_t plane, float16 bias,
                      struct target to)
{
    float16 t[TILE][WINDOW];
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
        float16 points[WINDOW], out[TILE];
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
            points[i] = m[(i * WINDOW + j) * plane];
        output_sums(out, points);
        UNROLL(TILE) for (int i = 0; i < TILE; i++)
            t[i][j] = out[i];
    }
    UNROLL(TILE) for (int i = 0; i < TILE; i++) {
        float16 out[TILE];
        output_sums(out, t[i]);
        UNROLL(TILE) for (int j = 0; j < TILE; j++) {
            if (i < to.rows && j < to.columns) {
                float16 value = out[j] + bias;
                if (to.relu)
                    value = value < 0.0f ? 0.0f : value; /* a NaN stays one */
                store_lanes(y + i * to.row + j * to.column, value, to.count, to.accumulate);
            }
        }
    }
}

__kernel void conv2d_winograd(OUT(float, y), IN(float, x), IN(float, u), IN(float, b),
                              const struct conv2d_winograd_args a, const int has_bias,
                              const int accumulate, __local float16 *v, __local float16 *m,
                              __local float16 *patch)
{
    const int first = get_group_id(0) * a.block, tiles = min(a.block, a.tiles - first);
    const int cell = (a.c + 15) / 16, v_plane = a.block * cell + 1, m_plane = a.block * KV + 1;
    const int u_plane = a.c * LANES + 16, image_tiles = a.tiles_h * a.tiles_w;
    for (int i = 0; i < tiles; i++)
        transform_input(v + i * cell, v_plane, AT(x), &a, first + i, patch);
    for (int k = 0; k < a.k; k += LANES) {
        __global const float *filter = AT(u) + (ulong)(k / LANES) * POINTS * u_plane;
        for (int point = 0; point < POINTS; point++)
            for (int i = 0; i < tiles; i += PX)
                multiply(m + point * m_plane + i * KV,
                         (__local const float *)(v + point * v_plane + i * cell), 16 * cell,
                         filter + point * u_plane, a.c);
        for (int i = 0; i < tiles; i++) {
            const int n = (first + i) / image_tiles, in_image = (first + i) % image_tiles;
            const int p = in_image / a.tiles_w * TILE, q = in_image % a.tiles_w * TILE;
            __global float *out = AT(y) + ((n * a.p + p) * a.q + q) * a.k + k;
            struct target to = {a.q * a.k, a.k, a.p - p, a.q - q, a.k - k, a.relu, accumulate};
            for (int j = 0; j < KV && to.count > 0; j++) {
                transform_output(out + 16 * j, m + i * KV + j, m_plane,
                                 has_bias ? load_lanes(AT(b) + k + 16 * j, to.count) : 0.0f, to);
                to.count -= 16;
            }
        }
    }
}
