/*
 * Convolution as a matrix product without its matrix, for GPU-like devices: y, or one phase of dx.
 * Rows are filters (channels of dx), columns pixels, and the sum runs over taps and channels as the
 * table lists them, so that no index is divided in the loop. Group (x, y, z): tile of columns, tile
 * of rows, and group of channels and slice of the sum. An item gathers one pixel for several taps,
 * or with CHANNELS_LAST one tap for several pixels: along memory either way. Local memory:
 * 2 DEPTH (PITCH_M + PITCH_N) floats. With slices the sums go to `y` as matrices, one for each z.
 * Source of the idea: Chetlur et al., "cuDNN: Efficient primitives for deep learning", 2014.
 */
#include "common.clh"
#include "conv2d_implicit_args.clh"
#include "gpu_tile.clh"
#include "implicit_store.clh"

#define A_LOADS (TILE_M * DEPTH / ITEMS)
#define B_LOADS (TILE_N * DEPTH / ITEMS)
#define PIXELS (CHANNELS_LAST ? B_LOADS : 1) /* of an item */

/* The window's first element and its row and column, of column n. */
int4 window_of(const struct implicit_args g, const int n)
{
    const int line = n / g.pixel_columns, image = line / g.pixel_rows;
    const int row = (line - image * g.pixel_rows) * g.step_row + g.start_row;
    const int column = (n - line * g.pixel_columns) * g.step_column + g.start_column;
    const uint offset = (uint)image * (uint)g.in_image + (uint)row * (uint)g.in_row +
                        (uint)column * (uint)g.in_column;
    return (int4)((int)offset, n < g.columns ? row : IMPLICIT_OUTSIDE, column, 0);
}

float gather(__global const float *x, const int4 window, const int4 tap,
             const struct implicit_args g)
{
    const bool inside = (uint)(window.y + tap.y) < (uint)g.in_rows &&
                        (uint)(window.z + tap.z) < (uint)g.in_columns;
    return inside ? x[(uint)window.x + (uint)tap.x] : 0.0f;
}

/* What an item brings from global memory for the step that begins with tap k. */
void fetch(float a[A_LOADS], float b[B_LOADS], __global const float *x, __global const float *w,
           __global const int4 *taps, const int4 windows[PIXELS], const int row, const int k,
           const struct implicit_args g)
{
    const int item = get_local_id(0);
    const int4 own = taps[k + item % DEPTH];
    UNROLL for (int i = 0; i < A_LOADS; i++) {
        const int m = row + item / DEPTH + i * (ITEMS / DEPTH);
        a[i] = m < g.rows && own.w >= 0 ? w[m * g.filter_row + own.w] : 0.0f;
    }
#if CHANNELS_LAST
    UNROLL for (int i = 0; i < B_LOADS; i++) b[i] = gather(x, windows[i], own, g);
#else
    UNROLL for (int i = 0; i < B_LOADS; i++)
        b[i] = gather(x, windows[0], taps[k + item / TILE_N + i * (ITEMS / TILE_N)], g);
#endif
}

void keep(__local float *tile_a, __local float *tile_b, const float a[A_LOADS],
          const float b[B_LOADS])
{
    const int item = get_local_id(0);
    UNROLL for (int i = 0; i < A_LOADS; i++)
        tile_a[item % DEPTH * PITCH_M + item / DEPTH + i * (ITEMS / DEPTH)] = a[i];
#if CHANNELS_LAST
    UNROLL for (int i = 0; i < B_LOADS; i++)
        tile_b[item % DEPTH * PITCH_N + item / DEPTH + i * (ITEMS / DEPTH)] = b[i];
#else
    UNROLL for (int i = 0; i < B_LOADS; i++)
        tile_b[(item / TILE_N + i * (ITEMS / TILE_N)) * PITCH_N + item % TILE_N] = b[i];
#endif
}

