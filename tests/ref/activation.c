#include "ref/activation.h"

#include <math.h>

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), which does not overflow. */
static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

/* The normal distribution function and its density. */
static double normal_cdf(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5));
}

static double normal_pdf(double x)
{
    return exp(-0.5 * x * x) / sqrt(8 * atan(1));
}

double ref_activation_value(enum ref_activation kind, double alpha, double x)
{
    if (isnan(x))
        return x;
    switch (kind) {
    case REF_RELU:
        return x > 0 ? x : 0;
    case REF_LEAKY_RELU:
        return x > 0 ? x : alpha * x;
    case REF_ELU:
        return x > 0 ? x : alpha * expm1(x);
    case REF_SIGMOID:
        return sigmoid(x);
    case REF_TANH:
        return tanh(x);
    case REF_GELU:
        return x * normal_cdf(x);
    case REF_SILU:
        return x * sigmoid(x);
    case REF_SOFTPLUS:
        return softplus(x);
    case REF_HARDSWISH:
        return x * fmin(fmax(x + 3, 0), 6) / 6;
    case REF_RELU6:
        return fmin(fmax(x, 0), 6);
    case REF_MISH:
        return x * tanh(softplus(x));
    }
    return NAN;
}

double ref_activation_derivative(enum ref_activation kind, double alpha, double x)
{
    double t;
    if (isnan(x))
        return x;
    switch (kind) {
    case REF_RELU:
        return x > 0 ? 1 : 0;
    case REF_LEAKY_RELU:
        return x > 0 ? 1 : alpha;
    case REF_ELU:
        return x > 0 ? 1 : alpha * exp(x);
    case REF_SIGMOID:
        return sigmoid(x) * sigmoid(-x);
    case REF_TANH:
        return 1 - tanh(x) * tanh(x);
    case REF_GELU:
        return normal_cdf(x) + x * normal_pdf(x);
    case REF_SILU:
        return sigmoid(x) + x * sigmoid(x) * sigmoid(-x);
    case REF_SOFTPLUS:
        return sigmoid(x);
    case REF_HARDSWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5;
    case REF_RELU6:
        return x > 0 && x < 6 ? 1 : 0;
    case REF_MISH:
        t = tanh(softplus(x));
        return t + x * (1 - t * t) * sigmoid(x);
    }
    return NAN;
}

void ref_activation_forward(enum ref_activation kind, double alpha, int64_t n, const double *x,
                            double *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = ref_activation_value(kind, alpha, x[i]);
}

void ref_activation_backward(enum ref_activation kind, double alpha, int64_t n, const double *x,
                             const double *dy, double *dx)
{
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * ref_activation_derivative(kind, alpha, x[i]);
}
