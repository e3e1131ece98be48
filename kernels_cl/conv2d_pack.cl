/*
 * Packs the filter KCRS for the tiled kernels: [block][tap row][tap column][c][LANES], zeros behind
 * the last output. One work-item for each element of the result. For the input gradient outputs are
 * the channels of x, the summed axis is k, and the taps of one phase of the stride come in reverse
 * order ("rotated by 180 degrees").
 */
#include "common.clh"
#include "conv2d_pack_args.clh"

__kernel void conv2d_pack(OUT(float, packed), IN(float, w), const struct conv2d_pack_args a)
{
    uint i = get_global_id(0);
    const int blocks = (a.outputs + a.lanes - 1) / a.lanes;
    if (i >= (uint)blocks * a.taps_h * a.taps_w * a.terms * a.lanes)
        return;
    const uint element = i;
    const int lane = i % a.lanes;
    i /= a.lanes;
    const int term = i % a.terms;
    i /= a.terms;
    const int s = i % a.taps_w;
    i /= a.taps_w;
    const int r = i % a.taps_h;
    const int output = i / a.taps_h * a.lanes + lane;
    const int row = a.first_h + r * a.step_h, column = a.first_w + s * a.step_w;
    AT(packed)[element] = output < a.outputs ? AT(w)[output * a.output_stride +
                                                     term * a.term_stride + row * a.row_stride +
                                                     column]
                                             : 0.0f;
}
