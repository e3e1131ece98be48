/*
 * Concatenation along the channels: one input's share of y, and back. To this kernel a tensor is a
 * matrix of contiguous rows, an image's channels in NCHW and a pixel's in NHWC: an input's rows of
 * `width` elements stand in y's rows of `pitch` elements from column `start` on.
 * One work-item an element of the input, column by row; no local memory.
 */
#include "common.clh"

__kernel void concat_forward(OUT(float, y), IN(float, x), const int width, const int rows,
                             const int pitch, const int start)
{
    const int column = get_global_id(0), row = get_global_id(1);
    if (column < width && row < rows)
        AT(y)[row * pitch + start + column] = AT(x)[row * width + column];
}

__kernel void concat_backward(OUT(float, dx), IN(float, dy), const int width, const int rows,
                              const int pitch, const int start, const int accumulate)
{
    const int column = get_global_id(0), row = get_global_id(1);
    if (column < width && row < rows) {
        const int i = row * width + column;
        AT(dx)[i] = (accumulate ? AT(dx)[i] : 0.0f) + AT(dy)[row * pitch + start + column];
    }
}
