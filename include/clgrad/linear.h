/* Fully connected layer: forward, and the gradients of its input, weights and bias. */
#ifndef CLGRAD_LINEAR_H
#define CLGRAD_LINEAR_H

#include "clgrad/epilogue.h"
#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 *   y[n,o]  = b[o] + sum over i of x[n,i] w[o,i]         y = x w^T + b
 *   dx[n,i] = sum over o of dy[n,o] w[o,i]               dx = dy w
 *   dw[o,i] = sum over n of dy[n,o] x[n,i]               dw = dy^T x
 *   db[o]   = sum over n of dy[n,o]
 *
 *   x, dx  [N, in]       w, dw  [out, in]       b, db  [out]       y, dy  [N, out]
 *
 * Each is a matrix product. Algorithms: `tiled`, clgrad's own; `tiled_split`, the same with its
 * sums in parts, for results too small to keep the device busy; `clblast`, the library of that
 * name.
 */
typedef struct clg_linear_desc {
    clg_tensor_desc x; /* [N, in], float32; a view of N C H W data with in = C H W flattens it */
    int64_t out;       /* features of y */
    /* What forward applies to x w^T + b. The gradient functions take the dy of x w^T + b: for relu,
     * zero where y <= 0. */
    clg_epilogue epilogue;
    /* Bits 1 << CLG_LINEAR_... of the directions that the plan serves; 0: all three. */
    unsigned directions;
    /* The algorithm of each direction by name (clg_linear_algorithms); NULL: clgrad chooses. */
    const char *algorithm[3];
    size_t workspace_limit; /* bytes for an algorithm; 0: what the device can allocate */
} clg_linear_desc;

typedef enum clg_linear_direction {
    CLG_LINEAR_FORWARD = 0,
    CLG_LINEAR_BACKWARD_DATA = 1,
    CLG_LINEAR_BACKWARD_WEIGHT = 2
} clg_linear_direction;

typedef struct clg_linear clg_linear;

/*
 * Validates, selects an algorithm for each direction, compiles, and grows the context's scratch
 * buffer to the workspace. Running the plan neither compiles nor allocates. *plan is NULL after a
 * failure. The strings of `desc` are not kept.
 * Errors: those of a clg_tensor_desc, also for y and w; CLG_INVALID_SHAPE (x is no matrix, out is
 * below 1); CLG_UNSUPPORTED (x is not float32; no algorithm takes the problem within the workspace
 * limit: the message has each one's reason); CLG_INVALID_ARGUMENT (NULL, unknown direction bits or
 * epilogue, no algorithm of that name); CLG_BUILD_FAILED; CLG_OUT_OF_DEVICE_MEMORY.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_linear_create(clg_context *ctx, const clg_linear_desc *desc,
                                                     clg_linear **plan);
CLG_API void clg_linear_destroy(clg_linear *plan); /* NULL is allowed */

/* The shapes of the plan's tensors; valid as long as the plan. */
CLG_API const clg_tensor_desc *clg_linear_x_desc(const clg_linear *plan);
CLG_API const clg_tensor_desc *clg_linear_y_desc(const clg_linear *plan);
CLG_API const clg_tensor_desc *clg_linear_w_desc(const clg_linear *plan);
CLG_API const clg_tensor_desc *clg_linear_b_desc(const clg_linear *plan);

/* The chosen algorithm's name; "none" for a direction that the plan does not serve. */
CLG_API const char *clg_linear_algorithm(const clg_linear *plan, clg_linear_direction direction);

/* Bytes of workspace that running a direction needs (see clg_run). */
CLG_API size_t clg_linear_workspace_size(const clg_linear *plan, clg_linear_direction direction);

/* The names of the algorithms, the same for every direction: fills up to `capacity` names, returns
 * how many there are. */
CLG_API size_t clg_linear_algorithms(const char **names, size_t capacity);

/*
 * The three directions. Asynchronous. The outputs must not overlap the inputs. Errors:
 * CLG_INVALID_ARGUMENT (NULL, another context, a workspace too small), CLG_INVALID_SHAPE (not the
 * plan's), CLG_INVALID_STATE (a direction that the plan does not serve), OpenCL failures.
 */

/* y = x w^T + b, and the description's epilogue; b may be NULL. Overwrites y, or adds to it with
 * run->accumulate. Errors: also CLG_UNSUPPORTED (accumulate with an epilogue). */
CLG_API CLG_WARN_UNUSED clg_status clg_linear_forward(clg_linear *plan, clg_tensor *y,
                                                      const clg_tensor *x, const clg_tensor *w,
                                                      const clg_tensor *b, const clg_run *run);

/* dx = dy w. Overwrites dx, or adds to it with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status clg_linear_backward_data(clg_linear *plan, clg_tensor *dx,
                                                            const clg_tensor *dy,
                                                            const clg_tensor *w,
                                                            const clg_run *run);

/* dw = dy^T x, db the sums of dy's columns. One of dw and db may be NULL (x too, when dw is).
 * Overwrites them, or adds to them with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status clg_linear_backward_weight(clg_linear *plan, clg_tensor *dw,
                                                              clg_tensor *db, const clg_tensor *x,
                                                              const clg_tensor *dy,
                                                              const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
