/* Keeping every stride-th row and column: a step of the textbook convolution. */
#ifndef CLGRAD_DOWNSAMPLE2D_H
#define CLGRAD_DOWNSAMPLE2D_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_downsample2d_desc {
    clg_tensor_desc x; /* [N,C,H,W], float32 */
    int64_t stride[2]; /* of rows and columns; 1 keeps all */
} clg_downsample2d_desc;

/* y is [N,C,P,Q] in the layout of x, with P = ceil(H / stride_h) and Q = ceil(W / stride_w); dy is
 * like y and dx is like x. */
typedef struct clg_downsample2d clg_downsample2d;

/* The P and Q of y. Errors: as create, without the ones of a device. */
CLG_API CLG_WARN_UNUSED clg_status clg_downsample2d_output_size(const clg_downsample2d_desc *desc,
                                                                int64_t *p, int64_t *q);

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (a stride below 1), CLG_INVALID_SHAPE (not four dimensions),
 * CLG_TOO_LARGE (a stride or y), CLG_UNSUPPORTED (not float32), those of a clg_tensor_desc,
 * CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_downsample2d_create(clg_context *ctx,
                                                           const clg_downsample2d_desc *desc,
                                                           clg_downsample2d **plan);
CLG_API void clg_downsample2d_destroy(clg_downsample2d *plan); /* NULL is allowed */

/*
 * y[n,c,p,q] = x[n,c,p stride_h,q stride_w]. Overwrites y, which must not overlap x. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_downsample2d_forward(clg_downsample2d *plan, clg_tensor *y,
                                                            const clg_tensor *x,
                                                            const clg_run *run);

/*
 * dx[n,c,p stride_h,q stride_w] = dy[n,c,p,q], and 0 elsewhere. Overwrites dx, which must not
 * overlap dy. Asynchronous. Errors: as forward; CLG_UNSUPPORTED with run->accumulate.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_downsample2d_backward(clg_downsample2d *plan, clg_tensor *dx,
                                                             const clg_tensor *dy,
                                                             const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
