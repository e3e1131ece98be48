/* Batch normalisation (Ioffe and Szegedy 2015): by channel, over the batch and all pixels. */
#ifndef CLGRAD_BATCH_NORM_H
#define CLGRAD_BATCH_NORM_H

#include "clgrad/epilogue.h"
#include "clgrad/norm.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The formulas are those of clgrad/norm.h; a set is a channel: M = N H W elements, sets = C.
 *
 *   training:    the batch's own statistics, and
 *                running_mean = (1 - momentum) running_mean + momentum mean
 *                running_var = (1 - momentum) running_var + momentum var M / (M - 1)
 *   evaluation:  mean = running_mean, var = running_var; constants for the gradients
 *
 * A plan may do more in the same passes over the data, as cuDNN's BN_ACTIVATION and
 * BN_ADD_ACTIVATION do:
 *
 *   y = max(gamma xhat + beta, 0)        with the epilogue relu
 *   y = gamma xhat + beta + z            with a residual z
 *   y = max(gamma xhat + beta + z, 0)    with both
 *
 * Its backward pass then takes the dy of that y: all gradients are those with dy = 0 where y <= 0,
 * and that dy is the gradient of z.
 */
typedef struct clg_batch_norm_desc {
    clg_tensor_desc x; /* [N, C, ...] of 2 to 6 dimensions, either layout; y, dy, dx are like it */
    float eps;         /* 0 or more; usually 1e-5 */
    float momentum;    /* 0 to 1, the weight of the new batch; usually 0.1 */
    clg_epilogue epilogue;
    bool residual; /* forward takes a z */
} clg_batch_norm_desc;

/* The tensors besides x and y. Each may be NULL unless a function says otherwise. */
typedef struct clg_batch_norm_tensors {
    const clg_tensor *gamma; /* [C]; NULL: 1 */
    const clg_tensor *beta;  /* [C]; NULL: 0; backward reads it with an epilogue */
    /* [C]. forward_train updates each one that is there; the functions for evaluation read them. */
    clg_tensor *running_mean;
    clg_tensor *running_var;
    clg_tensor *saved; /* [3, C], written by forward_train, read by backward; NULL: the plan's */
    /* With a residual, both like x. Forward reads z, which may be its y; backward with an epilogue
     * reads y, what forward made. */
    const clg_tensor *z;
    const clg_tensor *y;
} clg_batch_norm_tensors;

typedef struct clg_batch_norm clg_batch_norm;

/* Validates, compiles and reserves workspace. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL, eps negative or not finite, momentum not in 0..1, unknown
 * epilogue),
 * CLG_INVALID_SHAPE (x has one dimension), CLG_UNSUPPORTED (not float32), those of a
 * clg_tensor_desc, CLG_BUILD_FAILED, CLG_OUT_OF_DEVICE_MEMORY. */
CLG_API CLG_WARN_UNUSED clg_status clg_batch_norm_create(clg_context *ctx,
                                                         const clg_batch_norm_desc *desc,
                                                         clg_batch_norm **plan);
CLG_API void clg_batch_norm_destroy(clg_batch_norm *plan); /* NULL is allowed */

/* Bytes of run->workspace that every call of the plan needs. */
CLG_API size_t clg_batch_norm_workspace_size(const clg_batch_norm *plan);

/* The description of tensors.saved. */
CLG_API clg_tensor_desc clg_batch_norm_saved_desc(const clg_batch_norm *plan);

/*
 * Training mode: y from the batch's statistics, which go to `saved`; updates the running ones.
 * Overwrites y, which may be x when no backward pass follows (that one needs x). tensors NULL: all
 * NULL, which a plan with a residual refuses. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context, z without a residual or the other way
 * round), CLG_INVALID_SHAPE (not the plan's; or one element a channel, which has no variance).
 */
CLG_API CLG_WARN_UNUSED clg_status
clg_batch_norm_forward_train(clg_batch_norm *plan, clg_tensor *y, const clg_tensor *x,
                             const clg_batch_norm_tensors *tensors, const clg_run *run);

/* Evaluation mode: y from running_mean and running_var, which must be there and stay as they are.
 * Overwrites y, which may be x when no backward pass follows. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's). */
CLG_API CLG_WARN_UNUSED clg_status
clg_batch_norm_forward_eval(clg_batch_norm *plan, clg_tensor *y, const clg_tensor *x,
                            const clg_batch_norm_tensors *tensors, const clg_run *run);

/*
 * Gradients of forward_train with the same x, gamma and saved. grads says which are computed and
 * whether they overwrite. Asynchronous.
 * Errors: as forward_train; CLG_INVALID_ARGUMENT (grads NULL or all of its members, dz of another
 * plan than one with a residual and relu, y where it is not needed, or none where it is),
 * CLG_INVALID_STATE (saved is NULL and the plan has not run forward_train without it).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_batch_norm_backward(
    clg_batch_norm *plan, const clg_norm_gradients *grads, const clg_tensor *dy,
    const clg_tensor *x, const clg_batch_norm_tensors *tensors, const clg_run *run);

/* Gradients of forward_eval, whose statistics are constants: dx = dy gamma rstd; dgamma and dbeta
 * as in clgrad/norm.h with the running statistics. Asynchronous. Errors: as forward_eval;
 * CLG_INVALID_ARGUMENT (grads NULL or all of its members). */
CLG_API CLG_WARN_UNUSED clg_status clg_batch_norm_backward_eval(
    clg_batch_norm *plan, const clg_norm_gradients *grads, const clg_tensor *dy,
    const clg_tensor *x, const clg_batch_norm_tensors *tensors, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
