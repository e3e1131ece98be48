
/*
 * im2col: every window of an image as a column of a matrix, so that convolution becomes a matrix
 * product; and col2im, its transpose, which sums the windows that cover a pixel.
 * For images first..first+count-1 of an NCHW tensor; the matrix of one image has C R S rows (c, r,
 * s) and P Q columns. GPU-like devices: one work-item for each element of the result. CPU-like
 * ones, `_runs`: one for each row of the matrix, or of dx, by runs of a row's columns. col2im
 * gathers, so the order of its sums is fixed. No local memory.
 */
#include "common.clh"
#include "conv2d_args.clh"
#include "conv2d_window.clh"
#include "lanes.clh"

void copy_run(__global float *to, __global const float *from, int count)
{
    for (; count >= 16; count -= 16, to += 16, from += 16)
        store_16(to, *(__global const vector_anywhere *)from);
    for (; count >= 4; count -= 4, to += 4, from += 4)
        vstore4(vload4(0, from), 0, to);
    for (int i = 0; i < count; i++)
        to[i] = from[i];
}

void clear_run(__global float *to, int count)
{
    for (; count >= 16; count -= 16, to += 16)
        store_16(to, 0.0f);
    for (int i = 0; i < count; i++)
        to[i] = 0.0f;
}

void add_run(__global float *to, __global const float *from, int count)
{
    for (; count >= 16; count -= 16, to += 16, from += 16)
        store_16(to, *(__global const vector_anywhere *)to +
                         *(__global const vector_anywhere *)from);
    for (; count >= 4; count -= 4, to += 4, from += 4)
        vstore4(vload4(0, to) + vload4(0, from), 0, to);
    for (int i = 0; i < count; i++)
        to[i] += from[i];
}

/* The columns q of outputs for which a tap, at image column `start` for q = 0, lies inside. */
int first_inside(int start, int stride, int q)
{
    return start >= 0 ? 0 : min((-start + stride - 1) / stride, q);
}

int end_inside(int start, int stride, int w, int q)
{
    return start >= w ? 0 : min((w - 1 - start) / stride + 1, q);
}

__kernel void im2col(OUT(float, matrix), IN(float, x), const struct conv2d_args a,
                     const int first, const int count)
{
    uint i = get_global_id(0);
    if (i >= (uint)count * a.c * a.r * a.s * a.p * a.q)
        return;
    const uint element = i;
    const int q = i % a.q;
    i /= a.q;
    const int p = i % a.p;
    i /= a.p;
    const int s = i % a.s;
    i /= a.s;
    const int r = i % a.r;
    i /= a.r;
    const int c = i % a.c, n = first + i / a.c;
    const int h = p * a.stride_h - a.pad_top + r * a.dilation_h;
    const int v = q * a.stride_w - a.pad_left + s * a.dilation_w;
    const int inside = h >= 0 && h < a.h && v >= 0 && v < a.w;
    AT(matrix)[element] = inside ? AT(x)[((n * a.c + c) * a.h + h) * a.w + v] : 0.0f;
}

__kernel void col2im(OUT(float, dx), IN(float, matrix), const struct conv2d_args a,
                     const int first, const int count, const int accumulate)
{
    uint i = get_global_id(0);
    if (i >= (uint)count * a.c * a.h * a.w)
        return;
    const uint element = i;
    const int v = i % a.w;
    i /= a.w;
    const int h = i % a.h;
    i /= a.h;
    float sum = 0.0f;
    for (int r = 0; r < a.r; r++) {
        const int p = output_of(h, r, a.pad_top, a.dilation_h, a.stride_h, a.p);
        if (p < 0)
            continue;
        for (int s = 0; s < a.s; s++) {
            const int q = output_of(v, s, a.pad_left, a.dilation_w, a.stride_w, a.q);
            if (q >= 0)
                sum += AT(matrix)[(((i * a.r + r) * a.s + s) * a.p + p) * a.q + q];
        }
    }
    const uint to = (uint)first * a.c * a.h * a.w + element;
    AT(dx)[to] = accumulate ? AT(dx)[to] + sum : sum;
}

/* Group (tap, channel, image) makes one row of the matrix. */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void im2col_runs(OUT(float, matrix), IN(float, x), const struct conv2d_args a,
                          const int first)
{
    const int tap = get_group_id(0), c = get_group_id(1), n = get_group_id(2);
    const int r = tap / a.s, s = tap - r * a.s;
    const int start = s * a.dilation_w - a.pad_left;
    const int before = first_inside(start, a.stride_w, a.q);
    const int end = max(end_inside(start, a.stride_w, a.w, a.q), before);
    __global const float *plane = AT(x) + ((first + n) * a.c + c) * a.h * a.w;
    __global float *to =
        AT(matrix) + ((ulong)(n * a.c + c) * a.r * a.s + tap) * a.p * a.q;
    for (int p = 0; p < a.p; p++, to += a.q) {
        const int h = p * a.stride_h - a.pad_top + r * a.dilation_h;
        if (h < 0 || h >= a.h) {
            clear_run(to, a.q);
            continue;
        }
        __global const float *row = plane + h * a.w + start;
        clear_run(to, before);
        if (a.stride_w == 1)
            copy_run(to + before, row + before, end - before);
        else
            for (int q = before; q < end; q++)
                to[q] = row[q * a.stride_w];
        clear_run(to + end, a.q - end);
    }
}

/* Group (row, channel, image) makes one row of dx. */
__attribute__((reqd_work_group_size(1, 1, 1)))
__kernel void col2im_runs(OUT(float, dx), IN(float, matrix), const struct conv2d_args a,
                          const int first, const int accumulate)
{
    const int h = get_group_id(0), c = get_group_id(1), n = get_group_id(2);
    __global float *to = AT(dx) + (((first + n) * a.c + c) * a.h + h) * a.w;
    __global const float *from = AT(matrix) + (ulong)(n * a.c + c) * a.r * a.s * a.p * a.q;
    if (!accumulate)
        clear_run(to, a.w);
    for (int r = 0; r < a.r; r++) {
        const int p = output_of(h, r, a.pad_top, a.dilation_h, a.stride_h, a.p);
        if (p < 0)
            continue;
        for (int s = 0; s < a.s; s++) {
            const int start = s * a.dilation_w - a.pad_left;
            const int before = first_inside(start, a.stride_w, a.q);
            const int end = end_inside(start, a.stride_w, a.w, a.q);
            __global const float *row = from + ((r * a.s + s) * a.p + p) * a.q;
            if (a.stride_w == 1)
                add_run(to + start + before, row + before, end - before);
            else
                for (int q = before; q < end; q++)
                    to[start + q * a.stride_w] += row[q];
        }
    }
}
