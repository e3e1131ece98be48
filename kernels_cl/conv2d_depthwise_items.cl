/*
 * Depthwise convolution for GPU-like devices: one channel a group of the convolution, k / c filters
 * for each. A work-item makes ROWS elements of a column, from taps in registers; neighbours make
 * neighbours: columns, or with CHANNELS_LAST a work-group takes 32 channels of 8 sites. A site is
 * a strip of ROWS rows and a column of an image. Backward a strip's rows are a stride apart, so
 * that they meet the same taps. TAPS_R and TAPS_S are the most taps that meet an element; DENSE
 * when rows that taps and outputs meet follow each other, which then are read once; UNEVEN when
 * fewer taps meet some elements. Local memory: LANES x MOST_TAPS floats or 8 x ITEMS.
 */
#include "common.clh"
#include "conv2d_args.clh"
#include "planes.clh"

#ifndef CHANNELS_LAST
#define CHANNELS_LAST 0
#endif
#ifndef TAPS_R
#define TAPS_R 3
#define TAPS_S 3
#define DENSE 1
#define UNEVEN 0
#endif
#define ITEMS 256
#define LANES 32
#define SITES (CHANNELS_LAST ? ITEMS / LANES : ITEMS) /* of a group */
#define MOST_TAPS 64
#ifndef ROWS
#define ROWS 4
#endif

#define UNROLL __attribute__((opencl_unroll_hint))
#define EACH(i, count) UNROLL for (int i = 0; i < (count); i++)

/* ---- Where an item is ---- */

/* How a tensor is shared out; src/ops/conv2d_depthwise_items.c fills it. */
struct depthwise_items {
    struct divisor columns, strips, channels; /* of the tensor whose elements items make or sum */
    int step_h, step_w;                       /* from a tap that meets an element to the next */
    int in_h, in_w;                           /* how far that is in the tensor that is read */
    int span;                                 /* sites of a slice, for the filter's gradient */
};

struct site {
    int image, channel, strip, column;
    bool inside;
};

/* Site i of a channel or, channels first, of all of them. */
struct site site_at(const int i, const int channel, const struct depthwise_items d)
{
    const int line = divide(i, d.columns), strip = divide(line, d.strips);
    struct site site = {strip, channel, line - strip * (int)d.strips.by,
                        i - line * (int)d.columns.by, true};
    return site;
}

struct site site_of_item(const int images, const struct depthwise_items d)
{
#if CHANNELS_LAST
    const int i = get_group_id(0) * SITES + get_local_id(0) / LANES;
    const int channel = get_group_id(1) * LANES + get_local_id(0) % LANES;
    struct site site = site_at(i, channel, d);
#else
    struct site site = site_at(get_global_id(0), 0, d);
    const int plane = site.image;
    site.image = divide(plane, d.channels);
    site.channel = plane - site.image * (int)d.channels.by;
#endif
    site.inside = site.image < images && site.channel < (int)d.channels.by;
    return site;
}

/* ---- Taps ---- */

/* Along an axis: the first of the taps that meet an element, how many, and the index of what the
 * first one reads. */
struct line {
    int tap, taps, in;
};

/* An index over a stride: the whole part and what is left. */
int2 over_stride(const int index, const int stride)
{
    const int whole = index >= 0 ? index / stride : -((stride - 1 - index) / stride);
    return (int2)(whole, index - whole * stride);
}

/* The taps that meet an element of dx at `index`, with its padding; the last one first, because dy
 * is read forwards. */
struct line meeting(const int index, const int taps, const int most, const int dilation,
                    const int stride, const int step, const int in_step)
{
    int first = 0;
    int2 at = over_stride(index, stride);
    while (at.y != 0 && first + 1 < step) {
        first++;
        at = over_stride(index - first * dilation, stride);
    }
    int count = at.y == 0 ? most : 0;
    if (UNEVEN && first + (most - 1) * step >= taps)
        count = min(count, most - 1);
    const struct line line = {first + (count - 1) * step, UNEVEN ? count : most,
                              at.x - (count - 1) * in_step};
    return line;
}

