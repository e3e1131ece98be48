/*
 * Moves the elements of a plane apart: y[a stride_h, b stride_w] = x[a, b], and 0 elsewhere. y may
 * end with zeros behind the last row and column, as the gradient of downsample2d does.
 * One work-item an element of y, contiguous across items; no local memory. Any layout, see
 * planes.clh. x and y do not overlap.
 */
#include "common.clh"
#include "planes.clh"

struct strides {
    struct divisor h, w;
};

__kernel void dilate2d(OUT(float, y), IN(float, x), const int count, const struct planes to,
                       const struct planes from, const struct strides stride)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const int h = divide(at.h, stride.h), w = divide(at.w, stride.w);
    const bool inside = h * (int)stride.h.by == at.h && w * (int)stride.w.by == at.w &&
                        h < (int)from.h.by && w < (int)from.w.by;
    AT(y)[i] = inside ? AT(x)[index_at(at, h, w, from)] : 0.0f;
}
