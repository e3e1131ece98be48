/*
 * C = alpha op(A) op(B) for GPU-like devices: a work-group of SIDE x SIDE items computes
 * TILE x TILE elements of C, each item MICRO x MICRO of them in registers. Along K the group brings
 * STEP columns of op(A) and STEP rows of op(B) at a time into local memory (about 8 KiB with
 * TILE 64), reading along memory whichever way a matrix is stored; beyond the edges are zeros.
 * Every BLOCK products the sums go to a second set, which keeps float32 errors small.
 * Group (x, y, z): columns, rows, and batch and slice: with `slices` > 1 each product is cut along
 * K into slices of `span`, written to consecutive matrices that gemm_finish adds up.
 */
#include "common.clh"
#include "gemm.clh"

#ifndef TILE
#define TILE 64 /* 32 for devices with small groups */
#endif
#define MICRO 4
#define SIDE (TILE / MICRO)
#define ITEMS (SIDE * SIDE)
#define STEP 16
#define BLOCK 256
#define PITCH (TILE + 1) /* so that columns fall into different banks */

#define UNROLL __attribute__((opencl_unroll_hint))

/* tile[d][i] = element (i, d) of a matrix with `lines` x `depth` elements of which line i, depth d
 * is from[i * line_step + d * depth_step]; one of the steps is 1, and neighbouring items read
 * neighbours. */
void load_tile(__local float *tile, __global const float *from, const int lines, const int depth,
               const int line_step, const int depth_step, const int along_depth)
{
    for (uint e = get_local_id(0); e < TILE * STEP; e += ITEMS) {
        const int i = along_depth ? e / STEP : e % TILE;
        const int d = along_depth ? e % STEP : e / TILE;
        const int inside = i < lines && d < depth;
        tile[d * PITCH + i] = inside ? from[i * line_step + d * depth_step] : 0.0f;
    }
}

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void gemm_tiled_gpu(OUT(float, c), IN(float, a), IN(float, b), IN(float, bias),
                             const struct gemm_args g, const long stride_a, const long stride_b,
                             const long stride_c)
{
    __local float tile_a[STEP * PITCH], tile_b[STEP * PITCH];
    const int z = get_group_id(2), batch = z / g.slices, slice = z - batch * g.slices;
    const int row = get_group_id(1) * TILE, column = get_group_id(0) * TILE;
    const int down = get_local_id(0) / SIDE * MICRO, across = get_local_id(0) % SIDE;
    const int a_line = g.transpose_a ? 1 : g.lda, a_depth = g.transpose_a ? g.lda : 1;
    const int b_line = g.transpose_b ? g.ldb : 1, b_depth = g.transpose_b ? 1 : g.ldb;
    __global const float *from_a = AT(a) + batch * stride_a + row * a_line;
    __global const float *from_b = AT(b) + batch * stride_b + column * b_line;
    __global float *to = AT(c) + z * stride_c;
    const int start = slice * g.span, end = min(g.k, start + g.span);
    float totals[MICRO][MICRO], sums[MICRO][MICRO];
    UNROLL for (int i = 0; i < MICRO; i++)
        UNROLL for (int j = 0; j < MICRO; j++) totals[i][j] = sums[i][j] = 0.0f;
    for (int k = start; k < end; k += STEP) {
        const int depth = min(STEP, end - k);
        load_tile(tile_a, from_a + k * a_depth, g.m - row, depth, a_line, a_depth,
                  !g.transpose_a);
        load_tile(tile_b, from_b + k * b_depth, g.n - column, depth, b_line, b_depth,
                  g.transpose_b);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int d = 0; d < STEP; d++) {
            float left[MICRO], right[MICRO];
            UNROLL for (int i = 0; i < MICRO; i++) left[i] = tile_a[d * PITCH + down + i];
            UNROLL for (int j = 0; j < MICRO; j++) right[j] = tile_b[d * PITCH + across + j * SIDE];
            UNROLL for (int i = 0; i < MICRO; i++)
                UNROLL for (int j = 0; j < MICRO; j++) sums[i][j] += left[i] * right[j];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if ((k - start) % BLOCK == BLOCK - STEP)
            UNROLL for (int i = 0; i < MICRO; i++)
                UNROLL for (int j = 0; j < MICRO; j++)
                {
                    totals[i][j] += sums[i][j];
                    sums[i][j] = 0.0f;
                }
    }
    UNROLL for (int i = 0; i < MICRO; i++)
        UNROLL for (int j = 0; j < MICRO; j++)
        {
            const int y = row + down + i, x = column + across + j * SIDE;
            if (y < g.m && x < g.n) {
                float value = g.alpha * (totals[i][j] + sums[i][j]);
                if (g.accumulate)
                    value += to[y * g.ldc + x];
                if (g.bias)
                    value += AT(bias)[g.bias == GEMM_BIAS_ROWS ? y : x];
                to[y * g.ldc + x] = g.relu && value < 0.0f ? 0.0f : value;
            }
        }
}
