/*
 * The gradient of the filter as a matrix product without its matrix, for GPU-like devices. Rows are
 * filters, columns taps of channels, the sum runs over the pixels of dy. Group (x, y, z): tile of
 * columns, tile of rows, and group of channels and slice of the pixels; conv2d_implicit_filter_join
 * adds the slices in order. Where the DEPTH pixels of a step lie is worked out by DEPTH items two
 * steps ahead, by carrying instead of dividing, and lies in local memory for the others. Local
 * memory: 2 DEPTH (PITCH_M + PITCH_N) floats and 2 DEPTH int4.
 */
#include "common.clh"
#include "conv2d_implicit_args.clh"
#include "gpu_tile.clh"
#include "implicit_store.clh"
#include "slices.clh"

#define A_LOADS (TILE_M * DEPTH / ITEMS)
#define B_LOADS (TILE_N * DEPTH / ITEMS)
#define A_BIT 16
#define COLUMNS (CHANNELS_LAST ? 1 : B_LOADS) /* of an item */

/* Image, row and column of a pixel, and of DEPTH pixels as a distance. */
int4 pixel_at(const struct implicit_phase f, const int i)
{
    const int line = i / f.pixel_columns, image = line / f.pixel_rows;
    return (int4)(image, line - image * f.pixel_rows, i - line * f.pixel_columns, 0);
}

int4 pixel_behind(const int4 pixel, const int4 distance, const struct implicit_phase f)
{
    int4 next = pixel + distance;
    if (next.z >= f.pixel_columns) {
        next.z -= f.pixel_columns;
        next.y++;
    }
    if (next.y >= f.pixel_rows) {
        next.y -= f.pixel_rows;
        next.x++;
    }
    return next;
}

/* The window's first element, its row and column, and the place in dy. */
int4 window_at(const int4 pixel, const bool inside, const struct implicit_args g)
{
    const int row = pixel.y * g.step_row + g.start_row;
    const int column = pixel.z * g.step_column + g.start_column;
    const uint offset = (uint)pixel.x * (uint)g.in_image + (uint)row * (uint)g.in_row +
                        (uint)column * (uint)g.in_column;
    const uint place = (uint)pixel.x * (uint)g.out_image + (uint)pixel.y * (uint)g.out_row +
                       (uint)pixel.z * (uint)g.out_column;
    return (int4)((int)offset, inside ? row : IMPLICIT_OUTSIDE, column, inside ? (int)place : -1);
}

/* Element number i of an item: its index along DEPTH and along the tile. */
int2 element(const int i, const int size)
{
    const int item = get_local_id(0);
    return CHANNELS_LAST ? (int2)(item / size + i * (ITEMS / size), item % size)
                         : (int2)(item % DEPTH, item / DEPTH + i * (ITEMS / DEPTH));
}

/* What an item brings from global memory for a step; a bit of the answer for each element that
 * there is, from A_BIT on those of A. Where there is none some other element is read, without a
 * branch around the load, and counts as zero. */
int fetch(float a[A_LOADS], float b[B_LOADS], __global const float *x, __global const float *dy,
          __local const int4 *windows, const int4 taps[COLUMNS], const int row,
          const struct implicit_args g)
{
    int there = 0;
    UNROLL for (int i = 0; i < A_LOADS; i++) {
        const int2 at = element(i, TILE_M);
        const int place = windows[at.x].w;
        a[i] = dy[max(place, 0) + min(row + at.y, g.rows - 1) * g.out_channel];
        there |= (place >= 0) << (A_BIT + i);
    }
    UNROLL for (int i = 0; i < B_LOADS; i++) {
        const int4 window = windows[element(i, TILE_N).x], tap = taps[CHANNELS_LAST ? 0 : i];
        const bool inside = (uint)(window.y + tap.y) < (uint)g.in_rows &&
                            (uint)(window.z + tap.z) < (uint)g.in_columns;
        b[i] = x[inside ? (uint)window.x + (uint)tap.x : 0];
        there |= inside << i;
    }
    return there;
}

void keep(__local float *tile_a, __local float *tile_b, const float a[A_LOADS],
          const float b[B_LOADS], const int there)
{
    UNROLL for (int i = 0; i < A_LOADS; i++) {
        const int2 at = element(i, TILE_M);
        tile_a[at.x * PITCH_M + at.y] = there >> (A_BIT + i) & 1 ? a[i] : 0.0f;
    }
    UNROLL for (int i = 0; i < B_LOADS; i++) {
        const int2 at = element(i, TILE_N);
        tile_b[at.x * PITCH_N + at.y] = there >> i & 1 ? b[i] : 0.0f;
    }
}

