/*
 * Keeps every stride-th row and column: y[a, b] = x[a stride_h, b stride_w].
 * One work-item an element of y, contiguous across items; no local memory. Any layout, see
 * planes.clh. x and y do not overlap.
 */
#include "common.clh"
#include "planes.clh"

struct strides {
    int h, w;
};

__kernel void downsample2d(OUT(float, y), IN(float, x), const int count, const struct planes to,
                           const struct planes from, const struct strides stride)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    AT(y)[i] = AT(x)[index_at(at, at.h * stride.h, at.w * stride.w, from)];
}
