/* Changing the layout of a tensor: the order of its elements in memory. */
#ifndef CLGRAD_REORDER_H
#define CLGRAD_REORDER_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_reorder_desc {
    clg_tensor_desc from; /* float32 [N,C,H,W] */
    clg_tensor_desc to;   /* the same shape; the layouts may differ or not */
} clg_reorder_desc;

typedef struct clg_reorder clg_reorder;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_SHAPE (not four dimensions, different shapes), CLG_UNSUPPORTED (not
 * float32), those of a clg_tensor_desc, CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_reorder_create(clg_context *ctx,
                                                      const clg_reorder_desc *desc,
                                                      clg_reorder **plan);
CLG_API void clg_reorder_destroy(clg_reorder *plan); /* NULL is allowed */

/*
 * y[n,c,h,w] = x[n,c,h,w], with x like desc.from and y like desc.to. Overwrites y, which must not
 * overlap x. Asynchronous. The gradient is the same copy from the layout of y to that of x.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_reorder_forward(clg_reorder *plan, clg_tensor *y,
                                                       const clg_tensor *x, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
