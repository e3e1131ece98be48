/*
 * Winograd convolution for CPU-like devices, channels last, 3x3: tiles of TILE x TILE outputs. One
 * work-item is one group and has `block` consecutive tiles of all images. It transforms their input
 * to v[point][tile][c] in local memory, multiplies it at each point by the transformed filter of
 * KV x 16 outputs, PX tiles at a time in registers, to m[point][tile][KV x 16], and transforms that
 * to outputs; then the next KV x 16 outputs. A tile that reaches over the image's border, and
 * channels behind the last full vector, go through `patch`, with zeros.
 */
#include "common.clh"
#include "winograd_tiles.clh"

#ifndef PX
#define PX 6
#endif
#ifndef KV
#define KV 4
#endif

#define LANES (16 * KV)

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

__kernel void conv2d_winograd(OUT(float, y), IN(float, x), IN(float, u), IN(float, b),
                              const struct conv2d_winograd_args a, const int has_bias,
                              const int accumulate, __local float16 *v, __local float16 *m,
                              __local float16 *patch)
{
    const int first = get_group_id(0) * a.block, tiles = min(a.block, a.tiles - first);
    const int cell = (a.c + 15) / 16, v_plane = a.block * cell + 1, m_plane = a.block * KV + 1;
    const int u_plane = a.c * LANES + 16;
    for (int i = 0; i < tiles; i++)
        transform_input(v + i * cell, v_plane, AT(x), &a, first + i, patch);
    for (int i = tiles; i % PX != 0; i++)
        clear_input(v + i * cell, v_plane, cell);
    for (int k = 0; k < a.k; k += LANES) {
        __global const float *filter = AT(u) + (ulong)(k / LANES) * POINTS * u_plane;
        for (int point = 0; point < POINTS; point++)
            for (int i = 0; i < tiles; i += PX)
                multiply(m + point * m_plane + i * KV,
                         (__local const float *)(v + point * v_plane + i * cell), 16 * cell,
                         filter + point * u_plane, a.c);
        for (int i = 0; i < tiles; i++)
            store_tile(AT(y), AT(b), m + i * KV, m_plane, KV, &a, first + i, k, has_bias,
                       accumulate);
    }
}
