/*
 * Convolution as a matrix product without its matrix, for GPU-like devices: y, or the phases of dx.
 * Rows are filters (channels of dx), columns pixels, and the sum runs over taps and channels as the
 * table lists them, so that no index is divided in the loop. Group (x, y, z): tile of columns, tile
 * of rows, and group of channels, slice of the sum and phase. An item gathers one pixel for several
 * taps, or with CHANNELS_LAST one tap for several pixels: along memory either way. Local memory:
 * 2 DEPTH (PITCH_M + PITCH_N) floats and 2 DEPTH int4. With slices the sums go to `y` as matrices.
 * Source of the idea: Chetlur et al., "cuDNN: Efficient primitives for deep learning", 2014.
 */
#include "common.clh"
#include "conv2d_implicit_args.clh"
#include "gpu_tile.clh"
#include "implicit_columns.clh"
#include "slices.clh"

#define A_LOADS (TILE_M * DEPTH / ITEMS)
#define B_LOADS (TILE_N * DEPTH / ITEMS)
#define PIXELS (CHANNELS_LAST ? B_LOADS : 1) /* of an item */

float gather(__global const float *x, const int4 window, const int4 tap,
             const struct implicit_args g)
{
    const bool inside = (uint)(window.y + tap.y) < (uint)g.in_rows &&
                        (uint)(window.z + tap.z) < (uint)g.in_columns;
    return inside ? x[(uint)window.x + (uint)tap.x] : 0.0f;
}

/* What an item brings from global memory for the step with these taps. Rows behind the last one
 * are that one again: nobody reads their sums. */
void fetch(float a[A_LOADS], float b[B_LOADS], __global const float *x, __global const float *w,
           __local const int4 *taps, const int4 windows[PIXELS], const int row,
           const struct implicit_args g)
{
    const int item = get_local_id(0);
    const int4 own = taps[item % DEPTH];
    UNROLL for (int i = 0; i < A_LOADS; i++) {
        const int m = min(row + item / DEPTH + i * (ITEMS / DEPTH), g.rows - 1);
        a[i] = own.w >= 0 ? w[m * g.filter_row + own.w] : 0.0f;
    }
#if CHANNELS_LAST
    UNROLL for (int i = 0; i < B_LOADS; i++) b[i] = gather(x, windows[i], own, g);
#else
    UNROLL for (int i = 0; i < B_LOADS; i++)
        b[i] = gather(x, windows[0], taps[item / TILE_N + i * (ITEMS / TILE_N)], g);
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

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void conv2d_implicit_gemm(OUT(float, y), IN(float, x), IN(float, w), IN(float, bias),
                                   IN(int, phases), IN(int, table), const struct implicit_args g,
                                   const struct implicit_phase only, const int has_bias)
{
    __local float4 tile_a[2][DEPTH * PITCH_M / 4], tile_b[2][DEPTH * PITCH_N / 4];
    __local int4 steps[2][DEPTH];
    const struct part at = part_of(g);
    const struct implicit_phase f = phase_of(only, AT(phases), at.phase, g);
    const int row = get_group_id(1) * TILE_M, column = get_group_id(0) * TILE_N;
    __global const int4 *taps = (__global const int4 *)AT(table) + f.first_tap;
    __global const float *from = AT(x) + (ulong)at.group * g.in_group;
    __global const float *filters = AT(w) + (ulong)at.group * g.filter_group;
    const int start = min(f.depth, at.slice * f.span), end = min(f.depth, start + f.span);
    int4 windows[PIXELS];
    UNROLL for (int i = 0; i < PIXELS; i++)
        windows[i] = window_of(g, f,
                               column + (CHANNELS_LAST ? get_local_id(0) / DEPTH +
                                                             i * (ITEMS / DEPTH)
                                                       : get_local_id(0) % TILE_N));
    float a[A_LOADS], b[B_LOADS];
    float4 sums[MICRO_M][BLOCKS_N];
    tile_clear(sums);
    const int item = get_local_id(0);
    if (item < 2 * DEPTH)
        steps[item / DEPTH][item % DEPTH] = taps[start + clamp(end - start - 1, 0, item)];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (start < end) {
        fetch(a, b, from, filters, steps[0], windows, row, g);
        keep((__local float *)tile_a[0], (__local float *)tile_b[0], a, b);
    }
    int now = 0;
    for (int k = start; k < end; k += DEPTH) {
        const bool more = k + DEPTH < end, fills = k + 2 * DEPTH < end && item < DEPTH;
        barrier(CLK_LOCAL_MEM_FENCE);
        int4 later = (int4)(0);
        if (fills)
            later = taps[k + 2 * DEPTH + item];
        if (more)
            fetch(a, b, from, filters, steps[now ^ 1], windows, row, g);
        tile_multiply(tile_a[now], tile_b[now], sums);
        if (fills)
            steps[now][item] = later;
        now ^= 1;
        if (more)
            keep((__local float *)tile_a[now], (__local float *)tile_b[now], a, b);
    }
    put(AT(y), has_bias ? AT(bias) : 0, sums, row, column, at, g, f);
}

/* y = the sum of the slices' matrices, in their order. One item for each element; dimension 0 is
 * columns, 1 rows, 2 phases and groups. */
__kernel void conv2d_implicit_join(OUT(float, y), IN(float, parts), IN(float, bias),
                                   IN(int, phases), const struct implicit_args g,
                                   const struct implicit_phase only, const int has_bias)
{
    const int n = get_global_id(0), m = get_global_id(1), z = get_global_id(2);
    const int group = z / g.phases;
    const struct implicit_phase f = phase_of(only, AT(phases), z - group * g.phases, g);
    if (n >= f.columns || m >= g.rows)
        return;
    const ulong matrix = (ulong)g.rows * g.columns;
    __global const float *from = AT(parts) + z * matrix + (ulong)m * g.columns + n;
    float sum = sum_of_slices(from, matrix * get_global_size(2), g.slices);
    const int channel = group * g.rows + m;
    if (has_bias)
        sum += AT(bias)[channel];
    store(AT(y) + pixel_place(g, f, n) + (uint)channel * (uint)g.out_channel, sum, g);
}
