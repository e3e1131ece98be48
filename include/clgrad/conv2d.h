/* Two-dimensional convolution: forward, and the gradients of its input, filter and bias. */
#ifndef CLGRAD_CONV2D_H
#define CLGRAD_CONV2D_H

#include <string.h>

#include "clgrad/epilogue.h"
#include "clgrad/pad_mode.h"
#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Convolution here is cross-correlation, as in the lectures and in every framework. With xp, the
 * input padded by `padding`:
 *
 *   y[n,k,p,q]  = b[k] + sum over c,r,s of
 *                 xp[n, c, p stride[0] + r dilation[0], q stride[1] + s dilation[1]] w[k,c,r,s]
 *
 *   x, dx   [N, C, H, W]              y, dy   [N, K, P, Q]
 *   w, dw   [K, C / groups, R, S]     b, db   [K]
 *
 * P = floor((H + padding top and bottom - dilation[0] (R - 1) - 1) / stride[0]) + 1, Q likewise.
 * With groups, filter k sees the C / groups channels of its group; groups = C is depthwise, and
 * K = m C a depthwise convolution with channel multiplier m.
 */
typedef struct clg_conv2d_desc {
    clg_tensor_desc x; /* N C H W float32, NCHW or NHWC */
    int64_t filters;   /* K */
    int64_t kernel[2]; /* R, S */
    int64_t stride[2]; /* down, across */
    /* Top, left, bottom, right. Negative values crop and need CLG_PAD_ZEROS. */
    int64_t padding[4];
    int64_t dilation[2]; /* 1 is dense */
    int64_t groups;
    clg_pad_mode pad_mode;
    float pad_value;     /* with CLG_PAD_CONSTANT */
    clg_layout y_layout; /* of y and dy; x.layout is that of x and dx */
    /* What forward applies to x * w + b. The gradient functions take the dy of x * w + b: for relu,
     * zero where y <= 0. */
    clg_epilogue epilogue;
    /* Bits 1 << CLG_CONV2D_... of the directions that the plan serves; 0: all three. */
    unsigned directions;
    /* The algorithm of each direction by name (clg_conv2d_algorithms); NULL: clgrad chooses. */
    const char *algorithm[3];
    size_t workspace_limit; /* bytes; 0: what the device can allocate */
    /* Choose by measured times, and measure those that the tuning store lacks, whatever the
     * context's setting: creating the plan then takes longer and blocks. See clgrad/tuning.h. */
    bool tune;
} clg_conv2d_desc;

typedef enum clg_conv2d_direction {
    CLG_CONV2D_FORWARD = 0,
    CLG_CONV2D_BACKWARD_DATA = 1,
    CLG_CONV2D_BACKWARD_FILTER = 2
} clg_conv2d_direction;

/* A description with stride 1, no padding, dilation 1, one group; y in x's layout. */
static inline clg_conv2d_desc clg_conv2d_desc_init(clg_tensor_desc x, int64_t filters,
                                                   int64_t kernel_h, int64_t kernel_w)
{
    clg_conv2d_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.x = x;
    desc.filters = filters;
    desc.kernel[0] = kernel_h;
    desc.kernel[1] = kernel_w;
    desc.stride[0] = desc.stride[1] = 1;
    desc.dilation[0] = desc.dilation[1] = 1;
    desc.groups = 1;
    desc.y_layout = x.layout;
    return desc;
}

/*
 * The shapes of y and w for a description; also checks the whole description.
 * Errors: those of a clg_tensor_desc; CLG_UNSUPPORTED (x is not float32); CLG_INVALID_ARGUMENT (a
 * stride, dilation or count below 1, an unknown mode, layout or epilogue, a pad value that is not
 * finite, a negative padding with another mode than zeros, a padding too large for its mode);
 * CLG_INVALID_SHAPE (groups do not divide C and K, the window is larger than the padded input);
 * CLG_TOO_LARGE.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_conv2d_output_size(const clg_conv2d_desc *desc,
                                                          clg_tensor_desc *y, clg_tensor_desc *w);

/*
 * The layout of x and y in which the directions that the description asks for take the least time,
 * all of them together, as measured where the tuning store has every one, else by estimate; what
 * desc->x.layout and desc->y_layout say does not matter unless it makes no difference, then *layout
 * is x's. Nothing is measured, compiled or allocated. Errors: those of clg_conv2d_create, without
 * those of compiling and allocating.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_conv2d_preferred_layout(clg_context *ctx,
                                                               const clg_conv2d_desc *desc,
                                                               clg_layout *layout);

typedef struct clg_conv2d clg_conv2d;

/*
 * Validates, selects an algorithm for each direction (by measured time where the tuning store has
 * it, else by estimate), compiles, and grows the context's scratch buffer to the workspace. Running
 * the plan neither compiles nor allocates. *plan is NULL after a failure. The strings of `desc` are
 * not kept. Errors: those of clg_conv2d_output_size; CLG_INVALID_ARGUMENT (no algorithm of that
 * name); CLG_UNSUPPORTED (none takes the problem within the workspace limit; the message has each
 * one's reason); CLG_BUILD_FAILED; CLG_OUT_OF_DEVICE_MEMORY.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_conv2d_create(clg_context *ctx, const clg_conv2d_desc *desc,
                                                     clg_conv2d **plan);
CLG_API void clg_conv2d_destroy(clg_conv2d *plan); /* NULL is allowed */

