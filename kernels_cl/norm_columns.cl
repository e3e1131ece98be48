/*
 * Normalisation where the channels of a pixel are contiguous: [images][rows][channels], for example
 * NHWC and N C; for a layer norm's gamma and beta, rows of elements.
 * A tile is some rows of up to VECS vectors of VEC channels, of which an item keeps the sums; few
 * vectors stay in registers, many in the first cache. The last vector of a row overlaps the one
 * before it, so that all are full. Local memory: LANES float2.
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
/* Few vectors are as many as VECS says, so that their loops unroll. */
#define FEW 4
#define VECTORS(channels) (VECS > FEW ? ((channels) + VEC - 1) / VEC : VECS)

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

/* Of the sums: the first channel that an item's vector number v has to itself, and the first one
 * that it reads. */
int own_channel(const struct column_tile t, const struct norm_columns s, const int v)
{
    return t.channel + (LANE_ACROSS(s) + v) * VEC;
}

int first_channel(const struct column_tile t, const struct norm_columns s, const int v)
{
    return min(own_channel(t, s, v), s.channels - VEC);
}

/* The first row of an item: with no channel of its own it takes none. */
int first_row(const struct column_tile t, const struct norm_columns s)
{
    return own_channel(t, s, 0) < s.channels ? LANE_DOWN(s) : t.rows;
}

/* Sums over the items that have the same channel. */
void sum_lanes(vec *a, vec *b, const int lanes, __local float2 *scratch)
{
#if LANES > 1
    const float2 both = tile_sum((float2)(*a, *b), lanes, scratch);
    *a = both.x;
    *b = both.y;
#endif
}

/* Writes the entries of the channels from `own` on in a row of partial results; `value` has those
 * from `first` on. Of the items that share channels the first one writes. */
void store_own(const vec value, const int first, const int own, const int lanes,
               __global float *row)
{
    const float *values = (const float *)&value;
    if (LANE < lanes) {
        if (first == own)
            STORE(value, row + first);
        for (int i = own - first; i < VEC && i > 0; i++)
            row[first + i] = values[i];
    }
}

TILE_KERNEL void norm_column_moments(OUT(float, partial), IN(float, x),
                                     const struct norm_columns s)
{
    __local float2 scratch[LANES];
    const struct column_tile t = column_tile(TILE, s);
    const int vectors = VECTORS(t.channels), row_step = LANES / s.lanes;
    __global const float *at = AT(x) + (t.image * s.rows + t.row) * s.channels;
    const int sample = min(t.rows, SAMPLE);
    vec shift[VECS], sum[VECS], squares[VECS];
    for (int v = 0; v < vectors; v++)
        shift[v] = sum[v] = squares[v] = 0.0f;
    for (int r = 0; r < sample; r++)
        for (int v = 0; v < vectors; v++)
            shift[v] += LOAD(at + r * s.channels + first_channel(t, s, v));
    for (int v = 0; v < vectors; v++)
        shift[v] /= (float)sample;
    int r = LANE_DOWN(s);
    for (; r + 3 * row_step < t.rows; r += 4 * row_step)
        for (int v = 0; v < vectors; v++) {
            __global const float *from = at + r * s.channels + first_channel(t, s, v);
            const int step = row_step * s.channels;
            const vec d0 = LOAD(from) - shift[v], d1 = LOAD(from + step) - shift[v];
            const vec d2 = LOAD(from + 2 * step) - shift[v], d3 = LOAD(from + 3 * step) - shift[v];
            sum[v] += (d0 + d1) + (d2 + d3);
            squares[v] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
        }
    for (; r < t.rows; r += row_step)
        for (int v = 0; v < vectors; v++) {
            const vec d = LOAD(at + r * s.channels + first_channel(t, s, v)) - shift[v];
            sum[v] += d;
            squares[v] += d * d;
        }

    __global float *part = AT(partial) + t.chunk * s.channels;
    for (int v = 0; v < vectors; v++) {
        sum_lanes(&sum[v], &squares[v], s.lanes, scratch);
        const int first = first_channel(t, s, v), own = own_channel(t, s, v);
        store_own((vec)t.rows, first, own, s.lanes, part + PART_COUNT * (size_t)s.partials);
        store_own(shift[v], first, own, s.lanes, part + PART_SHIFT * (size_t)s.partials);
        store_own(sum[v], first, own, s.lanes, part + PART_SUM * (size_t)s.partials);
        store_own(squares[v], first, own, s.lanes, part + PART_SQUARES * (size_t)s.partials);
    }
}

