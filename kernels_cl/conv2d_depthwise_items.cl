/*
 * Depthwise convolution for GPU-like devices: one channel a group of the convolution, k / c filters
 * for each. A work-group of 256 items takes consecutive pixels of all images of one channel, or
 * with CHANNELS_LAST 4 pixels of 64 channels, so that neighbours read neighbours; an item makes one
 * element. The taps of the group's channels are in local memory, LANES x MOST_TAPS floats.
 * Dimension 0 is pixels (or slices of them), 1 blocks of channels, 2 taps, for the filter's
 * gradient.
 */
#include "common.clh"
#include "conv2d_args.clh"

#ifndef CHANNELS_LAST
#define CHANNELS_LAST 0
#endif
#define ITEMS 256
#define LANES (CHANNELS_LAST ? 64 : 1) /* channels of a group */
#define PIXELS (ITEMS / LANES)
#define MOST_TAPS 64

int lane(void)
{
    return get_local_id(0) % LANES;
}

/* Channels below `count`; the items beyond do the work of the last one, and store nothing. */
int channel_of(const int count)
{
    return min((int)get_group_id(1) * LANES + lane(), count - 1);
}

int is_channel(const int count)
{
    return get_group_id(1) * LANES + lane() < count;
}

/* Image, row and column of a pixel, or a number of pixels as a distance. */
int4 pixel_at(const int i, const int rows, const int columns)
{
    const int line = i / columns, image = line / rows;
    return (int4)(image, line - image * rows, i - line * columns, 0);
}

