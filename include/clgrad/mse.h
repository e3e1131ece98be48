/* Mean squared error. */
#ifndef CLGRAD_MSE_H
#define CLGRAD_MSE_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * For n elements in all:
 *     loss  = sum over i of (x[i] - target[i])^2 / n
 *     dx[i] = 2 (x[i] - target[i]) / n
 */
typedef struct clg_mse_desc {
    clg_tensor_desc x; /* any shape and layout, float32; target and dx are like it */
} clg_mse_desc;

typedef struct clg_mse clg_mse;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_UNSUPPORTED (not float32), those of a clg_tensor_desc,
 * CLG_OUT_OF_DEVICE_MEMORY (scratch memory), CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_mse_create(clg_context *ctx, const clg_mse_desc *desc,
                                                  clg_mse **plan);
CLG_API void clg_mse_destroy(clg_mse *plan); /* NULL is allowed */

/* Bytes of scratch memory that a run needs (see clgrad/run.h). */
CLG_API size_t clg_mse_workspace_size(const clg_mse *plan);

/* What one call shall compute: every tensor that is not NULL. */
typedef struct clg_mse_outputs {
    clg_tensor *loss; /* [1] */
    clg_tensor *dx;   /* like x; may be x or target */
    float dloss;      /* factor of dx; 0, when it is left out, means 1 */
} clg_mse_outputs;

/* Computes loss and dx in one pass. Overwrites; with run->accumulate the loss is added to `loss`,
 * so that a loop sums up its losses on the device, and dx is overwritten all the same.
 * Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, no outputs, dloss not finite, another context, no
 * workspace), CLG_INVALID_SHAPE (not the plan's). */
CLG_API CLG_WARN_UNUSED clg_status clg_mse_compute(clg_mse *plan, const clg_mse_outputs *outputs,
                                                   const clg_tensor *x, const clg_tensor *target,
                                                   const clg_run *run);

/* The loss alone, overwritten or, with run->accumulate, added to. As compute. */
CLG_API CLG_WARN_UNUSED clg_status clg_mse_forward(clg_mse *plan, clg_tensor *loss,
                                                   const clg_tensor *x, const clg_tensor *target,
                                                   const clg_run *run);

/* dx alone, overwritten or, with run->accumulate, added to. As compute. */
CLG_API CLG_WARN_UNUSED clg_status clg_mse_backward(clg_mse *plan, clg_tensor *dx,
                                                    const clg_tensor *x, const clg_tensor *target,
                                                    const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