/* x - mean, in layer norm times rstd, which belongs to the row there. */
#if STATISTICS_BY_ROW
#define CENTRED(x, r, v)                                                                           \
    ((((x) - statistics[r]) - statistics[s.row + (r)]) * statistics[2 * (size_t)s.row + (r)])
#else
#define CENTRED(x, r, v) (((x) - mean[v]) - mean_rest[v])
#endif

/* The part of g = dy[at] that y = fma(d, scale, shift), or y[at], lets through. */
vec let_through(const vec g, const vec d, const vec scale, const vec shift,
                __global const float *y, __global float *dz, const int mask)
{
    if (mask == NORM_MASK_BY_X)
        return MASK(vec, fma(d, scale, shift), g);
    if (mask == NORM_MASK_NONE)
        return g;
    const vec through = MASK(vec, LOAD(y), g);
    if (dz)
        STORE(through, dz);
    return through;
}

#if STATISTICS_BY_ROW
#define LET_THROUGH(g, d, at, v) (g)
#else
#define LET_THROUGH(g, d, at, v)                                                                   \
    let_through(g, d, scale[v], shift[v], AT(y) + (at), dz_object ? AT(dz) + (at) : 0, s.mask)
#endif

/*
 * Partial sums of dy and dy xhat. saved: rows mean, its rest, rstd. With a mask only those dy count
 * whose y is above 0; gamma and beta are for computing y again, and masked by y they go to dz.
 */
TILE_KERNEL void norm_column_sums(OUT(float, partial), IN(float, dy), IN(float, x),
                                  IN(float, saved), IN(float, gamma), IN(float, beta),
                                  IN(float, y), OUT(float, dz), const struct norm_columns s)
{
    __local float2 scratch[LANES];
    const struct column_tile t = column_tile(TILE, s);
    const int vectors = VECTORS(t.channels), row_step = LANES / s.lanes;
    const int start = (t.image * s.rows + t.row) * s.channels;
    vec sum[VECS], products[VECS];
#if STATISTICS_BY_ROW
    __global const float *statistics = AT(saved) + t.row;
#else
    __global const float *statistics = AT(saved) + t.image * s.image_step;
    vec mean[VECS], mean_rest[VECS], scale[VECS], shift[VECS];
    for (int v = 0; v < vectors; v++) {
        const int c = first_channel(t, s, v);
        mean[v] = LOAD(statistics + c);
        mean_rest[v] = LOAD(statistics + s.row + c);
        scale[v] = LOAD(statistics + 2 * (size_t)s.row + c);
        shift[v] = 0.0f;
        if (s.mask == NORM_MASK_BY_X && gamma_object)
            scale[v] *= LOAD(AT(gamma) + c);
        if (s.mask == NORM_MASK_BY_X && beta_object)
            shift[v] = LOAD(AT(beta) + c);
    }
#endif
    for (int v = 0; v < vectors; v++)
        sum[v] = products[v] = 0.0f;
    int r = first_row(t, s);
    for (; r + row_step < t.rows; r += 2 * row_step)
        for (int v = 0; v < vectors; v++) {
            const int at = start + r * s.channels + first_channel(t, s, v);
            const int next = at + row_step * s.channels;
            const vec d0 = CENTRED(LOAD(AT(x) + at), r, v);
            const vec d1 = CENTRED(LOAD(AT(x) + next), r + row_step, v);
            const vec g0 = LET_THROUGH(LOAD(AT(dy) + at), d0, at, v);
            const vec g1 = LET_THROUGH(LOAD(AT(dy) + next), d1, next, v);
            sum[v] += g0 + g1;
            products[v] += g0 * d0 + g1 * d1;
        }
    for (; r < t.rows; r += row_step)
        for (int v = 0; v < vectors; v++) {
            const int at = start + r * s.channels + first_channel(t, s, v);
            const vec d = CENTRED(LOAD(AT(x) + at), r, v);
            const vec g = LET_THROUGH(LOAD(AT(dy) + at), d, at, v);
            sum[v] += g;
            products[v] += g * d;
        }

    __global float *part = AT(partial) + t.chunk * s.channels;
    for (int v = 0; v < vectors; v++) {
        const int first = first_channel(t, s, v), own = own_channel(t, s, v);
#if !STATISTICS_BY_ROW
        products[v] *= LOAD(statistics + 2 * (size_t)s.row + first);
#endif
        sum_lanes(&sum[v], &products[v], s.lanes, scratch);
        store_own(sum[v], first, own, s.lanes, part);
        store_own(products[v], first, own, s.lanes, part + s.partials);
    }
}

