/* Group normalisation: its geometry for src/ops/norm.c, which does the work. */
#include "clgrad/group_norm.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/norm.h"
#include "ops/plan.h"

struct clg_group_norm {
    struct clg__norm norm;
};

clg_status clg_group_norm_create(clg_context *ctx, const clg_group_norm_desc *desc,
                                 clg_group_norm **out)
{
    static const char call[] = "clg_group_norm_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    CLG__TRY(clg__norm_check(call, &desc->x, desc->eps));
    struct clg__norm_problem problem = {
        .kind = CLG__NORM_GROUP, .x = desc->x, .groups = desc->groups, .eps = desc->eps};
    CLG__TRY(clg__norm_image_problem(call, &problem));
    if (desc->groups < 1 || problem.channels % desc->groups != 0)
        return clg__fail(CLG_INVALID_SHAPE, "%s: %lld groups do not divide %lld channels", call,
                         (long long)desc->groups, (long long)problem.channels);
    clg_group_norm *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a group norm plan");
    clg_status status = clg__norm_init(&plan->norm, ctx, &problem);
    if (status == CLG_OK)
        *out = plan;
    else
        clg_group_norm_destroy(plan);
    return status;
}

void clg_group_norm_destroy(clg_group_norm *plan)
{
    if (!plan)
        return;
    clg__norm_release(&plan->norm);
    free(plan);
}

size_t clg_group_norm_workspace_size(const clg_group_norm *plan)
{
    return plan->norm.workspace;
}

clg_tensor_desc clg_group_norm_saved_desc(const clg_group_norm *plan)
{
    return plan->norm.saved_desc;
}

clg_status clg_group_norm_forward(clg_group_norm *plan, clg_tensor *y, const clg_tensor *x,
                                  const clg_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_group_norm_forward";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = clg__norm_operands_of(tensors);
    return clg__norm_forward(&plan->norm, call, y, x, &operands, run);
}

clg_status clg_group_norm_backward(clg_group_norm *plan, const clg_norm_gradients *grads,
                                   const clg_tensor *dy, const clg_tensor *x,
                                   const clg_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_group_norm_backward";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = clg__norm_operands_of(tensors);
    return clg__norm_backward(&plan->norm, call, grads, dy, x, &operands, run);
}
