/*
 * C = alpha op(A) op(B) for CPU-like devices: one work-item is a work-group and computes a block of
 * `rows_per_group` rows and COLUMNS columns of C. It packs g.depth rows of its columns of op(B)
 * into local memory (contiguous, transposed if need be), then walks down A with tiles of ROWS x
 * COLUMNS sums in registers; A is read in place, one broadcast element a row. Sums of g.depth
 * products are added to C one block after the other: that keeps float32 errors small.
 * Group (x, y, z): columns, rows, and batch and slice: with `slices` > 1 each product is cut along
 * K into slices of `span`, written to consecutive matrices that gemm_finish adds up.
 */
#include "common.clh"
#include "gemm.clh"
#include "lanes.clh"
#include "transpose.clh"

#ifndef ROWS
#define ROWS 6
#endif
#ifndef VECTORS
#define VECTORS 4 /* of 16 floats: the width of a tile */
#endif
#define COLUMNS (16 * VECTORS)

/* Without it the tiles do not stay in registers. */
#define UNROLL_ROWS __attribute__((opencl_unroll_hint(ROWS)))
#define UNROLL_VECTORS __attribute__((opencl_unroll_hint(VECTORS)))

/* to[d][i] = from[i ld + d] for i, d < 16; lines behind the last one repeat it. */
void transpose_block(__local float16 *to, __global const float *from, const int ld, const int lines)
{
    float16 rows[16], scratch[16];
    UNROLL_16 for (int i = 0; i < 16; i++)
        rows[i] = vload16(0, from + min(i, lines - 1) * ld);
    TRANSPOSE_16(rows, scratch)
    UNROLL_16 for (int i = 0; i < 16; i++)
        to[i * VECTORS] = rows[i];
}

