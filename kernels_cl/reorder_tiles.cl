/*
 * Changes the layout of N C H W tensors on GPU-like devices, a transposition of N matrices as in
 * reorder.cl: a work-group of 256 moves a tile of TILE x TILE elements through local memory, TILE x
 * (TILE + 1) floats; reads and writes are contiguous across items. x and y do not overlap.
 */
#include "common.clh"

#ifndef TILE
#define TILE 32
#endif
#define DOWN (256 / TILE) /* rows of items */
#define EACH_ROW                                                                                   \
    __attribute__((opencl_unroll_hint(TILE / DOWN))) for (int r = b; r < TILE; r += DOWN)

__kernel __attribute__((reqd_work_group_size(TILE, DOWN, 1))) void
reorder_tiles(OUT(float, y), IN(float, x), const int rows, const int columns)
{
    __local float tile[TILE][TILE + 1]; /* a column more: columns lie in different banks */
    const size_t matrix = get_group_id(2) * (size_t)rows * columns;
    const int a = get_local_id(0), b = get_local_id(1);
    const int row = get_group_id(0) * TILE, column = get_group_id(1) * TILE;
    __global const float *from = AT(x) + matrix + (size_t)row * columns + column;
    EACH_ROW if (row + r < rows && column + a < columns) tile[r][a] = from[r * columns + a];
    barrier(CLK_LOCAL_MEM_FENCE);
    __global float *to = AT(y) + matrix + (size_t)column * rows + row;
    EACH_ROW if (row + a < rows && column + r < columns) to[r * rows + a] = tile[a][r];
}
