/*
 * Packs the filter KCRS for the tiled kernels: [block][part of the terms][tap row][tap column]
 * [term][lanes], zeros behind the last output. For the input gradient outputs are the channels of
 * x, the summed axis is k, and the taps of one phase of the stride come in reverse order ("rotated
 * by 180 degrees"). An item packs 16 outputs of 16 terms: it reads runs of taps, or of terms and
 * taps where these are contiguous, of each output and exchanges outputs and taps in registers.
 */
#include "common.clh"
#include "conv2d_pack_args.clh"
#include "lanes.clh"
#include "transpose.clh"

/* Where tap `tap` of the filter goes, counted in taps; -1 if it is none of the packed ones. */
int packed_tap(int tap, const struct conv2d_pack_args *a)
{
    const int h = (tap / a->s - a->first_h) * a->step_h, w = (tap % a->s - a->first_w) * a->step_w;
    const int unit_h = a->step_h * a->step_h, unit_w = a->step_w * a->step_w;
    if (h < 0 || w < 0 || h % unit_h || w % unit_w || h / unit_h >= a->taps_h ||
        w / unit_w >= a->taps_w)
        return -1;
    return h / unit_h * a->taps_w + w / unit_w;
}

__kernel void conv2d_pack(OUT(float, packed), IN(float, w), const struct conv2d_pack_args a)
{
    const int vectors = (a.outputs + a.lanes - 1) / a.lanes * (a.lanes / 16);
    const int vector = get_global_id(0) % vectors, first_term = get_global_id(0) / vectors * 16;
    const int output = vector * 16, there = clamp(a.outputs - output, 0, 16);
    const int all_taps = a.r * a.s, taps = a.taps_h * a.taps_w;
    const int block = output / a.lanes;
    /* Runs of contiguous elements: all terms with their taps, or the taps of one term. */
    const int terms = min(16, a.terms - first_term);
    const int joined = a.term_stride == all_taps ? terms : 1;
    const ulong size = (ulong)a.outputs * a.terms * all_taps;
    for (int first = 0; first < terms; first += joined) {
        const uint from =
            (uint)output * a.output_stride + (uint)(first_term + first) * a.term_stride;
        for (int done = 0; done < joined * all_taps; done += 16) {
            float16 rows[16], scratch[16];
            const int count = min(16, joined * all_taps - done);
            if (there == 16 && from + (ulong)15 * a.output_stride + done + 16 <= size) {
                UNROLL_16 for (int i = 0; i < 16; i++)
                    rows[i] = vload16(0, AT(w) + from + i * a.output_stride + done);
            } else {
                float lanes[16];
                UNROLL_16 for (int i = 0; i < 16; i++) {
                    for (int j = 0; j < 16; j++)
                        lanes[j] = i < there && j < count
                                       ? AT(w)[from + i * a.output_stride + done + j]
                                       : 0.0f;
                    rows[i] = vload16(0, lanes);
                }
            }
            TRANSPOSE_16(rows, scratch)
            UNROLL_16 for (int j = 0; j < 16; j++) {
                const int term = first_term + first + (done + j) / all_taps;
                const int tap = packed_tap((done + j) % all_taps, &a);
                if (j < count && tap >= 0) {
                    const int before = term / a.part * a.part;
                    const int part = min(a.part, a.terms - before);
                    const uint row = ((uint)block * a.terms + before) * taps + tap * part +
                                     (term - before);
                    store_16(AT(packed) + row * a.lanes + output % a.lanes, rows[j]);
                }
            }
        }
    }
}
