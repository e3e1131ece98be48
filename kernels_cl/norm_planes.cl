/*
 * Normalisation where the elements of a channel and an image are contiguous: [images][channels]
 * [length], for example NCHW; a layer norm's rows are images of one channel.
 * A tile is part of a plane, in several images when planes are small; its items take neighbouring
 * elements. Sums leave one partial result a tile, which norm_join.cl joins; the passes over the
 * data read a table of coefficients. Local memory: LANES float2.
 */
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"

struct plane_tile {
    int image, images, channel;
    int start, length; /* the part of the plane */
    int chunk;         /* number of the partial result among those of the channel */
};

struct plane_tile plane_tile(const int tile, const struct norm_planes s)
{
    const int part = tile % s.parts;
    const int plane = tile / s.parts;
    const int stack = plane / s.channels;
    struct plane_tile t;
    t.channel = plane - stack * s.channels;
    t.image = stack * s.images_per_tile;
    t.images = min(s.images_per_tile, s.images - t.image);
    t.start = part * s.part_length;
    t.length = min(s.part_length, s.length - t.start);
    t.chunk = stack * s.parts + part;
    return t;
}

/* The first element of the tile's part in its image number n. */
int plane_at(const struct plane_tile t, const struct norm_planes s, const int n)
{
    return ((t.image + n) * s.channels + t.channel) * s.length + t.start;
}

int entry_at(const struct plane_tile t, const struct norm_planes s, const int n)
{
    return ((t.image + n) * s.image_step + t.channel / s.channels_per_entry) % s.row;
}

TILE_KERNEL void norm_plane_moments(OUT(float, partial), IN(float, x), const struct norm_planes s)
{
    __local float2 scratch[LANES];
    const struct plane_tile t = plane_tile(TILE, s);
    const int lane = LANE_ACROSS(s);
    const float shift = sample_mean(AT(x) + plane_at(t, s, 0), t.length);
    struct sums share = no_sums();
    for (int n = LANE_DOWN(s); n < t.images; n += LANES / s.lanes)
        add_around(&share, AT(x) + plane_at(t, s, n), t.length, shift, lane, s.lanes);
    const float2 sums = tile_sum(sums_total(share), 1, scratch);
    if (LANE == 0) {
        __global float *part = AT(partial) + t.chunk * s.channels + t.channel;
        part[PART_COUNT * (size_t)s.partials] = (float)(t.images * t.length);
        part[PART_SHIFT * (size_t)s.partials] = shift;
        part[PART_SUM * (size_t)s.partials] = sums.x;
        part[PART_SQUARES * (size_t)s.partials] = sums.y;
    }
}

/* Partial sums of dy and dy xhat. saved: rows mean, its rest, rstd. With a mask only those dy count
 * whose y is above 0; gamma and beta are for computing y again, and masked by y they go to dz. */
