/*
 * Filter gradient for CPU-like devices, channels last: dw[tap,c,k] = sum over pixels of
 * x[pixel + tap, c] dy[pixel, k], with CT channels by KV vectors of 16 filters in registers.
 * One work-item is one group: some blocks of filters, some channels, one slice of the pixels. It
 * takes chunk after chunk of them: it copies their dy and x to local memory, a tile's elements
 * close together, and lets every tap add its pixels, without those that meet padding only, to its
 * sums, which rest in local memory [block][tile][run of taps][CT][KV x 16] between chunks.
 * A group that has all pixels writes dw; otherwise conv2d_filter_join adds the slices in order: the
 * bits do not depend on scheduling.
 */
#include "common.clh"
#include "conv2d_filter_tile_args.clh"
#include "lanes.clh"
#include "patch.clh"
#include "transpose.clh"

#ifndef CT
#define CT 13
#endif
#ifndef KV
#define KV 2
#endif

#define LANES (16 * KV)
#define TILE (CT * LANES)
#define UNROLL_C __attribute__((opencl_unroll_hint(CT)))
#define UNROLL_V __attribute__((opencl_unroll_hint(KV)))

/* The first channel, or channel of a joined tap, of a tile; the last tile is moved left. */
int tile_start(int tile, const struct conv2d_filter_tile_args *a)
{
    return max(min(tile * CT, a->channels * a->taps_at_once - CT), 0);
}

/* Adds a chunk to the sums of one tile for a run of taps that starts in row r of the window and
 * sees the columns [low, high) of dy. `bands`: first input row and number of rows of each. */
void add_tile(__local float *rest, __local const float *x, __local const float *dy, int r, int low,
              int high, int count, __local const int *bands, int first_chunk,
              const struct conv2d_filter_tile_args *a)
{
    const int row_size = a->columns * a->cell, step = a->stride_w * a->cell;
    float16 sums[CT][KV];
    UNROLL_C for (int i = 0; i < CT; i++)
        UNROLL_V for (int v = 0; v < KV; v++)
            sums[i][v] = first_chunk ? (float16)(0.0f) : vload16(i * KV + v, rest);
    for (int band = 0; band < count; band++) {
        const int first_row = bands[2 * band] + r * a->dilation_h, rows = bands[2 * band + 1];
        for (int j = 0; j < rows; j++) {
            const int row = first_row + j * a->period * a->stride_h;
            if (row < 0 || row >= a->h)
                continue;
            __local const float *from = x + (band * a->patch_rows + j * a->jump + r) * row_size;
            __local const float *d = dy + ((band * a->rows + j) * a->q + low) * LANES;
            for (int column = low; column < high; column++) {
                float16 vectors[KV];
                UNROLL_V for (int v = 0; v < KV; v++) vectors[v] = vload16(v, d);
                UNROLL_C for (int i = 0; i < CT; i++)
                    UNROLL_V for (int v = 0; v < KV; v++)
                        sums[i][v] = fma((float16)(from[i]), vectors[v], sums[i][v]);
                d += LANES;
                from += step;
            }
        }
    }
    UNROLL_C for (int i = 0; i < CT; i++)
        UNROLL_V for (int v = 0; v < KV; v++)
            store_local_16(rest + (i * KV + v) * 16, sums[i][v]);
}

