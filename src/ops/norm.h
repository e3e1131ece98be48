/* What batch_norm, group_norm and layer_norm share: one plan, which each describes its geometry
 * to. The kernels are norm_planes, norm_columns, norm_rows and norm_join. */
#ifndef CLG_OPS_NORM_H
#define CLG_OPS_NORM_H

#include "clgrad/norm.h"
#include "ops/norm_stage.h"

enum clg__norm_kind { CLG__NORM_BATCH, CLG__NORM_GROUP, CLG__NORM_LAYER };

/* The x of an operation. */
struct clg__norm_problem {
    enum clg__norm_kind kind;
    clg_tensor_desc x, gamma;
    int64_t images, channels, length; /* layer norm: rows, their length, 1 */
    bool channels_last;
    int64_t groups; /* of group norm */
    float eps, momentum;
    bool relu, residual; /* of batch norm */
};

/* The tensors of a call besides x, y and gradients; any may be NULL. */
struct clg__norm_operands {
    const clg_tensor *gamma, *beta;
    clg_tensor *saved;
    clg_tensor *running_mean, *running_var; /* of batch norm */
    bool evaluation;                        /* batch norm with the running statistics */
    const clg_tensor *z, *y;                /* of batch norm with a residual: forward, backward */
};

struct clg__norm {
    clg_context *ctx;
    struct clg__norm_problem problem;
    clg_tensor_desc saved_desc;
    int64_t sets;
    clg_tensor *saved; /* where a caller brings none */
    bool saved_valid;
    size_t coefficients, spread, workspace; /* byte offsets of what comes first, and all */
    bool whole_rows; /* layer norm: apply and gradient do all of a row, its statistics included */
    struct clg__norm_stage moments, sums, apply, gradient;
    struct clg__norm_stage column_sums; /* layer norm: for gamma and beta */
    struct norm_join join_moments_args, join_sums_args;
    struct clg__kernel *join_moments, *join_sums, *parameter_gradients, *evaluation, *spread_saved;
};

/* Checks what the three descriptions share; `call` is the create function.
 * Errors: those of a clg_tensor_desc, CLG_UNSUPPORTED, CLG_INVALID_ARGUMENT (eps). */
clg_status clg__norm_check(const char *call, const clg_tensor_desc *x, float eps);

/* Fills images, channels, length and channels_last from x, [N, C, ...].
 * Errors: CLG_INVALID_SHAPE (one dimension). */
clg_status clg__norm_image_problem(const char *call, struct clg__norm_problem *problem);

/* Compiles and reserves. On failure, as after use, call clg__norm_release. */
clg_status clg__norm_init(struct clg__norm *norm, clg_context *ctx,
                          const struct clg__norm_problem *problem);
void clg__norm_release(struct clg__norm *norm);

/* Of group norm and layer norm; tensors may be NULL. */
struct clg__norm_operands clg__norm_operands_of(const clg_norm_tensors *tensors);

/* What the public functions do after checking the plan; `call` is their name. */
clg_status clg__norm_forward(struct clg__norm *norm, const char *call, clg_tensor *y,
                             const clg_tensor *x, const struct clg__norm_operands *operands,
                             const clg_run *run);

clg_status clg__norm_backward(struct clg__norm *norm, const char *call,
                              const clg_norm_gradients *grads, const clg_tensor *dy,
                              const clg_tensor *x, const struct clg__norm_operands *operands,
                              const clg_run *run);

#endif
