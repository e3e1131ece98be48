#include "clgrad/accuracy.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/plan.h"
#include "ops/reduce.h"
#include "runtime/tensor.h"

struct clg_accuracy {
    clg_context *ctx;
    clg_accuracy_desc desc;
    struct clg__rows rows;
    struct clg__kernel *kernel;
    struct clg__kernel *count;
};

clg_status clg_accuracy_create(clg_context *ctx, const clg_accuracy_desc *desc, clg_accuracy **out)
{
    static const char call[] = "clg_accuracy_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    CLG__TRY(clg__check_float_2d(call, "x", &desc->x));
    clg_accuracy *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("an accuracy plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    plan->rows = clg__rows_of(&ctx->info, desc->x.dims[0], desc->x.dims[1]);
    clg_status status;
    CLG__TRY_GOTO(
        clg__kernel_create(ctx, "accuracy", "accuracy_rows", plan->rows.options, &plan->kernel));
    CLG__TRY_GOTO(clg__kernel_create(ctx, "reduce", "count_other", "", &plan->count));
    CLG__TRY_GOTO(clg__scratch_reserve(ctx, clg_accuracy_workspace_size(plan)));
    *out = plan;
    return CLG_OK;
fail:
    clg_accuracy_destroy(plan);
    return status;
}

void clg_accuracy_destroy(clg_accuracy *plan)
{
    if (!plan)
        return;
    clg__kernel_destroy(plan->kernel);
    clg__kernel_destroy(plan->count);
    clg_context_destroy(plan->ctx);
    free(plan);
}

/* Whether each sample is a hit. */
size_t clg_accuracy_workspace_size(const clg_accuracy *plan)
{
    return (size_t)plan->rows.rows * sizeof(cl_int);
}

static clg_status check_tensors(const char *call, const clg_accuracy *plan,
                                const clg_tensor *correct, const clg_tensor *predictions,
                                const clg_tensor *x, const clg_tensor *labels)
{
    clg_tensor_desc one = {CLG_INT32, CLG_NCHW, 1, {1}};
    clg_tensor_desc samples = {CLG_INT32, CLG_NCHW, 1, {plan->rows.rows}};
    if (!correct && !predictions)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: correct and predictions are NULL", call);
    CLG__TRY(clg__expect_optional(call, "correct", plan->ctx, correct, &one));
    CLG__TRY(clg__expect_optional(call, "predictions", plan->ctx, predictions, &samples));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->desc.x));
    return labels || correct ? clg__expect_tensor(call, "labels", plan->ctx, labels, &samples)
                             : CLG_OK;
}

clg_status clg_accuracy_forward(clg_accuracy *plan, clg_tensor *correct, clg_tensor *predictions,
                                const clg_tensor *x, const clg_tensor *labels, const clg_run *run)
{
    static const char call[] = "clg_accuracy_forward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(check_tensors(call, plan, correct, predictions, x, labels));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, clg_accuracy_workspace_size(plan)));
    clg_status status =
        CLG__LAUNCH(&stream, plan->kernel, clg__rows_grid(&plan->rows),
                    clg__arg_tensor(predictions), clg__arg_mem(stream.workspace),
                    clg__arg_tensor(x), clg__arg_tensor(labels), clg__arg_int(plan->rows.columns),
                    clg__arg_int(predictions != NULL), clg__arg_int(correct != NULL));
    if (status == CLG_OK && correct) {
        struct clg__count count = {.y = clg__tensor_mem(correct),
                                   .x = stream.workspace,
                                   .count = plan->rows.rows,
                                   .accumulate = stream.accumulate};
        status = clg__enqueue_count(&stream, plan->count, &count);
    }
    return clg__stream_end(&stream, status);
}
