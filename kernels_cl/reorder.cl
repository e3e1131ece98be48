/*
 * Changes the layout of N C H W tensors. Either way it is a transposition of N matrices: NCHW to
 * NHWC has C rows and H W columns, NHWC to NCHW has H W rows and C columns. x and y do not overlap.
 * reorder_blocks (CPU-like devices): a work-item moves a region of 16 x 16 blocks, each through
 * registers; blocks follow each other along the rows of the output, so that writes are contiguous.
 * 17 KiB of local memory for outputs whose rows are whole pages apart.
 * GPU-like devices have reorder_tiles.cl.
 */
#include "common.clh"
#include "elements.clh"
#include "transpose.clh"
#include "prefetch.clh"

/* A block of 16 x 16 elements, from `x` on to `y` on. The lines of y that are written a little
 * later are fetched meanwhile: there are too many of them for a processor to foresee. */
void move_block(__global float *y, __global const float *x, int rows, int columns, bool around)
{
    float16 block[16], scratch[16];
    UNROLL_16 for (int i = 0; i < 16; i++) block[i] = load_16(x + (size_t)columns * i);
    TRANSPOSE_16(block, scratch)
    if (around) {
        UNROLL_16 for (int i = 0; i < 16; i++) stream_16(y + (size_t)rows * i, block[i]);
    } else {
        UNROLL_16 for (int i = 0; i < 16; i++) PREFETCH_TO_WRITE(y + (size_t)rows * i + 32);
        UNROLL_16 for (int i = 0; i < 16; i++) store_16(y + (size_t)rows * i, block[i]);
    }
}

/* 16 columns of x in some blocks of rows, where the rows of y are so far apart that they compete
 * for the same lines of the first cache: through `buffer`, and then row by row. */
enum { PAGE = 1024, BUFFER_BLOCKS = 16, PITCH = 16 * BUFFER_BLOCKS + 16 };

void move_rows(__global float *y, __global const float *x, __local float *buffer, int rows,
               int columns, int blocks)
{
    for (int b = 0; b < blocks; b++) {
        float16 block[16], scratch[16];
        __global const float *from = x + (size_t)columns * 16 * b;
        UNROLL_16 for (int i = 0; i < 16; i++) block[i] = load_16(from + (size_t)columns * i);
        TRANSPOSE_16(block, scratch)
        UNROLL_16 for (int i = 0; i < 16; i++)
            store_local_16(buffer + PITCH * i + 16 * b, block[i]);
    }
    for (int i = 0; i < 16; i++)
        for (int b = 0; b < blocks; b++)
            store_16(y + (size_t)rows * i + 16 * b, load_local_16(buffer + PITCH * i + 16 * b));
}

/* Where there are fewer rows or columns: what reaches over their ends is read, up to `left_x`
 * floats, and written, up to `left_y`, because the rows of y that follow overwrite it. */
void move_part(__global float *y, __global const float *x, int rows, int columns, int num_rows,
               int num_columns, int left_y, int left_x)
{
    float16 block[16], scratch[16];
    UNROLL_16 for (int i = 0; i < 16; i++) block[i] =
        i < num_rows ? load_mostly(x + columns * i, left_x - columns * i) : (float16)0.0f;
    TRANSPOSE_16(block, scratch)
    UNROLL_16 for (int i = 0; i < 16; i++) if (i < num_columns)
        store_mostly(y + rows * i, block[i], left_y - rows * i, 0);
}

/* 16 columns of 8 rows or fewer, and 16 rows of 8 columns or fewer, where no vector of 8 reaches
 * over an end: blocks of 8 x 8 side by side. */
void move_few_rows(__global float *y, __global const float *x, int rows, int columns)
{
    float16 block[8], scratch[8];
    UNROLL_8 for (int i = 0; i < 8; i++) block[i] =
        i < rows ? load_16(x + columns * i) : (float16)0.0f;
    TRANSPOSE_8(block, scratch)
    UNROLL_8 for (int i = 0; i < 8; i++) store_8(y + rows * i, FIRST_8(block[i]));
    UNROLL_8 for (int i = 0; i < 8; i++) store_8(y + rows * (8 + i), LAST_8(block[i]));
}

void move_few_columns(__global float *y, __global const float *x, int rows, int columns)
{
    float16 block[8], scratch[8];
    UNROLL_8 for (int i = 0; i < 8; i++) block[i] =
        JOIN_8(load_8(x + columns * i), load_8(x + columns * (8 + i)));
    TRANSPOSE_8(block, scratch)
    UNROLL_8 for (int i = 0; i < 8; i++) if (i < columns) store_16(y + rows * i, block[i]);
}

/* Region (i, j) has region_rows rows, region_columns columns of x, both multiples of 16; the last
 * ones have also what is left. Its last blocks go back so far that they are whole, moving some
 * elements twice; only where all of x has fewer rows or columns are there parts of blocks. */
__kernel void reorder_blocks(OUT(float, y), IN(float, x), const int rows, const int columns,
                             const int region_rows, const int region_columns, const int stream)
{
    __local float buffer[16 * PITCH];
    const size_t matrix = get_global_id(2) * (size_t)rows * columns;
    const int row = get_global_id(0) * region_rows, column = get_global_id(1) * region_columns;
    const int end_row = get_global_id(0) + 1 == get_global_size(0) ? rows : row + region_rows;
    const int end_column =
        get_global_id(1) + 1 == get_global_size(1) ? columns : column + region_columns;
    __global const float *from = AT(x) + matrix;
    __global float *to = AT(y) + matrix;
    if (rows < 16 || columns < 16) {
        const int left_x = (int)(get_global_size(2) - get_global_id(2)) * rows * columns;
        for (int c = column; c < end_column; c += 16)
            for (int j = row; j < end_row; j += 16) {
                const int r = rows < 16 ? 0 : min(j, end_row - 16);
                const int left = left_x - r * columns - c, left_y = (end_column - c) * rows - r;
                __global float *into = to + c * rows + r;
                __global const float *block = from + r * columns + c;
                if (rows <= 8 && end_column - c >= 16 && left_y >= 15 * rows + 8)
                    move_few_rows(into, block, rows, columns);
                else if (columns <= 8 && rows >= 16 && left >= 15 * columns + 8)
                    move_few_columns(into, block, rows, columns);
                else
                    move_part(into, block, rows, columns, rows - r, end_column - c, left_y, left);
            }
        return;
    }
    const bool around = stream && rows % 16 == 0 && (size_t)to % sizeof(float16) == 0;
    for (int i = column; i < end_column; i += 16) {
        const int c = min(i, end_column - 16);
        for (int j = row; rows % PAGE == 0 && !around && j < end_row; j += 16 * BUFFER_BLOCKS)
            move_rows(to + (size_t)c * rows + j, from + (size_t)j * columns + c, buffer, rows,
                      columns, min(BUFFER_BLOCKS, (end_row - j) / 16));
        for (int j = rows % PAGE == 0 && !around ? end_row : row; j < end_row; j += 16) {
            const int r = min(j, end_row - 16);
            move_block(to + (size_t)c * rows + r, from + (size_t)r * columns + c, rows, columns,
                       around);
        }
    }
}

/* Where the order of the elements stays the same. */
__kernel void reorder_copy(OUT(float, y), IN(float, x), const struct elements elements)
{
    __global float *to = AT(y);
    __global const float *from = AT(x);
    const bool around = goes_around(elements, to);
    EACH_VECTOR(i, left, elements,
                stream_vector(load_vector(from + i, left), to + i, left, around))
}
