/*
 * Normalisation where the channels of a pixel are contiguous: [images][rows][channels], for example
 * NHWC and N C; for a layer norm's gamma and beta, rows of elements. For GPU-like devices; the same
 * kernels for others are in norm_columns_cpu.cl and norm_columns_cpu_sums.cl.
 * A tile is some rows and channels; s.lanes items take channels side by side, the group's others
 * take other rows. Local memory: LANES float2.
 */
#define VEC 1
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"

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

/* Of the sums: the item's channel, and whether it is another item's. */
int channel_of(const struct column_tile t, const struct norm_columns s)
{
    return min(t.channel + LANE_ACROSS(s), s.channels - 1);
}

bool is_idle(const struct column_tile t, const struct norm_columns s)
{
    return t.channel + LANE_ACROSS(s) >= s.channels;
}

TILE_KERNEL void norm_column_moments(OUT(float, partial), IN(float, x),
                                     const struct norm_columns s)
{
    __local float2 scratch[LANES];
    const struct column_tile t = column_tile(TILE, s);
    const int row_step = LANES / s.lanes, channel = channel_of(t, s);
    __global const float *at = AT(x) + (t.image * s.rows + t.row) * s.channels + channel;
    const int sample = min(t.rows, SAMPLE);
    float shift = 0.0f;
    for (int r = 0; r < sample; r++)
        shift += at[r * s.channels];
    shift /= (float)sample;
    float2 sums = 0.0f;
    for (int r = LANE_DOWN(s); r < t.rows; r += row_step) {
        const float d = at[r * s.channels] - shift;
        sums += (float2)(d, d * d);
    }
    sums = tile_sum(sums, s.lanes, scratch);
    if (LANE < s.lanes && !is_idle(t, s)) {
        __global float *part = AT(partial) + t.chunk * s.channels + channel;
        part[PART_COUNT * (size_t)s.partials] = (float)t.rows;
        part[PART_SHIFT * (size_t)s.partials] = shift;
        part[PART_SUM * (size_t)s.partials] = sums.x;
        part[PART_SQUARES * (size_t)s.partials] = sums.y;
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
    __local float2 scratch[LANES];
    const struct column_tile t = column_tile(TILE, s);
    const int row_step = LANES / s.lanes, channel = channel_of(t, s);
    const int start = (t.image * s.rows + t.row) * s.channels + channel;
    const bool by_row = s.statistics_by_row, by_x = s.mask == NORM_MASK_BY_X;
    __global const float *statistics =
        AT(saved) + (by_row ? t.row : t.image * s.image_step + channel);
    const float rstd_of_all = by_row ? 1.0f : statistics[2 * (size_t)s.row];
    const float scale = by_x && gamma_object ? AT(gamma)[channel] * rstd_of_all : rstd_of_all;
    const float shift = by_x && beta_object ? AT(beta)[channel] : 0.0f;
    float2 sums = 0.0f;
    for (int r = is_idle(t, s) ? t.rows : LANE_DOWN(s); r < t.rows; r += row_step) {
        const int at = start + r * s.channels, entry = by_row ? r : 0;
        float d = (AT(x)[at] - statistics[entry]) - statistics[s.row + entry];
        if (by_row)
            d *= statistics[2 * (size_t)s.row + entry];
        float g = AT(dy)[at];
        if (by_x)
            g = MASK(float, fma(d, scale, shift), g);
        else if (s.mask == NORM_MASK_BY_Y)
            g = MASK(float, AT(y)[at], g);
        if (dz_object)
            AT(dz)[at] = g;
        sums += (float2)(g, g * d);
    }
    sums.y *= rstd_of_all;
    sums = tile_sum(sums, s.lanes, scratch);
    if (LANE < s.lanes && !is_idle(t, s)) {
        __global float *part = AT(partial) + t.chunk * s.channels + channel;
        part[0] = sums.x;
        part[s.partials] = sums.y;
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
        for (int c = LANE_ACROSS(s); c < t.channels; c += s.lanes) {
            const int at = start + r * s.channels + c;
            float value = APPLY(float, AT(x)[at], mean[c], mean_rest[c], scale[c], shift[c]);
            if (z_object)
                value += AT(z)[at];
            AT(y)[at] = AT_LEAST(float, s.lowest, value);
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
        for (int c = LANE_ACROSS(s); c < t.channels; c += s.lanes) {
            const int at = start + r * s.channels + c;
            const float from = AT(x)[at];
            float g = AT(dy)[at];
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(float, APPLY(float, from, mean[c], mean_rest[c], scale[c], beta[c]), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(float, AT(y)[at], g);
            AT(dx)[at] = GRADIENT(g, from, mean[c], mean_rest[c], scale[c], slope[c], shift[c]);
        }
}
