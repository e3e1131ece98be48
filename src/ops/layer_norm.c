/* Layer normalisation: its geometry for src/ops/norm.c, which does the work. */
#include "clgrad/layer_norm.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/norm.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

struct clg_layer_norm {
    struct clg__norm norm;
};

static clg_status check_desc(const char *call, const clg_layer_norm_desc *desc)
{
    char text[CLG__DESC_TEXT];
    CLG__TRY(clg__norm_check(call, &desc->x, desc->eps));
    if (desc->x.layout != CLG_NCHW)
        return clg__fail(CLG_UNSUPPORTED, "%s: x is %s, rows are contiguous in NCHW only", call,
                         clg__desc_text(&desc->x, text));
    if (desc->normalized_dims < 1 || desc->normalized_dims > desc->x.ndim)
        return clg__fail(CLG_INVALID_SHAPE, "%s: normalized_dims is %d, x is %s", call,
                         desc->normalized_dims, clg__desc_text(&desc->x, text));
    return CLG_OK;
}

/* A row is an image of one-element channels. */
static struct clg__norm_problem problem_of(const clg_layer_norm_desc *desc)
{
    struct clg__norm_problem p = {.kind = CLG__NORM_LAYER, .x = desc->x, .eps = desc->eps};
    p.images = p.channels = p.length = 1;
    p.gamma.ndim = desc->normalized_dims;
    int outer = desc->x.ndim - desc->normalized_dims;
    for (int i = 0; i < outer; i++)
        p.images *= desc->x.dims[i];
    for (int i = outer; i < desc->x.ndim; i++) {
        p.channels *= desc->x.dims[i];
        p.gamma.dims[i - outer] = desc->x.dims[i];
    }
    return p;
}

clg_status clg_layer_norm_create(clg_context *ctx, const clg_layer_norm_desc *desc,
                                 clg_layer_norm **out)
{
    static const char call[] = "clg_layer_norm_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    CLG__TRY(check_desc(call, desc));
    struct clg__norm_problem problem = problem_of(desc);
    clg_layer_norm *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a layer norm plan");
    clg_status status = clg__norm_init(&plan->norm, ctx, &problem);
    if (status == CLG_OK)
        *out = plan;
    else
        clg_layer_norm_destroy(plan);
    return status;
}

void clg_layer_norm_destroy(clg_layer_norm *plan)
{
    if (!plan)
        return;
    clg__norm_release(&plan->norm);
    free(plan);
}

size_t clg_layer_norm_workspace_size(const clg_layer_norm *plan)
{
    return plan->norm.workspace;
}

clg_tensor_desc clg_layer_norm_saved_desc(const clg_layer_norm *plan)
{
    return plan->norm.saved_desc;
}

clg_tensor_desc clg_layer_norm_gamma_desc(const clg_layer_norm *plan)
{
    return plan->norm.problem.gamma;
}

clg_status clg_layer_norm_forward(clg_layer_norm *plan, clg_tensor *y, const clg_tensor *x,
                                  const clg_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_layer_norm_forward";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = clg__norm_operands_of(tensors);
    return clg__norm_forward(&plan->norm, call, y, x, &operands, run);
}

clg_status clg_layer_norm_backward(clg_layer_norm *plan, const clg_norm_gradients *grads,
                                   const clg_tensor *dy, const clg_tensor *x,
                                   const clg_norm_tensors *tensors, const clg_run *run)
{
    static const char call[] = "clg_layer_norm_backward";
    CLG__TRY(clg__check_plan(call, plan));
    struct clg__norm_operands operands = clg__norm_operands_of(tensors);
    return clg__norm_backward(&plan->norm, call, grads, dy, x, &operands, run);
}
