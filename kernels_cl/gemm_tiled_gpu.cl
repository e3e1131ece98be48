/*
 * C = alpha op(A) op(B) for GPU-like devices, with the tiles of gpu_tile.clh. Along K the group
 * brings DEPTH columns of op(A) and DEPTH rows of op(B) at a time into local memory, reading along
 * memory whichever way a matrix is stored; behind the end of K are zeros, rows and columns behind
 * the last one are that one again. Local memory: 2 DEPTH (PITCH_M + PITCH_N) floats.
 * Group (x, y, z): columns, rows, and batch and slice: with `slices` > 1 each product is cut along
 * K into slices of `span`, written to consecutive matrices that gemm_finish adds up.
 */
#include "common.clh"
#include "gemm.clh"
#include "gpu_tile.clh"

/* Products of a sum before it goes to C, which keeps float32 errors small. */
#define BLOCK 1024

/* An item's elements of a step: number i is `first + i step` in memory, but at most `last`, and
 * `place + i place_step` in local memory; its depth is `depth + i depth_step`. */
struct part {
    int first, step, last;
    int place, place_step, depth, depth_step;
};

/* Of `lines` lines from `line` on; neighbours are neighbours in memory. */
struct part part_of(const int size, const int pitch, const int along_depth, const int line,
                    const int lines, const int ld)
{
    const int item = get_local_id(0);
    struct part p;
    if (along_depth) {
        p.depth = item % DEPTH;
        p.depth_step = 0;
        p.place = p.depth * pitch + item / DEPTH;
        p.place_step = ITEMS / DEPTH;
        p.first = (line + item / DEPTH) * ld + p.depth;
        p.step = ITEMS / DEPTH * ld;
        p.last = (lines - 1) * ld + p.depth;
    } else {
        p.depth = item / size;
        p.depth_step = ITEMS / size;
        p.place = p.depth * pitch + item % size;
        p.place_step = p.depth_step * pitch;
        p.first = p.depth * ld + min(line + item % size, lines - 1);
        p.step = p.depth_step * ld;
        p.last = p.first + (DEPTH - 1) * ld;
    }
    return p;
}

void fetch(float *values, const int count, __global const float *from, const struct part p,
           const int depth)
{
    UNROLL for (int i = 0; i < count; i++)
        values[i] =
            p.depth + i * p.depth_step < depth ? from[min(p.first + i * p.step, p.last)] : 0.0f;
}

void keep(__local float *tile, const float *values, const int count, const struct part p)
{
    UNROLL for (int i = 0; i < count; i++) tile[p.place + i * p.place_step] = values[i];
}

/* Ends, or with !last only continues, the item's part of C: C = alpha sums + (C if it is there). */
void put(__global float *c, __global const float *bias, const float4 sums[MICRO_M][BLOCKS_N],
         const int row, const int column, const struct gemm_args g, const bool there,
         const bool last)
{
    UNROLL for (int i = 0; i < MICRO_M; i++)
        UNROLL for (int j = 0; j < MICRO_N; j++)
        {
            const int y = tile_row(row, i), x = tile_column(column, j);
            __global float *to = c + y * g.ldc + x;
            if (y < g.m && x < g.n) {
                float value = g.alpha * tile_component(sums[i][j / 4], j % 4);
                if (there)
                    value += *to;
                if (last && g.bias)
                    value += bias[g.bias == GEMM_BIAS_ROWS ? y : x];
                *to = last && g.relu && value < 0.0f ? 0.0f : value;
            }
        }
}

GROUP_OF_ITEMS
__kernel void gemm_tiled_gpu(OUT(float, c), IN(float, a), IN(float, b), IN(float, bias),
                             const struct gemm_args g, const long stride_a, const long stride_b,
                             const long stride_c)
{
    __local float4 tile_a[2][DEPTH * PITCH_M / 4], tile_b[2][DEPTH * PITCH_N / 4];
    const int z = get_group_id(2), batch = z / g.slices, slice = z - batch * g.slices;
    const int row = get_group_id(1) * TILE_M, column = get_group_id(0) * TILE_N;
    const int start = slice * g.span, end = min(g.k, start + g.span);
    const int a_depth = g.transpose_a ? g.lda : 1, b_depth = g.transpose_b ? 1 : g.ldb;
    __global const float *from_a = AT(a) + batch * stride_a + (long)start * a_depth;
    __global const float *from_b = AT(b) + batch * stride_b + (long)start * b_depth;
    const struct part part_a = part_of(TILE_M, PITCH_M, !g.transpose_a, row, g.m, g.lda);
    const struct part part_b = part_of(TILE_N, PITCH_N, g.transpose_b, column, g.n, g.ldb);
    float next_a[A_LOADS], next_b[B_LOADS];
    float4 sums[MICRO_M][BLOCKS_N];
    fetch(next_a, A_LOADS, from_a, part_a, end - start);
    fetch(next_b, B_LOADS, from_b, part_b, end - start);
    keep((__local float *)tile_a[0], next_a, A_LOADS, part_a);
    keep((__local float *)tile_b[0], next_b, B_LOADS, part_b);
    int now = 0;
    for (int block = start; block < end; block += BLOCK) {
        const int block_end = min(end, block + BLOCK);
        tile_clear(sums);
        for (int k = block; k < block_end; k += DEPTH) {
            barrier(CLK_LOCAL_MEM_FENCE);
            from_a += DEPTH * a_depth;
            from_b += DEPTH * b_depth;
            fetch(next_a, A_LOADS, from_a, part_a, end - k - DEPTH);
            fetch(next_b, B_LOADS, from_b, part_b, end - k - DEPTH);
            tile_multiply(tile_a[now], tile_b[now], sums);
            now ^= 1;
            keep((__local float *)tile_a[now], next_a, A_LOADS, part_a);
            keep((__local float *)tile_b[now], next_b, B_LOADS, part_b);
        }
        put(AT(c) + z * stride_c, AT(bias), sums, row + tile_down(), column + tile_across(), g,
            g.accumulate || block > start, block_end == end);
    }
}
