/*
 * Max and average pooling on GPU-like devices. Tap (r, s) of output (p, q) is
 * x[p stride_h - pad_h + r dilation_h, q stride_w - pad_w + s dilation_w]; padding is no tap.
 * Forward: one work-item an element of y. Backward: one work-item an element of dx, which visits
 * the windows that hold it in a fixed order; where windows overlap, max_winners first says which
 * element won each. Items are contiguous in memory; no local memory. Any layout, see planes.clh.
 * Outputs do not overlap inputs. SIZE_H x SIZE_W: the window, or 0 when it is not known.
 */
#include "common.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "pool2d_element.clh"

#ifndef SIZE_H
#define SIZE_H 0
#define SIZE_W 0
#endif

/* The first of the largest values of a window, or the last NaN, and its index in x. */
struct winner {
    float value;
    int at;
};

struct winner winner_at(__global const float *x, const struct place at, const struct planes from,
                        const struct window window)
{
    const int top = first_of(at.h, window.h), left = first_of(at.w, window.w);
    struct winner winner = {-INFINITY, -1};
#if SIZE_H > 0
    /* All values are on their way before the first is compared. */
    float values[SIZE_H * SIZE_W];
    const int first = index_at(at, top, left, from);
    const int down = (int)(window.h.dilation.by * from.w.by * from.inner.by);
    const int right = (int)(window.w.dilation.by * from.inner.by);
    bool rows[SIZE_H], columns[SIZE_W];
    for (int r = 0; r < SIZE_H; r++) {
        const int h = top + r * (int)window.h.dilation.by;
        rows[r] = h >= 0 && h < (int)from.h.by;
    }
    for (int s = 0; s < SIZE_W; s++) {
        const int w = left + s * (int)window.w.dilation.by;
        columns[s] = w >= 0 && w < (int)from.w.by;
    }
    for (int r = 0; r < SIZE_H; r++)
        for (int s = 0; s < SIZE_W; s++)
            values[r * SIZE_W + s] =
                rows[r] && columns[s] ? x[first + r * down + s * right] : -INFINITY;
    for (int r = 0; r < SIZE_H; r++)
        for (int s = 0; s < SIZE_W; s++) {
            const float value = values[r * SIZE_W + s];
            const bool tap = rows[r] && columns[s];
            if (tap && (winner.at < 0 || value > winner.value || isnan(value)))
                winner = (struct winner){value, first + r * down + s * right};
        }
#else
    const struct range rows = taps_inside(top, (int)from.h.by, window.h);
    const struct range columns = taps_inside(left, (int)from.w.by, window.w);
    for (int r = rows.begin; r < rows.end; r++)
        for (int s = columns.begin; s < columns.end; s++) {
            const int h = top + r * (int)window.h.dilation.by;
            const int w = left + s * (int)window.w.dilation.by;
            const int tap = index_at(at, h, w, from);
            if (winner.at < 0 || x[tap] > winner.value || isnan(x[tap]))
                winner = (struct winner){x[tap], tap};
        }
#endif
    return winner;
}

__kernel void max_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(y)[i] = winner_at(AT(x), place_of(i, to), from, window).value;
}

/* The index in x of the element that won each window. */
__kernel void max_winners(OUT(int, winners), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(winners)[i] = winner_at(AT(x), place_of(i, to), from, window).at;
}

/* dx by the winners. */
__kernel void max_backward_won(OUT(float, dx), IN(float, dy), IN(int, winners), const int count,
                               const struct planes to, const struct planes from,
                               const struct window window)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const struct range rows = windows_over(at.h, (int)from.h.by, window.h);
    const struct range columns = windows_over(at.w, (int)from.w.by, window.w);
    float sum = 0.0f;
    for (int p = rows.begin; p < rows.end; p++) {
        const int row = index_at(at, p, 0, from);
        for (int q = columns.begin; q < columns.end; q++) {
            const int out = row + q * (int)from.inner.by;
            const float gradient = AT(dy)[out]; /* loaded while the winner is */
            sum += AT(winners)[out] == i ? gradient : 0.0f;
        }
    }
    AT(dx)[i] = sum;
}

__kernel void max_backward(OUT(float, dx), IN(float, dy), IN(float, x), IN(float, y),
                           const int count, const struct planes to, const struct planes from,
                           const struct window window)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(dx)[i] = won_at(AT(dy), AT(x), AT(y), i, place_of(i, to), to, from, window);
}

__kernel void avg_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(y)[i] = average_at(AT(x), place_of(i, to), from, window);
}

/* Where all windows are divided by the same number. */
float shared_evenly_at(__global const float *dy, const struct place at, const struct planes from,
                       const struct window window)
{
    const struct range rows = windows_over(at.h, (int)from.h.by, window.h);
    const struct range columns = windows_over(at.w, (int)from.w.by, window.w);
    float sum = 0.0f;
    for (int p = rows.begin; p < rows.end; p++) {
        float sum_of_row = 0.0f;
        for (int q = columns.begin; q < columns.end; q++)
            sum_of_row += dy[index_at(at, p, q, from)];
        sum += sum_of_row;
    }
    return sum / ((float)window.h.size * (float)window.w.size);
}

__kernel void avg_backward(OUT(float, dx), IN(float, dy), const int count, const struct planes to,
                           const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const bool padded = window.h.pad > 0 || window.w.pad > 0;
    AT(dx)[i] = padded && !window.count_include_pad
                    ? shared_at(AT(dy), at, to, from, window)
                    : shared_evenly_at(AT(dy), at, from, window);
}
