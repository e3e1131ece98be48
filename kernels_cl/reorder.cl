/*
 * Changes the layout of N C H W tensors. Either way it is a transposition of N matrices: NCHW to
 * NHWC has C rows and H W columns, NHWC to NCHW has H W rows and C columns. x and y do not overlap.
 * reorder_blocks (CPU-like devices): a work-item moves a region of 16 x 16 blocks, each through
 * registers; blocks follow each other along the rows of the output, so that writes are contiguous.
 * reorder_tiles (GPU-like devices): a work-group of 16 x 16 moves a tile through 1088 bytes of
 * local memory; reads and writes are contiguous across items.
 */
#include "common.clh"

#define ZIP_LOW(a, b)                                                                              \
    shuffle2(a, b, (uint16)(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23))
#define ZIP_HIGH(a, b)                                                                             \
    shuffle2(a, b, (uint16)(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))

/* Rows and lanes make an 8-bit address; a stage rotates it by one bit, so four exchange them. */
#define STAGE(from, to)                                                                            \
    const float16 to##0 = ZIP_LOW(from##0, from##8);                                               \
    const float16 to##1 = ZIP_HIGH(from##0, from##8);                                              \
    const float16 to##2 = ZIP_LOW(from##1, from##9);                                               \
    const float16 to##3 = ZIP_HIGH(from##1, from##9);                                              \
    const float16 to##4 = ZIP_LOW(from##2, from##a);                                               \
    const float16 to##5 = ZIP_HIGH(from##2, from##a);                                              \
    const float16 to##6 = ZIP_LOW(from##3, from##b);                                               \
    const float16 to##7 = ZIP_HIGH(from##3, from##b);                                              \
    const float16 to##8 = ZIP_LOW(from##4, from##c);                                               \
    const float16 to##9 = ZIP_HIGH(from##4, from##c);                                              \
    const float16 to##a = ZIP_LOW(from##5, from##d);                                               \
    const float16 to##b = ZIP_HIGH(from##5, from##d);                                              \
    const float16 to##c = ZIP_LOW(from##6, from##e);                                               \
    const float16 to##d = ZIP_HIGH(from##6, from##e);                                              \
    const float16 to##e = ZIP_LOW(from##7, from##f);                                               \
    const float16 to##f = ZIP_HIGH(from##7, from##f);

#define EACH(DO)                                                                                   \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)                                                \
    DO(8) DO(9) DO(a) DO(b) DO(c) DO(d) DO(e) DO(f)

void move_block(__global float *y, __global const float *x, int rows, int columns)
{
#define LOAD(i) const float16 p##i = vload16(0, x + (size_t)columns * 0x##i);
#define STORE(i) vstore16(t##i, 0, y + (size_t)rows * 0x##i);
    EACH(LOAD)
    STAGE(p, q)
    STAGE(q, r)
    STAGE(r, s)
    STAGE(s, t)
    EACH(STORE)
}

/* What is left at the edges, less than 16 rows or less than 16 columns of x. */
void move_edge(__global float *y, __global const float *x, int rows, int columns, int num_rows,
               int num_columns)
{
    for (int c = 0; c < num_columns; c++)
        for (int r = 0; r < num_rows; r++)
            y[(size_t)c * rows + r] = x[(size_t)r * columns + c];
}

/* Region (i, j) has region_rows rows, region_columns columns of x, both multiples of 16. */
__kernel void reorder_blocks(OUT(float, y), IN(float, x), const int rows, const int columns,
                             const int region_rows, const int region_columns)
{
    const size_t matrix = get_global_id(2) * (size_t)rows * columns;
    const int row = get_global_id(0) * region_rows, column = get_global_id(1) * region_columns;
    const int num_rows = min(region_rows, rows - row);
    const int num_columns = min(region_columns, columns - column);
    __global const float *from = AT(x) + matrix + (size_t)row * columns + column;
    __global float *to = AT(y) + matrix + (size_t)column * rows + row;
    const int whole_rows = num_rows / 16 * 16, whole_columns = num_columns / 16 * 16;
    for (int c = 0; c < whole_columns; c += 16) {
        for (int r = 0; r < whole_rows; r += 16)
            move_block(to + (size_t)c * rows + r, from + (size_t)r * columns + c, rows, columns);
        move_edge(to + (size_t)c * rows + whole_rows, from + (size_t)whole_rows * columns + c,
                  rows, columns, num_rows - whole_rows, 16);
    }
    move_edge(to + (size_t)whole_columns * rows, from + whole_columns, rows, columns, num_rows,
              num_columns - whole_columns);
}

__kernel __attribute__((reqd_work_group_size(16, 16, 1))) void
reorder_tiles(OUT(float, y), IN(float, x), const int rows, const int columns)
{
    __local float tile[16][17]; /* a column more, so that columns lie in different banks */
    const size_t matrix = get_group_id(2) * (size_t)rows * columns;
    const int a = get_local_id(0), b = get_local_id(1);
    const int row = get_group_id(0) * 16, column = get_group_id(1) * 16;
    if (row + b < rows && column + a < columns)
        tile[b][a] = AT(x)[matrix + (size_t)(row + b) * columns + column + a];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (row + a < rows && column + b < columns)
        AT(y)[matrix + (size_t)(column + b) * rows + row + a] = tile[a][b];
}

/* Where the order of the elements stays the same. */
__kernel void reorder_copy(OUT(float, y), IN(float, x), const int count)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(y)[i] = AT(x)[i];
}