/* The shapes of the plan's tensors; valid as long as the plan. */
CLG_API const clg_tensor_desc *clg_conv2d_x_desc(const clg_conv2d *plan);
CLG_API const clg_tensor_desc *clg_conv2d_y_desc(const clg_conv2d *plan);
CLG_API const clg_tensor_desc *clg_conv2d_w_desc(const clg_conv2d *plan);

/* The chosen algorithm's name; "none" for a direction that the plan does not serve. */
CLG_API const char *clg_conv2d_algorithm(const clg_conv2d *plan, clg_conv2d_direction direction);

/* Bytes of workspace that running a direction needs (see clg_run). */
CLG_API size_t clg_conv2d_workspace_size(const clg_conv2d *plan, clg_conv2d_direction direction);

/* Seconds that a direction takes by the estimate that algorithms are chosen by, layout changes
 * included, bias left out; 0 for a direction that the plan does not serve. Good for comparing
 * algorithms on one device, not for predictions. */
CLG_API double clg_conv2d_estimate(const clg_conv2d *plan, clg_conv2d_direction direction);
/* The same as the tuning store has it, measured by this process or an earlier one; 0: it has none,
 * or the algorithm was named. */
CLG_API double clg_conv2d_measured(const clg_conv2d *plan, clg_conv2d_direction direction);

/* The names of a direction's algorithms, the preferred first: fills up to `capacity` names,
 * returns how many there are. */
CLG_API size_t clg_conv2d_algorithms(clg_conv2d_direction direction, const char **names,
                                     size_t capacity);
/* Whether the algorithm only adds and multiplies its inputs, so that integer data whose sums stay
 * below 2^24 gives exact results; false for an unknown name. */
CLG_API bool clg_conv2d_algorithm_exact(clg_conv2d_direction direction, const char *name);

/*
 * The three directions. Asynchronous. Errors: CLG_INVALID_ARGUMENT (NULL, another context, a
 * workspace too small), CLG_INVALID_SHAPE (not the plan's), CLG_INVALID_STATE (a direction that
 * the plan does not serve), OpenCL failures.
 */

/* y = x * w + b, and the description's epilogue; b may be NULL. Overwrites y, or adds to it with
 * run->accumulate. Errors: also CLG_UNSUPPORTED (accumulate with an epilogue). */
CLG_API CLG_WARN_UNUSED clg_status clg_conv2d_forward(clg_conv2d *plan, clg_tensor *y,
                                                      const clg_tensor *x, const clg_tensor *w,
                                                      const clg_tensor *b, const clg_run *run);

/* dx[n,c,h,w] = sum over all k,p,q,r,s with xp's element at x[n,c,h,w] of dy[n,k,p,q] w[k,c,r,s]:
 * the full convolution of dy, zero-dilated by stride - 1, with the filter rotated by 180 degrees.
 * Overwrites dx, or adds to it with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status clg_conv2d_backward_data(clg_conv2d *plan, clg_tensor *dx,
                                                            const clg_tensor *dy,
                                                            const clg_tensor *w,
                                                            const clg_run *run);

/* dw[k,c,r,s] = sum over n,p,q of dy[n,k,p,q] xp[n, c, p stride + r dilation, ...]: the
 * convolution of x with dy; db[k] = sum over n,p,q of dy[n,k,p,q]. One of dw and db may be NULL (x
 * too, when dw is). Overwrites them, or adds to them with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status clg_conv2d_backward_filter(clg_conv2d *plan, clg_tensor *dw,
                                                              clg_tensor *db, const clg_tensor *x,
                                                              const clg_tensor *dy,
                                                              const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
