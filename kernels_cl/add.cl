/*
 * Weighted sum, element by element: y = alpha a + beta b; its gradient da = alpha dy, db = beta dy.
 * One work-item an element; no local memory. An item reads before it writes, so that outputs may be
 * inputs. The layout does not matter as long as all tensors share it. Outputs of the gradient that
 * nobody wants are null and never touched.
 */
#include "common.clh"

__kernel void add_forward(OUT(float, y), IN(float, a), IN(float, b), const int count,
                          const float alpha, const float beta)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(y)[i] = alpha * AT(a)[i] + beta * AT(b)[i];
}

__kernel void add_backward(OUT(float, da), OUT(float, db), IN(float, dy), const int count,
                           const float alpha, const float beta, const int want_da,
                           const int want_db, const int accumulate)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const float gradient = AT(dy)[i];
    if (want_da)
        AT(da)[i] = (accumulate ? AT(da)[i] : 0.0f) + alpha * gradient;
    if (want_db)
        AT(db)[i] = (accumulate ? AT(db)[i] : 0.0f) + beta * gradient;
}
