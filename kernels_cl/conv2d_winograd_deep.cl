/*
 * Winograd convolution for many channels and few tiles, where a transformed filter would be larger
 * than the caches and is used once. conv2d_winograd_input brings the input's transform to
 * v[point][tile][c] in global memory, a tile a group, with zeros behind the last one.
 * A group of conv2d_winograd_deep has KV x 16 outputs and `block` tiles. DEPTH channels at a time
 * it transforms the filter to local memory, u[point][c][KV], and adds the products to
 * m[point][tile][KV] there, PX tiles at a time in registers; then come the outputs.
 */
#include "common.clh"
#include "taps.clh"
#include "winograd_tiles.clh"

#ifndef PX
#define PX 12
#endif
#ifndef KV
#define KV 2
#endif
#ifndef DEPTH
#define DEPTH 32
#endif

#define NAME pack_points
#define TO __local
#include "winograd_pack.clh"

__kernel void conv2d_winograd_input(OUT(float, v), IN(float, x),
                                    const struct conv2d_winograd_args a, const int v_tiles,
                                    __local float16 *points, __local float16 *patch)
{
    const int tile = get_group_id(0), cell = (a.c + 15) / 16, plane = cell + 1;
    if (tile < a.tiles)
        transform_input(points, plane, AT(x), &a, tile, patch);
    else
        clear_input(points, plane, cell);
    for (int point = 0; point < POINTS; point++) {
        __global float *to = AT(v) + ((size_t)point * v_tiles + tile) * cell * 16;
        for (int c = 0; c < cell; c++)
            *(__global vector_anywhere *)(to + 16 * c) = points[point * plane + c];
    }
}

/* m[i] += sum over c of v[i cell + c] u[c], for PX tiles; begins at 0 with `first`. */
void multiply(__local float16 *m, __global const float *v, size_t cell, __local const float16 *u,
              int c, int first)
{
    float16 sums[PX][KV];
    UNROLL(PX) for (int i = 0; i < PX; i++)
        UNROLL(KV) for (int j = 0; j < KV; j++)
            sums[i][j] = first ? 0.0f : m[i * KV + j];
    for (int term = 0; term < c; term++) {
        float16 w[KV];
        UNROLL(KV) for (int j = 0; j < KV; j++)
            w[j] = u[j];
        u += KV;
        UNROLL(PX) for (int i = 0; i < PX; i++)
            UNROLL(KV) for (int j = 0; j < KV; j++)
                sums[i][j] = fma((float16)(v[i * cell + term]), w[j], sums[i][j]);
    }
    UNROLL(PX) for (int i = 0; i < PX; i++)
        UNROLL(KV) for (int j = 0; j < KV; j++)
            m[i * KV + j] = sums[i][j];
}

__kernel void conv2d_winograd_deep(OUT(float, y), IN(float, v), IN(float, w), IN(float, b),
                                   const struct conv2d_winograd_args a, const int v_tiles,
                                   const int output_stride, const int term_stride,
                                   const int rotate, const int has_bias, const int accumulate,
                                   __local float16 *u, __local float16 *m)
{
    __local float16 taps[TAPS_ROOM];
    const int k = get_group_id(0) * 16 * KV;
    const int first = get_group_id(1) * a.block, tiles = min(a.block, a.tiles - first);
    const int cell = (a.c + 15) / 16 * 16, u_plane = DEPTH * KV + 1, m_plane = a.block * KV + 1;
    for (int c = 0; c < a.c; c += DEPTH) {
        const int depth = min(DEPTH, a.c - c);
        for (int j = 0; j < KV && k + 16 * j < a.k; j++) {
            const int output = k + 16 * j;
            __global const float *from = AT(w) + output * output_stride + c * term_stride;
            for (int i = 0; i < depth; i++) {
                fetch_taps(taps, from + i * term_stride, output_stride, a.k - output, rotate);
                pack_points((__local float *)(u + i * KV + j), 16 * u_plane, taps);
            }
        }
        for (int point = 0; point < POINTS; point++) {
            __global const float *from = AT(v) + ((size_t)point * v_tiles + first) * cell + c;
            for (int i = 0; i < tiles; i += PX)
                multiply(m + point * m_plane + i * KV, from + i * cell, cell, u + point * u_plane,
                         depth, c == 0);
        }
    }
    for (int i = 0; i < tiles; i++)
        store_tile(AT(y), AT(b), m + i * KV, m_plane, KV, &a, first + i, k, has_bias, accumulate);
}
