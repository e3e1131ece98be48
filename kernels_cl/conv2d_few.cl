/*
 * Convolution for CPU-like devices and few input channels, channels last: tiles of PR rows x PX
 * columns x KV vectors of 16 outputs go through a single loop over all tap rows of all channels; a
 * table has each one's place in the input. A pixel is loaded once for all TAPS taps of the row that
 * meet it. (Where rows are long or dilated TAPS is 1, and the loop is over single taps.) With PAIR,
 * for 5 to 8 filters, two columns share a vector, as the outputs of one window for both.
 * One work-item is one group and makes some rows of one or more images. It brings the filter to
 * local memory as [block of KV vectors][term][KV x 16], and the input rows of one image at a time,
 * with zeros where there is padding, so that tiles know no borders. The last tile of a row or of
 * the rows is moved back over the one before: what both make is the same.
 */
#include "common.clh"
#include "conv2d_few_args.clh"
#include "lanes.clh"
#include "patch.clh"
#include "transpose.clh"

#ifndef PX
#define PR 2
#define PX 10
#define KV 1
#define PAIR 0
#define TAPS 5
#define STEP 1   /* input columns from one column of outputs to the next */
#define COLUMN 6 /* floats from one input column to the next: the channels */
#endif

#define LANES (16 * KV)
#define PIXELS ((PX - 1) * STEP + TAPS) /* of the input, for a row of a tile */
#define UNROLL(n) __attribute__((opencl_unroll_hint(n)))
#define FOR_TILE                                                                                   \
    UNROLL(PR) for (int i = 0; i < PR; i++)                                                        \
        UNROLL(PX) for (int j = 0; j < PX; j++)                                                    \
            UNROLL(KV) for (int v = 0; v < KV; v++)

/* 16 filters of the block at `to`, the first `there` of which exist and are `terms` floats each;
 * zeros for the others. `left`: floats of the filter from `from` on. */
NOINLINE void fetch_filters(__local float *to, __global const float *from, int terms, int there,
                            int left)
{
    for (int t = 0; t < terms; t += 16, to += 16 * LANES) {
        float16 rows[16];
        for (int i = 0; i < 16; i++)
            rows[i] = i < there ? load_mostly(from + i * terms + t, left - i * terms - t)
                                : (float16)(0.0f);
        transpose_16(rows);
        for (int i = 0; i < min(16, terms - t); i++)
            store_local_16(to + i * LANES, rows[i]);
    }
}

/* The filters of two neighbouring columns: those of the second one see taps `shift` later. */
NOINLINE void fetch_pairs(__local float *to, __local float *bias, __global const float *from,
                          __global const float *b, int has_bias, const struct conv2d_few_args *a)
{
    const int rows = a->c * a->r;
    clear_floats(to, rows * a->s * 16);
    store_local_16(bias, 0.0f);
    for (int i = 0; i < 2 * a->filters; i++) {
        const int k = i % a->filters, first = i / a->filters * a->shift;
        bias[i] = has_bias ? b[k] : 0.0f;
        for (int row = 0; row < rows; row++)
            for (int s = 0; s < a->taps; s++)
                to[(row * a->s + first + s) * 16 + i] = from[(k * rows + row) * a->taps + s];
    }
}

/* In the order of the filter's elements: channel, tap row, tap column. */
NOINLINE void make_places(__local int *places, const struct conv2d_few_args *a)
{
    for (int c = 0; c < a->c; c++)
        for (int r = 0; r < a->r; r++)
            for (int s = 0; s < a->s; s += TAPS)
                *places++ = (r * a->dilation_h * a->columns + s * a->dilation_w) * a->c + c;
}

/* What the tiles of a group share. */
struct target {
    int terms, row;         /* floats of the patch from one row of outputs to the next */
    int out_row, out_column;
    int rows, columns;      /* of a tile that exist */
    int relu, accumulate;
};

/* Elements that exist of the outputs of a column, of which `there` are left, or of a pair. */
int part_of(int there, int row_left, int column, const struct target *to)
{
    return PAIR ? min(there, row_left - column * to->out_column) : there;
}

/* Stores rows [first_row, rows) and columns [first_column, columns) of a tile, `there` outputs. */
NOINLINE void store_some(__global float *y, const float16 *sums, int first_row, int first_column,
                         int there, int row_left, const struct target *to)
{
    for (int i = first_row; i < to->rows; i++)
        for (int j = first_column; j < to->columns; j++)
            for (int v = 0; v < KV && v * 16 < there; v++)
                store_mostly(y + i * to->out_row + j * to->out_column + v * 16,
                             sums[(i * PX + j) * KV + v],
                             part_of(there, row_left, j, to) - v * 16, to->accumulate);
}

/* Of the tile, rows and columns before first_row and first_column are there already; `row_left`
 * elements of y's row from it on exist. The empty lanes of a pair are stored, as the next pair goes
 * over them, but at the end of a row: a half pair may be shorter than they are. */
