/*
 * im2col: every window of an image as a column of a matrix, so that convolution becomes a matrix
 * product; and col2im, its transpose, which sums the windows that cover a pixel.
 * For images first..first+count-1 of an NCHW tensor; the matrix of one image has C R S rows (c, r,
 * s) and P Q columns. One work-item for each element of the result; col2im gathers, so the order
 * of its sums is fixed. No local memory.
 */
#include "common.clh"
#include "conv2d_args.clh"
#include "conv2d_window.clh"

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