/* taps[t LANES + lane] = tap t of the lane's channel, of `each` that lie together. */
void load_taps(__local float *taps, __global const float *w, const int channels, const int each)
{
    for (int e = get_local_id(0); e < each * LANES; e += ITEMS) {
        const int channel = (int)get_group_id(1) * LANES + e % LANES;
        taps[e] = channel < channels ? w[channel * each + e / LANES] : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void depthwise_items_forward(OUT(float, y), IN(float, x), IN(float, w), IN(float, bias),
                                      const struct conv2d_args a, const int has_bias,
                                      const int accumulate)
{
    __local float taps[LANES * MOST_TAPS];
    load_taps(taps, AT(w), a.k, a.r * a.s);
    const int i = get_group_id(0) * PIXELS + get_local_id(0) / LANES, k = channel_of(a.k);
    if (i >= a.n * a.p * a.q || !is_channel(a.k))
        return;
    const int4 at = pixel_at(i, a.p, a.q);
    __global const float *image = AT(x) + at.x * a.x_n + k / (a.k / a.c) * a.x_c;
    const int row = at.y * a.stride_h - a.pad_top, column = at.z * a.stride_w - a.pad_left;
    float sum = has_bias ? AT(bias)[k] : 0.0f;
    for (int r = 0; r < a.r; r++) {
        const int h = row + r * a.dilation_h;
        float part = 0.0f;
        for (int s = 0; s < a.s; s++) {
            const int v = column + s * a.dilation_w;
            if (h >= 0 && h < a.h && v >= 0 && v < a.w)
                part += image[h * a.x_h + v * a.x_w] * taps[(r * a.s + s) * LANES + lane()];
        }
        sum += part;
    }
    __global float *place = AT(y) + at.x * a.y_n + k * a.y_k + at.y * a.y_p + at.z * a.y_q;
    sum += accumulate ? *place : 0.0f;
    *place = a.relu && sum < 0.0f ? 0.0f : sum;
}

/* An index of x over a stride: which output it is of and what is left, which is 0 where a tap meets
 * it. Divides once; the next tap's comes by carrying. */
int2 over_stride(const int index, const int stride)
{
    const int whole = index >= 0 ? index / stride : -((stride - 1 - index) / stride);
    return (int2)(whole, index - whole * stride);
}

int2 next_tap(const int2 at, const int2 dilation, const int stride)
{
    int2 next = at - dilation;
    if (next.y < 0) {
        next.x--;
        next.y += stride;
    }
    return next;
}

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void depthwise_items_backward_data(OUT(float, dx), IN(float, dy), IN(float, w),
                                            const struct conv2d_args a, const int accumulate)
{
    __local float taps[LANES * MOST_TAPS];
    const int multiplier = a.k / a.c;
    load_taps(taps, AT(w), a.c, multiplier * a.r * a.s);
    const int i = get_group_id(0) * PIXELS + get_local_id(0) / LANES, c = channel_of(a.c);
    if (i >= a.n * a.h * a.w || !is_channel(a.c))
        return;
    const int4 at = pixel_at(i, a.h, a.w);
    const int2 dilation_h = over_stride(a.dilation_h, a.stride_h);
    const int2 dilation_w = over_stride(a.dilation_w, a.stride_w);
    float sum = 0.0f;
    for (int j = 0; j < multiplier; j++) {
        __global const float *image = AT(dy) + at.x * a.y_n + (c * multiplier + j) * a.y_k;
        int2 p = over_stride(at.y + a.pad_top, a.stride_h);
        for (int r = 0; r < a.r; r++) {
            const bool row = p.y == 0 && p.x >= 0 && p.x < a.p;
            int2 q = over_stride(at.z + a.pad_left, a.stride_w);
            float part = 0.0f;
            for (int s = 0; s < a.s && row; s++) {
                if (q.y == 0 && q.x >= 0 && q.x < a.q)
                    part += image[p.x * a.y_p + q.x * a.y_q] *
                            taps[((j * a.r + r) * a.s + s) * LANES + lane()];
                q = next_tap(q, dilation_w, a.stride_w);
            }
            sum += part;
            p = next_tap(p, dilation_h, a.stride_h);
        }
    }
    __global float *place = AT(dx) + at.x * a.x_n + c * a.x_c + at.y * a.x_h + at.z * a.x_w;
    *place = accumulate ? *place + sum : sum;
}

/* part[slice][k][tap] = the sum over a slice of `span` pixels of dy. */
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void depthwise_items_filter(OUT(float, parts), IN(float, x), IN(float, dy),
                                     const struct conv2d_args a, const int span)
{
    __local float scratch[ITEMS];
    const int item = get_local_id(0), slice = get_group_id(0), k = channel_of(a.k);
    const int tap = get_group_id(2), r = tap / a.s, s = tap - r * a.s;
    const int row = r * a.dilation_h - a.pad_top, column = s * a.dilation_w - a.pad_left;
    const int end = min(a.n * a.p * a.q, (slice + 1) * span);
    const int first = slice * span + item / LANES;
    const int4 distance = pixel_at(PIXELS, a.p, a.q);
    int4 at = pixel_at(first, a.p, a.q);
    float sum = 0.0f;
    for (int i = first; i < end; i += PIXELS) {
        const int h = at.y * a.stride_h + row, v = at.z * a.stride_w + column;
        if (h >= 0 && h < a.h && v >= 0 && v < a.w)
            sum += AT(x)[at.x * a.x_n + k / (a.k / a.c) * a.x_c + h * a.x_h + v * a.x_w] *
                   AT(dy)[at.x * a.y_n + k * a.y_k + at.y * a.y_p + at.z * a.y_q];
        at += distance;
        if (at.z >= a.q) {
            at.z -= a.q;
            at.y++;
        }
        if (at.y >= a.p) {
            at.y -= a.p;
            at.x++;
        }
    }
    scratch[item] = sum;
    for (int half_group = ITEMS / 2; half_group >= LANES; half_group /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_group)
            scratch[item] += scratch[item + half_group];
    }
    if (item < LANES && is_channel(a.k))
        AT(parts)[(slice * a.k + k) * a.r * a.s + tap] = scratch[item];
}

/* dw = the sum of the slices, in their order. One item for each element. */
__kernel void depthwise_items_join(OUT(float, dw), IN(float, parts), const int count,
                                   const int slices, const int accumulate)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    float sum = 0.0f;
    for (int slice = 0; slice < slices; slice++)
        sum += AT(parts)[(ulong)slice * count + i];
    AT(dw)[i] = accumulate ? AT(dw)[i] + sum : sum;
}