/* panel[d][j] = b[d ld + j] for d < depth, j < columns, and zeros behind. */
void pack_rows(__local float16 *panel, __global const float *b, const int ld, const int depth,
               const int columns)
{
    for (int d = 0; d < depth; d++)
        UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
            panel[d * VECTORS + v] = load_mostly(b + d * ld + 16 * v, columns - 16 * v);
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

/* sums[i] = the sum of a[i row_step + d depth_step] over d < depth, or that added to it. */
void sum_rows(__global float *sums, __global const float *a, const int rows, const int row_step,
              const int depth, const int depth_step, const int keep)
{
    int i = 0;
    if (row_step == 1)
        for (; i < rows; i += 16) {
            float16 total = 0.0f;
            for (int d = 0; d < depth; d++)
                total += load_mostly(a + i + d * depth_step, rows - i);
            store_mostly(sums + i, total, rows - i, keep);
        }
    for (; i < rows; i++) {
        float total = 0.0f;
        for (int d = 0; d < depth; d++)
            total += a[i * row_step + d * depth_step];
        sums[i] = keep ? sums[i] + total : total;
    }
}

/* The block of a group for the terms [start, end). `bias`: from its first column, or row, on;
 * `edge`: a tile that is not stored as it is; `sums_a`: null if they are not wanted. */
NOINLINE void make_block(__global float *to, __global const float *a, __global const float *b,
                         __global const float *bias, __global float *sums_a,
                         __local float16 *panel, __local float16 *edge, const int rows,
                         const int columns, const int start, const int end,
                         const struct gemm_args *args)
{
    const struct gemm_args g = *args;
    const int row_step = g.transpose_a ? 1 : g.lda, depth_step = g.transpose_a ? g.lda : 1;
    for (int k = start; k < end; k += g.depth) {
        const int depth = min(g.depth, end - k), keep = g.accumulate || k > start;
        const int bias_kind = k == start ? g.bias : 0;
        const int last = g.relu && k + depth == end, relu = last && !keep;
        const int late_relu = last && keep; /* it comes after what is in C is added */
        if (g.transpose_b)
            pack_columns(panel, b + k, g.ldb, depth, columns);
        else
            pack_rows(panel, b + k * g.ldb, g.ldb, depth, columns);
        if (sums_a)
            sum_rows(sums_a, a + k * depth_step, rows, row_step, depth, depth_step, keep);
        for (int r = 0; r < rows; r += ROWS) {
            __global const float *from[ROWS];
            float16 sums[ROWS][VECTORS];
            UNROLL_ROWS for (int i = 0; i < ROWS; i++) {
                /* Rows behind the last one repeat it and are not stored. */
                from[i] = a + k * depth_step + min(r + i, rows - 1) * row_step;
                UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                    sums[i][v] = 0.0f;
            }
            for (int d = 0, at = 0; d < depth; d++, at += depth_step) {
                float16 line[VECTORS];
                UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                    line[v] = panel[d * VECTORS + v];
                UNROLL_ROWS for (int i = 0; i < ROWS; i++)
                    UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                        sums[i][v] = fma((float16)(from[i][at]), line[v], sums[i][v]);
            }
            UNROLL_ROWS for (int i = 0; i < ROWS; i++)
                UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                    sums[i][v] *= g.alpha;
            if (bias_kind == GEMM_BIAS_COLUMNS)
                UNROLL_VECTORS for (int v = 0; v < VECTORS; v++) {
                    const float16 term = load_mostly(bias + 16 * v, columns - 16 * v);
                    UNROLL_ROWS for (int i = 0; i < ROWS; i++)
                        sums[i][v] += term;
                }
            if (bias_kind == GEMM_BIAS_ROWS)
                UNROLL_ROWS for (int i = 0; i < ROWS; i++)
                    UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                        sums[i][v] += bias[min(r + i, rows - 1)];
            if (relu)
                UNROLL_ROWS for (int i = 0; i < ROWS; i++)
                    UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                        sums[i][v] = sums[i][v] < 0.0f ? 0.0f : sums[i][v];
            __global float *tile = to + r * g.ldc;
            if (r + ROWS <= rows && columns == COLUMNS && !late_relu) {
                UNROLL_ROWS for (int i = 0; i < ROWS; i++)
                    UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                        store_mostly(tile + i * g.ldc + 16 * v, sums[i][v], 16, keep);
                continue;
            }
            UNROLL_ROWS for (int i = 0; i < ROWS; i++)
                UNROLL_VECTORS for (int v = 0; v < VECTORS; v++)
                    edge[i * VECTORS + v] = sums[i][v];
            for (int i = 0; i < min(ROWS, rows - r); i++)
                for (int v = 0; v < VECTORS; v++) {
                    __global float *at = tile + i * g.ldc + 16 * v;
                    float16 value = edge[i * VECTORS + v];
                    if (late_relu) {
                        value += load_mostly(at, columns - 16 * v);
                        value = value < 0.0f ? 0.0f : value;
                    }
                    store_mostly(at, value, columns - 16 * v, keep && !late_relu);
                }
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void gemm_tiled_cpu(OUT(float, c), IN(float, a), IN(float, b), IN(float, bias),
                             const struct gemm_args g, const long stride_a, const long stride_b,
                             const long stride_c, OUT(float, sums_a), __local float16 *panel)
{
    __local float16 edge[ROWS * VECTORS];
    const int z = get_group_id(2), batch = z / g.slices, slice = z - batch * g.slices;
    const int column = get_group_id(0) * COLUMNS, row = get_group_id(1) * g.rows_per_group;
    const int columns = min(COLUMNS, g.n - column), rows = min(g.rows_per_group, g.m - row);
    const int start = slice * g.span, end = min(g.k, start + g.span);
    make_block(AT(c) + z * stride_c + row * g.ldc + column,
               AT(a) + batch * stride_a + row * (g.transpose_a ? 1 : g.lda),
               AT(b) + batch * stride_b + column * (g.transpose_b ? g.ldb : 1),
               AT(bias) + (g.bias == GEMM_BIAS_ROWS ? row : column),
               g.sums && column == 0 ? AT(sums_a) + row : 0, panel, edge, rows, columns, start,
               end, &g);
}
