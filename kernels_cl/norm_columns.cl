/*
 * Normalisation where the channels of a pixel are contiguous: [images][rows][channels], for example
 * NHWC and N C; for a layer norm's gamma and beta, rows of elements. For GPU-like devices; the same
 * kernels for others are in norm_columns_cpu.cl and norm_columns_cpu_sums.cl.
 * A tile is some rows and channels; s.lanes items take VEC channels each side by side, the group's
 * others take other rows. Channels are a multiple of VEC. Local memory: 2 LANES vectors.
 */
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"

/* So many loads of an item are on their way. */
#define ROWS_AHEAD __attribute__((opencl_unroll_hint(4)))

struct column_tile {
    int image, row, rows;
    int channel, channels; /* the part of the row */
    int chunk;
};

struct column_tile column_tile(const int tile, const struct norm_columns s)
{
    struct column_tile t;
    t.chunk = tile / s.parts;
    t.image = t.chunk / s.tiles;
    t.row = (t.chunk - t.image * s.tiles) * s.rows_per_tile;
    t.rows = min(s.rows_per_tile, s.rows - t.row);
    t.channel = (tile - t.chunk * s.parts) * s.part_channels;
    t.channels = min(s.part_channels, s.channels - t.channel);
    return t;
}

/* Of the sums: the item's first channel, and whether they are another item's. */
int channel_of(const struct column_tile t, const struct norm_columns s)
{
    return min(t.channel + LANE_ACROSS(s) * VEC, s.channels - VEC);
}

bool is_idle(const struct column_tile t, const struct norm_columns s)
{
    return t.channel + LANE_ACROSS(s) * VEC >= s.channels;
}

