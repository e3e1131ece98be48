/*
 * Concatenation along the channels: one input's share of y, and back. To this kernel a tensor is a
 * matrix of contiguous rows, an image's channels in NCHW and a pixel's in NHWC: an input's rows of
 * `width` elements stand in y's rows of `pitch` elements from column `start` on.
 * Items take elements of the input as in elements.clh, row after row; no local memory.
 */
#include "common.clh"
#include "elements.clh"

/* The statement for every vector of the item: `from` is its index in the input, `at` in y. */
#define EACH_PLACE(from, at, left, statements)                                                     \
    const int begin = (int)get_global_id(0) * elements.own;                                        \
    const int end = min(elements.count, begin + elements.own);                                     \
    for (int i = begin; i < end;) {                                                                \
        const int row = i / width, column = i % width, run = min(width - column, end - i);         \
        for (int k = 0; k < run; k += LANES) {                                                     \
            const int from = i + k, at = row * pitch + start + column + k;                         \
            const int left = min(LANES, run - k);                                                  \
            statements;                                                                            \
        }                                                                                          \
        i += run;                                                                                  \
    }

__kernel void concat_forward(OUT(float, y), IN(float, x), const struct elements elements,
                             const int width, const int pitch, const int start)
{
    EACH_PLACE(from, at, left,
               store_vector(load_vector(AT(x) + from, left), AT(y) + at, left))
}

__kernel void concat_backward(OUT(float, dx), IN(float, dy), const struct elements elements,
                              const int width, const int pitch, const int start,
                              const int accumulate)
{
    EACH_PLACE(to, at, left,
               VECTOR gradient = load_vector(AT(dy) + at, left);
               if (accumulate) gradient += load_vector(AT(dx) + to, left);
               store_vector(gradient, AT(dx) + to, left))
}