/* The item's sums into the result, or into the matrix of the slice. */
void put(__global float *y, __global const float *bias, const float4 sums[MICRO][BLOCKS],
         const int row, const int column, const int group, const int slice, const int has_bias,
         const struct implicit_args g)
{
    __global float *part =
        y + ((ulong)slice * get_num_groups(2) / g.slices + group) * g.rows * g.columns;
    UNROLL for (int j = 0; j < MICRO; j++) {
        const int n = tile_index(column + tile_across(), j, TILE_N);
        const uint place = n < g.columns ? pixel_place(g, n) : 0;
        UNROLL for (int i = 0; i < MICRO; i++) {
            const int m = tile_index(row + tile_down(), i, TILE_M);
            float value = tile_component(sums[i][j / 4], j % 4);
            if (m >= g.rows || n >= g.columns)
                continue;
            if (g.slices > 1) {
                part[(ulong)m * g.columns + n] = value;
                continue;
            }
            const int channel = group * g.rows + m;
            if (has_bias)
                value += bias[channel];
            store(y + place + (uint)channel * (uint)g.out_channel, value, g);
        }
    }
}

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void conv2d_implicit_gemm(OUT(float, y), IN(float, x), IN(float, w), IN(float, bias),
                                   IN(int, table), const struct implicit_args g,
                                   const int has_bias)
{
    __local float4 tile_a[2][DEPTH * PITCH_M / 4], tile_b[2][DEPTH * PITCH_N / 4];
    const int group = get_group_id(2) / g.slices, slice = get_group_id(2) - group * g.slices;
    const int row = get_group_id(1) * TILE_M, column = get_group_id(0) * TILE_N;
    __global const int4 *taps = (__global const int4 *)AT(table) + g.first_tap;
    __global const float *from = AT(x) + (ulong)group * g.in_group;
    __global const float *filters = AT(w) + (ulong)group * g.filter_group;
    const int start = slice * g.span, end = min(g.depth, start + g.span);
    int4 windows[PIXELS];
    UNROLL for (int i = 0; i < PIXELS; i++)
        windows[i] = window_of(g, column + (CHANNELS_LAST ? get_local_id(0) / DEPTH +
                                                                i * (ITEMS / DEPTH)
                                                          : get_local_id(0) % TILE_N));
    float a[A_LOADS], b[B_LOADS];
    float4 sums[MICRO][BLOCKS];
    UNROLL for (int i = 0; i < MICRO; i++)
        UNROLL for (int j = 0; j < BLOCKS; j++) sums[i][j] = (float4)(0.0f);
    if (start < end) {
        fetch(a, b, from, filters, taps, windows, row, start, g);
        keep((__local float *)tile_a[0], (__local float *)tile_b[0], a, b);
    }
    int half_at = 0;
    for (int k = start; k < end; k += DEPTH) {
        const bool more = k + DEPTH < end;
        barrier(CLK_LOCAL_MEM_FENCE);
        if (more)
            fetch(a, b, from, filters, taps, windows, row, k + DEPTH, g);
        tile_multiply(tile_a[half_at], tile_b[half_at], sums);
        half_at ^= 1;
        if (more)
            keep((__local float *)tile_a[half_at], (__local float *)tile_b[half_at], a, b);
    }
    put(AT(y), AT(bias), sums, row, column, group, slice, has_bias, g);
}

/* y = the sum of the slices' matrices, in their order. One item for each element; dimension 0 is
 * columns, 1 rows, 2 groups. */
__kernel void conv2d_implicit_join(OUT(float, y), IN(float, parts), IN(float, bias),
                                   const struct implicit_args g, const int has_bias)
{
    const int n = get_global_id(0), m = get_global_id(1), group = get_global_id(2);
    if (n >= g.columns || m >= g.rows)
        return;
    const ulong matrix = (ulong)g.rows * g.columns;
    __global const float *from = AT(parts) + group * matrix + (ulong)m * g.columns + n;
    float sum = 0.0f;
    for (int slice = 0; slice < g.slices; slice++)
        sum += from[slice * matrix * get_global_size(2)];
    const int channel = group * g.rows + m;
    if (has_bias)
        sum += AT(bias)[channel];
    store(AT(y) + pixel_place(g, n) + (uint)channel * (uint)g.out_channel, sum, g);
}
