/*
 * Depthwise convolution for GPU-like devices: one channel a group of the convolution, k / c filters
 * for each. A work-item makes ROWS elements of a column (conv2d_depthwise_items.clh) from taps in
 * registers; neighbours make neighbours. Backward a strip's rows are a stride apart, so that they
 * meet the same taps; UNEVEN when fewer taps meet some elements. Local memory, with CHANNELS_LAST:
 * LANES x MOST_TAPS floats.
 */
#include "common.clh"
#include "conv2d_depthwise_items.clh"

#ifndef UNEVEN
#define UNEVEN 0
#endif
#define MOST_TAPS 64

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

/* An index over a stride: the whole part and what is left. Indices from -lift strides on. */
int2 over_stride(const int index, const struct divisor stride, const int lift)
{
    const int whole = divide(index + lift * (int)stride.by, stride) - lift;
    return (int2)(whole, index - whole * (int)stride.by);
}

/* How taps of an axis meet the elements of dx. */
struct meetings {
    struct divisor stride;
    int lift, dilation, step, in_step;
};

/* The taps that meet an element of dx at `index`, with its padding, of at most `most`; the last one
 * first, because dy is read forwards. */
struct line meeting(const int index, const int taps, const int most, const struct meetings m)
{
    int2 at = over_stride(index, m.stride, m.lift);
    int first = 0;
    if (m.dilation == 1) { /* the tap that takes what is left */
        first = at.y;
        at.y = 0;
    }
    while (at.y != 0 && first + 1 < m.step) {
        first++;
        at = over_stride(index - first * m.dilation, m.stride, m.lift);
    }
    int count = at.y == 0 ? most : 0;
    if (UNEVEN && first + (most - 1) * m.step >= taps)
        count = min(count, most - 1);
    const struct line line = {first + (count - 1) * m.step, UNEVEN ? count : most,
                              at.x - (count - 1) * m.in_step};
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

/* sums[j] += the taps that meet row j of the strip. */
INLINE void add_taps(float sums[ROWS], const float taps[TAPS_R * TAPS_S], const struct line rows,
                     const struct columns columns, const struct plane plane)
{
#if DENSE
    EACH(t, ROWS + TAPS_R - 1)
    {
        float row[TAPS_S];
        load_row(row, plane, rows.in + t, columns);
        EACH(j, ROWS)
        if (t - j >= 0 && t - j < TAPS_R && t - j < (UNEVEN ? rows.taps : TAPS_R))
            EACH(s, TAPS_S) sums[j] = fma(row[s], taps[(t - j) * TAPS_S + s], sums[j]);
    }
#else
    EACH(r, TAPS_R)
    if (r < (UNEVEN ? rows.taps : TAPS_R))
        EACH(j, ROWS)
        {
            float row[TAPS_S];
            load_row(row, plane, rows.in + r * plane.in_h + j * plane.out_h, columns);
            EACH(s, TAPS_S) sums[j] = fma(row[s], taps[r * TAPS_S + s], sums[j]);
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

/* ---- The kernels ---- */

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
    const struct plane plane = {AT(x) + at.image * a.x_n + divide(k, d.filters) * a.x_c,
                                a.h, a.w, a.x_h, a.x_w, a.stride_h, a.dilation_h, a.dilation_w};
    float taps[TAPS_R * TAPS_S], sums[ROWS];
    PICK_TAPS(taps, TAPS_AT(local_taps, AT(w), k, TAPS_R * TAPS_S), APART, rows, columns, 1, 1,
              TAPS_S);
    EACH(j, ROWS) sums[j] = has_bias ? AT(bias)[k] : 0.0f;
    add_taps(sums, taps, rows, columns_from(columns.in, TAPS_S, plane), plane);
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
    const int multiplier = d.filters.by, window = a.r * a.s;
    load_taps(local_taps, AT(w), a.c, multiplier * window);
    const struct site at = site_of_item(a.n, d);
    if (!at.inside)
        return;
    const int c = at.channel, block = divide(at.strip, d.phases);
    const int first = at.strip - block * (int)d.phases.by + block * ROWS * a.stride_h;
    const struct meetings down = {d.stride_h, d.lift_h, a.dilation_h, d.step_h, d.in_h};
    const struct meetings across = {d.stride_w, d.lift_w, a.dilation_w, d.step_w, d.in_w};
    const struct line rows = meeting(first + a.pad_top, a.r, TAPS_R, down);
    const struct line columns = meeting(at.column + a.pad_left, a.s, TAPS_S, across);
    struct plane plane = {AT(dy) + at.image * a.y_n + c * multiplier * a.y_k,
                          a.p, a.q, a.y_p, a.y_q, 1, d.in_h, d.in_w};
    float taps[TAPS_R * TAPS_S], sums[ROWS];
    EACH(j, ROWS) sums[j] = 0.0f;
    const struct columns read = columns_from(columns.in, columns.taps, plane);
    for (int m = 0; m < multiplier; m++) {
        PICK_TAPS(taps,
                  (TAPS_AT(local_taps, AT(w), c, multiplier * window) + m * window * APART), APART,
                  rows, columns, -d.step_h, -d.step_w, a.s);
        add_taps(sums, taps, rows, read, plane);
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
