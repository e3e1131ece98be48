/*
 * Normalisation where the channels of a pixel are contiguous: [images][rows][channels], for example
 * NHWC and N C; for a layer norm's gamma and beta, rows of elements.
 * Sums: an item takes WIDTH = VEC VECS channels of some rows, held in registers; the last block of
 * channels overlaps the one before it, so that all are full, and writes only its own. Passes go
 * along the rows and read the coefficients again. Local memory: LANES float2.
 */
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"

#ifndef VECS
#define VECS 1
#endif
#ifndef STATISTICS_BY_ROW
#define STATISTICS_BY_ROW 0
#endif

#define WIDTH (VEC * VECS)

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

/* Of the sums: the item's first channel, and the first one that it reads. */
struct block {
    int own, first;
};

struct block block_of(const struct column_tile t, const struct norm_columns s)
{
    const int own = t.channel + LANE % s.lanes * WIDTH;
    return (struct block){own, min(own, s.channels - WIDTH)};
}

TILE_KERNEL void norm_column_moments(OUT(float, partial), IN(float, x),
                                     const struct norm_columns s)
{
    __local float2 scratch[LANES];
    const struct column_tile t = column_tile(TILE, s);
    const struct block block = block_of(t, s);
    __global const float *at = AT(x) + (t.image * s.rows + t.row) * s.channels + block.first;
    const int sample = min(t.rows, SAMPLE);
    vec shift[VECS], sum[VECS], squares[VECS];
    for (int v = 0; v < VECS; v++)
        shift[v] = sum[v] = squares[v] = 0.0f;
    for (int r = 0; r < sample; r++)
        for (int v = 0; v < VECS; v++)
            shift[v] += LOAD(at + r * s.channels + v * VEC);
    for (int v = 0; v < VECS; v++)
        shift[v] /= (float)sample;
    for (int r = LANE / s.lanes; r < t.rows; r += LANES / s.lanes)
        for (int v = 0; v < VECS; v++) {
            const vec d = LOAD(at + r * s.channels + v * VEC) - shift[v];
            sum[v] += d;
            squares[v] += d * d;
        }

    float shifts[WIDTH], sums[WIDTH], squared[WIDTH];
    for (int v = 0; v < VECS; v++) {
        STORE(shift[v], shifts + v * VEC);
        STORE(sum[v], sums + v * VEC);
        STORE(squares[v], squared + v * VEC);
    }
    for (int i = 0; i < WIDTH; i++) {
        const float2 both = tile_sum((float2)(sums[i], squared[i]), s.lanes, scratch);
        if (LANE < s.lanes && block.first + i >= block.own)
            vstore4(moments_of((float)t.rows, shifts[i], both),
                    t.chunk * s.channels + block.first + i, AT(partial));
    }
}

/* Partial sums of dy and dy xhat. saved: rows mean, its rest, rstd. */
TILE_KERNEL void norm_column_sums(OUT(float, partial), IN(float, dy), IN(float, x),
                                  IN(float, saved), const struct norm_columns s)
{
    __local float2 scratch[LANES];
    const struct column_tile t = column_tile(TILE, s);
    const struct block block = block_of(t, s);
    const int start = (t.image * s.rows + t.row) * s.channels + block.first;
    __global const float *from = AT(x) + start, *slope = AT(dy) + start;
    vec sum[VECS], products[VECS];
#if STATISTICS_BY_ROW
    __global const float *statistics = AT(saved) + t.row;
#else
    __global const float *statistics = AT(saved) + t.image * s.image_step + block.first;
    vec mean[VECS], mean_rest[VECS];
    for (int v = 0; v < VECS; v++) {
        mean[v] = LOAD(statistics + v * VEC);
        mean_rest[v] = LOAD(statistics + s.row + v * VEC);
    }
#endif
    for (int v = 0; v < VECS; v++)
        sum[v] = products[v] = 0.0f;
    for (int r = LANE / s.lanes; r < t.rows; r += LANES / s.lanes)
        for (int v = 0; v < VECS; v++) {
            const vec g = LOAD(slope + r * s.channels + v * VEC);
            const vec value = LOAD(from + r * s.channels + v * VEC);
            sum[v] += g;
#if STATISTICS_BY_ROW
            products[v] += g * (((value - statistics[r]) - statistics[s.row + r]) *
                                statistics[2 * (size_t)s.row + r]);
#else
            products[v] += g * ((value - mean[v]) - mean_rest[v]);
#endif
        }

    float sums[WIDTH], produced[WIDTH];
    for (int v = 0; v < VECS; v++) {
#if !STATISTICS_BY_ROW
        products[v] *= LOAD(statistics + 2 * (size_t)s.row + v * VEC);
#endif
        STORE(sum[v], sums + v * VEC);
        STORE(products[v], produced + v * VEC);
    }
    for (int i = 0; i < WIDTH; i++) {
        const float2 both = tile_sum((float2)(sums[i], produced[i]), s.lanes, scratch);
        if (LANE < s.lanes && block.first + i >= block.own)
            vstore2(both, t.chunk * s.channels + block.first + i, AT(partial));
    }
}

