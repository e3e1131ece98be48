/*
 * The filter's gradient of depthwise convolution for GPU-like devices: a work-group takes a slice
 * of the sites of a channel, or of LANES channels (conv2d_depthwise_items.clh). A work-item sums
 * all taps at once, in registers, and the group adds what its items have; channel_sum_groups.cl
 * joins the slices. Local memory: 8 x ITEMS floats.
 */
#include "common.clh"
#include "conv2d_depthwise_items.clh"

/* sums[tap] += what the site's rows of dy give. */
INLINE void add_site(float sums[TAPS_R * TAPS_S], __global const float *dy, const int dy_row,
                     const int count, const int row, const int column, const struct plane plane)
{
    const struct columns columns = columns_from(column, TAPS_S, plane);
    float gradients[ROWS];
    EACH(j, ROWS) gradients[j] = j < count ? dy[j * dy_row] : 0.0f;
#if DENSE
    EACH(t, ROWS + TAPS_R - 1)
    {
        float values[TAPS_S];
        load_row(values, plane, row + t, columns);
        EACH(j, ROWS)
        if (t - j >= 0 && t - j < TAPS_R && j < count)
            EACH(s, TAPS_S)
            sums[(t - j) * TAPS_S + s] =
                fma(values[s], gradients[j], sums[(t - j) * TAPS_S + s]);
    }
#else
    EACH(r, TAPS_R)
    EACH(j, ROWS)
    if (j < count) {
        float values[TAPS_S];
        load_row(values, plane, row + r * plane.in_h + j * plane.out_h, columns);
        EACH(s, TAPS_S)
        sums[r * TAPS_S + s] = fma(values[s], gradients[j], sums[r * TAPS_S + s]);
    }
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
        const struct plane plane = {AT(x) + at.image * a.x_n + divide(k, d.filters) * a.x_c,
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
        for (int row = 0; tap < TAPS_R * TAPS_S && row < ITEMS / LANES; row++)
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
