/*
 * Max and average pooling on GPU-like devices. Tap (r, s) of output (p, q) is
 * x[p stride_h - pad_h + r dilation_h, q stride_w - pad_w + s dilation_w]; padding is no tap.
 * A work-item makes EACH elements of y or dx, a group's width apart; one of dx visits the windows
 * that hold it in a fixed order; where windows overlap, max_winners first says which element won
 * each. Any layout, see planes.clh; no local memory. Outputs do not overlap inputs. SIZE_H x SIZE_W
 * is the window, and REACH_H x REACH_W windows at most hold an element; 0 when that is not known.
 */
#include "common.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "pool2d_element.clh"

#ifndef SIZE_H
#define SIZE_H 0
#define SIZE_W 0
#define REACH_H 0
#define REACH_W 0
#define EACH 1
#endif

/* `value` of the item's elements, all before the first is stored: what they load is on its way
 * together. */
#define EACH_ELEMENT(type, to, i, count, value)                                                    \
    const uint first = get_group_id(0) * get_local_size(0) * EACH + get_local_id(0);               \
    type values[EACH];                                                                             \
    for (int k = 0; k < EACH; k++) {                                                               \
        const int i = min(first + k * (uint)get_local_size(0), (uint)count - 1);                   \
        values[k] = value;                                                                         \
    }                                                                                              \
    for (int k = 0; k < EACH; k++)                                                                 \
        if (first + k * (uint)get_local_size(0) < (uint)count)                                     \
            (to)[first + k * (uint)get_local_size(0)] = values[k]

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
    EACH_ELEMENT(float, AT(y), i, count, winner_at(AT(x), place_of(i, to), from, window).value);
}

/* The index in x of the element that won each window. */
__kernel void max_winners(OUT(int, winners), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    EACH_ELEMENT(int, AT(winners), i, count,
                 winner_at(AT(x), place_of(i, to), from, window).at);
}

/* The statement for the index `out` of each window over an element: as many as there may be, with
 * `over` for those that there are, or just these. */
#if REACH_H > 0
#define EACH_WINDOW(out, over, at, from, window, statement)                                        \
    {                                                                                              \
        const struct range rows = windows_over(at.h, (int)from.h.by, window.h);                    \
        const struct range columns = windows_over(at.w, (int)from.w.by, window.w);                 \
        for (int p = rows.begin; p < rows.begin + REACH_H; p++)                                    \
            for (int q = columns.begin; q < columns.begin + REACH_W; q++) {                        \
                const bool over = p < rows.end && q < columns.end;                                 \
                const int out = index_at(at, p, q, from);                                          \
                statement;                                                                         \
            }                                                                                      \
    }
#else
#define EACH_WINDOW(out, over, at, from, window, statement)                                        \
    {                                                                                              \
        const struct range rows = windows_over(at.h, (int)from.h.by, window.h);                    \
        const struct range columns = windows_over(at.w, (int)from.w.by, window.w);                 \
        const bool over = true;                                                                    \
        for (int p = rows.begin; p < rows.end; p++)                                                \
            for (int q = columns.begin; q < columns.end; q++) {                                    \
                const int out = index_at(at, p, q, from);                                          \
                statement;                                                                         \
            }                                                                                      \
    }
#endif

float won_from(__global const float *dy, __global const int *winners, const int i,
               const struct place at, const struct planes from, const struct window window)
{
    float sum = 0.0f;
    EACH_WINDOW(out, over, at, from, window,
                const float gradient = over ? dy[out] : 0.0f; /* loaded while the winner is */
                const int winner = over ? winners[out] : -1;
                sum += winner == i ? gradient : 0.0f)
    return sum;
}

/* dx by the winners. */
__kernel void max_backward_won(OUT(float, dx), IN(float, dy), IN(int, winners), const int count,
                               const struct planes to, const struct planes from,
                               const struct window window)
{
    EACH_ELEMENT(float, AT(dx), i, count,
                 won_from(AT(dy), AT(winners), i, place_of(i, to), from, window));
}

__kernel void max_backward(OUT(float, dx), IN(float, dy), IN(float, x), IN(float, y),
                           const int count, const struct planes to, const struct planes from,
                           const struct window window)
{
    EACH_ELEMENT(float, AT(dx), i, count,
                 won_at(AT(dy), AT(x), AT(y), i, place_of(i, to), to, from, window));
}

__kernel void avg_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    EACH_ELEMENT(float, AT(y), i, count, average_at(AT(x), place_of(i, to), from, window));
}

/* Where all windows are divided by the same number. */
float shared_evenly_at(__global const float *dy, const struct place at, const struct planes from,
                       const struct window window)
{
    float sum = 0.0f;
    EACH_WINDOW(out, over, at, from, window, sum += over ? dy[out] : 0.0f)
    return sum / ((float)window.h.size * (float)window.w.size);
}

__kernel void avg_backward(OUT(float, dx), IN(float, dy), const int count, const struct planes to,
                           const struct planes from, const struct window window)
{
    const bool padded = window.h.pad > 0 || window.w.pad > 0;
    if (padded && !window.count_include_pad) {
        EACH_ELEMENT(float, AT(dx), i, count,
                     shared_at(AT(dy), place_of(i, to), to, from, window));
    } else {
        EACH_ELEMENT(float, AT(dx), i, count,
                     shared_evenly_at(AT(dy), place_of(i, to), from, window));
    }
}
