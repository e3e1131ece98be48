/* The loss of classification: softmax and cross entropy in one. */
#ifndef CLGRAD_SOFTMAX_CROSS_ENTROPY_H
#define CLGRAD_SOFTMAX_CROSS_ENTROPY_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * For logits x [N,K] and labels [N], with p the softmax of row n and M the number of samples that
 * count (N unless labels are ignored):
 *
 *     p[n,k]  = e^x[n,k] / sum over j of e^x[n,j]
 *     t[n,k]  = (1 - e) [k == labels[n]] + e / K        with label smoothing e
 *     loss[n] = - sum over k of t[n,k] ln p[n,k]
 *     loss    = sum over n of loss[n] / M
 *     dx[n,k] = (p[n,k] - t[n,k]) / M
 *
 * (PyTorch's definition; label smoothing: Szegedy et al. 2015.) Each row's largest logit is
 * subtracted first, so that large logits neither overflow nor cost digits.
 *
 * A sample whose label is the ignore index has loss[n] = 0 and dx = 0 and does not count in M; when
 * no sample counts, the loss is NaN, as in PyTorch. A label that is neither a class nor ignored is
 * never used as an index: its loss[n] is NaN, and with it the loss, and so is its row of dx, so
 * that the mistake is seen.
 */
typedef struct clg_softmax_cross_entropy_desc {
    clg_tensor_desc x;     /* [N,K] float32; labels are [N] int32 */
    float label_smoothing; /* e, in [0, 1] */
    bool ignore;           /* whether samples are ignored whose label is: */
    int32_t ignore_index;  /* PyTorch's default is -100 */
} clg_softmax_cross_entropy_desc;

typedef struct clg_softmax_cross_entropy clg_softmax_cross_entropy;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL, label_smoothing outside [0, 1]), CLG_INVALID_SHAPE (x has not
 * two dimensions), CLG_UNSUPPORTED (not float32), those of a clg_tensor_desc,
 * CLG_OUT_OF_DEVICE_MEMORY (scratch memory), CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_softmax_cross_entropy_create(
    clg_context *ctx, const clg_softmax_cross_entropy_desc *desc, clg_softmax_cross_entropy **plan);
CLG_API void clg_softmax_cross_entropy_destroy(clg_softmax_cross_entropy *plan); /* NULL too */

/* Bytes of scratch memory that a run needs (see clgrad/run.h). */
CLG_API size_t clg_softmax_cross_entropy_workspace_size(const clg_softmax_cross_entropy *plan);

/* What one call shall compute: every tensor that is not NULL. */
typedef struct clg_softmax_cross_entropy_outputs {
    clg_tensor *loss;          /* [1] */
    clg_tensor *losses;        /* [N], of each sample, not divided by M */
    clg_tensor *probabilities; /* [N,K] p; may be x */
    clg_tensor *dx;            /* [N,K]; may be x, unless probabilities is */
    float dloss;               /* factor of dx; 0, when it is left out, means 1 */
    /* [1] int32, only with loss: how many samples have their largest logit at their label, as
     * clg_accuracy_forward counts them; also added to with run->accumulate. */
    clg_tensor *correct;
} clg_softmax_cross_entropy_outputs;

/* Computes several results in one pass over x: loss and dx together are what training wants.
 * Overwrites; with run->accumulate the mean loss is added to `loss`, so that a loop sums up its
 * losses on the device and reads them once at the end, and the other outputs are overwritten all
 * the same. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, no outputs, correct without loss, probabilities and dx are
 * one tensor, dloss not finite, another context, no workspace), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_softmax_cross_entropy_compute(
    clg_softmax_cross_entropy *plan, const clg_softmax_cross_entropy_outputs *outputs,
    const clg_tensor *x, const clg_tensor *labels, const clg_run *run);

/* The mean loss alone, overwritten or, with run->accumulate, added to. As compute. */
CLG_API CLG_WARN_UNUSED clg_status clg_softmax_cross_entropy_forward(
    clg_softmax_cross_entropy *plan, clg_tensor *loss, const clg_tensor *x,
    const clg_tensor *labels, const clg_run *run);

/* dx alone, overwritten or, with run->accumulate, added to. As compute; dx may be x only when it
 * overwrites. */
CLG_API CLG_WARN_UNUSED clg_status clg_softmax_cross_entropy_backward(
    clg_softmax_cross_entropy *plan, clg_tensor *dx, const clg_tensor *x, const clg_tensor *labels,
    const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
