/* Batch normalisation: its geometry for src/ops/norm.c, which does the work. */
#include "clgrad/batch_norm.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/norm.h"
#include "ops/plan.h"

struct clg_batch_norm {
    struct clg__norm norm;
};

clg_status clg_batch_norm_create(clg_context *ctx, const clg_batch_norm_desc *desc,
                                 clg_batch_norm **out)
{
    static const char call[] = "clg_batch_norm_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    CLG__TRY(clg__norm_check(call, &desc->x, desc->eps));
    if (!(desc->momentum >= 0 && desc->momentum <= 1))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: momentum is %g, 0 to 1 is possible", call,
                         (double)desc->momentum);
    if ((unsigned)desc->epilogue >= CLG_EPILOGUE_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: epilogue %d is unknown", call,
                         (int)desc->epilogue);
    struct clg__norm_problem problem = {.kind = CLG__NORM_BATCH,
                                        .x = desc->x,
                                        .eps = desc->eps,
                                        .momentum = desc->momentum,
                                        .relu = desc->epilogue == CLG_EPILOGUE_RELU,
                                        .residual = desc->residual};
    CLG__TRY(clg__norm_image_problem(call, &problem));
    clg_batch_norm *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a batch norm plan");
    clg_status status = clg__norm_init(&plan->norm, ctx, &problem);
    if (status == CLG_OK)
        *out = plan;
    else
        clg_batch_norm_destroy(plan);
    return status;
}

void clg_batch_norm_destroy(clg_batch_norm *plan)
{
    if (!plan)
        return;
    clg__norm_release(&plan->norm);
    free(plan);
}

size_t clg_batch_norm_workspace_size(const clg_batch_norm *plan)
{
    return plan->norm.workspace;
}

clg_tensor_desc clg_batch_norm_saved_desc(const clg_batch_norm *plan)
{
    return plan->norm.saved_desc;
}

static struct clg__norm_operands operands_of(const clg_batch_norm_tensors *tensors, bool evaluation)
{
    static const clg_batch_norm_tensors none;
    if (!tensors)
        tensors = &none;
    return (struct clg__norm_operands){
        tensors->gamma,       tensors->beta, tensors->saved, tensors->running_mean,
        tensors->running_var, evaluation,    tensors->z,     tensors->y};
}

clg_status clg_batch_norm_forward_train(clg_batch_norm *plan, clg_tensor *y, const clg_tensor *x,
                                        const clg_batch_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_batch_norm_forward_train";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = operands_of(tensors, false);
    return clg__norm_forward(&plan->norm, call, y, x, &operands, run);
}

clg_status clg_batch_norm_forward_eval(clg_batch_norm *plan, clg_tensor *y, const clg_tensor *x,
                                       const clg_batch_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_batch_norm_forward_eval";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = operands_of(tensors, true);
    return clg__norm_forward(&plan->norm, call, y, x, &operands, run);
}

clg_status clg_batch_norm_backward(clg_batch_norm *plan, const clg_norm_gradients *grads,
                                   const clg_tensor *dy, const clg_tensor *x,
                                   const clg_batch_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_batch_norm_backward";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = operands_of(tensors, false);
    return clg__norm_backward(&plan->norm, call, grads, dy, x, &operands, run);
}

clg_status clg_batch_norm_backward_eval(clg_batch_norm *plan, const clg_norm_gradients *grads,
                                        const clg_tensor *dy, const clg_tensor *x,
                                        const clg_batch_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_batch_norm_backward_eval";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = operands_of(tensors, true);
    return clg__norm_backward(&plan->norm, call, grads, dy, x, &operands, run);
}
