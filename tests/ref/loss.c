#include "ref/loss.h"

#include <math.h>
#include <stddef.h>

/* ln of the sum of e^x[j], shifted by the maximum so that it does not overflow. */
static double log_sum_exp(const double *x, int64_t n)
{
    double max = x[0], sum = 0;
    for (int64_t j = 1; j < n; j++)
        max = x[j] > max ? x[j] : max;
    for (int64_t j = 0; j < n; j++)
        sum += exp(x[j] - max);
    return max + log(sum);
}

double ref_softmax_cross_entropy(const struct ref_softmax_cross_entropy *d, const double *x,
                                 const int32_t *labels, double *probabilities, double *dx)
{
    double loss = 0, batch = (double)d->batch, eps = d->label_smoothing;
    for (int64_t n = 0; n < d->batch; n++) {
        const double *row = x + n * d->classes;
        double log_sum = log_sum_exp(row, d->classes);
        for (int64_t j = 0; j < d->classes; j++) {
            double log_probability = row[j] - log_sum;
            double target = (j == labels[n] ? 1 - eps : 0) + eps / (double)d->classes;
            loss -= target * log_probability / batch;
            if (probabilities)
                probabilities[n * d->classes + j] = exp(log_probability);
            if (dx)
                dx[n * d->classes + j] = (exp(log_probability) - target) / batch;
        }
    }
    return loss;
}

double ref_mse(int64_t n, const double *x, const double *target, double *dx)
{
    double loss = 0;
    for (int64_t i = 0; i < n; i++) {
        double difference = x[i] - target[i];
        loss += difference * difference / (double)n;
        if (dx)
            dx[i] = 2 * difference / (double)n;
    }
    return loss;
}
