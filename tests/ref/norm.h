/* Batch, group and layer normalisation.
 *
 *   xhat = (x - mean) / sqrt(var + eps),   y = gamma xhat + beta
 *
 * with mean and biased variance over a set of elements that differs between the three:
 * batch norm: all elements of a channel; group norm: the C/groups channels of a group in one
 * image; layer norm: one row. gamma and beta hold one element a channel (layer norm: a column).
 *
 * The gradients, with g = dy gamma and the averages over the element's own set:
 *   dx = (g - average(g) - xhat average(g xhat)) / sqrt(var + eps)
 *   dgamma = sum of dy xhat, dbeta = sum of dy, over a channel (a column)
 *
 * x, y, dx, dy [N,C,spatial] for batch and group norm, [rows,d] for layer norm. Outputs are
 * overwritten. */
#ifndef CLG_REF_NORM_H
#define CLG_REF_NORM_H

#include <stdint.h>

struct ref_norm_grads {
    double *dx;
    double *dgamma, *dbeta; /* may be NULL */
};

struct ref_batch_norm {
    int64_t n, c, spatial;
    double eps, momentum;
    const double *gamma, *beta; /* [C]; NULL stands for 1 and 0 */
};

/* mean, var [C]: of the batch, the variance biased. */
void ref_batch_norm_statistics(const struct ref_batch_norm *d, const double *x, double *mean,
                               double *var);

/* running = (1 - momentum) running + momentum * of this batch; mean and var come from
 * ref_batch_norm_statistics, and the variance is made unbiased: times m / (m - 1), m = N spatial.
 */
void ref_batch_norm_update_running(const struct ref_batch_norm *d, const double *mean,
                                   const double *var, double *running_mean, double *running_var);

/* y from the statistics given: those of the batch for training, the running ones for evaluation. */
void ref_batch_norm_apply(const struct ref_batch_norm *d, const double *x, const double *mean,
                          const double *var, double *y);

/* Training mode, in one call: statistics, apply, update of the running ones (both may be NULL). */
void ref_batch_norm_forward(const struct ref_batch_norm *d, const double *x, double *running_mean,
                            double *running_var, double *y);
void ref_batch_norm_backward(const struct ref_batch_norm *d, const double *x, const double *dy,
                             const struct ref_norm_grads *grads);

/* Evaluation mode: mean and var are constants, so dx = g / sqrt(var + eps). */
void ref_batch_norm_eval_backward(const struct ref_batch_norm *d, const double *x,
                                  const double *mean, const double *var, const double *dy,
                                  const struct ref_norm_grads *grads);

struct ref_group_norm {
    int64_t n, c, spatial, groups;
    double eps;
    const double *gamma, *beta; /* [C]; NULL stands for 1 and 0 */
};

void ref_group_norm_forward(const struct ref_group_norm *d, const double *x, double *y);
void ref_group_norm_backward(const struct ref_group_norm *d, const double *x, const double *dy,
                             const struct ref_norm_grads *grads);

struct ref_layer_norm {
    int64_t rows, d;
    double eps;
    const double *gamma, *beta; /* [d]; NULL stands for 1 and 0 */
};

void ref_layer_norm_forward(const struct ref_layer_norm *d, const double *x, double *y);
void ref_layer_norm_backward(const struct ref_layer_norm *d, const double *x, const double *dy,
                             const struct ref_norm_grads *grads);

#endif
