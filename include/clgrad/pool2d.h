/* Pooling: the largest element or the average of windows. */
#ifndef CLGRAD_POOL2D_H
#define CLGRAD_POOL2D_H

#include <stdbool.h>

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clg_pool_kind { CLG_POOL_MAX = 0, CLG_POOL_AVG = 1 } clg_pool_kind;

/* "max" and "avg"; "unknown" for a value that is none. */
CLG_API const char *clg_pool_kind_name(clg_pool_kind kind);
/* The kind of that name. Errors: CLG_INVALID_ARGUMENT (NULL, or no such name; the message lists
 * them). */
CLG_API CLG_WARN_UNUSED clg_status clg_pool_kind_from_name(const char *name, clg_pool_kind *kind);

/* Pairs are of rows and columns. */
typedef struct clg_pool2d_desc {
    clg_tensor_desc x; /* [N,C,H,W], float32 */
    clg_pool_kind kind;
    bool global;            /* one window, all of H x W; the members below are ignored */
    bool count_include_pad; /* avg: the average counts padding as zeros */
    int64_t size[2];        /* R and S, the taps of a window */
    int64_t stride[2];      /* from window to window */
    int64_t pad[2];         /* on both sides; at most half of a window, its dilation included */
    int64_t dilation[2];    /* of max, from tap to tap: 1 is dense */
    bool x_is_relu;         /* max: x = relu(v), and the gradient is that of v; see backward */
} clg_pool2d_desc;

/*
 * y is [N,C,P,Q] in the layout of x; dy is like y and dx is like x.
 * P = floor((H + 2 pad_h - (R - 1) dilation_h - 1) / stride_h) + 1, and Q in the same way: rows and
 * columns at the end that fill no window are left out. The same as in PyTorch without ceil_mode.
 */
typedef struct clg_pool2d clg_pool2d;

/* The P and Q of y. Errors: as create, without the ones of a device. */
CLG_API CLG_WARN_UNUSED clg_status clg_pool2d_output_size(const clg_pool2d_desc *desc, int64_t *p,
                                                          int64_t *q);

/*
 * Validates, compiles and reserves workspace. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (unknown kind; size, stride or dilation below 1; padding below 0 or
 * above half of the window), CLG_INVALID_SHAPE (not four dimensions, a window larger than the
 * padded plane), CLG_TOO_LARGE (2^31 or more points along an axis), CLG_UNSUPPORTED (average with
 * dilation, not float32, windows that take more than clg_device_info.longest_loop), those of a
 * clg_tensor_desc, CLG_BUILD_FAILED.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_pool2d_create(clg_context *ctx, const clg_pool2d_desc *desc,
                                                     clg_pool2d **plan);
CLG_API void clg_pool2d_destroy(clg_pool2d *plan); /* NULL is allowed */

/* Bytes of run->workspace that clg_pool2d_backward needs; 0 but for maxima of windows that overlap
 * on GPU-like devices. Forward needs none. */
CLG_API size_t clg_pool2d_workspace_size(const clg_pool2d *plan);

/*
 * max: y[n,c,p,q] = the largest of x[n,c,p stride_h - pad_h + r dilation_h,
 *                                        q stride_w - pad_w + s dilation_w] for r < R, s < S.
 *      Padding never wins, a NaN always; a window of nothing but padding gives -infinity.
 * avg: y[n,c,p,q] = the sum of these / (R S) with count_include_pad, else / the number of them that
 *      are not padding.
 * Overwrites y, which must not overlap x. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_pool2d_forward(clg_pool2d *plan, clg_tensor *y,
                                                      const clg_tensor *x, const clg_run *run);

/*
 * max: dx = the sum of dy over the windows that the element won: as the first of the largest taps
 *      in row-major order, or as the last of the NaNs. x and y are those of the forward pass: with
 *      them no indices need to be kept. Where y is another one, dx is undefined.
 *      With x_is_relu, dx is 0 where x <= 0: what the backward function of relu makes of that sum.
 * avg: dx = the sum of dy / divisor over the windows that hold the element. x and y are not used
 *      and may be NULL.
 * The sums have a fixed order. Overwrites dx, which must not overlap an input. Asynchronous.
 * Errors: as forward; CLG_INVALID_ARGUMENT (a workspace too small), CLG_UNSUPPORTED with
 * run->accumulate.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_pool2d_backward(clg_pool2d *plan, clg_tensor *dx,
                                                       const clg_tensor *dy, const clg_tensor *x,
                                                       const clg_tensor *y, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
