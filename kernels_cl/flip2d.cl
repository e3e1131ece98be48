/*
 * Turns every plane by 180 degrees: y[h, w] = x[H-1-h, W-1-w].
 * One work-item an element of y, contiguous across items; no local memory. Any layout, see
 * planes.clh. x and y do not overlap.
 */
#include "common.clh"
#include "planes.clh"

__kernel void flip2d(OUT(float, y), IN(float, x), const int count, const struct planes to,
                     const struct planes from)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const int h = (int)to.h.by - 1 - at.h, w = (int)to.w.by - 1 - at.w;
    AT(y)[i] = AT(x)[index_at(at, h, w, from)];
}
