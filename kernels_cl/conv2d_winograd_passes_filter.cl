/*
 * The filter gradient of Winograd convolution for GPU-like devices, 3x3, in passes: the tiles of
 * dy are transformed to d[point][k][tile] (with CHANNELS_LAST [tile][k]), those of x by
 * winograd_passes_input; a product over the tiles for each point (runtime/gemm.h) makes
 * m[point][k][c], which is transformed to the taps. One item for each channel and tile, and for
 * each pair of channels. No local memory.
 */
#include "common.clh"
#include "winograd_passes.clh"

/* One axis of the transform of the output's gradient. */
void gradient_points(float *to, const float *d)
{
    to[0] = d[0];
    UNROLL(PAIRS) for (int k = 0; k < PAIRS; k++) {
        const float even = gradient_even(k, d), odd = gradient_odd(k, d);
        to[2 * k + 1] = even + odd;
        to[2 * k + 2] = even - odd;
    }
    to[WINDOW - 1] = d[TILE - 1];
}

__kernel void winograd_passes_gradient(OUT(float, d), IN(float, dy),
                                       const struct winograd_passes_args a)
{
    if (item_channel() >= a.k || item_tile() >= a.tiles)
        return;
    const int4 at = tile_at(a);
    const int p = at.y * TILE, q = at.z * TILE;
    __global const float *image = AT(dy) + (ulong)at.x * a.out_n + (ulong)item_channel() * a.out_k;
    __global float *to = AT(d) + item_place(a.k, a.tiles);
    const ulong plane = (ulong)a.k * a.tiles;
    float half_done[TILE][WINDOW], line[TILE], points[WINDOW];
    UNROLL(TILE) for (int i = 0; i < TILE; i++) {
        UNROLL(TILE) for (int j = 0; j < TILE; j++) {
            const int inside = p + i < a.p && q + j < a.q;
            line[j] = inside ? image[(p + i) * a.out_p + (q + j) * a.out_q] : 0.0f;
        }
        gradient_points(half_done[i], line);
    }
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
        UNROLL(TILE) for (int i = 0; i < TILE; i++)
            line[i] = half_done[i][j];
        gradient_points(points, line);
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
            to[(i * WINDOW + j) * plane] = points[i];
    }
}

/* Dimension 0 is c, 1 is k. */
__kernel void winograd_passes_taps(OUT(float, dw), IN(float, m), const int filters,
                                   const int channels, const int accumulate)
{
    const int c = get_global_id(0), k = get_global_id(1);
    if (c >= channels || k >= filters)
        return;
    const ulong plane = (ulong)filters * channels, place = (ulong)k * channels + c;
    __global const float *from = AT(m) + place;
    __global float *to = AT(dw) + place * 9;
    float half_done[3][WINDOW], line[WINDOW], taps[3];
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
            line[i] = from[(i * WINDOW + j) * plane];
        filter_sums(taps, line);
        UNROLL(3) for (int r = 0; r < 3; r++)
            half_done[r][j] = taps[r];
    }
    UNROLL(3) for (int r = 0; r < 3; r++) {
        filter_sums(taps, half_done[r]);
        UNROLL(3) for (int s = 0; s < 3; s++)
            to[3 * r + s] = accumulate ? to[3 * r + s] + taps[s] : taps[s];
    }
}
