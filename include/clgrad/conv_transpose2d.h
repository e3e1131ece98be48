/* Two-dimensional transposed convolution ("deconvolution"): the gradient of a convolution as a
 * forward operation, with gradients of its own. */
#ifndef CLGRAD_CONV_TRANSPOSE2D_H
#define CLGRAD_CONV_TRANSPOSE2D_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 *   y[n, k, h stride[0] - padding[0] + r dilation[0], v stride[1] - padding[1] + s dilation[1]]
 *       += x[n,c,h,v] w[c,k,r,s]   for every n, c, k, h, v, r, s that falls inside; then + b[k]
 *
 *   x, dx   [N, C, H, W]                y, dy   [N, K, P, Q]
 *   w, dw   [C, K / groups, R, S]       b, db   [K]
 *
 * P = (H - 1) stride[0] - 2 padding[0] + dilation[0] (R - 1) + output_padding[0] + 1, Q likewise.
 * The same as torch.nn.ConvTranspose2d. Source: Zeiler et al., "Deconvolutional Networks", 2010.
 */
typedef struct clg_conv_transpose2d_desc {
    clg_tensor_desc x; /* N C H W float32, NCHW or NHWC */
    int64_t filters;   /* K */
    int64_t kernel[2]; /* R, S */
    int64_t stride[2]; /* down, across */
    int64_t padding[2];
    int64_t output_padding[2]; /* rows and columns more at the end; less than stride or dilation */
    int64_t dilation[2];       /* 1 is dense */
    int64_t groups;
    clg_layout y_layout;    /* of y and dy; x.layout is that of x and dx */
    size_t workspace_limit; /* bytes; 0: what the device can allocate */
    /* The algorithms of the convolution underneath (clg_conv2d_algorithms): its backward_data is
     * our forward, its forward our backward_data. In the order of clg_conv2d_direction; NULL:
     * clgrad chooses. */
    const char *algorithm[3];
    bool tune; /* as in clg_conv2d_desc */
} clg_conv_transpose2d_desc;

/* The shapes of y and w; also checks the whole description.
 * Errors: as clg_conv2d_output_size; also CLG_INVALID_ARGUMENT (a negative padding, an output
 * padding that is neither below the stride nor below the dilation) and CLG_INVALID_SHAPE (no output
 * is left). */
CLG_API CLG_WARN_UNUSED clg_status clg_conv_transpose2d_output_size(
    const clg_conv_transpose2d_desc *desc, clg_tensor_desc *y, clg_tensor_desc *w);

typedef struct clg_conv_transpose2d clg_conv_transpose2d;

/* Validates, selects, compiles, grows the context's scratch buffer. *plan is NULL after a failure.
 * Errors: those of clg_conv_transpose2d_output_size and clg_conv2d_create. */
CLG_API CLG_WARN_UNUSED clg_status clg_conv_transpose2d_create(
    clg_context *ctx, const clg_conv_transpose2d_desc *desc, clg_conv_transpose2d **plan);
CLG_API void clg_conv_transpose2d_destroy(clg_conv_transpose2d *plan); /* NULL is allowed */

/* Bytes of workspace that any of the three functions needs at most (see clg_run). */
CLG_API size_t clg_conv_transpose2d_workspace_size(const clg_conv_transpose2d *plan);

/* All three are asynchronous, with the errors of the clg_conv2d functions. */

/* b may be NULL. Overwrites y, or adds to it with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status clg_conv_transpose2d_forward(clg_conv_transpose2d *plan,
                                                                clg_tensor *y, const clg_tensor *x,
                                                                const clg_tensor *w,
                                                                const clg_tensor *b,
                                                                const clg_run *run);

/* dx = convolution of dy with w. Overwrites dx, or adds to it with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status clg_conv_transpose2d_backward_data(clg_conv_transpose2d *plan,
                                                                      clg_tensor *dx,
                                                                      const clg_tensor *dy,
                                                                      const clg_tensor *w,
                                                                      const clg_run *run);

/* dw: convolution of dy with x; db[k] = sum over n,p,q of dy[n,k,p,q]. One of dw and db may be
 * NULL (x too, when dw is). Overwrites them, or adds to them with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status
clg_conv_transpose2d_backward_filter(clg_conv_transpose2d *plan, clg_tensor *dw, clg_tensor *db,
                                     const clg_tensor *x, const clg_tensor *dy, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
