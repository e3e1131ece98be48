/*
 * Layer norm: rows whose elements have a gamma and a beta each, and tables with one entry a row.
 * norm_row_forward and norm_row_backward do all of rows that fit a tile, which stay in the cache
 * between their sums and the result; a tile is a few rows, one after the other. Longer rows are cut
 * into parts: norm_plane_moments, and the other kernels here with norm_join.cl between them.
 * Local memory: LANES float2.
 */
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"

struct row {
    float mean, mean_rest, rstd;
};

struct row read_row(__global const float *saved, const int row, const int rows)
{
    return (struct row){saved[row], saved[(size_t)rows + row], saved[2 * (size_t)rows + row]};
}

/* This item's share of the sums of g = dy gamma and g (x - mean). */
float2 gradient_sums(__global const float *dy, __global const float *x,
                     __global const float *gamma, const struct row row, const int length)
{
    struct sums share = no_sums();
    int p = LANE * VEC;
    for (; p + VEC <= length; p += LANES * VEC) {
        const vec g = gamma ? LOAD(dy + p) * LOAD(gamma + p) : LOAD(dy + p);
        share.first += g;
        share.second += g * ((LOAD(x + p) - row.mean) - row.mean_rest);
    }
#if VEC > 1
    for (; p < length; p++) {
        const float g = gamma ? dy[p] * gamma[p] : dy[p];
        share.rest += (float2)(g, g * ((x[p] - row.mean) - row.mean_rest));
    }
#endif
    return sums_total(share);
}

/* y = gamma (x - mean) rstd + beta */
void apply_row(__global float *y, __global const float *x, __global const float *gamma,
               __global const float *beta, const struct row row, const int length)
{
    int p = LANE * VEC;
    for (; p + VEC <= length; p += LANES * VEC) {
        vec value = APPLY(vec, LOAD(x + p), row.mean, row.mean_rest, row.rstd, 0.0f);
        if (gamma)
            value *= LOAD(gamma + p);
        if (beta)
            value += LOAD(beta + p);
        STORE(value, y + p);
    }
#if VEC > 1
    for (; p < length; p++)
        y[p] = APPLY(float, x[p], row.mean, row.mean_rest, row.rstd, 0.0f) *
                   (gamma ? gamma[p] : 1.0f) +
               (beta ? beta[p] : 0.0f);
#endif
}

/* dx = rstd gamma dy + slope (x - mean) + shift */
void gradient_row(__global float *dx, __global const float *dy, __global const float *x,
                  __global const float *gamma, const struct row row, const float slope,
                  const float shift, const int length)
{
    int p = LANE * VEC;
    for (; p + VEC <= length; p += LANES * VEC) {
        const vec g = gamma ? LOAD(dy + p) * LOAD(gamma + p) : LOAD(dy + p);
        STORE(GRADIENT(g, LOAD(x + p), row.mean, row.mean_rest, row.rstd, slope, shift), dx + p);
    }
#if VEC > 1
    for (; p < length; p++)
        dx[p] = GRADIENT(gamma ? dy[p] * gamma[p] : dy[p], x[p], row.mean, row.mean_rest,
                         row.rstd, slope, shift);
#endif
}

#define OPTIONAL(name, start) (name##_object ? AT(name) + (start) : 0)

/* ---- Whole rows ---- */

int rows_of_tile(const struct norm_planes s)
{
    return min(s.images_per_tile, s.images - TILE * s.images_per_tile);
}

