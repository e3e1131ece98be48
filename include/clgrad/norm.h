/* What the normalisations share; see clgrad/batch_norm.h, clgrad/group_norm.h, clgrad/layer_norm.h.
 */
#ifndef CLGRAD_NORM_H
#define CLGRAD_NORM_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Every normalisation computes, with mean and biased variance of the element's own set,
 *
 *   xhat = (x - mean) rstd,   rstd = 1 / sqrt(var + eps),   y = gamma xhat + beta
 *
 * and, with g = dy gamma and the averages over the element's own set,
 *
 *   dx = rstd (g - average(g) - xhat average(g xhat))
 *   dgamma = sum of dy xhat,   dbeta = sum of dy
 *
 * Saved statistics: the forward pass writes what the backward pass of the same batch needs into a
 * float32 tensor [3, sets]: row 0 the mean, row 1 what its rounding to float32 left over (so that
 * data far from zero loses no digits), row 2 rstd. Without such a tensor a plan uses memory of its
 * own; its backward pass then belongs to its last forward pass. A plan that runs forward several
 * times before it runs backward (weights shared by layers, recomputation, several queues) needs a
 * tensor for each.
 *
 * Sums are formed in a fixed order: the same input gives the same bits on the same device. A mean
 * far from zero costs the variance no digits: partial sums are taken around a value near the data
 * and joined as in Chan, Golub and LeVeque 1979.
 */

/* Where a backward pass puts its results; each may be NULL when it is not wanted, not all. */
typedef struct clg_norm_gradients {
    clg_tensor *dx;     /* like x; always overwritten; may be dy itself */
    clg_tensor *dgamma; /* like gamma; overwritten, or added to with run->accumulate */
    clg_tensor *dbeta;  /* like beta; the same */
    /* Of batch norm with a residual and relu: the gradient of z, which is what relu lets through of
     * dy. Always overwritten; may be dy itself, then dx is another tensor. */
    clg_tensor *dz;
} clg_norm_gradients;

/* The tensors of group_norm and layer_norm besides x and y; each may be NULL. */
typedef struct clg_norm_tensors {
    const clg_tensor *gamma; /* NULL: 1 */
    const clg_tensor *beta;  /* NULL: 0; the backward pass does not read it */
    clg_tensor *saved;       /* [3, sets], written by forward, read by backward; NULL: the plan's */
} clg_norm_tensors;

#ifdef __cplusplus
}
#endif

#endif
