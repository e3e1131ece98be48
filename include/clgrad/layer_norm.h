/* Layer normalisation (Ba, Kiros and Hinton 2016): over the last dimensions of each row. */
#ifndef CLGRAD_LAYER_NORM_H
#define CLGRAD_LAYER_NORM_H

#include "clgrad/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The formulas are those of clgrad/norm.h; a set is a row: the elements that share all indices but
 * the last `normalized_dims` ones; sets = the product of the other dimensions (1 if there are
 * none). The same in training and evaluation. */
typedef struct clg_layer_norm_desc {
    clg_tensor_desc x;   /* any shape in C order (CLG_NCHW); y, dy, dx are like it */
    int normalized_dims; /* 1 to x.ndim */
    float eps;           /* 0 or more; usually 1e-5 */
} clg_layer_norm_desc;

typedef struct clg_layer_norm clg_layer_norm;

/* Validates, compiles and reserves workspace. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL, eps negative or not finite), CLG_INVALID_SHAPE
 * (normalized_dims not in 1..ndim), CLG_UNSUPPORTED (not float32, or NHWC: its rows are not
 * contiguous), those of a clg_tensor_desc, CLG_TOO_LARGE (saved would be), CLG_BUILD_FAILED,
 * CLG_OUT_OF_DEVICE_MEMORY. */
CLG_API CLG_WARN_UNUSED clg_status clg_layer_norm_create(clg_context *ctx,
                                                         const clg_layer_norm_desc *desc,
                                                         clg_layer_norm **plan);
CLG_API void clg_layer_norm_destroy(clg_layer_norm *plan); /* NULL is allowed */

/* Bytes of run->workspace that every call of the plan needs. */
CLG_API size_t clg_layer_norm_workspace_size(const clg_layer_norm *plan);

/* The descriptions of tensors.saved, and of gamma, beta, dgamma and dbeta: the last
 * normalized_dims dimensions of x. */
CLG_API clg_tensor_desc clg_layer_norm_saved_desc(const clg_layer_norm *plan);
CLG_API clg_tensor_desc clg_layer_norm_gamma_desc(const clg_layer_norm *plan);

/*
 * tensors NULL: all NULL. Overwrites y, which may be x when no backward pass follows (that one
 * needs x). Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_layer_norm_forward(clg_layer_norm *plan, clg_tensor *y,
                                                          const clg_tensor *x,
                                                          const clg_norm_tensors *tensors,
                                                          const clg_run *run);

/*
 * Gradients of forward with the same x, gamma and saved. grads says which are computed and whether
 * they overwrite. Asynchronous.
 * Errors: as forward; CLG_INVALID_ARGUMENT (grads NULL or all of its members), CLG_INVALID_STATE
 * (saved is NULL and the plan has not run forward without it).
 */
CLG_API CLG_WARN_UNUSED clg_status
clg_layer_norm_backward(clg_layer_norm *plan, const clg_norm_gradients *grads, const clg_tensor *dy,
                        const clg_tensor *x, const clg_norm_tensors *tensors, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
