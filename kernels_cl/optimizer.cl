/*
 * One step of an optimiser over all parameters, element by element, w and the state in place.
 * One work-item an element; no local memory. What depends on the step number alone (bias
 * corrections, learning rate) arrives as arguments, computed in double precision by the host.
 */
#include "common.clh"

__kernel void sgd(OUT(float, w), IN(float, dw), const int count, const float lr, const float decay)
{
    const int i = get_global_id(0);
    if (i < count)
        AT(w)[i] -= lr * (AT(dw)[i] + decay * AT(w)[i]);
}

/* gain: 1 - dampening. first: the step that fills buffer, whatever it held. */
__kernel void sgd_momentum(OUT(float, w), OUT(float, buffer), IN(float, dw), const int count,
                           const float lr, const float decay, const float momentum,
                           const float gain, const int nesterov, const int first)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const float gradient = AT(dw)[i] + decay * AT(w)[i];
    const float velocity = first ? gradient : momentum * AT(buffer)[i] + gain * gradient;
    AT(buffer)[i] = velocity;
    AT(w)[i] -= lr * (nesterov ? gradient + momentum * velocity : velocity);
}

/* decay is added to the gradient; keep multiplies w: 1, or 1 - lr * decoupled decay. rate and
 * root_scale: lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t). gain1, gain2: 1 - beta. */
__kernel void adam(OUT(float, w), OUT(float, m), OUT(float, v), IN(float, dw), const int count,
                   const float decay, const float keep, const float beta1, const float gain1,
                   const float beta2, const float gain2, const float rate, const float root_scale,
                   const float eps)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const float before = AT(w)[i];
    const float gradient = AT(dw)[i] + decay * before;
    const float mean = beta1 * AT(m)[i] + gain1 * gradient;
    const float square = beta2 * AT(v)[i] + gain2 * gradient * gradient;
    AT(m)[i] = mean;
    AT(v)[i] = square;
    AT(w)[i] = keep * before - rate * mean / (sqrt(square) * root_scale + eps);
}