/* local_taps[t LANES + lane] = tap t of the lane's channel, of `each` that lie together. */
void load_taps(__local float *local_taps, __global const float *w, const int channels,
               const int each)
{
#if CHANNELS_LAST
    for (int e = get_local_id(0); e < each * LANES; e += ITEMS) {
        const int lane = e / each, channel = (int)get_group_id(1) * LANES + lane;
        local_taps[(e - lane * each) * LANES + lane] =
            channel < channels ? w[channel * each + e - lane * each] : 0.0f;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
}

/* Taps of one filter, the first at `w`: 0 where there is none. */
#define PICK_TAPS(taps, w, apart, rows, columns, step_h, step_w, size_s)                           \
    EACH(r, TAPS_R)                                                                                \
    EACH(s, TAPS_S)                                                                                \
    taps[r * TAPS_S + s] =                                                                         \
        r < rows.taps && s < columns.taps                                                          \
            ? w[((rows.tap + r * step_h) * size_s + columns.tap + s * step_w) * apart]             \
            : 0.0f

/* What is read: a plane of rows and columns, and how far outputs and taps are apart in it. */
struct plane {
    __global const float *from;
    int rows, columns, row, column; /* sizes, and distances in memory */
    int out_h, in_h, in_w;
};

INLINE float element(const struct plane plane, const int h, const int w)
{
    return h >= 0 && h < plane.rows && w >= 0 && w < plane.columns
               ? plane.from[h * plane.row + w * plane.column]
               : 0.0f;
}

/* sums[j] += the taps that meet row j of the strip. */
INLINE void add_taps(float sums[ROWS], const float taps[TAPS_R * TAPS_S], const struct line rows,
                     const struct line columns, const struct plane plane)
{
#if DENSE
    EACH(t, ROWS + TAPS_R - 1)
    {
        float row[TAPS_S];
        EACH(s, TAPS_S) row[s] = element(plane, rows.in + t, columns.in + s * plane.in_w);
        EACH(j, ROWS)
        if (t - j >= 0 && t - j < TAPS_R)
            EACH(s, TAPS_S)
            if (t - j < rows.taps && s < columns.taps)
                sums[j] = fma(row[s], taps[(t - j) * TAPS_S + s], sums[j]);
    }
#else
    EACH(r, TAPS_R)
    EACH(s, TAPS_S)
    {
        const int in = rows.in + r * plane.in_h;
        const int column = columns.in + s * plane.in_w;
        float values[ROWS];
        EACH(j, ROWS) values[j] = element(plane, in + j * plane.out_h, column);
        if (r < rows.taps && s < columns.taps)
            EACH(j, ROWS) sums[j] = fma(values[j], taps[r * TAPS_S + s], sums[j]);
    }
#endif
}

#if CHANNELS_LAST
#define TAPS_AT(taps, w, channel, each) (taps + get_local_id(0) % LANES)
#define APART LANES
#else
#define TAPS_AT(taps, w, channel, each) (w + (channel) * (each))
#define APART 1
#endif

/* ---- Forward and the gradient of the input ---- */

__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void depthwise_items_forward(OUT(float, y), IN(float, x), IN(float, w), IN(float, bias),
                                      const struct conv2d_args a, const struct depthwise_items d,
                                      const int has_bias, const int accumulate)
{
    __local float local_taps[CHANNELS_LAST ? LANES * MOST_TAPS : 1];
    load_taps(local_taps, AT(w), a.k, TAPS_R * TAPS_S);
    const struct site at = site_of_item(a.n, d);
    if (!at.inside)
        return;
    const int k = at.channel, first = at.strip * ROWS;
    const struct line rows = {0, TAPS_R, first * a.stride_h - a.pad_top};
    const struct line columns = {0, TAPS_S, at.column * a.stride_w - a.pad_left};
    const struct plane plane = {AT(x) + at.image * a.x_n + k / (a.k / a.c) * a.x_c,
                                a.h, a.w, a.x_h, a.x_w, a.stride_h, a.dilation_h, a.dilation_w};
    float taps[TAPS_R * TAPS_S], sums[ROWS];
    PICK_TAPS(taps, TAPS_AT(local_taps, AT(w), k, TAPS_R * TAPS_S), APART, rows, columns, 1, 1,
              TAPS_S);
    EACH(j, ROWS) sums[j] = has_bias ? AT(bias)[k] : 0.0f;
    add_taps(sums, taps, rows, columns, plane);
    __global float *to =
        AT(y) + at.image * a.y_n + k * a.y_k + first * a.y_p + at.column * a.y_q;
    EACH(j, ROWS)
    if (first + j < a.p) {
        const float sum = sums[j] + (accumulate ? to[j * a.y_p] : 0.0f);
        to[j * a.y_p] = a.relu && sum < 0.0f ? 0.0f : sum;
    }
}

/* Strips count through the phases, which are rows a stride apart, first. */
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void depthwise_items_backward_data(OUT(float, dx), IN(float, dy), IN(float, w),
                                            const struct conv2d_args a,
                                            const struct depthwise_items d, const int accumulate)
{
    __local float local_taps[CHANNELS_LAST ? LANES * MOST_TAPS : 1];
    const int multiplier = a.k / a.c, window = a.r * a.s;
    load_taps(local_taps, AT(w), a.c, multiplier * window);
    const struct site at = site_of_item(a.n, d);
    if (!at.inside)
        return;
    const int phases = min(a.stride_h, a.h), c = at.channel;
    const int first = at.strip % phases + at.strip / phases * ROWS * a.stride_h;
    const struct line rows = meeting(first + a.pad_top, a.r, TAPS_R, a.dilation_h, a.stride_h,
                                     d.step_h, d.in_h);
    const struct line columns = meeting(at.column + a.pad_left, a.s, TAPS_S, a.dilation_w,
                                        a.stride_w, d.step_w, d.in_w);
    struct plane plane = {AT(dy) + at.image * a.y_n + c * multiplier * a.y_k,
                          a.p, a.q, a.y_p, a.y_q, 1, d.in_h, d.in_w};
    float taps[TAPS_R * TAPS_S], sums[ROWS];
    EACH(j, ROWS) sums[j] = 0.0f;
    for (int m = 0; m < multiplier; m++) {
        PICK_TAPS(taps,
                  (TAPS_AT(local_taps, AT(w), c, multiplier * window) + m * window * APART), APART,
                  rows, columns, -d.step_h, -d.step_w, a.s);
        add_taps(sums, taps, rows, columns, plane);
        plane.from += a.y_k;
    }
    __global float *to =
        AT(dx) + at.image * a.x_n + c * a.x_c + first * a.x_h + at.column * a.x_w;
    EACH(j, ROWS)
    if (first + j * a.stride_h < a.h) {
        __global float *place = to + j * a.stride_h * a.x_h;
        *place = accumulate ? *place + sums[j] : sums[j];
    }
}

/* ---- The gradient of the filter ---- */

/* sums[tap] += what the site's rows of dy give. */
INLINE void add_site(float sums[TAPS_R * TAPS_S], __global const float *dy, const int dy_row,
                     const int count, const int row, const int column, const struct plane plane)
{
    float gradients[ROWS];
    EACH(j, ROWS) gradients[j] = j < count ? dy[j * dy_row] : 0.0f;
#if DENSE
    EACH(t, ROWS + TAPS_R - 1)
    {
        float values[TAPS_S];
        EACH(s, TAPS_S) values[s] = element(plane, row + t, column + s * plane.in_w);
        EACH(j, ROWS)
        if (t - j >= 0 && t - j < TAPS_R && j < count)
            EACH(s, TAPS_S)
            sums[(t - j) * TAPS_S + s] =
                fma(values[s], gradients[j], sums[(t - j) * TAPS_S + s]);
    }
#else
    EACH(r, TAPS_R)
    EACH(s, TAPS_S)
    EACH(j, ROWS)
    if (j < count)
        sums[r * TAPS_S + s] = fma(element(plane, row + r * plane.in_h + j * plane.out_h,
                                           column + s * plane.in_w),
                                   gradients[j], sums[r * TAPS_S + s]);
#endif
}

/* parts[slice][k][tap] = the sum over a slice of `span` sites. */
__attribute__((reqd_work_group_size(ITEMS, 1, 1)))
__kernel void depthwise_items_filter(OUT(float, parts), IN(float, x), IN(float, dy),
                                     const struct conv2d_args a, const struct depthwise_items d)
{
    __local float scratch[8 * ITEMS];
    const int item = get_local_id(0), slice = get_group_id(0);
    const int own = get_group_id(1) * (CHANNELS_LAST ? LANES : 1) +
                    (CHANNELS_LAST ? item % LANES : 0);
    const int k = min(own, a.k - 1); /* items beyond do the work of the last one */
    const int all = a.n * (int)d.strips.by * (int)d.columns.by;
    const int end = slice * d.span + min(d.span, all - slice * d.span);
    float sums[TAPS_R * TAPS_S];
    EACH(t, TAPS_R * TAPS_S) sums[t] = 0.0f;
    for (int i = slice * d.span + (CHANNELS_LAST ? item / LANES : item); i < end; i += SITES) {
        const struct site at = site_at(i, k, d);
        const int first = at.strip * ROWS;
        const struct plane plane = {AT(x) + at.image * a.x_n + k / (a.k / a.c) * a.x_c,
                                    a.h, a.w, a.x_h, a.x_w, a.stride_h, a.dilation_h, a.dilation_w};
        add_site(sums, AT(dy) + at.image * a.y_n + k * a.y_k + first * a.y_p + at.column * a.y_q,
                 a.y_p, a.p - first, first * a.stride_h - a.pad_top,
                 at.column * a.stride_w - a.pad_left, plane);
    }
    const int lane = item % LANES;
    EACH(block, (TAPS_R * TAPS_S + 7) / 8)
    {
        EACH(v, 8)
        if (block * 8 + v < TAPS_R * TAPS_S)
            scratch[v * ITEMS + item] = sums[block * 8 + v];
        barrier(CLK_LOCAL_MEM_FENCE);
        const int tap = block * 8 + item / LANES;
        float total = 0.0f;
        for (int row = 0; row < ITEMS / LANES; row++)
            total += scratch[item / LANES * ITEMS + row * LANES + lane];
        barrier(CLK_LOCAL_MEM_FENCE);
#if !CHANNELS_LAST
        scratch[item] = total;
        barrier(CLK_LOCAL_MEM_FENCE);
        total = 0.0f;
        for (int l = 0; l < LANES; l++)
            total += scratch[item - lane + l];
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        if (tap < TAPS_R * TAPS_S && (CHANNELS_LAST ? own < a.k : lane == 0))
            AT(parts)[(slice * a.k + k) * (TAPS_R * TAPS_S) + tap] = total;
    }
}
