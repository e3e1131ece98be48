/* Turning planes by 180 degrees: a step of the textbook convolution. */
#ifndef CLGRAD_FLIP2D_H
#define CLGRAD_FLIP2D_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_flip2d_desc {
    clg_tensor_desc x; /* [N,C,H,W] or filters [K,C,R,S], float32; y, dy, dx are like it */
} clg_flip2d_desc;

typedef struct clg_flip2d clg_flip2d;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_SHAPE (not four dimensions), CLG_UNSUPPORTED (not float32), those of a
 * clg_tensor_desc, CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_flip2d_create(clg_context *ctx, const clg_flip2d_desc *desc,
                                                     clg_flip2d **plan);
CLG_API void clg_flip2d_destroy(clg_flip2d *plan); /* NULL is allowed */

/*
 * y[n,c,h,w] = x[n,c,H-1-h,W-1-w]. Overwrites y, which must not overlap x. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_flip2d_forward(clg_flip2d *plan, clg_tensor *y,
                                                      const clg_tensor *x, const clg_run *run);

/*
 * dx[n,c,h,w] = dy[n,c,H-1-h,W-1-w]. Overwrites dx, which must not overlap dy. Asynchronous.
 * Errors: as forward; CLG_UNSUPPORTED with run->accumulate.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_flip2d_backward(clg_flip2d *plan, clg_tensor *dx,
                                                       const clg_tensor *dy, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
