/* Weighted sum of two tensors: where the branches of a network meet again. */
#ifndef CLGRAD_ADD_H
#define CLGRAD_ADD_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_add_desc {
    clg_tensor_desc x; /* any shape and layout, float32; a, b, y and their gradients are like it */
    float alpha, beta; /* finite; both 0, as in a desc that leaves them out, mean 1 and 1 */
} clg_add_desc;

typedef struct clg_add clg_add;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL, alpha or beta not finite), CLG_UNSUPPORTED (not float32),
 * those of a clg_tensor_desc, CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_add_create(clg_context *ctx, const clg_add_desc *desc,
                                                  clg_add **plan);
CLG_API void clg_add_destroy(clg_add *plan); /* NULL is allowed */

/* y = alpha a + beta b. Overwrites y, which may be a or b; a and b may be one tensor.
 * Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's). */
CLG_API CLG_WARN_UNUSED clg_status clg_add_forward(clg_add *plan, clg_tensor *y,
                                                   const clg_tensor *a, const clg_tensor *b,
                                                   const clg_run *run);

/* da = alpha dy and db = beta dy; one of da and db may be NULL, and one of them may be dy.
 * Overwrites, or adds with run->accumulate. Asynchronous.
 * Errors: as forward, with CLG_INVALID_ARGUMENT when both are NULL or the same tensor. */
CLG_API CLG_WARN_UNUSED clg_status clg_add_backward(clg_add *plan, clg_tensor *da, clg_tensor *db,
                                                    const clg_tensor *dy, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
