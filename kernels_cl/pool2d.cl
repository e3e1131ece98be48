/*
 * Max and average pooling. Tap (r, s) of output (p, q) is x[p stride_h - pad_h + r dilation_h,
 * q stride_w - pad_w + s dilation_w]; loops leave out the taps that are padding.
 * Forward: one work-item an element of y. Backward: one work-item an element of dx, which visits
 * the windows that hold it in a fixed order. Items are contiguous in memory; no local memory. Any
 * layout, see planes.clh. Outputs do not overlap inputs.
 */
#include "common.clh"
#include "planes.clh"
#include "pool2d_window.clh"
#include "pool2d_element.clh"

__kernel void max_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                          const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(y)[i] = largest_at(AT(x), place_of(i, to), from, window);
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

__kernel void avg_backward(OUT(float, dx), IN(float, dy), const int count, const struct planes to,
                           const struct planes from, const struct window window)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(dx)[i] = shared_at(AT(dy), place_of(i, to), to, from, window);
}
