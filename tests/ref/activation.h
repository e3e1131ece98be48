/* Elementwise activations y = f(x) and their derivatives f'(x). A NaN stays a NaN. */
#ifndef CLG_REF_ACTIVATION_H
#define CLG_REF_ACTIVATION_H

#include <stdint.h>

enum ref_activation {
    REF_RELU,       /* max(x, 0); f'(0) = 0 */
    REF_LEAKY_RELU, /* x > 0 ? x : alpha x; f'(0) = alpha */
    REF_ELU,        /* x > 0 ? x : alpha (e^x - 1); f'(0) = alpha */
    REF_SIGMOID,    /* 1 / (1 + e^-x) */
    REF_TANH,       /* tanh(x) */
    REF_GELU,       /* x Phi(x), Phi the normal distribution function by erf */
    REF_SILU,       /* x sigmoid(x) */
    REF_SOFTPLUS,   /* ln(1 + e^x) */
    REF_HARDSWISH,  /* x min(max(x + 3, 0), 6) / 6; f'(-3) = 0, f'(3) = 1 */
    REF_RELU6,      /* min(max(x, 0), 6); f'(0) = f'(6) = 0 */
    REF_MISH        /* x tanh(softplus(x)) */
};

/* alpha counts for leaky_relu and elu only. */
double ref_activation_value(enum ref_activation kind, double alpha, double x);
double ref_activation_derivative(enum ref_activation kind, double alpha, double x);

/* y[i] = f(x[i]), n elements */
void ref_activation_forward(enum ref_activation kind, double alpha, int64_t n, const double *x,
                            double *y);

/* dx[i] = dy[i] f'(x[i]), n elements */
void ref_activation_backward(enum ref_activation kind, double alpha, int64_t n, const double *x,
                             const double *dy, double *dx);

#endif
