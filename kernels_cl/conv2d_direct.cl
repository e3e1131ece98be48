/*
 * Convolution straight from its definition, one work-item for each element of the result, in the
 * order in which the result lies in memory. No local memory. Sums are kept by channel (or row and
 * image) before they join the total: float32 then stays close to a pairwise sum.
 * Takes any geometry with zero padding and any pair of layouts.
 */
#include "common.clh"
#include "conv2d_args.clh"
#include "conv2d_window.clh"

/* Splits a linear index into n, channel, row, column in the tensor's own memory order. */
int4 place_of(uint i, int channels, int rows, int columns, int channels_last)
{
    int4 at;
    if (channels_last) {
        at.y = i % channels;
        i /= channels;
        at.w = i % columns;
        i /= columns;
        at.z = i % rows;
        at.x = i / rows;
    } else {
        at.w = i % columns;
        i /= columns;
        at.z = i % rows;
        i /= rows;
        at.y = i % channels;
        at.x = i / channels;
    }
    return at;
}

__kernel void conv2d_direct_forward(OUT(float, y), IN(float, x), IN(float, w), IN(float, b),
                                    const struct conv2d_args a, const int has_bias,
                                    const int accumulate)
{
    const uint i = get_global_id(0);
    if (i >= (uint)a.n * a.k * a.p * a.q)
        return;
    const int4 at = place_of(i, a.k, a.p, a.q, a.y_channels_last);
    const int channels = a.c / a.groups;
    const int group = at.y / (a.k / a.groups);
    const int row = at.z * a.stride_h - a.pad_top;
    const int column = at.w * a.stride_w - a.pad_left;
    __global const float *image = AT(x) + at.x * a.x_n + group * channels * a.x_c;
    __global const float *filter = AT(w) + at.y * channels * a.r * a.s;
    float sum = has_bias ? AT(b)[at.y] : 0.0f;
    for (int c = 0; c < channels; c++) {
        float part = 0.0f;
        for (int r = 0; r < a.r; r++) {
            const int h = row + r * a.dilation_h;
            if (h < 0 || h >= a.h)
                continue;
            __global const float *line = image + c * a.x_c + h * a.x_h;
            for (int s = 0; s < a.s; s++) {
                const int v = column + s * a.dilation_w;
                if (v >= 0 && v < a.w)
                    part += line[v * a.x_w] * filter[(c * a.r + r) * a.s + s];
            }
        }
        sum += part;
    }
    AT(y)[i] = accumulate ? AT(y)[i] + sum : sum;
}

__kernel void conv2d_direct_backward_data(OUT(float, dx), IN(float, dy), IN(float, w),
                                          const struct conv2d_args a, const int accumulate)
{
    const uint i = get_global_id(0);
    if (i >= (uint)a.n * a.c * a.h * a.w)
        return;
    const int4 at = place_of(i, a.c, a.h, a.w, a.x_channels_last);
    const int channels = a.c / a.groups, filters = a.k / a.groups;
    const int group = at.y / channels;
    __global const float *image = AT(dy) + at.x * a.y_n + group * filters * a.y_k;
    __global const float *filter =
        AT(w) + (group * filters * channels + at.y % channels) * a.r * a.s;
    float sum = 0.0f;
    for (int k = 0; k < filters; k++) {
        float part = 0.0f;
        for (int r = 0; r < a.r; r++) {
            const int p = output_of(at.z, r, a.pad_top, a.dilation_h, a.stride_h, a.p);
            if (p < 0)
                continue;
            for (int s = 0; s < a.s; s++) {
                const int q = output_of(at.w, s, a.pad_left, a.dilation_w, a.stride_w, a.q);
                if (q >= 0)
                    part += image[k * a.y_k + p * a.y_p + q * a.y_q] *
                            filter[(k * channels * a.r + r) * a.s + s];
            }
        }
        sum += part;
    }
    AT(dx)[i] = accumulate ? AT(dx)[i] + sum : sum;
}

/* The first output index whose tap lies at or behind input index 0, and the first behind `size`. */
int first_output(int tap, int pad, int dilation, int stride)
{
    const int t = pad - tap * dilation;
    return t > 0 ? (t + stride - 1) / stride : 0;
}

int end_output(int tap, int pad, int dilation, int stride, int size, int count)
{
    const int t = size - 1 + pad - tap * dilation;
    return t < 0 ? 0 : min(t / stride + 1, count);
}

__kernel void conv2d_direct_backward_filter(OUT(float, dw), IN(float, x), IN(float, dy),
                                            const struct conv2d_args a, const int accumulate)
{
    const int channels = a.c / a.groups;
    const uint i = get_global_id(0);
    if (i >= (uint)a.k * channels * a.r * a.s)
        return;
    const int4 at = place_of(i, channels, a.r, a.s, 0);
    const int k = at.x, group = k / (a.k / a.groups);
    const int row = at.z * a.dilation_h - a.pad_top, column = at.w * a.dilation_w - a.pad_left;
    const int p0 = first_output(at.z, a.pad_top, a.dilation_h, a.stride_h);
    const int p1 = end_output(at.z, a.pad_top, a.dilation_h, a.stride_h, a.h, a.p);
    const int q0 = first_output(at.w, a.pad_left, a.dilation_w, a.stride_w);
    const int q1 = end_output(at.w, a.pad_left, a.dilation_w, a.stride_w, a.w, a.q);
    float sum = 0.0f;
    for (int n = 0; n < a.n; n++) {
        __global const float *image = AT(x) + n * a.x_n + (group * channels + at.y) * a.x_c;
        __global const float *gradient = AT(dy) + n * a.y_n + k * a.y_k;
        float plane = 0.0f;
        for (int p = p0; p < p1; p++) {
            __global const float *line = image + (row + p * a.stride_h) * a.x_h;
            float part = 0.0f;
            for (int q = q0; q < q1; q++)
                part += line[(column + q * a.stride_w) * a.x_w] * gradient[p * a.y_p + q * a.y_q];
            plane += part;
        }
        sum += plane;
    }
    AT(dw)[i] = accumulate ? AT(dw)[i] + sum : sum;
}
