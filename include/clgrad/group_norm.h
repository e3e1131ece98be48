/* Group normalisation (Wu and He 2018): over a group of channels of one image. Instance
 * normalisation (Ulyanov 2016) is groups = C. */
#ifndef CLGRAD_GROUP_NORM_H
#define CLGRAD_GROUP_NORM_H

#include "clgrad/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The formulas are those of clgrad/norm.h; a set is the C / groups channels of a group in one
 * image: sets = N groups, image by image. The same in training and evaluation. */
typedef struct clg_group_norm_desc {
    clg_tensor_desc x; /* [N, C, ...] of 2 to 6 dimensions, either layout; y, dy, dx are like it */
    int64_t groups;    /* divides C */
    float eps;         /* 0 or more; usually 1e-5 */
} clg_group_norm_desc;

typedef struct clg_group_norm clg_group_norm;

/* Validates, compiles and reserves workspace. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL, eps negative or not finite), CLG_INVALID_SHAPE (x has one
 * dimension, groups below 1 or no divisor of C), CLG_UNSUPPORTED (not float32), those of a
 * clg_tensor_desc, CLG_TOO_LARGE (saved would be), CLG_BUILD_FAILED, CLG_OUT_OF_DEVICE_MEMORY. */
CLG_API CLG_WARN_UNUSED clg_status clg_group_norm_create(clg_context *ctx,
                                                         const clg_group_norm_desc *desc,
                                                         clg_group_norm **plan);
CLG_API void clg_group_norm_destroy(clg_group_norm *plan); /* NULL is allowed */

/* Bytes of run->workspace that every call of the plan needs. */
CLG_API size_t clg_group_norm_workspace_size(const clg_group_norm *plan);

/* The description of tensors.saved. */
CLG_API clg_tensor_desc clg_group_norm_saved_desc(const clg_group_norm *plan);

/*
 * gamma and beta are [C], saved [3, N groups]; tensors NULL: all NULL. Overwrites y, which may be x
 * when no backward pass follows (that one needs x). Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_group_norm_forward(clg_group_norm *plan, clg_tensor *y,
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
clg_group_norm_backward(clg_group_norm *plan, const clg_norm_gradients *grads, const clg_tensor *dy,
                        const clg_tensor *x, const clg_norm_tensors *tensors, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