/* Adds a chunk to the sums of one block of filters. */
NOINLINE void add_block(__local float *rest, __local const float *x, __local const float *dy,
                        int count, __local const int *bands, int first_chunk,
                        const struct conv2d_filter_tile_args *a)
{
    const int joined = a->taps_at_once > 1;
    const int tile_size = a->chunk * a->patch_rows * a->columns * 16;
    for (int tile = 0; tile < a->tiles; tile++) {
        __local const float *at = x + (joined ? tile_start(tile, a) : tile * tile_size);
        for (int run = 0; run < a->runs; run++, rest += TILE) {
            const int r = joined ? run : run / a->s, s = joined ? 0 : run % a->s;
            /* Columns of dy whose pixel of x exists: those of joined taps are all taken. */
            const int offset = s * a->dilation_w - a->pad_left, last = a->w - 1 - offset;
            const int first = offset < 0 ? (a->stride_w - 1 - offset) / a->stride_w : 0;
            const int end = last < 0 ? 0 : min(last / a->stride_w + 1, a->q);
            const int low = joined ? 0 : first, high = joined ? a->q : end;
            add_tile(rest, at + (low * a->stride_w + s * a->dilation_w) * a->cell, dy, r, low,
                     high, count, bands, first_chunk, a);
        }
    }
}

/* 16 floats of each of `columns` pixels from column `first` on, zeros outside of the row and, in
 * place of what may be behind x, after `there` elements of it. */
NOINLINE void fetch_cells(__local float *to, __global const float *row, int columns, int first,
                          int w, int pitch, long there)
{
    const int before = clamp(-first, 0, columns);
    const int end = clamp(w - first, before, columns);
    clear_floats(to, before * 16);
    for (int i = before; i < end; i++) {
        const int at = (first + i) * pitch;
        if (at + 16 <= there) {
            store_local_16(to + i * 16, vload16(0, row + at));
        } else {
            for (int j = 0; j < 16; j++)
                to[i * 16 + j] = at + j < there ? row[at + j] : 0.0f;
        }
    }
    clear_floats(to + end * 16, (columns - end) * 16);
}

/* Copies the x of one band: one tile's channels after the other, or all if taps are joined. */
NOINLINE void fetch_x(__local float *to, __global const float *x, int n, int first_row, int rows,
                      int first_channel, const struct conv2d_filter_tile_args *a)
{
    const int tile_size = a->chunk * a->patch_rows * a->columns * 16;
    const int patch_rows = (rows - 1) * a->jump + a->r;
    for (int u = 0; u < patch_rows; u++) {
        const int row = first_row + u * a->dilation_h;
        if (row < 0 || row >= a->h)
            continue;
        const long at = ((long)n * a->h + row) * a->w * a->c + first_channel;
        __local float *line = to + u * a->columns * a->cell;
        if (a->taps_at_once > 1) {
            fetch_row(line, x + at, a->columns, -a->pad_left, a->w, a->c, a->c, a->c);
            continue;
        }
        for (int tile = 0; tile < a->tiles; tile++) {
            const long from = at + tile_start(tile, a);
            fetch_cells(line + tile * tile_size, x + from, a->columns, -a->pad_left, a->w, a->c,
                        (long)a->n * a->h * a->w * a->c - from);
        }
    }
}

/* Copies `count` bands from band `first` of all images on: their x from channel c on, and their dy,
 * which is behind `dy`, of some filters. */
NOINLINE void fetch_bands(__local float *patch, __local float *gradient, __local int *bands,
                          __global const float *x, __global const float *dy, int first, int count,
                          int c, int filters, const struct conv2d_filter_tile_args *a)
{
    const int band_size = a->rows * a->q * LANES;
    for (int i = 0; i < count; i++) {
        const int n = (first + i) / a->bands, band = (first + i) % a->bands;
        /* Rows of one band share the input rows of a dilation. */
        const int p = band / a->period * a->rows * a->period + band % a->period;
        const int rows = clamp((a->p - p + a->period - 1) / a->period, 0, a->rows);
        const int first_row = p * a->stride_h - a->pad_top;
        bands[2 * i] = first_row;
        bands[2 * i + 1] = rows;
        for (int j = 0; j < rows; j++)
            fetch_blocks(gradient + i * band_size + j * a->q * LANES,
                         dy + ((n * a->p + p + j * a->period) * a->q) * a->k, a->q, a->k, filters,
                         LANES, (filters + LANES - 1) / LANES, a->chunk * band_size);
        if (rows > 0)
            fetch_x(patch + i * a->patch_rows * a->columns * a->cell, x, n, first_row, rows, c, a);
    }
}

