/* Padding planes on four sides, or cropping them. */
#ifndef CLGRAD_PAD2D_H
#define CLGRAD_PAD2D_H

#include "clgrad/pad_mode.h"
#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_pad2d_desc {
    clg_tensor_desc x; /* [N,C,H,W], float32 */
    int64_t pad[4];    /* top, left, bottom, right; negative: so many rows or columns less */
    clg_pad_mode mode;
    float value; /* of CLG_PAD_CONSTANT; the others ignore it */
} clg_pad2d_desc;

/* y is [N,C,P,Q] in the layout of x, with P = top + H + bottom and Q = left + W + right; dy is like
 * y and dx is like x. */
typedef struct clg_pad2d clg_pad2d;

/* The P and Q of y. Errors: as create, without the ones of a device. */
CLG_API CLG_WARN_UNUSED clg_status clg_pad2d_output_size(const clg_pad2d_desc *desc, int64_t *p,
                                                         int64_t *q);

/*
 * Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (unknown mode; padding of H or W or more with CLG_PAD_REFLECT, of
 * more than what is left of H or W after cropping with CLG_PAD_CIRCULAR), CLG_INVALID_SHAPE (not
 * four dimensions, nothing left of y), CLG_TOO_LARGE (padding or y), CLG_UNSUPPORTED (not float32),
 * those of a clg_tensor_desc, CLG_BUILD_FAILED.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_pad2d_create(clg_context *ctx, const clg_pad2d_desc *desc,
                                                    clg_pad2d **plan);
CLG_API void clg_pad2d_destroy(clg_pad2d *plan); /* NULL is allowed */

/*
 * y[n,c,p,q] = x[n,c,index(p - top),index(q - left)], where index is as clgrad/pad_mode.h says, and
 * the pad value where there is none. CLG_PAD_CIRCULAR repeats what is left after cropping.
 * Overwrites y, which must not overlap x. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_pad2d_forward(clg_pad2d *plan, clg_tensor *y,
                                                     const clg_tensor *x, const clg_run *run);

/*
 * dx = the sum of dy over all elements of y that copied the element, in a fixed order. Overwrites
 * dx, which must not overlap dy. Asynchronous.
 * Errors: as forward; CLG_UNSUPPORTED with run->accumulate.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_pad2d_backward(clg_pad2d *plan, clg_tensor *dx,
                                                      const clg_tensor *dy, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
