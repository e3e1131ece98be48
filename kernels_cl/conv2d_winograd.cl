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
#include "lanes.clh"
#include "winograd.clh"

#ifndef PX
#define PX 6
#endif
#ifndef KV
#define KV 4
#endif

#define LANES (16 * KV)

/* One row of the points of a tile, from one row of what the other axis left. */
void input_row(__local float16 *v, size_t plane, const float16 *t)
{
    v[0] = input_first(t);
    UNROLL(PAIRS) for (int k = 0; k < PAIRS; k++) {
        const float16 even = input_even(k, t), odd = input_odd(k, t);
        v[(2 * k + 1) * plane] = even + odd;
        v[(2 * k + 2) * plane] = even - odd;
    }
    v[(WINDOW - 1) * plane] = input_last(t);
}

#define NAME input_of_image
#define FROM __global
#include "winograd_input.clh"

#define NAME input_of_patch
#define FROM __local
#include "winograd_input.clh"

/* A window of 16 channels, `count` of which exist; zeros elsewhere. */
void fetch_window(__local float16 *to, __global const float *image, int h0, int w0, int h, int w,
                  int pitch, int count)
{
    const int begin = -w0, end = w - w0;
    for (int i = 0; i < WINDOW; i++) {
        const int empty = h0 + i < 0 || h0 + i >= h;
        __global const float *from = image + ((h0 + i) * w + w0) * pitch;
        UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
            if (empty || j < begin || j >= end)
                to[j] = 0.0f;
            else if (count < 16)
                to[j] = load_lanes(from + j * pitch, count);
            else
                to[j] = *(__global const vector_anywhere *)(from + j * pitch);
        }
        to += WINDOW;
    }
}

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
            input_of_image(v, plane, image + (h0 * a->w + w0) * a->c + c, a->w * a->c, a->c);
        } else {
            fetch_window(patch, image + c, h0, w0, a->h, a->w, a->c, a->c - c);
            input_of_patch(v, plane, (__local const float *)patch, WINDOW * 16, 16);
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
