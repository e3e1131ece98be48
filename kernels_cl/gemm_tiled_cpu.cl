/*
 * C = alpha op(A) op(B) for CPU-like devices: one work-item is a work-group and computes a block of
 * `rows_per_group` rows and COLUMNS columns of C. It packs DEPTH rows of its columns of op(B) into
 * local memory (contiguous, transposed if need be), then walks down A with tiles of ROWS x COLUMNS
 * sums in vector registers; A is read in place, one broadcast element a row.
 * Sums of DEPTH products are added to C one block after the other: that keeps float32 errors small.
 * Group (x, y, z): columns, rows, and batch and slice: with `slices` > 1 each product is cut along
 * K into slices of `span`, written to consecutive matrices that gemm_finish adds up.
 */
#include "common.clh"
#include "gemm.clh"

#ifndef VECTORS
#define VECTORS 4 /* of 16 floats: the width of a tile */
#endif
#ifndef DEPTH
#define DEPTH 256
#endif
#define ROWS 6
#define COLUMNS (16 * VECTORS)

/* Without it the tiles do not stay in registers. */
#define UNROLL __attribute__((opencl_unroll_hint))

/* Elements 0, 16, 1, 17, ... of the pair (a, b): its first and its second half. */
#define ZIP_LOW(a, b)                                                                              \
    shuffle2(a, b, (uint16)(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23))
#define ZIP_HIGH(a, b)                                                                             \
    shuffle2(a, b, (uint16)(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))

/* Zipping vectors i and i + 8 of sixteen, four times, transposes a 16 x 16 block. */
#define ZIP_ALL(to, from)                                                                          \
    UNROLL for (int i = 0; i < 8; i++)                                                             \
    {                                                                                              \
        to[2 * i] = ZIP_LOW(from[i], from[i + 8]);                                                 \
        to[2 * i + 1] = ZIP_HIGH(from[i], from[i + 8]);                                            \
    }

/* to[d][i] = from[i ld + d] for i, d < 16; lines behind the last one repeat it. */
void transpose_block(__local float16 *to, __global const float *from, const int ld, const int lines)
{
    float16 even[16], odd[16];
    UNROLL for (int i = 0; i < 16; i++) even[i] = vload16(0, from + min(i, lines - 1) * ld);
    ZIP_ALL(odd, even)
    ZIP_ALL(even, odd)
    ZIP_ALL(odd, even)
    ZIP_ALL(even, odd)
    UNROLL for (int i = 0; i < 16; i++) to[i * VECTORS] = even[i];
}

/* panel[d][j] = b[d ld + j] for d < depth, j < columns, and zeros behind. */
void pack_rows(__local float16 *panel, __global const float *b, const int ld, const int depth,
               const int columns)
{
    for (int d = 0; d < depth; d++) {
        __global const float *from = b + d * ld;
        UNROLL for (int v = 0; v < VECTORS; v++)
        {
            __local float16 *to = panel + d * VECTORS + v;
            if (16 * v + 16 <= columns) {
                *to = vload16(v, from);
                continue;
            }
            *to = 0.0f;
            for (int j = 16 * v; j < columns; j++)
                ((__local float *)to)[j - 16 * v] = from[j];
        }
    }
}

/* panel[d][j] = b[j ld + d] for d < depth, j < columns; behind them are values of no meaning. */
void pack_columns(__local float16 *panel, __global const float *b, const int ld, const int depth,
                  const int columns)
{
    for (int v = 0; v < VECTORS; v++) {
        /* A vector wholly behind the edge repeats the last line. */
        const int first = min(16 * v, columns - 1), lines = min(16, columns - first);
        __global const float *from = b + first * ld;
        __local float16 *to = panel + v;
        int d = 0;
        for (; d + 16 <= depth; d += 16)
            transpose_block(to + d * VECTORS, from + d, ld, lines);
        for (; d < depth; d++)
            for (int i = 0; i < 16; i++)
                ((__local float *)(to + d * VECTORS))[i] = from[min(i, lines - 1) * ld + d];
    }
}