NOINLINE void make_tile(__global float *y, __local const float *from, __local const float *taps,
                        __local const int *places, __local const float *bias, int first_row,
                        int first_column, int there, int row_left, const struct target *to)
{
    const int terms = to->terms;
    __local const float *lines[PR];
    float16 sums[PR][PX][KV];
    UNROLL(PR) for (int i = 0; i < PR; i++)
        lines[i] = from + i * to->row;
    FOR_TILE sums[i][j][v] = vload16(v, bias);
    for (int t = 0; t < terms; t += TAPS, taps += TAPS * LANES) {
        const int place = *places++;
        float16 w[TAPS][KV];
        UNROLL(TAPS) for (int s = 0; s < TAPS; s++)
            UNROLL(KV) for (int v = 0; v < KV; v++)
                w[s][v] = vload16(s * KV + v, taps);
        UNROLL(PIXELS) for (int column = 0; column < PIXELS; column++)
            UNROLL(PR) for (int i = 0; i < PR; i++) {
                const float16 x = lines[i][place + column * COLUMN];
                UNROLL(TAPS) for (int s = 0; s < TAPS; s++) {
                    const int j = (column - s) / STEP;
                    if (column >= s && (column - s) % STEP == 0 && j < PX)
                        UNROLL(KV) for (int v = 0; v < KV; v++)
                            sums[i][j][v] = fma(x, w[s][v], sums[i][j][v]);
                }
            }
    }
    if (to->relu)
        FOR_TILE sums[i][j][v] = sums[i][j][v] < 0.0f ? 0.0f : sums[i][j][v]; /* a NaN stays one */
    const int whole = PAIR || there >= LANES;
    if (whole && to->rows >= PR && to->columns >= PX && !to->accumulate) {
        FOR_TILE if (PAIR && j >= PX - 2)
            store_mostly(y + i * to->out_row + j * to->out_column, sums[i][j][v],
                         row_left - j * to->out_column, 0);
        else
            store_16(y + i * to->out_row + j * to->out_column + v * 16, sums[i][j][v]);
    } else {
        float16 kept[PR * PX * KV];
        FOR_TILE kept[(i * PX + j) * KV + v] = sums[i][j][v];
        store_some(y, kept, first_row, first_column, there, row_left, to);
    }
}

/* `rows` rows of one image, for all outputs. */
NOINLINE void make_rows(__global float *y, __local const float *patch, __local const float *taps,
                        __local const int *places, __local const float *bias, int rows,
                        const struct target *to, const struct conv2d_few_args *a)
{
    for (int k = 0; k < a->k; k += LANES, taps += to->terms * LANES, bias += LANES) {
        for (int done = 0; done < rows; done += PR) {
            const int p = max(min(done, rows - PR), 0);
            for (int made = 0; made < a->q; made += PX) {
                const int q = max(min(made, a->q - PX), 0);
                make_tile(y + k + p * to->out_row + q * to->out_column,
                          patch + p * to->row + q * STEP * COLUMN, taps, places, bias, done - p,
                          made - q, a->k - k, a->row_floats - q * to->out_column, to);
            }
        }
    }
}

__kernel void conv2d_few(OUT(float, y), IN(float, x), IN(float, filter), IN(float, b),
                         const struct conv2d_few_args a, const int has_bias, const int accumulate,
                         __local float *patch, __local float *taps, __local float *bias,
                         __local int *places)
{
    const int terms = a.c * a.r * a.s, size = a.k * terms;
    const int first_p = get_group_id(0) * a.rows, rows = min(a.rows, a.p - first_p);
    const int first_n = get_group_id(1) * a.images, end_n = min(first_n + a.images, a.n);
    const struct target to = {terms,
                              a.stride_h * a.columns * a.c,
                              a.out_row,
                              a.out_column,
                              min(PR, rows),
                              min(PX, a.q),
                              a.relu,
                              accumulate};
    make_places(places, &a);
    if (PAIR)
        fetch_pairs(taps, bias, AT(filter), AT(b), has_bias, &a);
    for (int k = 0; !PAIR && k < (a.k + LANES - 1) / LANES * LANES; k += 16) {
        store_local_16(bias + k, has_bias ? load_mostly(AT(b) + k, a.k - k) : (float16)(0.0f));
        fetch_filters(taps + k / LANES * terms * LANES + k % LANES, AT(filter) + k * terms, terms,
                      a.k - k, size - k * terms);
    }
    for (int n = first_n; n < end_n; n++) {
        fetch_patch(patch, AT(x) + n * a.in_image, a.patch_rows, a.columns,
                    a.first_h + first_p * a.stride_h, 1, a.first_w, a.h, a.w, a.c, a.c, a.c);
        make_rows(AT(y) + n * a.out_image + first_p * a.out_row, patch, taps, places, bias, rows,
                  &to, &a);
    }
}