void put(__global float *dw, __global const int4 *taps, const float4 sums[MICRO_M][BLOCKS_N],
         const int row, const int column, const int group, const int slice,
         const struct implicit_args g)
{
    __global float *part =
        dw + ((ulong)slice * get_num_groups(2) / g.slices + group) * g.rows * g.columns;
    __global float *filters = dw + (ulong)group * g.filter_group;
    UNROLL for (int j = 0; j < MICRO_N; j++) {
        const int n = tile_column(column + tile_across(), j);
        const int place = n < g.columns ? taps[n].w : 0;
        UNROLL for (int i = 0; i < MICRO_M; i++) {
            const int m = tile_row(row + tile_down(), i);
            const float value = tile_component(sums[i][j / 4], j % 4);
            if (m >= g.rows || n >= g.columns)
                continue;
            if (g.slices > 1)
                part[(ulong)m * g.columns + n] = value;
            else
                store(filters + m * g.filter_row + place, value, g);
        }
    }
}

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void conv2d_implicit_filter(OUT(float, dw), IN(float, x), IN(float, dy), IN(int, table),
                                     const struct implicit_args g, const struct implicit_phase f)
{
    __local float4 tile_a[2][DEPTH * PITCH_M / 4], tile_b[2][DEPTH * PITCH_N / 4];
    __local int4 windows[2][DEPTH];
    const int item = get_local_id(0);
    const int group = get_group_id(2) / g.slices, slice = get_group_id(2) - group * g.slices;
    const int row = get_group_id(1) * TILE_M, column = get_group_id(0) * TILE_N;
    __global const int4 *table4 = (__global const int4 *)AT(table);
    __global const float *from = AT(x) + (ulong)group * g.in_group;
    __global const float *gradient = AT(dy) + (ulong)group * g.rows * g.out_channel;
    const int start = slice * f.span, end = min(f.depth, start + f.span);
    const int4 distance = pixel_at(f, DEPTH);
    int4 taps[COLUMNS];
    UNROLL for (int i = 0; i < COLUMNS; i++) {
        const int n = column + element(i, TILE_N).y;
        taps[i] = n < g.columns ? table4[n] : (int4)(0, IMPLICIT_OUTSIDE, 0, 0);
    }
    int own = start + item; /* the pixel that this item works out next, of those below DEPTH */
    int4 pixel = pixel_at(f, own);
    for (int i = 0; i < 2; i++) {
        if (item < DEPTH)
            windows[i][item] = window_at(pixel, own < end, g);
        pixel = pixel_behind(pixel, distance, f);
        own += DEPTH;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    float a[A_LOADS], b[B_LOADS];
    float4 sums[MICRO_M][BLOCKS_N];
    tile_clear(sums);
    int there = fetch(a, b, from, gradient, windows[0], taps, row, g);
    keep((__local float *)tile_a[0], (__local float *)tile_b[0], a, b, there);
    int now = 0;
    for (int k = start; k < end; k += DEPTH) {
        barrier(CLK_LOCAL_MEM_FENCE);
        there = fetch(a, b, from, gradient, windows[now ^ 1], taps, row, g);
        if (item < DEPTH)
            windows[now][item] = window_at(pixel, own < end, g);
        pixel = pixel_behind(pixel, distance, f);
        own += DEPTH;
        tile_multiply(tile_a[now], tile_b[now], sums);
        now ^= 1;
        keep((__local float *)tile_a[now], (__local float *)tile_b[now], a, b, there);
    }
    put(AT(dw), table4, sums, row, column, group, slice, g);
}

/* dw = the sum of the slices' matrices, in their order. One item for each element; dimension 0 is
 * columns, 1 rows, 2 groups. */
__kernel void conv2d_implicit_filter_join(OUT(float, dw), IN(float, parts), IN(int, table),
                                          const struct implicit_args g)
{
    const int n = get_global_id(0), m = get_global_id(1), group = get_global_id(2);
    if (n >= g.columns || m >= g.rows)
        return;
    const ulong matrix = (ulong)g.rows * g.columns;
    __global const float *from = AT(parts) + group * matrix + (ulong)m * g.columns + n;
    const float sum = sum_of_slices(from, matrix * get_global_size(2), g.slices);
    const int place = ((__global const int4 *)AT(table))[n].w;
    store(AT(dw) + (ulong)group * g.filter_group + m * g.filter_row + place, sum, g);
}
