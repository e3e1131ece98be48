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

__kernel void conv2d_winograd_pack(OUT(float, u), IN(float, w), const int outputs,
                                     const int terms, const int output_stride,
                                     const int term_stride, const int rotate, const int lanes,
                                     const int span)
{
    __local float16 taps[9];
    const int first = get_group_id(0) * 16, block = first / lanes;
    const int plane = terms * lanes + 16;
    const int begin = get_group_id(1) * span, end = min(begin + span, terms);
    __global const float *from = AT(w) + first * output_stride;
    __global float *to = AT(u) + (ulong)block * POINTS * plane + first % lanes;
    for (int c = begin; c < end; c++) {
        fetch_taps(taps, from + c * term_stride, output_stride, outputs - first, rotate);
        float16 rows[WINDOW][3];
        UNROLL(3) for (int s = 0; s < 3; s++) {
            float16 g[3], points[WINDOW];
            UNROLL(3) for (int r = 0; r < 3; r++)
                g[r] = taps[r * 3 + s];
            filter_points(points, g);
            UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++)
                rows[i][s] = points[i];
        }
        UNROLL(WINDOW) for (int i = 0; i < WINDOW; i++) {
            float16 points[WINDOW];
            filter_points(points, rows[i]);
            UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++)
                *(__global vector_anywhere *)(to + (i * WINDOW + j) * plane + c * lanes) =
                    points[j];
        }
    }
}
