/* Moving the elements of planes apart: a step of the textbook convolution. */
#ifndef CLGRAD_DILATE2D_H
#define CLGRAD_DILATE2D_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_dilate2d_desc {
    clg_tensor_desc x; /* [N,C,H,W], float32 */
    int64_t stride[2]; /* of rows and columns; 1 leaves them as they are */
} clg_dilate2d_desc;

/* y is [N,C,P,Q] in the layout of x, with P = (H - 1) stride_h + 1 and Q = (W - 1) stride_w + 1;
 * dy is like y and dx is like x. */
typedef struct clg_dilate2d clg_dilate2d;

/* The P and Q of y. Errors: as create, without the ones of a device. */
CLG_API CLG_WARN_UNUSED clg_status clg_dilate2d_output_size(const clg_dilate2d_desc *desc,
                                                            int64_t *p, int64_t *q);

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (a stride below 1), CLG_INVALID_SHAPE (not four dimensions),
 * CLG_TOO_LARGE (a stride or y), CLG_UNSUPPORTED (not float32), those of a clg_tensor_desc,
 * CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_dilate2d_create(clg_context *ctx,
                                                       const clg_dilate2d_desc *desc,
                                                       clg_dilate2d **plan);
CLG_API void clg_dilate2d_destroy(clg_dilate2d *plan); /* NULL is allowed */

/*
 * Puts stride - 1 zeros between neighbours: y[n,c,h stride_h,w stride_w] = x[n,c,h,w], and 0
 * elsewhere. Overwrites y, which must not overlap x. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_dilate2d_forward(clg_dilate2d *plan, clg_tensor *y,
                                                        const clg_tensor *x, const clg_run *run);

/*
 * dx[n,c,h,w] = dy[n,c,h stride_h,w stride_w]. Overwrites dx, which must not overlap dy.
 * Asynchronous. Errors: as forward; CLG_UNSUPPORTED with run->accumulate.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_dilate2d_backward(clg_dilate2d *plan, clg_tensor *dx,
                                                         const clg_tensor *dy, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
