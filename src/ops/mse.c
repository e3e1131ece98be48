#include "clgrad/mse.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/plan.h"
#include "ops/reduce.h"
#include "runtime/tensor.h"

/* Neighbours that one work-group of mse.cl takes: GROUP * ITEMS there. */
enum { GROUP = 64, ELEMENTS = GROUP * 16 };

/* The flags of mse.cl. */
enum { WANT_LOSS = 1, WANT_DX = 2, ADD_DX = 4 };

struct clg_mse {
    clg_context *ctx;
    clg_mse_desc desc;
    int64_t count, groups;
    struct clg__kernel *kernel;
    struct clg__kernel *mean;
};

clg_status clg_mse_create(clg_context *ctx, const clg_mse_desc *desc, clg_mse **out)
{
    static const char call[] = "clg_mse_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    int64_t count;
    CLG__TRY(clg__check_float(call, "x", &desc->x, &count));
    clg_mse *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("an mse plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    plan->count = count;
    plan->groups = (count + ELEMENTS - 1) / ELEMENTS;
    clg_status status;
    CLG__TRY_GOTO(clg__kernel_create(ctx, "mse", "mse", "", &plan->kernel));
    CLG__TRY_GOTO(clg__kernel_create(ctx, "reduce", "mean", "", &plan->mean));
    CLG__TRY_GOTO(clg__scratch_reserve(ctx, clg_mse_workspace_size(plan)));
    *out = plan;
    return CLG_OK;
fail:
    clg_mse_destroy(plan);
    return status;
}

void clg_mse_destroy(clg_mse *plan)
{
    if (!plan)
        return;
    clg__kernel_destroy(plan->kernel);
    clg__kernel_destroy(plan->mean);
    clg_context_destroy(plan->ctx);
    free(plan);
}

/* The partial sum of each group. */
size_t clg_mse_workspace_size(const clg_mse *plan)
{
    return (size_t)plan->groups * sizeof(cl_float);
}

static clg_status check_outputs(const char *call, const clg_mse *plan,
                                const clg_mse_outputs *outputs)
{
    static const clg_tensor_desc one = {CLG_FLOAT32, CLG_NCHW, 1, {1}};
    if (!outputs || (!outputs->loss && !outputs->dx))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s", call,
                         outputs ? "neither loss nor dx is wanted" : "outputs is NULL");
    if (!isfinite(outputs->dloss))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: dloss is %g", call, (double)outputs->dloss);
    CLG__TRY(clg__expect_optional(call, "loss", plan->ctx, outputs->loss, &one));
    return clg__expect_optional(call, "dx", plan->ctx, outputs->dx, &plan->desc.x);
}

static clg_status enqueue(clg_mse *plan, struct clg__stream *stream, const clg_mse_outputs *outputs,
                          const clg_tensor *x, const clg_tensor *target, int flags)
{
    double dloss = outputs->dloss == 0 ? 1 : (double)outputs->dloss;
    struct clg__grid grid = {1, {(size_t)plan->groups * GROUP}, {GROUP}};
    CLG__TRY(CLG__LAUNCH(stream, plan->kernel, grid, clg__arg_mem(stream->workspace),
                         clg__arg_tensor(outputs->dx), clg__arg_tensor(x), clg__arg_tensor(target),
                         clg__arg_int(plan->count), clg__arg_float(2 * dloss / (double)plan->count),
                         clg__arg_int(flags)));
    if (!outputs->loss)
        return CLG_OK;
    struct clg__mean mean = {.y = clg__tensor_mem(outputs->loss),
                             .x = stream->workspace,
                             .count = plan->groups,
                             .divisor = plan->count,
                             .accumulate = stream->accumulate};
    return clg__enqueue_mean(stream, plan->mean, &mean);
}

/* add_dx: also dx heeds run->accumulate. */
static clg_status compute(const char *call, clg_mse *plan, const clg_mse_outputs *outputs,
                          const clg_tensor *x, const clg_tensor *target, const clg_run *run,
                          bool add_dx)
{
    CLG__TRY(check_outputs(call, plan, outputs));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "target", plan->ctx, target, &plan->desc.x));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, clg_mse_workspace_size(plan)));
    int flags = (outputs->loss ? WANT_LOSS : 0) | (outputs->dx ? WANT_DX : 0) |
                (add_dx && stream.accumulate ? ADD_DX : 0);
    return clg__stream_end(&stream, enqueue(plan, &stream, outputs, x, target, flags));
}

clg_status clg_mse_compute(clg_mse *plan, const clg_mse_outputs *outputs, const clg_tensor *x,
                           const clg_tensor *target, const clg_run *run)
{
    static const char call[] = "clg_mse_compute";
    CLG__TRY(clg__check_plan(call, plan));
    return compute(call, plan, outputs, x, target, run, false);
}

clg_status clg_mse_forward(clg_mse *plan, clg_tensor *loss, const clg_tensor *x,
                           const clg_tensor *target, const clg_run *run)
{
    static const char call[] = "clg_mse_forward";
    CLG__TRY(clg__check_plan(call, plan));
    if (!loss)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: loss is NULL", call);
    return compute(call, plan, &(clg_mse_outputs){.loss = loss}, x, target, run, false);
}

clg_status clg_mse_backward(clg_mse *plan, clg_tensor *dx, const clg_tensor *x,
                            const clg_tensor *target, const clg_run *run)
{
    static const char call[] = "clg_mse_backward";
    CLG__TRY(clg__check_plan(call, plan));
    if (!dx)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: dx is NULL", call);
    return compute(call, plan, &(clg_mse_outputs){.dx = dx}, x, target, run, true);
}
