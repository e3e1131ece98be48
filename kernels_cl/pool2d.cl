/*
 * Max and average pooling. Tap (r, s) of output (p, q) is x[p stride_h - pad_h + r dilation_h,
 * q stride_w - pad_w + s dilation_w]; loops leave out the taps that are padding.
 * Forward: one work-item an element of y. Backward: one work-item an element of dx, which visits
 * the windows that hold it in a fixed order. Items are contiguous in memory; no local memory. Any
 * layout, see planes.clh. Outputs do not overlap inputs.
 */
#include "common.clh"
#include "planes.clh"

struct axis {
    struct divisor stride, dilation;
    int size, pad;
};

struct window {
    struct axis h, w;
    int count_include_pad;
};

struct range {
    int begin, end;
};

/* The point of tap 0 of window p along an axis; may be in the padding. */
int first_of(int p, const struct axis axis)
{
    return p * (int)axis.stride.by - axis.pad;
}

/* The taps of the window at `first` that are in a plane of `size` points. */
struct range taps_inside(int first, int size, const struct axis axis)
{
    const int before = first < 0 ? divide(-first - 1, axis.dilation) + 1 : 0;
    const struct range taps = {before,
                               min(axis.size, divide(size - first - 1, axis.dilation) + 1)};
    return taps;
}

/* The windows, of `windows` along the axis, that reach over point h; with dilation it may lie
 * between their taps. */
struct range windows_over(int h, int windows, const struct axis axis)
{
    const int reach = h + axis.pad;
    const int excess = reach - (axis.size - 1) * (int)axis.dilation.by;
    const struct range range = {excess > 0 ? divide(excess - 1, axis.stride) + 1 : 0,
                                min(windows, divide(reach, axis.stride) + 1)};
    return range;
}

__kernel void max_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const int top = first_of(at.h, window.h), left = first_of(at.w, window.w);
    const struct range rows = taps_inside(top, (int)from.h.by, window.h);
    const struct range columns = taps_inside(left, (int)from.w.by, window.w);
    float largest = -INFINITY;
    for (int r = rows.begin; r < rows.end; r++)
        for (int s = columns.begin; s < columns.end; s++) {
            const int h = top + r * (int)window.h.dilation.by;
            const int w = left + s * (int)window.w.dilation.by;
            const float value = AT(x)[index_at(at, h, w, from)];
            largest = value > largest || isnan(value) ? value : largest;
        }
    AT(y)[i] = largest;
}

/* The index in x of the tap that won window (p, q) with the value `largest`: the first of that
 * value, or the last NaN. */
int winner_of(__global const float *x, const struct place at, int p, int q, float largest,
              const struct planes shape, const struct window window)
{
    const int top = first_of(p, window.h), left = first_of(q, window.w);
    const struct range rows = taps_inside(top, (int)shape.h.by, window.h);
    const struct range columns = taps_inside(left, (int)shape.w.by, window.w);
    int winner = -1;
    for (int r = rows.begin; r < rows.end; r++)
        for (int s = columns.begin; s < columns.end; s++) {
            const int h = top + r * (int)window.h.dilation.by;
            const int w = left + s * (int)window.w.dilation.by;
            const int tap = index_at(at, h, w, shape);
            const bool wins = isnan(largest) ? isnan(x[tap]) : winner < 0 && x[tap] == largest;
            winner = wins ? tap : winner;
        }
    return winner;
}

/* Only an element that equals the largest one of a window can have won it, so that few windows
 * are searched. */
__kernel void max_backward(OUT(float, dx), IN(float, dy), IN(float, x), IN(float, y),
                           const int count, const struct planes to, const struct planes from,
                           const struct window window)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const struct range rows = windows_over(at.h, (int)from.h.by, window.h);
    const struct range columns = windows_over(at.w, (int)from.w.by, window.w);
    const float value = AT(x)[i];
    float sum = 0.0f;
    for (int p = rows.begin; p < rows.end; p++)
        for (int q = columns.begin; q < columns.end; q++) {
            const int out = index_at(at, p, q, from);
            const float largest = AT(y)[out];
            if ((value == largest || isnan(value)) &&
                winner_of(AT(x), at, p, q, largest, to, window) == i)
                sum += AT(dy)[out];
        }
    AT(dx)[i] = sum;
}

/* What the sum of a window is divided by. */
float divisor_of(const struct range rows, const struct range columns, const struct window window)
{
    return window.count_include_pad
               ? (float)window.h.size * (float)window.w.size
               : (float)(rows.end - rows.begin) * (float)(columns.end - columns.begin);
}

/* Rows are summed on their own, which keeps the rounding error of large windows small. */
__kernel void avg_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const int top = first_of(at.h, window.h), left = first_of(at.w, window.w);
    const struct range rows = taps_inside(top, (int)from.h.by, window.h);
    const struct range columns = taps_inside(left, (int)from.w.by, window.w);
    float sum = 0.0f;
    for (int r = rows.begin; r < rows.end; r++) {
        float sum_of_row = 0.0f;
        for (int s = columns.begin; s < columns.end; s++)
            sum_of_row += AT(x)[index_at(at, top + r, left + s, from)];
        sum += sum_of_row;
    }
    AT(y)[i] = sum / divisor_of(rows, columns, window);
}

__kernel void avg_backward(OUT(float, dx), IN(float, dy), const int count, const struct planes to,
                           const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const struct range rows = windows_over(at.h, (int)from.h.by, window.h);
    const struct range columns = windows_over(at.w, (int)from.w.by, window.w);
    float sum = 0.0f;
    for (int p = rows.begin; p < rows.end; p++) {
        const struct range taps_h =
            taps_inside(first_of(p, window.h), (int)to.h.by, window.h);
        float sum_of_row = 0.0f;
        for (int q = columns.begin; q < columns.end; q++) {
            const struct range taps_w =
                taps_inside(first_of(q, window.w), (int)to.w.by, window.w);
            sum_of_row += AT(dy)[index_at(at, p, q, from)] / divisor_of(taps_h, taps_w, window);
        }
        sum += sum_of_row;
    }
    AT(dx)[i] = sum;
}
