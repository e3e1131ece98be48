/* Losses with their gradients. Outputs are overwritten. */
#ifndef CLG_REF_LOSS_H
#define CLG_REF_LOSS_H

#include <stdint.h>

struct ref_softmax_cross_entropy {
    int64_t batch, classes;
    double label_smoothing; /* eps in [0, 1] */
};

/* Mean over the batch of -sum over j of t[j] ln(prob[j]), where prob is the softmax of x's row and
 * t = (1 - eps) one_hot(label) + eps / classes, as in PyTorch. dx = (prob - t) / batch.
 * x, probabilities, dx [batch,classes], labels [batch] in [0, classes); probabilities and dx may
 * be NULL. Returns the loss. */
double ref_softmax_cross_entropy(const struct ref_softmax_cross_entropy *d, const double *x,
                                 const int32_t *labels, double *probabilities, double *dx);

/* Mean over all n elements of (x - target)^2; dx = 2 (x - target) / n, may be NULL. Returns the
 * loss. */
double ref_mse(int64_t n, const double *x, const double *target, double *dx);

#endif
