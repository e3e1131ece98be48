/*
 * Activations, element by element: y = f(x) and dx = dy f'(x).
 * Items as in elements.clh; no local memory. KIND selects f at compile time, so that a step over
 * a vector is branch-free.
 * The layout does not matter as long as all tensors share it.
 */
#include "common.clh"
#include "elements.clh"

#define RELU 0
#define LEAKY_RELU 1
#define ELU 2
#define SIGMOID 3
#define TANH 4
#define GELU 5
#define SILU 6
#define SOFTPLUS 7
#define HARDSWISH 8
#define RELU6 9
#define MISH 10

/* 1 / (1 + e^-x): e^-x overflows to infinity for large negative x, which gives the right 0. */
VECTOR logistic(VECTOR x)
{
    return 1.0f / (1.0f + exp(-x));
}

/* log(1 + e^x) without overflow. */
VECTOR log_one_plus_exp(VECTOR x)
{
    return fmax(x, 0.0f) + log1p(exp(-fabs(x)));
}

VECTOR value(VECTOR x, float alpha)
{
#if KIND == RELU
    return x < 0.0f ? (VECTOR)0.0f : x; /* a NaN stays one */
#elif KIND == LEAKY_RELU
    return x > 0.0f ? x : alpha * x;
#elif KIND == ELU
    return x > 0.0f ? x : alpha * expm1(x);
#elif KIND == SIGMOID
    return logistic(x);
#elif KIND == TANH
    return tanh(x);
#elif KIND == GELU
    return 0.5f * x * (1.0f + erf(x * M_SQRT1_2_F));
#elif KIND == SILU
    return x * logistic(x);
#elif KIND == SOFTPLUS
    return log_one_plus_exp(x);
#elif KIND == HARDSWISH
    return x * clamp(x + 3.0f, 0.0f, 6.0f) / 6.0f;
#elif KIND == RELU6
    return x != x ? x : clamp(x, 0.0f, 6.0f);
#elif KIND == MISH
    return x * tanh(log_one_plus_exp(x));
#endif
}

VECTOR derivative(VECTOR x, float alpha)
{
#if KIND == RELU
    return x <= 0.0f ? (VECTOR)0.0f : (VECTOR)1.0f; /* 1 for a NaN, as in PyTorch: dy passes */
#elif KIND == LEAKY_RELU
    return x > 0.0f ? (VECTOR)1.0f : (VECTOR)alpha;
#elif KIND == ELU
    return x > 0.0f ? (VECTOR)1.0f : alpha * exp(x);
#elif KIND == SIGMOID
    VECTOR s = logistic(x);
    return s * (1.0f - s);
#elif KIND == TANH
    VECTOR t = tanh(x);
    return 1.0f - t * t;
#elif KIND == GELU
    /* d/dx x Phi(x) = Phi(x) + x phi(x); 0.3989... is 1 / sqrt(2 pi). */
    return 0.5f * (1.0f + erf(x * M_SQRT1_2_F)) + x * 0.398942280401433f * exp(-0.5f * x * x);
#elif KIND == SILU
    VECTOR s = logistic(x);
    return s * (1.0f + x * (1.0f - s));
#elif KIND == SOFTPLUS
    return logistic(x);
#elif KIND == HARDSWISH
    const VECTOR inside = x >= 3.0f ? (VECTOR)1.0f : (2.0f * x + 3.0f) / 6.0f;
    return x <= -3.0f ? (VECTOR)0.0f : inside;
#elif KIND == RELU6
    return x <= 0.0f || x >= 6.0f ? (VECTOR)0.0f : (VECTOR)1.0f;
#elif KIND == MISH
    VECTOR s = logistic(x);
    VECTOR t = tanh(log_one_plus_exp(x));
    return t + x * s * (1.0f - t * t);
#endif
}

__kernel void activation_forward(OUT(float, y), IN(float, x), const struct elements elements,
                                 const float alpha)
{
    __global float *to = AT(y);
    __global const float *from = AT(x);
    const bool around = goes_around(elements, to) && to != from;
    EACH_VECTOR(i, left, elements,
                stream_vector(value(load_vector(from + i, left), alpha), to + i, left, around))
}

__kernel void activation_backward(OUT(float, dx), IN(float, dy), IN(float, x),
                                  const struct elements elements, const float alpha)
{
    __global float *to = AT(dx);
    __global const float *gradient = AT(dy), *from = AT(x);
    const bool around = goes_around(elements, to) && to != from && to != gradient;
    EACH_VECTOR(i, left, elements,
                const VECTOR slope = derivative(load_vector(from + i, left), alpha);
                stream_vector(load_vector(gradient + i, left) * slope, to + i, left, around))
}
