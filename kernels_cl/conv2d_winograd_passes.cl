/*
 * Winograd convolution for GPU-like devices, 3x3, in passes: the filter and the input's tiles are
 * transformed to POINTS matrices each, whose products (runtime/gemm.h) are transformed back. One
 * item for each pair of channels, and for each channel and tile; dimension 0 runs along memory:
 * tiles, or with CHANNELS_LAST channels. No local memory. Matrices: u[point][k][c] (or [c][k]),
 * v[point][c][tile] ([tile][c]), m[point][k][tile] ([tile][k]).
 */
#include "common.clh"
#include "winograd_passes.clh"

/* One axis of the input's transform. */
void input_points(float *to, const float *d)
{
    to[0] = input_first(d);
    UNROLL(PAIRS) for (int k = 0; k < PAIRS; k++) {
        const float even = input_even(k, d), odd = input_odd(k, d);
        to[2 * k + 1] = even + odd;
        to[2 * k + 2] = even - odd;
    }
    to[WINDOW - 1] = input_last(d);
}

/* dimension 0: terms with CHANNELS_LAST 0, else outputs: where u has neighbours. */
__kernel void winograd_passes_filter(OUT(float, u), IN(float, w), const int outputs,
                                     const int terms, const int output_stride,
                                     const int term_stride, const int rotate)
{
    const int across = get_global_id(0), down = get_global_id(1);
    const int k = CHANNELS_LAST ? across : down, c = CHANNELS_LAST ? down : across;
    if (k >= outputs || c >= terms)
        return;
    __global const float *filter = AT(w) + (ulong)k * output_stride + (ulong)c * term_stride;
    __global float *to = AT(u) + (CHANNELS_LAST ? (ulong)c * outputs + k : (ulong)k * terms + c);
    const ulong plane = (ulong)outputs * terms;
    float rows[3][WINDOW], column[3], points[WINDOW];
    UNROLL(3) for (int r = 0; r < 3; r++) {
        UNROLL(3) for (int s = 0; s < 3; s++)
            column[s] = filter[rotate ? 8 - 3 * r - s : 3 * r + s];
        filter_points(rows[r], column);
    }
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
        UNROLL(3) for (int r = 0; r < 3; r++)
            column[r] = rows[r][j];
        filter_points(points, column);
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
            to[(i * WINDOW + j) * plane] = points[i];
    }
}

__kernel void winograd_passes_input(OUT(float, v), IN(float, x),
                                    const struct winograd_passes_args a)
{
    if (item_channel() >= a.c || item_tile() >= a.tiles)
        return;
    const int4 at = tile_at(a);
    const int row = at.y * TILE + a.first_h, column = at.z * TILE + a.first_w;
    __global const float *image = AT(x) + (ulong)at.x * a.in_n + (ulong)item_channel() * a.in_c;
    __global float *to = AT(v) + item_place(a.c, a.tiles);
    const ulong plane = (ulong)a.c * a.tiles;
    float half_done[WINDOW][WINDOW], line[WINDOW], points[WINDOW];
    UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++) {
        const int h = row + i;
        UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
            const int inside = h >= 0 && h < a.h && column + j >= 0 && column + j < a.w;
            line[j] = inside ? image[h * a.in_h + (column + j) * a.in_w] : 0.0f;
        }
        input_points(half_done[i], line);
    }
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
            line[i] = half_done[i][j];
        input_points(points, line);
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
            to[(i * WINDOW + j) * plane] = points[i];
    }
}

__kernel void winograd_passes_output(OUT(float, y), IN(float, m), IN(float, bias),
                                     const struct winograd_passes_args a, const int has_bias)
{
    if (item_channel() >= a.k || item_tile() >= a.tiles)
        return;
    const int4 at = tile_at(a);
    const int k = item_channel(), p = at.y * TILE, q = at.z * TILE;
    __global const float *from = AT(m) + item_place(a.k, a.tiles);
    __global float *image = AT(y) + (ulong)at.x * a.out_n + (ulong)k * a.out_k;
    const ulong plane = (ulong)a.k * a.tiles;
    float half_done[TILE][WINDOW], line[WINDOW], sums[TILE];
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++) {
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
            line[i] = from[(i * WINDOW + j) * plane];
        output_sums(sums, line);
        UNROLL(TILE) for (int i = 0; i < TILE; i++)
            half_done[i][j] = sums[i];
    }
    const float added = has_bias ? AT(bias)[k] : 0.0f;
    UNROLL(TILE) for (int i = 0; i < TILE; i++) {
        output_sums(sums, half_done[i]);
        UNROLL(TILE) for (int j = 0; j < TILE; j++) {
            if (p + i >= a.p || q + j >= a.q)
                continue;
            __global float *place = image + (p + i) * a.out_p + (q + j) * a.out_q;
            const float value = sums[j] + added + (a.accumulate ? *place : 0.0f);
            *place = a.relu && value < 0.0f ? 0.0f : value;
        }
    }
}
