/*
 * Layer norm's passes over the data: rows whose elements have a gamma and a beta each; the row's
 * own statistics and coefficients are tables of one entry a row. The first pass, the moments, is
 * norm_plane_moments with one plane a row, and the tiles are the same.
 * Local memory: LANES float2.
 */
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"

struct row_tile {
    int row, rows;
    int start, length; /* the part of the row */
};

struct row_tile row_tile(const int tile, const struct norm_planes s)
{
    const int stack = tile / s.parts;
    struct row_tile t;
    t.row = stack * s.images_per_tile;
    t.rows = min(s.images_per_tile, s.images - t.row);
    t.start = (tile - stack * s.parts) * s.part_length;
    t.length = min(s.part_length, s.length - t.start);
    return t;
}

/* Partial sums of g = dy gamma and g xhat, of tiles of one row. saved: rows mean, its rest, rstd.
 */
TILE_KERNEL void norm_row_sums(OUT(float, partial), IN(float, dy), IN(float, x), IN(float, saved),
                               IN(float, gamma), const struct norm_planes s)
{
    __local float2 scratch[LANES];
    const struct row_tile t = row_tile(TILE, s);
    __global const float *statistics = AT(saved) + t.row;
    const float mean = statistics[0], mean_rest = statistics[s.row];
    const float rstd = statistics[2 * (size_t)s.row];
    const int first = t.row * s.length + t.start;
    __global const float *from = AT(x) + first, *slope = AT(dy) + first;
    __global const float *weight = gamma_object ? AT(gamma) + t.start : 0;
    vec sum = 0.0f, products = 0.0f;
    float2 rest = 0.0f;
    int p = LANE * VEC;
    for (; p + VEC <= t.length; p += LANES * VEC) {
        const vec g = weight ? LOAD(slope + p) * LOAD(weight + p) : LOAD(slope + p);
        sum += g;
        products += g * ((LOAD(from + p) - mean) - mean_rest);
    }
#if VEC > 1
    for (; p < t.length; p++) {
        const float g = weight ? slope[p] * weight[p] : slope[p];
        rest += (float2)(g, g * ((from[p] - mean) - mean_rest));
    }
#endif
    const float2 sums = tile_sum((float2)(across(sum), across(products)) + rest, 1, scratch);
    if (LANE == 0)
        vstore2((float2)(sums.x, sums.y * rstd), TILE, AT(partial));
}

/* y = gamma (x - mean) rstd + beta */
TILE_KERNEL void norm_row_apply(OUT(float, y), IN(float, x), IN(float, saved), IN(float, gamma),
                                IN(float, beta), const struct norm_planes s)
{
    const struct row_tile t = row_tile(TILE, s);
    __global const float *weight = gamma_object ? AT(gamma) + t.start : 0;
    __global const float *bias = beta_object ? AT(beta) + t.start : 0;
    for (int n = LANE / s.lanes; n < t.rows; n += LANES / s.lanes) {
        __global const float *statistics = AT(saved) + t.row + n;
        const float mean = statistics[0], mean_rest = statistics[s.row];
        const float rstd = statistics[2 * (size_t)s.row];
        const int first = (t.row + n) * s.length + t.start;
        __global const float *from = AT(x) + first;
        __global float *to = AT(y) + first;
        int p = LANE % s.lanes * VEC;
        for (; p + VEC <= t.length; p += s.lanes * VEC) {
            vec value = ((LOAD(from + p) - mean) - mean_rest) * rstd;
            if (weight)
                value *= LOAD(weight + p);
            if (bias)
                value += LOAD(bias + p);
            STORE(value, to + p);
        }
#if VEC > 1
        for (; p < t.length; p++)
            to[p] = ((from[p] - mean) - mean_rest) * rstd * (weight ? weight[p] : 1.0f) +
                    (bias ? bias[p] : 0.0f);
#endif
    }
}

/* dx = scale gamma dy + slope (x - mean) + shift. coefficients: rows mean, its rest, scale, slope,
 * shift. */
TILE_KERNEL void norm_row_gradient(OUT(float, dx), IN(float, dy), IN(float, x),
                                   IN(float, coefficients), IN(float, gamma),
                                   const struct norm_planes s)
{
    const struct row_tile t = row_tile(TILE, s);
    __global const float *weight = gamma_object ? AT(gamma) + t.start : 0;
    for (int n = LANE / s.lanes; n < t.rows; n += LANES / s.lanes) {
        __global const float *entry = AT(coefficients) + t.row + n;
        const float mean = entry[0], mean_rest = entry[s.row], scale = entry[2 * (size_t)s.row];
        const float slope = entry[3 * (size_t)s.row], shift = entry[4 * (size_t)s.row];
        const int first = (t.row + n) * s.length + t.start;
        __global const float *from = AT(x) + first, *g = AT(dy) + first;
        __global float *to = AT(dx) + first;
        int p = LANE % s.lanes * VEC;
        for (; p + VEC <= t.length; p += s.lanes * VEC) {
            const vec weighted = weight ? LOAD(g + p) * LOAD(weight + p) : LOAD(g + p);
            STORE(scale * weighted + (slope * ((LOAD(from + p) - mean) - mean_rest) + shift),
                  to + p);
        }
#if VEC > 1
        for (; p < t.length; p++)
            to[p] = scale * (weight ? g[p] * weight[p] : g[p]) +
                    (slope * ((from[p] - mean) - mean_rest) + shift);
#endif
    }
}