/* dw[k][c][tap] of some blocks of filters and some channels = the sum of their slices, or added
 * to it: 16 filters by 16 elements at a time through registers. For local and global sums. */
#define DEFINE_WRITE(name, space)                                                                  \
    NOINLINE void name(__global float *dw, space const float *sums, ulong slice_size, int slices,  \
                       int filters, int channels, int accumulate,                                  \
                       const struct conv2d_filter_tile_args *a)                                    \
    {                                                                                              \
        const int taps = a->r * a->s, count = channels * taps, joined = a->taps_at_once > 1;       \
        for (int k = 0; k < filters; k += 16) {                                                    \
            space const float *block =                                                             \
                sums + k / LANES * a->tiles * a->runs * TILE + k % LANES;                          \
            int tap = 0, channel = 0;                                                              \
            for (int done = 0; done < count; done += 16) {                                         \
                float16 rows[16];                                                                  \
                for (int i = 0; i < 16; i++) {                                                     \
                    const int run = joined ? tap / a->s : tap;                                     \
                    const int at = joined ? tap % a->s * a->channels + channel : channel;          \
                    const int tile = min(at / CT, a->tiles - 1);                                   \
                    space const float *from =                                                      \
                        block + ((tile * a->runs + run) * CT + at - tile_start(tile, a)) * LANES;  \
                    float16 sum = vload16(0, from);                                                \
                    for (int slice = 1; slice < slices; slice++)                                   \
                        sum += vload16(0, from + slice * slice_size);                              \
                    rows[i] = sum;                                                                 \
                    const int wrap = tap + 1 == taps;                                              \
                    channel = min(channel + wrap, channels - 1);                                   \
                    tap = wrap ? 0 : tap + 1;                                                      \
                }                                                                                  \
                transpose_16(rows);                                                                \
                for (int i = 0; i < min(16, filters - k); i++)                                     \
                    store_mostly(dw + (k + i) * a->c * taps + done, rows[i], count - done,         \
                                 accumulate);                                                      \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_WRITE(write_local, __local)
DEFINE_WRITE(write_global, __global)

/* Adds the pixels of a chunk's dy, or what there is of it, to the bias's sums of one block. */
NOINLINE void add_bias(__local float *rest, __local const float *dy, int count,
                       __local const int *bands, int first_chunk,
                       const struct conv2d_filter_tile_args *a)
{
    for (int v = 0; v < KV; v++) {
        float16 even = 0.0f, odd = 0.0f;
        for (int band = 0; band < count; band++) {
            __local const float *from = dy + band * a->rows * a->q * LANES;
            const int pixels = bands[2 * band + 1] * a->q;
            for (int i = 0; i + 1 < pixels; i += 2) {
                even += vload16(v, from + i * LANES);
                odd += vload16(v, from + (i + 1) * LANES);
            }
            if (pixels % 2)
                even += vload16(v, from + (pixels - 1) * LANES);
        }
        even += odd;
        store_local_16(rest + 16 * v, first_chunk ? even : vload16(v, rest) + even);
    }
}

/* Where the bias's sums of a slice are, behind the others. */
ulong bias_sums(int slices, int slice, const struct conv2d_filter_tile_args *a)
{
    const ulong sums = (ulong)a->blocks * a->tiles * a->runs * TILE * get_num_groups(1) * slices;
    return get_num_groups(0) * (sums + (ulong)slice * a->blocks * LANES);
}

/* Group (x, y, z): blocks of filters, channels, slice. `result` is dw, or the slices' sums and
 * behind them those of the bias. */
__kernel void conv2d_filter_tile(OUT(float, result), OUT(float, db), IN(float, x), IN(float, dy),
                                 const struct conv2d_filter_tile_args a, const int has_bias,
                                 const int accumulate,
                                 __local float *patch, __local float *gradient,
                                 __local float *rests, __local int *bands)
{
    const int k = get_group_id(0) * a.blocks * LANES, filters = min(a.blocks * LANES, a.k - k);
    const int c = get_group_id(1) * a.channels, channels = min(a.channels, a.c - c);
    const int blocks = (filters + LANES - 1) / LANES, block_size = a.tiles * a.runs * TILE;
    const int all_bands = a.n * a.bands, band_size = a.rows * a.q * LANES;
    const int sums_bias = has_bias && get_group_id(1) == 0;
    __local float *biases = rests + a.blocks * block_size;
    const int slice = get_group_id(2), first = slice * a.chunks_per_slice;
    const int end = min(first + a.chunks_per_slice, (all_bands + a.chunk - 1) / a.chunk);
    for (int chunk = first; chunk < end; chunk++) {
        const int count = min(a.chunk, all_bands - chunk * a.chunk);
        fetch_bands(patch, gradient, bands, AT(x), AT(dy) + k, chunk * a.chunk, count, c, filters,
                    &a);
        for (int b = 0; b < blocks; b++) {
            __local const float *from = gradient + b * a.chunk * band_size;
            add_block(rests + b * block_size, patch, from, count, bands, chunk == first, &a);
            if (sums_bias)
                add_bias(biases + b * LANES, from, count, bands, chunk == first, &a);
        }
    }
    const int taps = a.r * a.s;
    if (get_num_groups(2) == 1) {
        write_local(AT(result) + (k * a.c + c) * taps, rests, 0, 1, filters, channels, accumulate,
                    &a);
        for (int i = 0; sums_bias && i < filters; i += 16)
            store_mostly(AT(db) + k + i, vload16(0, biases + i), filters - i, accumulate);
        return;
    }
    const ulong group = get_group_id(1) * get_num_groups(0) + get_group_id(0);
    __global float *to = AT(result) +
                         (slice * get_num_groups(0) * get_num_groups(1) + group) * a.blocks *
                             block_size;
    for (int i = 0; i < blocks * block_size / 16; i++)
        store_16(to + i * 16, vload16(i, rests));
    to = AT(result) + bias_sums(get_num_groups(2), slice, &a) + k;
    for (int i = 0; sums_bias && i < blocks * LANES; i += 16)
        store_16(to + i, vload16(0, biases + i));
}

/* dw, and db, from the slices' sums; groups (x, y) as above, each item 16 of its filters (z). */
__kernel void conv2d_filter_join(OUT(float, dw), OUT(float, db), IN(float, partial),
                                 const struct conv2d_filter_tile_args a, const int slices,
                                 const int has_bias, const int accumulate)
{
    const int part = get_group_id(2) * 16;
    const int k = get_group_id(0) * a.blocks * LANES + part, filters = min(16, a.k - k);
    const int c = get_group_id(1) * a.channels, channels = min(a.channels, a.c - c);
    const ulong groups = get_num_groups(0) * get_num_groups(1);
    const ulong group = get_group_id(1) * get_num_groups(0) + get_group_id(0);
    const ulong group_size = (ulong)a.blocks * a.tiles * a.runs * TILE;
    __global const float *sums = AT(partial) + group * group_size +
                                 part / LANES * a.tiles * a.runs * TILE + part % LANES;
    if (filters > 0)
        write_global(AT(dw) + (k * a.c + c) * a.r * a.s, sums, groups * group_size, slices,
                     filters, channels, accumulate, &a);
    if (filters > 0 && has_bias && get_group_id(1) == 0) {
        float16 sum = 0.0f;
        for (int slice = 0; slice < slices; slice++)
            sum += vload16(0, AT(partial) + bias_sums(slices, slice, &a) + k);
        store_mostly(AT(db) + k, sum, filters, accumulate);
    }
}