/* Sums over the items that have the same channels. */
void sum_lanes(vec *a, vec *b, const int lanes, __local vec *scratch)
{
    __local vec *others = scratch + LANES;
    scratch[LANE] = *a;
    others[LANE] = *b;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int width = LANES / 2; width >= lanes; width /= 2) {
        if (LANE < width) {
            scratch[LANE] += scratch[LANE + width];
            others[LANE] += others[LANE + width];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    *a = scratch[LANE & (lanes - 1)];
    *b = others[LANE & (lanes - 1)];
}

TILE_KERNEL void norm_column_moments(OUT(float, partial), IN(float, x),
                                     const struct norm_columns s)
{
    __local vec scratch[2 * LANES];
    const struct column_tile t = column_tile(TILE, s);
    const int row_step = LANES / s.lanes, channel = channel_of(t, s);
    __global const float *at = AT(x) + (t.image * s.rows + t.row) * s.channels + channel;
    const int sample = min(t.rows, SAMPLE);
    vec shift = 0.0f;
    ROWS_AHEAD for (int r = 0; r < sample; r++) shift += LOAD(at + r * s.channels);
    shift /= (float)sample;
    vec sum = 0.0f, squares = 0.0f;
    ROWS_AHEAD for (int r = LANE_DOWN(s); r < t.rows; r += row_step)
    {
        const vec d = LOAD(at + r * s.channels) - shift;
        sum += d;
        squares += d * d;
    }
    sum_lanes(&sum, &squares, s.lanes, scratch);
    if (LANE < s.lanes && !is_idle(t, s)) {
        __global float *part = AT(partial) + t.chunk * s.channels + channel;
        STORE((vec)((float)t.rows), part + PART_COUNT * (size_t)s.partials);
        STORE(shift, part + PART_SHIFT * (size_t)s.partials);
        STORE(sum, part + PART_SUM * (size_t)s.partials);
        STORE(squares, part + PART_SQUARES * (size_t)s.partials);
    }
}

/*
 * Partial sums of dy and dy xhat. saved: rows mean, its rest, rstd. With a mask only those dy count
 * whose y is above 0; gamma and beta are for computing y again, and masked by y they go to dz. With
 * statistics_by_row, in layer norm, saved belongs to the rows.
 */
TILE_KERNEL void norm_column_sums(OUT(float, partial), IN(float, dy), IN(float, x),
                                  IN(float, saved), IN(float, gamma), IN(float, beta),
                                  IN(float, y), OUT(float, dz), const struct norm_columns s)
{
    __local vec scratch[2 * LANES];
    const struct column_tile t = column_tile(TILE, s);
    const int row_step = LANES / s.lanes, channel = channel_of(t, s);
    const int start = (t.image * s.rows + t.row) * s.channels + channel;
    const bool by_row = s.statistics_by_row, by_x = s.mask == NORM_MASK_BY_X;
    __global const float *statistics =
        AT(saved) + (by_row ? t.row : t.image * s.image_step + channel);
    vec mean = 0.0f, mean_rest = 0.0f, rstd = 1.0f;
    if (!by_row) {
        mean = LOAD(statistics);
        mean_rest = LOAD(statistics + s.row);
        rstd = LOAD(statistics + 2 * (size_t)s.row);
    }
    vec scale = rstd, shift = 0.0f;
    if (by_x && gamma_object)
        scale *= LOAD(AT(gamma) + channel);
    if (by_x && beta_object)
        shift = LOAD(AT(beta) + channel);
    vec sum = 0.0f, products = 0.0f;
    ROWS_AHEAD for (int r = is_idle(t, s) ? t.rows : LANE_DOWN(s); r < t.rows; r += row_step)
    {
        const int at = start + r * s.channels;
        vec d = LOAD(AT(x) + at), g = LOAD(AT(dy) + at);
        if (by_row)
            d = ((d - statistics[r]) - statistics[s.row + r]) * statistics[2 * (size_t)s.row + r];
        else
            d = (d - mean) - mean_rest;
        if (by_x)
            g = MASK(vec, fma(d, scale, shift), g);
        else if (s.mask == NORM_MASK_BY_Y)
            g = MASK(vec, LOAD(AT(y) + at), g);
        if (dz_object)
            STORE(g, AT(dz) + at);
        sum += g;
        products += g * d;
    }
    products *= rstd;
    sum_lanes(&sum, &products, s.lanes, scratch);
    if (LANE < s.lanes && !is_idle(t, s)) {
        __global float *part = AT(partial) + t.chunk * s.channels + channel;
        STORE(sum, part);
        STORE(products, part + s.partials);
    }
}

/* y = (x - mean) scale + shift, + z, at least s.lowest. coefficients: rows mean, its rest, scale,
 * shift. */
TILE_KERNEL void norm_column_apply(OUT(float, y), IN(float, x), IN(float, coefficients),
                                   IN(float, z), const struct norm_columns s)
{
    const struct column_tile t = column_tile(TILE, s);
    __global const float *mean = AT(coefficients) + t.image * s.image_step + t.channel;
    __global const float *mean_rest = mean + s.row, *scale = mean_rest + s.row;
    __global const float *shift = scale + s.row;
    const int start = (t.image * s.rows + t.row) * s.channels + t.channel;
    for (int r = LANE_DOWN(s); r < t.rows; r += LANES / s.lanes)
        for (int c = LANE_ACROSS(s) * VEC; c < t.channels; c += s.lanes * VEC) {
            const int at = start + r * s.channels + c;
            vec value = APPLY(vec, LOAD(AT(x) + at), LOAD(mean + c), LOAD(mean_rest + c),
                              LOAD(scale + c), LOAD(shift + c));
            if (z_object)
                value += LOAD(AT(z) + at);
            STORE(AT_LEAST(vec, s.lowest, value), AT(y) + at);
        }
}

/* dx = scale dy + slope (x - mean) + shift. coefficients: rows mean, its rest, scale, slope, shift,
 * and for masking by x that of y. */
TILE_KERNEL void norm_column_gradient(OUT(float, dx), IN(float, dy), IN(float, x),
                                      IN(float, coefficients), IN(float, y),
                                      const struct norm_columns s)
{
    const struct column_tile t = column_tile(TILE, s);
    __global const float *mean = AT(coefficients) + t.image * s.image_step + t.channel;
    __global const float *mean_rest = mean + s.row, *scale = mean_rest + s.row;
    __global const float *slope = scale + s.row, *shift = slope + s.row, *beta = shift + s.row;
    const int start = (t.image * s.rows + t.row) * s.channels + t.channel;
    for (int r = LANE_DOWN(s); r < t.rows; r += LANES / s.lanes)
        for (int c = LANE_ACROSS(s) * VEC; c < t.channels; c += s.lanes * VEC) {
            const int at = start + r * s.channels + c;
            const vec from = LOAD(AT(x) + at), m = LOAD(mean + c), rest = LOAD(mean_rest + c);
            const vec factor = LOAD(scale + c);
            vec g = LOAD(AT(dy) + at);
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(vec, APPLY(vec, from, m, rest, factor, LOAD(beta + c)), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(vec, LOAD(AT(y) + at), g);
            STORE(GRADIENT(g, from, m, rest, factor, LOAD(slope + c), LOAD(shift + c)),
                  AT(dx) + at);
        }
}
