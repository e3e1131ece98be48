/*
 * One step of an optimiser over all parameters, element by element, w and the state in place.
 * Items as in elements.clh; no local memory. What depends on the step number alone (bias
 * corrections, learning rate) arrives as arguments, computed in double precision by the host.
 */
#include "common.clh"
#include "elements.clh"

__kernel void sgd(OUT(float, w), IN(float, dw), const struct elements elements, const float lr,
                  const float decay)
{
    __global float *weights = AT(w);
    __global const float *gradients = AT(dw);
    EACH_VECTOR(i, left, elements,
                const VECTOR before = load_vector(weights + i, left);
                const VECTOR gradient = load_vector(gradients + i, left) + decay * before;
                store_vector(before - lr * gradient, weights + i, left))
}

/* gain: 1 - dampening. first: the step that fills buffer, whatever it held. */
__kernel void sgd_momentum(OUT(float, w), OUT(float, buffer), IN(float, dw),
                           const struct elements elements, const float lr, const float decay,
                           const float momentum, const float gain, const int nesterov,
                           const int first)
{
    __global float *weights = AT(w), *velocities = AT(buffer);
    __global const float *gradients = AT(dw);
    EACH_VECTOR(i, left, elements,
                const VECTOR before = load_vector(weights + i, left);
                const VECTOR gradient = load_vector(gradients + i, left) + decay * before;
                VECTOR velocity = gradient;
                if (!first)
                    velocity = momentum * load_vector(velocities + i, left) + gain * gradient;
                store_vector(velocity, velocities + i, left);
                const VECTOR step = nesterov ? gradient + momentum * velocity : velocity;
                store_vector(before - lr * step, weights + i, left))
}

/* decay is added to the gradient; keep multiplies w: 1, or 1 - lr * decoupled decay. rate and
 * root_scale: lr / (1 - beta1^t) and 1 / sqrt(1 - beta2^t). gain1, gain2: 1 - beta. */
__kernel void adam(OUT(float, w), OUT(float, m), OUT(float, v), IN(float, dw),
                   const struct elements elements, const float decay, const float keep,
                   const float beta1, const float gain1, const float beta2, const float gain2,
                   const float rate, const float root_scale, const float eps)
{
    __global float *weights = AT(w), *means = AT(m), *squares = AT(v);
    __global const float *gradients = AT(dw);
    EACH_VECTOR(i, left, elements,
                const VECTOR before = load_vector(weights + i, left);
                const VECTOR gradient = load_vector(gradients + i, left) + decay * before;
                const VECTOR mean = beta1 * load_vector(means + i, left) + gain1 * gradient;
                const VECTOR square =
                    beta2 * load_vector(squares + i, left) + gain2 * gradient * gradient;
                store_vector(mean, means + i, left);
                store_vector(square, squares + i, left);
                const VECTOR step = rate * mean / (sqrt(square) * root_scale + eps);
                store_vector(keep * before - step, weights + i, left))
}
