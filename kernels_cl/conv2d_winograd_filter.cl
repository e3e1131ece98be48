/*
 * Winograd filter gradient for CPU-like devices, channels last, 3x3: the transpose of
 * conv2d_winograd. At each point, dw's transform is the sum over tiles of x's times dy's.
 * One work-item is one group and has some channels, some filters and a slice of the tiles. Stage by
 * stage of the points' rows it transforms `block` tiles to local memory, sums over them with CT
 * channels by KV vectors of filters in registers, and adds what that gives the 9 taps to its sums,
 * which stay in local memory, too. conv2d_winograd_join adds the slices in order.
 */
#include "common.clh"
#include "taps.clh"
#include "winograd_filter.clh"

#define NAME multiply
#define FROM __local
#include "winograd_multiply.clh"

__kernel void conv2d_winograd_filter(OUT(float, partial), IN(float, x), IN(float, dy),
                                     const struct conv2d_winograd_filter_args a,
                                     __local float16 *v, __local float16 *d, __local float16 *m,
                                     __local float16 *taps, __local float16 *patch)
{
    const int slice = get_group_id(2);
    struct tiles t = share_of_group(&a);
    const int cell = t.channels / 16, v_plane = a.block * (a.channels / 16) + 1;
    const int d_plane = a.block * a.vectors + 1, m_plane = a.channels * a.vectors + 1;
    const int rows = min(t.channels, a.c - t.c), tap = a.channels * a.vectors;
    for (int i = 0; i < 9 * tap; i++)
        taps[i] = 0.0f;
    for (int block = 0; block < a.blocks_per_slice; block++) {
        t.first = (slice * a.blocks_per_slice + block) * a.block;
        t.count = min(a.block, a.tiles - t.first);
        for (int stage = 0; stage <= LAST_STAGE && t.count > 0; stage++) {
            transform_input(v, v_plane, AT(x), &a, t, stage, patch);
            transform_gradient(d, d_plane, AT(dy), &a, t, stage, patch);
            for (int point = 0; point < rows_of(stage) * WINDOW; point++)
                for (int j = 0; j < t.vectors; j += KV)
                    for (int done = 0; done < rows; done += CT) {
                        const int i = max(min(done, rows - CT), 0);
                        multiply(m + point * m_plane + i * a.vectors + j, a.vectors, done - i,
                                 (__local const float *)(v + point * v_plane) + i, 16 * cell,
                                 (__local const float *)(d + point * d_plane + j * a.block),
                                 t.count);
                    }
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < t.vectors; j++)
                    add_stage(taps + i * a.vectors + j, tap, m + i * a.vectors + j, m_plane, stage);
        }
    }
    store_sums(AT(partial) + (ulong)slice * 9 * a.c * a.pitch, taps, tap, &a, t, rows);
}

/* dw[k,c,tap] = sum over slices of partial[slice][tap][c][k], or added to it; a group has 16
 * filters, an item of the second axis a channel. */
__kernel void conv2d_winograd_join(OUT(float, dw), IN(float, partial), const int k, const int c,
                                   const int pitch, const int slices, const int span,
                                   const int accumulate)
{
    __local float16 taps[TAPS_ROOM];
    const int first = get_group_id(0) * 16;
    const int begin = get_group_id(1) * span, end = min(begin + span, c);
    for (int channel = begin; channel < end; channel++) {
        float16 sums[9];
        UNROLL(9) for (int i = 0; i < 9; i++)
            sums[i] = 0.0f;
        __global const float *from = AT(partial) + channel * pitch + first;
        for (int slice = 0; slice < slices; slice++) {
            UNROLL(9) for (int i = 0; i < 9; i++) {
                sums[i] += *(__global const vector_anywhere *)from;
                from += c * pitch;
            }
        }
        UNROLL(9) for (int i = 0; i < 9; i++)
            taps[i] = sums[i];
        store_taps(AT(dw) + (first * c + channel) * 9, c * 9, k - first, taps, accumulate);
    }
}