/* Also writes the row's column of saved: mean, its rest, rstd. */
TILE_KERNEL void norm_row_forward(OUT(float, y), IN(float, x), OUT(float, saved), IN(float, gamma),
                                  IN(float, beta), const struct norm_planes s)
{
    __local float2 scratch[LANES];
    const int rows = rows_of_tile(s);
    for (int n = 0; n < rows; n++) {
        const int r = TILE * s.images_per_tile + n;
        __global const float *from = AT(x) + r * s.length;
        const float shift = sample_mean(from, s.length);
        struct sums share = no_sums();
        add_around(&share, from, s.length, shift, LANE, LANES);
        const float2 sums = tile_sum(sums_total(share), 1, scratch);
        const float offset = sums.x / (float)s.length;
        const float squares = sums.y - sums.x * offset;
        const float var = squares < 0.0f ? 0.0f : squares / (float)s.length;
        const float2 mean = two_sum(shift, offset);
        const struct row row = {mean.x, mean.y, 1.0f / sqrt(var + s.eps)};
        if (LANE == 0) {
            AT(saved)[r] = row.mean;
            AT(saved)[(size_t)s.row + r] = row.mean_rest;
            AT(saved)[2 * (size_t)s.row + r] = row.rstd;
        }
        apply_row(AT(y) + r * s.length, from, OPTIONAL(gamma, 0), OPTIONAL(beta, 0), row, s.length);
    }
}

TILE_KERNEL void norm_row_backward(OUT(float, dx), IN(float, dy), IN(float, x), IN(float, saved),
                                   IN(float, gamma), const struct norm_planes s)
{
    __local float2 scratch[LANES];
    const int rows = rows_of_tile(s);
    for (int n = 0; n < rows; n++) {
        const int r = TILE * s.images_per_tile + n;
        const struct row row = read_row(AT(saved), r, s.row);
        __global const float *from = AT(x) + r * s.length, *g = AT(dy) + r * s.length;
        const float2 share = gradient_sums(g, from, OPTIONAL(gamma, 0), row, s.length);
        const float2 average = tile_sum(share, 1, scratch) / (float)s.length;
        gradient_row(AT(dx) + r * s.length, g, from, OPTIONAL(gamma, 0), row,
                     -row.rstd * row.rstd * row.rstd * average.y, -row.rstd * average.x, s.length);
    }
}

/* ---- Parts of rows: one a tile ---- */

struct part {
    int row, start, length;
};

struct part part_of_tile(const struct norm_planes s)
{
    const int row = TILE / s.parts;
    const int start = (TILE - row * s.parts) * s.part_length;
    return (struct part){row, start, min(s.part_length, s.length - start)};
}

/* Partial sums of g = dy gamma and g xhat. */
TILE_KERNEL void norm_row_sums(OUT(float, partial), IN(float, dy), IN(float, x), IN(float, saved),
                               IN(float, gamma), const struct norm_planes s)
{
    __local float2 scratch[LANES];
    const struct part t = part_of_tile(s);
    const struct row row = read_row(AT(saved), t.row, s.row);
    const int first = t.row * s.length + t.start;
    const float2 share = gradient_sums(AT(dy) + first, AT(x) + first, OPTIONAL(gamma, t.start), row,
                                       t.length);
    const float2 sums = tile_sum(share, 1, scratch);
    if (LANE == 0) {
        AT(partial)[TILE] = sums.x;
        AT(partial)[(size_t)s.partials + TILE] = sums.y * row.rstd;
    }
}

TILE_KERNEL void norm_row_apply(OUT(float, y), IN(float, x), IN(float, saved), IN(float, gamma),
                                IN(float, beta), const struct norm_planes s)
{
    const struct part t = part_of_tile(s);
    const int first = t.row * s.length + t.start;
    apply_row(AT(y) + first, AT(x) + first, OPTIONAL(gamma, t.start), OPTIONAL(beta, t.start),
              read_row(AT(saved), t.row, s.row), t.length);
}

/* coefficients: rows mean, its rest, rstd, slope, shift. */
TILE_KERNEL void norm_row_gradient(OUT(float, dx), IN(float, dy), IN(float, x),
                                   IN(float, coefficients), IN(float, gamma),
                                   const struct norm_planes s)
{
    const struct part t = part_of_tile(s);
    const int first = t.row * s.length + t.start;
    const struct row row = read_row(AT(coefficients), t.row, s.row);
    const float slope = AT(coefficients)[3 * (size_t)s.row + t.row];
    const float shift = AT(coefficients)[4 * (size_t)s.row + t.row];
    gradient_row(AT(dx) + first, AT(dy) + first, AT(x) + first, OPTIONAL(gamma, t.start), row,
                 slope, shift, t.length);
}
