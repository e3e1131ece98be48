/*
 * The passes of norm_columns.cl on CPU-like devices, one work-item a tile, in vectors of 16. Pixels
 * of few channels come several to a row, with as many copies of their coefficients; s.rest elements
 * are behind the last row. What is no whole vector of a row is made one by one. No local memory.
 */
#include "common.clh"
#include "norm_columns_cpu.clh"

/* Rows of just so many vectors keep their coefficients in registers; the loops must unroll. */
enum { SIDE = 4 };
#define EACH_VECTOR(v) __attribute__((opencl_unroll_hint(SIDE))) for (int v = 0; v < SIDE; v++)

/* Results that more than fill the caches are stored around them, where they are aligned. */
bool goes_around(const struct norm_columns s, __global const float *to)
{
    return s.stream && s.channels % VEC == 0 && s.part_channels % VEC == 0 &&
           (size_t)to % sizeof(vec) == 0;
}

void put(__global float *to, const vec value, const bool around)
{
    if (around)
        stream_16(to, value);
    else
        STORE(value, to);
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
    const bool around = goes_around(s, AT(y)) && AT(y) != AT(x);
    int r = 0;
    if (s.channels == SIDE * VEC) {
        vec a[SIDE], b[SIDE], c[SIDE], d[SIDE];
        EACH_VECTOR(v) {
            a[v] = LOAD(mean + v * VEC);
            b[v] = LOAD(mean_rest + v * VEC);
            c[v] = LOAD(scale + v * VEC);
            d[v] = LOAD(shift + v * VEC);
        }
        for (; r < t.rows; r++)
            EACH_VECTOR(v) {
                const int at = t.start + (r * SIDE + v) * VEC;
                vec value = APPLY(vec, LOAD(AT(x) + at), a[v], b[v], c[v], d[v]);
                if (z_object)
                    value += LOAD(AT(z) + at);
                put(AT(y) + at, AT_LEAST(vec, s.lowest, value), around);
            }
    }
    for (; r <= t.rows; r++) {
        const int first = t.start + r * s.channels, width = r < t.rows ? t.channels : t.rest;
        __global const float *from = AT(x) + first, *add = AT(z) + first;
        __global float *to = AT(y) + first;
        int c = 0;
        for (; c + VEC <= width; c += VEC) {
            vec value = APPLY(vec, LOAD(from + c), LOAD(mean + c), LOAD(mean_rest + c),
                              LOAD(scale + c), LOAD(shift + c));
            if (z_object)
                value += LOAD(add + c);
            put(to + c, AT_LEAST(vec, s.lowest, value), around);
        }
        for (; c < width; c++) {
            float value = APPLY(float, from[c], mean[c], mean_rest[c], scale[c], shift[c]);
            if (z_object)
                value += add[c];
            to[c] = AT_LEAST(float, s.lowest, value);
        }
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
    const bool around = goes_around(s, AT(dx)) && AT(dx) != AT(x) && AT(dx) != AT(dy);
    int r = 0;
    if (s.channels == SIDE * VEC) {
        vec a[SIDE], b[SIDE], c[SIDE], d[SIDE], e[SIDE], f[SIDE];
        EACH_VECTOR(v) {
            a[v] = LOAD(mean + v * VEC);
            b[v] = LOAD(mean_rest + v * VEC);
            c[v] = LOAD(scale + v * VEC);
            d[v] = LOAD(slope + v * VEC);
            e[v] = LOAD(shift + v * VEC);
            f[v] = LOAD(beta + v * VEC);
        }
        for (; r < t.rows; r++)
            EACH_VECTOR(v) {
                const int at = t.start + (r * SIDE + v) * VEC;
                const vec from = LOAD(AT(x) + at);
                vec g = LOAD(AT(dy) + at);
                if (s.mask == NORM_MASK_BY_X)
                    g = MASK(vec, APPLY(vec, from, a[v], b[v], c[v], f[v]), g);
                else if (s.mask == NORM_MASK_BY_Y)
                    g = MASK(vec, LOAD(AT(y) + at), g);
                put(AT(dx) + at, GRADIENT(g, from, a[v], b[v], c[v], d[v], e[v]), around);
            }
    }
    for (; r <= t.rows; r++) {
        const int first = t.start + r * s.channels, width = r < t.rows ? t.channels : t.rest;
        int c = 0;
        for (; c + VEC <= width; c += VEC) {
            const vec from = LOAD(AT(x) + first + c);
            const vec m = LOAD(mean + c), rest = LOAD(mean_rest + c);
            vec g = LOAD(AT(dy) + first + c);
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(vec, APPLY(vec, from, m, rest, LOAD(scale + c), LOAD(beta + c)), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(vec, LOAD(AT(y) + first + c), g);
            put(AT(dx) + first + c,
                GRADIENT(g, from, m, rest, LOAD(scale + c), LOAD(slope + c), LOAD(shift + c)),
                around);
        }
        for (; c < width; c++) {
            const float from = AT(x)[first + c];
            float g = AT(dy)[first + c];
            if (s.mask == NORM_MASK_BY_X)
                g = MASK(float, APPLY(float, from, mean[c], mean_rest[c], scale[c], beta[c]), g);
            else if (s.mask == NORM_MASK_BY_Y)
                g = MASK(float, AT(y)[first + c], g);
            AT(dx)[first + c] =
                GRADIENT(g, from, mean[c], mean_rest[c], scale[c], slope[c], shift[c]);
        }
    }
}
