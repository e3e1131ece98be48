/*
 * Weighted sum, element by element: y = alpha a + beta b; its gradient da = alpha dy, db = beta dy.
 * Items as in elements.clh; no local memory. A step reads before it writes, so that outputs may be
 * inputs. The layout does not matter as long as all tensors share it. Outputs of the gradient that
 * nobody wants are null and never touched.
 */
#include "common.clh"
#include "elements.clh"

__kernel void add_forward(OUT(float, y), IN(float, a), IN(float, b), const struct elements elements,
                          const float alpha, const float beta)
{
    __global float *to = AT(y);
    __global const float *from_a = AT(a), *from_b = AT(b);
    const bool around = goes_around(elements, to) && to != from_a && to != from_b;
    EACH_VECTOR(i, left, elements,
                const VECTOR sum = alpha * load_vector(from_a + i, left) +
                                   beta * load_vector(from_b + i, left);
                stream_vector(sum, to + i, left, around))
}

void give(__global float *to, VECTOR gradient, int left, int accumulate, bool around)
{
    if (accumulate)
        store_vector(load_vector(to, left) + gradient, to, left);
    else
        stream_vector(gradient, to, left, around);
}

__kernel void add_backward(OUT(float, da), OUT(float, db), IN(float, dy),
                           const struct elements elements, const float alpha, const float beta,
                           const int want_da, const int want_db, const int accumulate)
{
    __global float *to_a = AT(da), *to_b = AT(db);
    __global const float *from = AT(dy);
    const bool a_around = goes_around(elements, to_a) && to_a != from;
    const bool b_around = goes_around(elements, to_b) && to_b != from;
    EACH_VECTOR(i, left, elements,
                const VECTOR gradient = load_vector(from + i, left);
                if (want_da) give(to_a + i, alpha * gradient, left, accumulate, a_around);
                if (want_db) give(to_b + i, beta * gradient, left, accumulate, b_around))
}
