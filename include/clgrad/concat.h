/* Concatenation of tensors along their channels. */
#ifndef CLGRAD_CONCAT_H
#define CLGRAD_CONCAT_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_concat_desc {
    int num_inputs; /* at least 1 */
    /* [num_inputs], copied by create: float32 N C H W in either layout, equal but for C. */
    const clg_tensor_desc *x;
} clg_concat_desc;

typedef struct clg_concat clg_concat;

/* The description of y: the channels of all inputs, one after the other.
 * Errors: CLG_INVALID_ARGUMENT (NULL, no inputs), CLG_INVALID_SHAPE (not four dimensions, or N, H,
 * W or the layout differ between inputs), CLG_TOO_LARGE (y has 2^31 elements or more),
 * CLG_UNSUPPORTED (not float32), those of a clg_tensor_desc. */
CLG_API CLG_WARN_UNUSED clg_status clg_concat_output_desc(const clg_concat_desc *desc,
                                                          clg_tensor_desc *y);

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: those of clg_concat_output_desc, CLG_OUT_OF_HOST_MEMORY, CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_concat_create(clg_context *ctx, const clg_concat_desc *desc,
                                                     clg_concat **plan);
CLG_API void clg_concat_destroy(clg_concat *plan); /* NULL is allowed */

/* y[n, C0 + ... + C(i-1) + c, h, w] = x[i][n, c, h, w]; x holds num_inputs tensors, of which some
 * may be the same. Overwrites y, which must not overlap any input. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's). */
CLG_API CLG_WARN_UNUSED clg_status clg_concat_forward(clg_concat *plan, clg_tensor *y,
                                                      const clg_tensor *const *x,
                                                      const clg_run *run);

/* dx[i][n, c, h, w] = dy[n, C0 + ... + C(i-1) + c, h, w]; a dx[i] may be NULL. Overwrites the
 * others, or adds to them with run->accumulate (then they may also be one tensor, which gets the
 * sum); none may overlap dy. Asynchronous. Errors: as forward. */
CLG_API CLG_WARN_UNUSED clg_status clg_concat_backward(clg_concat *plan, clg_tensor *const *dx,
                                                       const clg_tensor *dy, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