/* Adds 16 sums to C: to what is there with `keep`, and to `bias` unless it is 0; then relu. At the
 * edge of C only the first `columns` are stored. */
void add_vector(__global float *to, const float16 sums, const int columns, const int keep,
                __global const float *bias, const int bias_step, const int relu,
                __local float16 *scratch)
{
    if (columns >= 16) {
        float16 value = sums;
        if (keep)
            value += vload16(0, to);
        if (bias)
            value += bias_step ? vload16(0, bias) : (float16)(*bias);
        if (relu)
            value = value < 0.0f ? 0.0f : value;
        vstore16(value, 0, to);
        return;
    }
    *scratch = sums; /* indexing a register would spill it */
    for (int j = 0; j < columns; j++) {
        float value = ((__local const float *)scratch)[j];
        if (keep)
            value += to[j];
        if (bias)
            value += bias[j * bias_step];
        to[j] = relu && value < 0.0f ? 0.0f : value;
    }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void gemm_tiled_cpu(OUT(float, c), IN(float, a), IN(float, b), IN(float, bias),
                             const struct gemm_args g, const long stride_a, const long stride_b,
                             const long stride_c)
{
    __local float16 panel[DEPTH * VECTORS];
    __local float16 scratch;
    const int z = get_group_id(2), batch = z / g.slices, slice = z - batch * g.slices;
    const int column = get_group_id(0) * COLUMNS, row = get_group_id(1) * g.rows_per_group;
    const int columns = min(COLUMNS, g.n - column), rows = min(g.rows_per_group, g.m - row);
    const int row_step = g.transpose_a ? 1 : g.lda, depth_step = g.transpose_a ? g.lda : 1;
    __global const float *from_a = AT(a) + batch * stride_a + row * row_step;
    __global const float *from_b =
        AT(b) + batch * stride_b + column * (g.transpose_b ? g.ldb : 1);
    __global float *to = AT(c) + z * stride_c + row * g.ldc + column;
    const int start = slice * g.span, end = min(g.k, start + g.span);
    for (int k = start; k < end; k += g.depth) {
        const int depth = min(g.depth, end - k);
        if (g.transpose_b)
            pack_columns(panel, from_b + k, g.ldb, depth, columns);
        else
            pack_rows(panel, from_b + k * g.ldb, g.ldb, depth, columns);
        __global const float *block = from_a + k * depth_step;
        for (int r = 0; r < rows; r += ROWS) {
            /* Rows behind the last one repeat it and are not stored. */
            int at[ROWS];
            float16 sums[ROWS][VECTORS];
            UNROLL for (int i = 0; i < ROWS; i++)
            {
                at[i] = min(r + i, rows - 1) * row_step;
                UNROLL for (int v = 0; v < VECTORS; v++) sums[i][v] = 0.0f;
            }
            for (int d = 0; d < depth; d++) {
                float16 line[VECTORS];
                UNROLL for (int v = 0; v < VECTORS; v++) line[v] = panel[d * VECTORS + v];
                UNROLL for (int i = 0; i < ROWS; i++)
                {
                    const float factor = block[at[i] + d * depth_step];
                    UNROLL for (int v = 0; v < VECTORS; v++) sums[i][v] += factor * line[v];
                }
            }
            UNROLL for (int i = 0; i < ROWS; i++)
            {
                if (r + i >= rows)
                    break;
                const int bias_step = g.bias == GEMM_BIAS_COLUMNS;
                UNROLL for (int v = 0; v < VECTORS; v++)
                {
                    __global const float *base = 0;
                    if (g.bias && k == 0)
                        base = AT(bias) + (bias_step ? column + 16 * v : row + r + i);
                    add_vector(to + (r + i) * g.ldc + 16 * v, sums[i][v] * g.alpha,
                               columns - 16 * v, g.accumulate || k > start, base, bias_step,
                               g.relu && k + depth == end, &scratch);
                }
            }
        }
    }
}
