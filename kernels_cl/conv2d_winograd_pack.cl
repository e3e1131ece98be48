/*
 * Transforms the filter KCRS for Winograd: u[block][point][c][lanes], `lanes` outputs to a block,
 * with 16 floats between points. A group makes 16 outputs and `span` of the summed channels, for
 * each of which it brings 16 x 9 taps into vectors over the outputs. Outputs behind the last one
 * repeat it. For the input gradient the outputs are the channels of x, the sum goes over k, and the
 * taps are rotated by 180 degrees.
 */
#include "common.clh"
#include "lanes.clh"
#include "taps.clh"
#include "winograd.clh"

#define NAME pack_points
#define TO __global
#include "winograd_pack.clh"

__kernel void conv2d_winograd_pack(OUT(float, u), IN(float, w), const int outputs,
                                   const int terms, const int output_stride, const int term_stride,
                                   const int rotate, const int lanes, const int span)
{
    __local float16 taps[TAPS_ROOM];
    const int first = get_group_id(0) * 16, block = first / lanes;
    const int plane = terms * lanes + 16;
    const int begin = get_group_id(1) * span, end = min(begin + span, terms);
    __global const float *from = AT(w) + first * output_stride;
    __global float *to = AT(u) + (ulong)block * POINTS * plane + first % lanes;
    for (int c = begin; c < end; c++) {
        fetch_taps(taps, from + c * term_stride, output_stride, outputs - first, rotate);
        pack_points(to + c * lanes, plane, taps);
    }
}
