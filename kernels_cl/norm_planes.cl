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
    const int lane = LANE % s.lanes;
    const int sample = min(t.length, SAMPLE);
    float shift = 0.0f;
    for (int p = 0; p < sample; p++)
        shift += AT(x)[plane_at(t, s, 0) + p];
    shift /= (float)sample;

    vec sum = 0.0f, squares = 0.0f;
    float2 rest = 0.0f;
    for (int n = LANE / s.lanes; n < t.images; n += LANES / s.lanes) {
        __global const float *at = AT(x) + plane_at(t, s, n);
        int p = lane * VEC;
        for (; p + VEC <= t.length; p += s.lanes * VEC) {
            const vec d = LOAD(at + p) - shift;
            sum += d;
            squares += d * d;
        }
#if VEC > 1
        for (; p < t.length; p++) {
            const float d = at[p] - shift;
            rest += (float2)(d, d * d);
        }
#endif
    }
    const float2 sums = tile_sum((float2)(across(sum), across(squares)) + rest, 1, scratch);
    if (LANE == 0)
        vstore4(moments_of((float)(t.images * t.length), shift, sums),
                t.chunk * s.channels + t.channel, AT(partial));
}

/* Partial sums of dy and dy xhat. saved: rows mean, its rest, rstd. */
TILE_KERNEL void norm_plane_sums(OUT(float, partial), IN(float, dy), IN(float, x),
                                 IN(float, saved), const struct norm_planes s)
{
    __local float2 scratch[LANES];
    const struct plane_tile t = plane_tile(TILE, s);
    /* A tile of several images is one of batch norm: they share their statistics. */
    __global const float *statistics = AT(saved) + entry_at(t, s, 0);
    const float mean = statistics[0], mean_rest = statistics[s.row];
    const float rstd = statistics[2 * (size_t)s.row];
    const int lane = LANE % s.lanes;
    vec sum = 0.0f, products = 0.0f;
    float2 rest = 0.0f;
    for (int n = LANE / s.lanes; n < t.images; n += LANES / s.lanes) {
        const int first = plane_at(t, s, n);
        __global const float *from = AT(x) + first, *slope = AT(dy) + first;
        int p = lane * VEC;
        for (; p + VEC <= t.length; p += s.lanes * VEC) {
            const vec g = LOAD(slope + p);
            sum += g;
            products += g * ((LOAD(from + p) - mean) - mean_rest);
        }
#if VEC > 1
        for (; p < t.length; p++)
            rest += (float2)(slope[p], slope[p] * ((from[p] - mean) - mean_rest));
#endif
    }
    const float2 sums = tile_sum((float2)(across(sum), across(products)) + rest, 1, scratch);
    if (LANE == 0)
        vstore2((float2)(sums.x, sums.y * rstd), t.chunk * s.channels + t.channel, AT(partial));
}

/* y = (x - mean) scale + shift. coefficients: rows mean, its rest, scale, shift. */
TILE_KERNEL void norm_plane_apply(OUT(float, y), IN(float, x), IN(float, coefficients),
                                  const struct norm_planes s)
{
    const struct plane_tile t = plane_tile(TILE, s);
    const int lane = LANE % s.lanes;
    for (int n = LANE / s.lanes; n < t.images; n += LANES / s.lanes) {
        __global const float *entry = AT(coefficients) + entry_at(t, s, n);
        const float mean = entry[0], mean_rest = entry[s.row];
        const float scale = entry[2 * (size_t)s.row], shift = entry[3 * (size_t)s.row];
        const int first = plane_at(t, s, n);
        __global const float *from = AT(x) + first;
        __global float *to = AT(y) + first;
        int p = lane * VEC;
        for (; p + VEC <= t.length; p += s.lanes * VEC)
            STORE(((LOAD(from + p) - mean) - mean_rest) * scale + shift, to + p);
#if VEC > 1
        for (; p < t.length; p++)
            to[p] = ((from[p] - mean) - mean_rest) * scale + shift;
#endif
    }
}

/* dx = scale dy + slope (x - mean) + shift. coefficients: rows mean, its rest, scale, slope,
 * shift. */
TILE_KERNEL void norm_plane_gradient(OUT(float, dx), IN(float, dy), IN(float, x),
                                     IN(float, coefficients), const struct norm_planes s)
{
    const struct plane_tile t = plane_tile(TILE, s);
    const int lane = LANE % s.lanes;
    for (int n = LANE / s.lanes; n < t.images; n += LANES / s.lanes) {
        __global const float *entry = AT(coefficients) + entry_at(t, s, n);
        const float mean = entry[0], mean_rest = entry[s.row], scale = entry[2 * (size_t)s.row];
        const float slope = entry[3 * (size_t)s.row], shift = entry[4 * (size_t)s.row];
        const int first = plane_at(t, s, n);
        __global const float *from = AT(x) + first, *g = AT(dy) + first;
        __global float *to = AT(dx) + first;
        int p = lane * VEC;
        for (; p + VEC <= t.length; p += s.lanes * VEC)
            STORE(scale * LOAD(g + p) + (slope * ((LOAD(from + p) - mean) - mean_rest) + shift),
                  to + p);
#if VEC > 1
        for (; p < t.length; p++)
            to[p] = scale * g[p] + (slope * ((from[p] - mean) - mean_rest) + shift);
#endif
    }
}
