/*
 * Filter gradient for CPU-like devices and small filters: dw[k,c,tap] = sum over pixels of
 * dy[k,pixel] x[c,pixel + tap], in vectors of 16 pixels, whose lanes are added at the very end. A
 * tile of KB filters by TB terms (channels and their taps) stays in registers while pixels go by.
 * One work-item is one group and has one slice of the chunks, some rows of one image each. It
 * brings dy to local memory with zeros between the rows, x as in conv2d_rows.clh; the sums rest in
 * `rests` [block of KB filters][tile][KB][TB] between chunks. conv2d_rows_filter_join adds the
 * slices in order: the bits do not depend on scheduling.
 */
#include "common.clh"
#include "conv2d_rows.clh"

#ifndef KB
#define KB 6
#define TB 4
#endif

#define UNROLL(n) __attribute__((opencl_unroll_hint(n)))

NOINLINE void clear(__local float *to, int count)
{
    for (int i = 0; i < count; i += 16)
        *(__local vector_anywhere *)(to + i) = 0.0f;
}

float sum_of_lanes(float16 v)
{
    const float8 a = FIRST_8(v) + LAST_8(v);
    const float4 b = FIRST_4(a) + LAST_4(a);
    const float2 c = FIRST_2(b) + LAST_2(b);
    return c.x + c.y;
}

/* `vectors` vectors in each of `runs` runs, `apart` floats from one to the next. */
struct pixels {
    int runs, vectors, apart;
};

/* Adds the pixels of one chunk to the sums of a tile, TB terms at `places`. */
void add_tile(__local float16 *rest, __local const float *x, __local const int *places,
              __local const float *dy, int dy_channel, int begin, const struct pixels *pixels)
{
    float16 sums[KB][TB];
    __local const float *at[TB];
    UNROLL(TB) for (int t = 0; t < TB; t++) at[t] = x + places[t];
    UNROLL(KB) for (int k = 0; k < KB; k++)
        UNROLL(TB) for (int t = 0; t < TB; t++)
            sums[k][t] = begin ? (float16)(0.0f) : rest[k * TB + t];
    for (int run = 0; run < pixels->runs; run++) {
        const int first = run * pixels->apart, end = first + 16 * pixels->vectors;
        for (int i = first; i < end; i += 16) {
            float16 d[KB];
            UNROLL(KB) for (int k = 0; k < KB; k++)
                d[k] = vload16(0, dy + k * dy_channel + i);
            UNROLL(TB) for (int t = 0; t < TB; t++) {
                const float16 pixel = vload16(0, at[t] + i);
                UNROLL(KB) for (int k = 0; k < KB; k++)
                    sums[k][t] = fma(d[k], pixel, sums[k][t]);
            }
        }
    }
    UNROLL(KB) for (int k = 0; k < KB; k++)
        UNROLL(TB) for (int t = 0; t < TB; t++)
            rest[k * TB + t] = sums[k][t];
}

/* Rows [first_row, first_row + rows) of all channels of image n of dy. */
void fetch_gradient(__local float *to, __global const float *dy, int n, int first_row, int rows,
                    const struct conv2d_rows_filter_args *f)
{
    const struct conv2d_rows_args *a = &f->rows;
    const int row_floats = a->step_h * a->step_w * a->pitch;
    const int at = n * a->out_n + first_row * a->out_h;
    const struct source source = {a->out_k, a->out_h, a->out_w, a->n * a->out_n - at};
    fetch_planes(to, f->gradient_floats, row_floats, dy + at, a->k, rows, a->columns[0].outputs,
                 &source);
    for (int k = 0; k < a->k; k++) /* rows of an earlier chunk */
        clear(to + k * f->gradient_floats + rows * row_floats, 16);
}

