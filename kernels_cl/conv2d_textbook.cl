/*
 * The one convolution of the textbook road: dense, stride 1, no padding, no dilation:
 *   out[o, c, i, j] = sum over t, u, v of in[o, t, i + u, j + v] filter[c, t, u, v]
 * All three directions are this, with other axes in the roles of outer, channel and term: the
 * strides say which. One work-item for each element of the result; no local memory. Sums are kept
 * by term before they join the total.
 */
#include "common.clh"
#include "correlate_args.clh"

__kernel void correlate(OUT(float, out), IN(float, in), IN(float, filter), IN(float, bias),
                        const struct correlate_args a, const int has_bias)
{
    uint i = get_global_id(0);
    if (i >= (uint)a.groups * a.outer * a.channels * a.out_rows * a.out_columns)
        return;
    const int column = i % a.out_columns;
    i /= a.out_columns;
    const int row = i % a.out_rows;
    i /= a.out_rows;
    const int channel = i % a.channels;
    i /= a.channels;
    const int group = i % a.groups, outer = i / a.groups;
    __global const float *from = AT(in) + group * a.in_group + outer * a.in_outer;
    __global const float *taps = AT(filter) + group * a.filter_group + channel * a.filter_channel;
    float sum = has_bias ? AT(bias)[group * a.channels + channel] : 0.0f;
    for (int t = 0; t < a.terms; t++) {
        float part = 0.0f;
        for (int u = 0; u < a.filter_rows; u++) {
            __global const float *line =
                from + t * a.in_term + (row + u) * a.in_columns + column;
            __global const float *tap = taps + t * a.filter_term + u * a.filter_columns;
            for (int v = 0; v < a.filter_columns; v++)
                part += line[v] * tap[v];
        }
        sum += part;
    }
    AT(out)[group * a.out_group + outer * a.out_outer + channel * a.out_channel +
            row * a.out_columns + column] = sum;
}
