/*
 * Packs the filter KCRS for the tiled kernels: [block][part of the terms][tap row][tap column]
 * [term][lanes], zeros behind the last output. For the input gradient outputs are the channels of
 * x, the summed axis is k, and the taps of one phase of the stride come in reverse order ("rotated
 * by 180 degrees"). An item packs 16 outputs of PACK_TERMS terms: it reads runs of taps, or of
 * terms and taps where these are contiguous, of each output and exchanges outputs and taps in
 * registers.
 * Local memory: where each tap of the filter goes, counted in packed taps; -1 for none.
 */
#include "common.clh"
#include "conv2d_pack_args.clh"
#include "lanes.clh"
#include "transpose.clh"

NOINLINE void place_taps(__local int *places, const struct conv2d_pack_args *a)
{
    for (int i = 0; i < a->r * a->s; i++)
        places[i] = -1;
    for (int r = 0; r < a->taps_h; r++)
        for (int s = 0; s < a->taps_w; s++)
            places[(a->first_h + r * a->step_h) * a->s + a->first_w + s * a->step_w] =
                r * a->taps_w + s;
}

/* Packs `count` elements from `from` on of each of `there` outputs; the first one is tap 0 of a
 * term that goes to `to`. Elements from `limit` on do not exist. */
NOINLINE void pack_run(__global float *to, __global const float *from, int count, int there,
                       long limit, int tap_pitch, __local const int *places,
                       const struct conv2d_pack_args *a)
{
    const int all_taps = a->r * a->s;
    int tap = 0;
    for (int done = 0; done < count; done += 16) {
        float16 rows[16];
        const int some = min(16, count - done);
        for (int i = 0; i < 16; i++)
            rows[i] = i < there ? load_mostly(from + i * a->output_stride + done,
                                              min(16L, limit - i * a->output_stride - done))
                                : (float16)(0.0f);
        transpose_16(rows);
        for (int j = 0; j < some; j++) {
            const int place = places[tap];
            if (place >= 0)
                store_16(to + place * tap_pitch, rows[j]);
            const int next = tap + 1 == all_taps;
            tap = next ? 0 : tap + 1;
            to += next ? a->lanes : 0;
        }
    }
}

__kernel void conv2d_pack(OUT(float, packed), IN(float, w), const struct conv2d_pack_args a,
                          __local int *places)
{
    const int vectors = (a.outputs + a.lanes - 1) / a.lanes * (a.lanes / 16);
    const int vector = get_global_id(0) % vectors, output = vector * 16;
    const int first_term = get_global_id(0) / vectors * PACK_TERMS;
    const int there = clamp(a.outputs - output, 0, 16);
    const int all_taps = a.r * a.s, taps = a.taps_h * a.taps_w;
    const long size = (long)a.outputs * a.terms * all_taps;
    place_taps(places, &a);
    for (int term = first_term; term < min(first_term + PACK_TERMS, a.terms); term += 16) {
        /* A part is all terms or a multiple of 16 of them. */
        const int before = term / a.part * a.part, part = min(a.part, a.terms - before);
        const int terms = min(16, a.terms - term);
        const int joined = a.term_stride == all_taps ? terms : 1;
        __global float *to = AT(packed) +
                             (output / a.lanes * a.terms + before) * taps * a.lanes +
                             (term - before) * a.lanes + output % a.lanes;
        for (int i = 0; i < terms; i += joined) {
            const long from = (long)output * a.output_stride + (long)(term + i) * a.term_stride;
            pack_run(to + i * a.lanes, AT(w) + (there > 0 ? from : 0), joined * all_taps, there,
                     size - from, part * a.lanes, places, &a);
        }
    }
}