/* y = (x - mean) scale + shift. coefficients: rows mean, its rest, scale, shift. */
TILE_KERNEL void norm_column_apply(OUT(float, y), IN(float, x), IN(float, coefficients),
                                   const struct norm_columns s)
{
    const struct column_tile t = column_tile(TILE, s);
    __global const float *mean = AT(coefficients) + t.image * s.image_step + t.channel;
    __global const float *mean_rest = mean + s.row, *scale = mean_rest + s.row;
    __global const float *shift = scale + s.row;
    for (int r = LANE / s.lanes; r < t.rows; r += LANES / s.lanes) {
        const int first = (t.image * s.rows + t.row + r) * s.channels + t.channel;
        __global const float *from = AT(x) + first;
        __global float *to = AT(y) + first;
        int c = LANE % s.lanes * VEC;
        for (; c + VEC <= t.channels; c += s.lanes * VEC)
            STORE(((LOAD(from + c) - LOAD(mean + c)) - LOAD(mean_rest + c)) * LOAD(scale + c) +
                      LOAD(shift + c),
                  to + c);
#if VEC > 1
        for (; c < t.channels; c++)
            to[c] = ((from[c] - mean[c]) - mean_rest[c]) * scale[c] + shift[c];
#endif
    }
}

/* dx = scale dy + slope (x - mean) + shift. coefficients: rows mean, its rest, scale, slope,
 * shift. */
TILE_KERNEL void norm_column_gradient(OUT(float, dx), IN(float, dy), IN(float, x),
                                      IN(float, coefficients), const struct norm_columns s)
{
    const struct column_tile t = column_tile(TILE, s);
    __global const float *mean = AT(coefficients) + t.image * s.image_step + t.channel;
    __global const float *mean_rest = mean + s.row, *scale = mean_rest + s.row;
    __global const float *slope = scale + s.row, *shift = slope + s.row;
    for (int r = LANE / s.lanes; r < t.rows; r += LANES / s.lanes) {
        const int first = (t.image * s.rows + t.row + r) * s.channels + t.channel;
        __global const float *from = AT(x) + first, *g = AT(dy) + first;
        __global float *to = AT(dx) + first;
        int c = LANE % s.lanes * VEC;
        for (; c + VEC <= t.channels; c += s.lanes * VEC)
            STORE(LOAD(scale + c) * LOAD(g + c) +
                      (LOAD(slope + c) *
                           ((LOAD(from + c) - LOAD(mean + c)) - LOAD(mean_rest + c)) +
                       LOAD(shift + c)),
                  to + c);
#if VEC > 1
        for (; c < t.channels; c++)
            to[c] = scale[c] * g[c] + (slope[c] * ((from[c] - mean[c]) - mean_rest[c]) + shift[c]);
#endif
    }
}
