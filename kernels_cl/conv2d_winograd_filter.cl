/*
 * Transforms the filter KCRS for Winograd: u[block][point][c][LANES], LANES outputs to a block; the
 * points lie u_plane apart. A group makes 16 outputs and `span` of the summed channels, for each of
 * which it brings 16 x 9 taps into vectors over the outputs. Outputs behind the last one repeat it.
 * For the input gradient the outputs are the channels of x, the sum goes over k, and the taps are
 * rotated by 180 degrees. `taps` is scratch for 9 vectors.
 */
#include "common.clh"
#include "lanes.clh"
#include "winograd.clh"

/* Elements 0, 16, 1, 17, ... of the pair (a, b): its first and its second half. */
#define ZIP_LOW(a, b)                                                                              \
    shuffle2(a, b, (uint16)(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23))
#define ZIP_HIGH(a, b)                                                                             \
    shuffle2(a, b, (uint16)(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31))

/* Zipping vectors i and i + 4 of eight, four times, turns 16 lines of 8 into 8 columns of 16. */
#define ZIP_ALL(to, from)                                                                          \
    UNROLL(4) for (int i = 0; i < 4; i++)                                                          \
    {                                                                                              \
        to[2 * i] = ZIP_LOW(from[i], from[i + 4]);                                                 \
        to[2 * i + 1] = ZIP_HIGH(from[i], from[i + 4]);                                            \
    }

/* taps[t][i] = w[i stride + t], or the taps in reverse order; lines from `lines` on repeat the last
 * one. */
void fetch_taps(__local float16 *taps, __global const float *w, int stride, int lines, int rotate)
{
    float16 even[8], odd[8];
    UNROLL(8) for (int i = 0; i < 8; i++)
        even[i] = (float16)(vload8(0, w + min(2 * i, lines - 1) * stride),
                            vload8(0, w + min(2 * i + 1, lines - 1) * stride));
    ZIP_ALL(odd, even)
    ZIP_ALL(even, odd)
    ZIP_ALL(odd, even)
    ZIP_ALL(even, odd)
    UNROLL(8) for (int i = 0; i < 8; i++)
        taps[rotate ? 8 - i : i] = even[i];
    __local float *last = (__local float *)(taps + (rotate ? 0 : 8));
    UNROLL(16) for (int i = 0; i < 16; i++)
        last[i] = w[min(i, lines - 1) * stride + 8];
}

__kernel void conv2d_winograd_filter(OUT(float, u), IN(float, w), const int outputs,
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