/* Adds the vectors of each channel of dy to its bias's sum. */
void add_bias(__local float16 *rest, __local const float *dy, int begin,
              const struct pixels *pixels, const struct conv2d_rows_filter_args *f)
{
    const int vectors = pixels->vectors, filters = f->rows.k, plane = f->gradient_floats;
    for (int k = 0; k < filters; k++, dy += plane) {
        float16 sum[4] = {begin ? (float16)(0.0f) : rest[k], 0.0f, 0.0f, 0.0f};
        for (int run = 0; run < pixels->runs; run++) {
            __local const float *from = dy + run * pixels->apart;
            int v = 0;
            for (; v + 4 <= vectors; v += 4)
                UNROLL(4) for (int i = 0; i < 4; i++)
                    sum[i] += vload16(v + i, from);
            for (; v < vectors; v++)
                sum[0] += vload16(v, from);
        }
        rest[k] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

/* One chunk: its dy and x to local memory, and all tiles. */
NOINLINE void add_chunk(__local float16 *rests, __local float *patch, __local float *gradient,
                        __local const int *places, __global const float *x,
                        __global const float *dy, int chunk, int begin,
                        const struct conv2d_rows_filter_args *f)
{
    const struct conv2d_rows_args *a = &f->rows;
    const int n = chunk / f->chunks_per_image;
    const int first_row = chunk % f->chunks_per_image * a->group_rows;
    const int rows = min(a->group_rows, a->rows[0].outputs - first_row);
    const int row_floats = a->step_h * a->step_w * a->pitch;
    const int taps = a->rows[0].taps * a->columns[0].taps;
    const struct pixels pixels = {f->joined ? 1 : rows,
                                  f->joined ? (rows * row_floats + 15) / 16 : a->width / 16,
                                  row_floats};
    if (f->chunks_per_image > 1)
        clear(patch, a->patch_floats); /* padding is elsewhere */
    fetch_gradient(gradient, dy, n, first_row, rows, f);
    add_bias(rests, gradient, begin, &pixels, f);
    rests += a->k;
    for (int c = 0, tile = 0; c < a->c; c += a->chunk, tile += f->tiles) {
        const int channels = min(a->chunk, a->c - c), tiles = (channels * taps + TB - 1) / TB;
        fetch_channels(patch, x, n, c, channels, a->first_h + first_row * a->step_h, a);
        for (int k = 0; k < a->k; k += KB) {
            __local float16 *rest = rests + (k * f->all_tiles + tile * KB) * TB;
            for (int i = 0; i < tiles; i++)
                add_tile(rest + i * KB * TB, patch, places + i * TB,
                         gradient + k * f->gradient_floats, f->gradient_floats, begin, &pixels);
        }
    }
}

/* dw and db of a slice, or added to what is there. */
NOINLINE void write_sums(__global float *dw, __global float *db, __local const float16 *rests,
                         int wants_bias, int accumulate, const struct conv2d_rows_filter_args *f)
{
    const struct conv2d_rows_args *a = &f->rows;
    const int taps = a->rows[0].taps * a->columns[0].taps;
    if (wants_bias)
        for (int k = 0; k < a->k; k++)
            db[k] = sum_of_lanes(rests[k]) + (accumulate ? db[k] : 0.0f);
    rests += a->k;
    for (int k = 0; k < a->k; k++)
        for (int c = 0; c < a->c; c++)
            for (int tap = 0; tap < taps; tap++, dw++) {
                const int term = c % a->chunk * taps + tap;
                const int tile = k / KB * f->all_tiles + c / a->chunk * f->tiles + term / TB;
                const float sum =
                    sum_of_lanes(rests[(tile * KB + k % KB) * TB + term % TB]);
                *dw = accumulate ? *dw + sum : sum;
            }
}

/* `dw` and `db`: the result of the only slice, or all slices' one behind the other. */
__kernel void conv2d_rows_filter(OUT(float, dw), OUT(float, db), IN(float, x), IN(float, dy),
                                 const struct conv2d_rows_filter_args f, const int wants_bias,
                                 const int accumulate, __local float *patch,
                                 __local float *gradient, __local int *places,
                                 __local float16 *rests)
{
    const struct conv2d_rows_args *a = &f.rows;
    const int slice = get_group_id(0), first = slice * f.chunks_per_slice;
    const int end = min(first + f.chunks_per_slice, f.chunks);
    const int taps = a->rows[0].taps * a->columns[0].taps;
    make_places(places, a);
    for (int i = taps; i < f.tiles * TB; i++) /* other channels; behind the last term: any place */
        places[i] = i < a->chunk * taps
                        ? places[i - taps] + a->patch_rows * a->step_w * a->pitch
                        : 0;
    clear(patch, a->patch_floats);
    clear(gradient, (a->k + KB - 1) / KB * KB * f.gradient_floats);
    for (int chunk = first; chunk < end; chunk++)
        add_chunk(rests, patch, gradient, places, AT(x), AT(dy), chunk, chunk == first, &f);
    write_sums(AT(dw) + slice * a->k * a->c * taps, AT(db) + slice * a->k, rests, wants_bias,
               accumulate, &f);
}

/* Sums over slices: the first `count` items dw, those behind db. */
__kernel void conv2d_rows_filter_join(OUT(float, dw), OUT(float, db), IN(float, slices_dw),
                                      IN(float, slices_db), const int count, const int filters,
                                      const int slices, const int accumulate)
{
    const int i = get_global_id(0);
    if (i >= count + filters)
        return;
    const int is_dw = i < count, size = is_dw ? count : filters;
    __global const float *from = is_dw ? AT(slices_dw) + i : AT(slices_db) + (i - count);
    __global float *to = is_dw ? AT(dw) + i : AT(db) + (i - count);
    float sum = 0.0f;
    for (int slice = 0; slice < slices; slice++)
        sum += from[slice * size];
    *to = accumulate ? *to + sum : sum;
}