/* The passes: rows that are just VECS vectors, few, keep their coefficients in registers. */
#define ROW_IN_REGISTERS(channels) (VECS <= FEW && LANES == 1 && (channels) == WIDTH)

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
    if (ROW_IN_REGISTERS(s.channels)) {
        vec a[VECS], b[VECS], c[VECS], d[VECS];
        for (int v = 0; v < VECS; v++) {
            a[v] = LOAD(mean + v * VEC);
            b[v] = LOAD(mean_rest + v * VEC);
            c[v] = LOAD(scale + v * VEC);
            d[v] = LOAD(shift + v * VEC);
        }
        for (int r = 0; r < t.rows; r++)
            for (int v = 0; v < VECS; v++) {
                const int at = start + r * WIDTH + v * VEC;
                vec value = APPLY(vec, LOAD(AT(x) + at), a[v], b[v], c[v], d[v]);
                if (z_object)
                    value += LOAD(AT(z) + at);
                STORE(AT_LEAST(vec, s.lowest, value), AT(y) + at);
            }
        return;
    }
    for (int r = LANE_DOWN(s); r < t.rows; r += LANES / s.lanes) {
        const int first = start + r * s.channels;
        __global const float *from = AT(x) + first, *add = AT(z) + first;
        __global float *to = AT(y) + first;
        int c = LANE_ACROSS(s) * VEC;
        for (; c + VEC <= t.channels; c += s.lanes * VEC) {
            vec value = APPLY(vec, LOAD(from + c), LOAD(mean + c), LOAD(mean_rest + c),
                              LOAD(scale + c), LOAD(shift + c));
            if (z_object)
                value += LOAD(add + c);
            STORE(AT_LEAST(vec, s.lowest, value), to + c);
        }
#if VEC > 1
        for (; c < t.channels; c++) {
            float value = APPLY(float, from[c], mean[c], mean_rest[c], scale[c], shift[c]);
            if (z_object)
                value += add[c];
            to[c] = AT_LEAST(float, s.lowest, value);
        }
#endif
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
    if (ROW_IN_REGISTERS(s.channels)) {
        vec a[VECS], b[VECS], c[VECS], d[VECS], e[VECS], f[VECS];
        for (int v = 0; v < VECS; v++) {
            a[v] = LOAD(mean + v * VEC);
            b[v] = LOAD(mean_rest + v * VEC);
            c[v] = LOAD(scale + v * VEC);
            d[v] = LOAD(slope + v * VEC);
            e[v] = LOAD(shift + v * VEC);
            f[v] = LOAD(beta + v * VEC);
        }
        for (int r = 0; r < t.rows; r++)
            for (int v = 0; v < VECS; v++) {
                const int at = start + r * WIDTH + v * VEC;
                const vec from = LOAD(AT(x) + at);
                vec g = LOAD(AT(dy) + at);
                if (s.mask == NORM_MASK_BY_X)
                    g = MASK(vec, APPLY(vec, from, a[v], b[v], c[v], f[v]), g);
                else if (s.mask == NORM_MASK_BY_Y)
                    g = MASK(vec, LOAD(AT(y) + at), g);
                STORE(GRADIENT(g, from, a[v], b[v], c[v], d[v], e[v]), AT(dx) + at);
            }
        return;
    }
    for (int r = LANE_DOWN(s); r < t.rows; r += LANES / s.lanes) {
        const int first = start + r * s.channels;
        int c = LANE_ACROSS(s) * VEC;
        for (; c + VEC <= t.channels; c += s.lanes * VEC) {
            const vec from = LOAD(AT(x) + first + c);
            const vec m = LOAD(mean + c), rest = LOAD(mean_rest + c);
            vec g = LOAD(AT(dy) + first + c);
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(vec, APPLY(vec, from, m, rest, LOAD(scale + c), LOAD(beta + c)), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(vec, LOAD(AT(y) + first + c), g);
            STORE(GRADIENT(g, from, m, rest, LOAD(scale + c), LOAD(slope + c), LOAD(shift + c)),
                  AT(dx) + first + c);
        }
#if VEC > 1
        for (; c < t.channels; c++) {
            const float from = AT(x)[first + c];
            float g = AT(dy)[first + c];
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(float, APPLY(float, from, mean[c], mean_rest[c], scale[c], beta[c]), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(float, AT(y)[first + c], g);
            AT(dx)[first + c] =
                GRADIENT(g, from, mean[c], mean_rest[c], scale[c], slope[c], shift[c]);
        }
#endif
    }
}
