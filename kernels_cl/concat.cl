/*
 * Concatenation along the channels: one input's share of y, and back. To this kernel a tensor is a
 * matrix of contiguous rows, an image's channels in NCHW and a pixel's in NHWC: an input's rows of
 * `width` elements stand in y's rows of `pitch` elements from column `start` on.
 * One work-item an element of the input; no local memory.
 */
#include "common.clh"

__kernel void concat_forward(OUT(float, y), IN(float, x), const int count, const int width,
                             const int pitch, const int start)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(y)[i / width * pitch + start + i % width] = AT(x)[i];
}

__kernel void concat_backward(OUT(float, dx), IN(float, dy), const int count, const int width,
                              const int pitch, const int start, const int accumulate)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(dx)[i] = (accumulate ? AT(dx)[i] : 0.0f) + AT(dy)[i / width * pitch + start + i % width];
}
