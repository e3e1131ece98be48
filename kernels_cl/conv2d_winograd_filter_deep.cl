/*
 * conv2d_winograd_filter for many channels, where many groups would transform the same tiles.
 * conv2d_winograd_filter_points brings the transforms to global memory, a tile a group:
 * v[point][share of channels][tile][channels] and d[point][block of KV vectors][tile][KV x 16].
 * conv2d_winograd_filter_deep is what is left of the other kernel.
 */
#include "common.clh"
#include "winograd_filter.clh"

#define NAME multiply
#define FROM __global
#include "winograd_multiply.clh"

/* Vectors of one point of one tile to their places: `width` of them lie together for each tile. */
void place(__global float *to, __local const float16 *from, int count, int width, int tile,
           int tiles)
{
    for (int i = 0; i < count; i++) {
        const size_t at = ((size_t)(i / width) * tiles + tile) * width + i % width;
        *(__global vector_anywhere *)(to + 16 * at) = from[i];
    }
}

__kernel void conv2d_winograd_filter_points(OUT(float, v), OUT(float, d), IN(float, x),
                                            IN(float, dy),
                                            const struct conv2d_winograd_filter_args a,
                                            const int v_plane, const int d_plane,
                                            __local float16 *points, __local float16 *patch)
{
    const int cell = (a.c + 15) / 16, vectors = a.pitch / 16;
    const struct tiles t = {.first = get_group_id(0),
                            .count = 1,
                            .block = 1,
                            .channels = 16 * cell,
                            .vectors = vectors};
    for (int stage = 0; stage <= LAST_STAGE; stage++) {
        const int first = first_row(stage) * WINDOW, count = rows_of(stage) * WINDOW;
        transform_input(points, cell + 1, AT(x), &a, t, stage, patch);
        for (int i = 0; i < count; i++)
            place(AT(v) + (size_t)(first + i) * v_plane, points + i * (cell + 1), cell,
                  a.channels / 16, t.first, a.tiles);
        transform_gradient(points, vectors + 1, AT(dy), &a, t, stage, patch);
        for (int i = 0; i < count; i++)
            place(AT(d) + (size_t)(first + i) * d_plane, points + i * (vectors + 1), vectors, KV,
                  t.first, a.tiles);
    }
}

__kernel void conv2d_winograd_filter_deep(OUT(float, partial), IN(float, v), IN(float, d),
                                          const struct conv2d_winograd_filter_args a,
                                          const int v_plane, const int d_plane,
                                          __local float16 *m, __local float16 *taps)
{
    const int slice = get_group_id(2);
    struct tiles t = share_of_group(&a);
    const int m_plane = a.channels * a.vectors + 1, tap = a.channels * a.vectors;
    const int rows = min(t.channels, a.c - t.c);
    for (int i = 0; i < 9 * tap; i++)
        taps[i] = 0.0f;
    for (int block = 0; block < a.blocks_per_slice; block++) {
        t.first = (slice * a.blocks_per_slice + block) * a.block;
        t.count = min(a.block, a.tiles - t.first);
        for (int stage = 0; stage <= LAST_STAGE && t.count > 0; stage++) {
            for (int point = 0; point < rows_of(stage) * WINDOW; point++) {
                const size_t at = first_row(stage) * WINDOW + point;
                __global const float *x =
                    AT(v) + at * v_plane + ((size_t)t.c * a.tiles + t.first * a.channels);
                __global const float *dy =
                    AT(d) + at * d_plane + ((size_t)t.k * a.tiles + t.first * 16 * KV);
                for (int j = 0; j < t.vectors; j += KV)
                    for (int done = 0; done < rows; done += CT) {
                        const int i = max(min(done, rows - CT), 0);
                        multiply(m + point * m_plane + i * a.vectors + j, a.vectors, done - i,
                                 x + i, a.channels, dy + (size_t)16 * j * a.tiles, t.count);
                    }
            }
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < t.vectors; j++)
                    add_stage(taps + i * a.vectors + j, tap, m + i * a.vectors + j, m_plane, stage);
        }
    }
    store_sums(AT(partial) + (ulong)slice * 9 * a.c * a.pitch, taps, tap, &a, t, rows);
}
