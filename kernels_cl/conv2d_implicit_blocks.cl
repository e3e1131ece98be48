/*
 * conv2d_implicit_gemm.cl where the channels come in blocks of DEPTH whose elements lie apart
 * (NCHW): the sum runs over blocks, taps and the channels of a block, so that a step has one tap,
 * and each item looks once a step whether its pixel's window has it. The filters are packed in
 * that order beforehand and read as vectors. Group (x, y, z): tile of columns, tile of rows, and
 * group of channels, slice of the sum and phase. Local memory: 2 DEPTH (PITCH_M + PITCH_N) floats
 * and IMPLICIT_MAX_TAPS int4.
 */
#include "common.clh"
#include "conv2d_implicit_args.clh"
#include "gpu_tile.clh"
#include "implicit_columns.clh"

/* An item's part of a step of packed filters, in the longest vectors that divide it. */
#if A_LOADS % 4 == 0
#define A_VECTOR 4
typedef float4 filter_vector;
#elif A_LOADS % 2 == 0
#define A_VECTOR 2
typedef float2 filter_vector;
#else
#define A_VECTOR 1
typedef float filter_vector;
#endif
#define A_VECTORS (A_LOADS / A_VECTOR)
#define A_ACROSS (TILE_M / A_VECTOR) /* vectors in a row */
#define B_STEP (ITEMS / TILE_N)      /* from channel to channel of an item */

/* What an item brings from global memory: A of the step that begins with `w`, B of the channels
 * from element `at` of x on. False: its pixel's window does not have the tap, and what was read
 * instead, without a branch around the loads, counts as zeros. */
bool fetch(filter_vector a[A_VECTORS], float b[B_LOADS], __global const float *w,
           __global const float *x, const uint at, const int4 window, const int4 tap,
           const struct implicit_args g)
{
    UNROLL for (int i = 0; i < A_VECTORS; i++)
        a[i] = *(__global const filter_vector *)(w + i * (ITEMS / A_ACROSS) * g.pitch);
    const bool inside = (uint)(window.y + tap.y) < (uint)g.in_rows &&
                        (uint)(window.z + tap.z) < (uint)g.in_columns;
    const uint from = inside ? at + (uint)tap.x : 0;
    UNROLL for (int i = 0; i < B_LOADS; i++)
        b[i] = x[from + (uint)(i * B_STEP * g.in_channel)];
    return inside;
}

void keep(__local float *tile_a, __local float *tile_b, const filter_vector a[A_VECTORS],
          const float b[B_LOADS], const bool inside)
{
    const int item = get_local_id(0);
    UNROLL for (int i = 0; i < A_VECTORS; i++)
        *(__local filter_vector *)(tile_a + (item / A_ACROSS + i * (ITEMS / A_ACROSS)) * PITCH_M +
                                   item % A_ACROSS * A_VECTOR) = a[i];
    UNROLL for (int i = 0; i < B_LOADS; i++)
        tile_b[(item / TILE_N + i * B_STEP) * PITCH_N + item % TILE_N] = inside ? b[i] : 0.0f;
}

GROUP_OF_ITEMS
__kernel void conv2d_implicit_blocks(OUT(float, y), IN(float, x), IN(float, packed),
                                     IN(float, bias), IN(int, phases), IN(int, table),
                                     const struct implicit_args g,
                                     const struct implicit_phase only, const int has_bias)
{
    __local float4 tile_a[2][DEPTH * PITCH_M / 4], tile_b[2][DEPTH * PITCH_N / 4];
    __local int4 taps[IMPLICIT_MAX_TAPS];
    const int item = get_local_id(0);
    const struct part part = part_of(g);
    const struct implicit_phase f = phase_of(only, AT(phases), part.phase, g);
    const int row = get_group_id(1) * TILE_M, column = get_group_id(0) * TILE_N;
    const int start = min(f.depth, part.slice * f.span), end = min(f.depth, start + f.span);
    for (int i = item; i < f.taps; i += ITEMS)
        taps[i] = ((__global const int4 *)AT(table))[f.first_tap + i];
    __global const float *from = AT(x) + (ulong)part.group * g.in_group;
    const int own_row = min(row + item % A_ACROSS * A_VECTOR, g.pitch - A_VECTOR);
    __global const float *filters = AT(packed) + (ulong)part.group * g.filter_group +
                                    (ulong)(f.first_row + start + item / A_ACROSS) * g.pitch +
                                    own_row;
    const int4 window = window_of(g, f, column + item % TILE_N);
    const int block = start / DEPTH / max(f.taps, 1);
    int tap = start / DEPTH - block * f.taps;
    const uint next_block = (uint)DEPTH * (uint)g.in_channel;
    uint at = (uint)window.x + (uint)block * next_block +
              (uint)(item / TILE_N) * (uint)g.in_channel;
    filter_vector a[A_VECTORS];
    float b[B_LOADS];
    float4 sums[MICRO_M][BLOCKS_N];
    tile_clear(sums);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (start < end) {
        const bool inside = fetch(a, b, filters, from, at, window, taps[tap], g);
        keep((__local float *)tile_a[0], (__local float *)tile_b[0], a, b, inside);
    }
    int now = 0;
    for (int k = start; k < end; k += DEPTH) {
        const bool more = k + DEPTH < end;
        bool inside = false;
        barrier(CLK_LOCAL_MEM_FENCE);
        tap++;
        at += tap == f.taps ? next_block : 0;
        tap = tap == f.taps ? 0 : tap;
        filters += DEPTH * g.pitch;
        if (more)
            inside = fetch(a, b, filters, from, at, window, taps[tap], g);
        tile_multiply(tile_a[now], tile_b[now], sums);
        now ^= 1;
        if (more)
            keep((__local float *)tile_a[now], (__local float *)tile_b[now], a, b, inside);
    }
    put(AT(y), has_bias ? AT(bias) : 0, sums, row, column, part, g, f);
}

/* Packs the filters. One item for each filter and channel, in dimensions 0 and 1, groups in 2. */
__kernel void conv2d_implicit_pack(OUT(float, packed), IN(float, w), IN(int, table),
                                   const struct implicit_pack_args g)
{
    const int m = get_global_id(0), channel = get_global_id(1), group = get_global_id(2);
    if (m >= g.pitch || channel >= g.channels)
        return;
    __global const int4 *taps = (__global const int4 *)AT(table);
    __global const float *from = AT(w) + (ulong)group * g.filter_group +
                                 (ulong)channel * g.filter_channel + (ulong)m * g.filter_row;
    __global float *to = AT(packed) + (ulong)group * g.group_rows * g.pitch + m;
    for (int i = 0; i < g.taps; i++) {
        const int4 tap = taps[i]; /* filter, first row, taps, block */
        const int block = channel / tap.w;
        const int row = tap.y + block * tap.z * tap.w + channel - block * tap.w;
        to[(ulong)row * g.pitch] = m < g.rows ? from[tap.x] : 0.0f;
    }
}