TILE_KERNEL void norm_plane_sums(OUT(float, partial), IN(float, dy), IN(float, x),
                                 IN(float, saved), IN(float, gamma), IN(float, beta),
                                 IN(float, y), OUT(float, dz), const struct norm_planes s)
{
    __local float2 scratch[LANES];
    const struct plane_tile t = plane_tile(TILE, s);
    /* A tile of several images is one of batch norm: they share their statistics. */
    __global const float *statistics = AT(saved) + entry_at(t, s, 0);
    const float mean = statistics[0], mean_rest = statistics[s.row];
    const float rstd = statistics[2 * (size_t)s.row];
    const float scale = gamma_object ? AT(gamma)[t.channel] * rstd : rstd;
    const float beta_or_0 = beta_object ? AT(beta)[t.channel] : 0.0f;
    const int lane = LANE_ACROSS(s);
    struct sums share = no_sums();
    for (int n = LANE_DOWN(s); n < t.images; n += LANES / s.lanes) {
        const int first = plane_at(t, s, n);
        int p = first + lane * VEC;
        for (; p + VEC <= first + t.length; p += s.lanes * VEC) {
            const vec d = (LOAD(AT(x) + p) - mean) - mean_rest;
            vec g = LOAD(AT(dy) + p);
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(vec, fma(d, (vec)scale, (vec)beta_or_0), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(vec, LOAD(AT(y) + p), g);
            if (dz_object)
                STORE(g, AT(dz) + p);
            share.first += g;
            share.second += g * d;
        }
#if VEC > 1
        for (; p < first + t.length; p++) {
            const float d = (AT(x)[p] - mean) - mean_rest;
            float g = AT(dy)[p];
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(float, fma(d, scale, beta_or_0), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(float, AT(y)[p], g);
            if (dz_object)
                AT(dz)[p] = g;
            share.rest += (float2)(g, g * d);
        }
#endif
    }
    const float2 sums = tile_sum(sums_total(share), 1, scratch);
    if (LANE == 0) {
        __global float *part = AT(partial) + t.chunk * s.channels + t.channel;
        part[0] = sums.x;
        part[s.partials] = sums.y * rstd;
    }
}

/* y = (x - mean) scale + shift, + z, at least s.lowest. coefficients: rows mean, its rest, scale,
 * shift. */
TILE_KERNEL void norm_plane_apply(OUT(float, y), IN(float, x), IN(float, coefficients),
                                  IN(float, z), const struct norm_planes s)
{
    const struct plane_tile t = plane_tile(TILE, s);
    const int lane = LANE_ACROSS(s);
    for (int n = LANE_DOWN(s); n < t.images; n += LANES / s.lanes) {
        __global const float *entry = AT(coefficients) + entry_at(t, s, n);
        const float mean = entry[0], mean_rest = entry[s.row];
        const float scale = entry[2 * (size_t)s.row], shift = entry[3 * (size_t)s.row];
        const int first = plane_at(t, s, n);
        int p = first + lane * VEC;
        for (; p + VEC <= first + t.length; p += s.lanes * VEC) {
            vec value = APPLY(vec, LOAD(AT(x) + p), mean, mean_rest, scale, shift);
            if (z_object)
                value += LOAD(AT(z) + p);
            STORE(AT_LEAST(vec, s.lowest, value), AT(y) + p);
        }
#if VEC > 1
        for (; p < first + t.length; p++) {
            float value = APPLY(float, AT(x)[p], mean, mean_rest, scale, shift);
            if (z_object)
                value += AT(z)[p];
            AT(y)[p] = AT_LEAST(float, s.lowest, value);
        }
#endif
    }
}

/* dx = scale dy + slope (x - mean) + shift. coefficients: rows mean, its rest, scale, slope, shift,
 * and for masking by x that of y. */
TILE_KERNEL void norm_plane_gradient(OUT(float, dx), IN(float, dy), IN(float, x),
                                     IN(float, coefficients), IN(float, y),
                                     const struct norm_planes s)
{
    const struct plane_tile t = plane_tile(TILE, s);
    const int lane = LANE_ACROSS(s);
    for (int n = LANE_DOWN(s); n < t.images; n += LANES / s.lanes) {
        __global const float *entry = AT(coefficients) + entry_at(t, s, n);
        const float mean = entry[0], mean_rest = entry[s.row], scale = entry[2 * (size_t)s.row];
        const float slope = entry[3 * (size_t)s.row], shift = entry[4 * (size_t)s.row];
        const float beta = entry[5 * (size_t)s.row];
        const int first = plane_at(t, s, n);
        int p = first + lane * VEC;
        for (; p + VEC <= first + t.length; p += s.lanes * VEC) {
            const vec from = LOAD(AT(x) + p);
            vec g = LOAD(AT(dy) + p);
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(vec, APPLY(vec, from, mean, mean_rest, scale, beta), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(vec, LOAD(AT(y) + p), g);
            STORE(GRADIENT(g, from, mean, mean_rest, scale, slope, shift), AT(dx) + p);
        }
#if VEC > 1
        for (; p < first + t.length; p++) {
            float g = AT(dy)[p];
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(float, APPLY(float, AT(x)[p], mean, mean_rest, scale, beta), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(float, AT(y)[p], g);
            AT(dx)[p] = GRADIENT(g, AT(x)[p], mean, mean_rest, scale, slope, shift);
        }
#endif
    }
}
