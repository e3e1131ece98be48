/* Counting the samples that a network classifies correctly. */
#ifndef CLGRAD_ACCURACY_H
#define CLGRAD_ACCURACY_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_accuracy_desc {
    clg_tensor_desc x; /* [N,K] float32: scores, logits or probabilities; labels are [N] int32 */
} clg_accuracy_desc;

typedef struct clg_accuracy clg_accuracy;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_INVALID_SHAPE (x has not two dimensions),
 * CLG_UNSUPPORTED (not float32), those of a clg_tensor_desc, CLG_OUT_OF_DEVICE_MEMORY (scratch
 * memory), CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_accuracy_create(clg_context *ctx,
                                                       const clg_accuracy_desc *desc,
                                                       clg_accuracy **plan);
CLG_API void clg_accuracy_destroy(clg_accuracy *plan); /* NULL is allowed */

/* Bytes of scratch memory that a run needs (see clgrad/run.h). */
CLG_API size_t clg_accuracy_workspace_size(const clg_accuracy *plan);

/*
 * correct = the number of samples n for which the largest score x[n,k] is that of k = labels[n];
 * of equal scores the first is the largest, and a NaN is larger than every number, as in PyTorch's
 * argmax. A label that is no class is never correct.
 * correct: [1] int32; predictions: [N] int32, the k of each sample; one of them may be NULL.
 * labels: may be NULL when only predictions are wanted.
 * Overwrites; with run->accumulate the count is added to `correct`, so that a loop sums up on the
 * device. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context, no workspace), CLG_INVALID_SHAPE (not the
 * plan's shape or type).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_accuracy_forward(clg_accuracy *plan, clg_tensor *correct,
                                                        clg_tensor *predictions,
                                                        const clg_tensor *x,
                                                        const clg_tensor *labels,
                                                        const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
