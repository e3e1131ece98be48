#include "clgrad/softmax_cross_entropy.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/plan.h"
#include "ops/reduce.h"
#include "runtime/tensor.h"

/* The flags of softmax_cross_entropy.cl. */
enum { WANT_LOSSES = 1, WANT_PROBABILITIES = 2, WANT_DX = 4, ADD_DX = 8, WANT_HITS = 16 };

struct clg_softmax_cross_entropy {
    clg_context *ctx;
    clg_softmax_cross_entropy_desc desc;
    struct clg__rows rows;
    struct clg__kernel *kernel;
    struct clg__kernel *mean;
    struct clg__kernel *count; /* NULL when no label is ignored */
};

clg_status clg_softmax_cross_entropy_create(clg_context *ctx,
                                            const clg_softmax_cross_entropy_desc *desc,
                                            clg_softmax_cross_entropy **out)
{
    static const char call[] = "clg_softmax_cross_entropy_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    if (!(desc->label_smoothing >= 0 && desc->label_smoothing <= 1))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: label_smoothing is %g, it must be in [0, 1]",
                         call, (double)desc->label_smoothing);
    CLG__TRY(clg__check_float_2d(call, "x", &desc->x));
    clg_softmax_cross_entropy *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a softmax_cross_entropy plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    plan->rows = clg__rows_of(&ctx->info, desc->x.dims[0], desc->x.dims[1]);
    clg_status status;
    CLG__TRY_GOTO(clg__kernel_create(ctx, "softmax_cross_entropy", "softmax_cross_entropy",
                                     plan->rows.options, &plan->kernel));
    CLG__TRY_GOTO(clg__kernel_create(ctx, "reduce", "mean", "", &plan->mean));
    if (desc->ignore)
        CLG__TRY_GOTO(clg__kernel_create(ctx, "reduce", "count_other", "", &plan->count));
    CLG__TRY_GOTO(clg__scratch_reserve(ctx, clg_softmax_cross_entropy_workspace_size(plan)));
    *out = plan;
    return CLG_OK;
fail:
    clg_softmax_cross_entropy_destroy(plan);
    return status;
}

void clg_softmax_cross_entropy_destroy(clg_softmax_cross_entropy *plan)
{
    if (!plan)
        return;
    clg__kernel_destroy(plan->kernel);
    clg__kernel_destroy(plan->mean);
    clg__kernel_destroy(plan->count);
    clg_context_destroy(plan->ctx);
    free(plan);
}

/* The number of samples that count, the loss of each sample, and whether it is a hit. */
size_t clg_softmax_cross_entropy_workspace_size(const clg_softmax_cross_entropy *plan)
{
    return sizeof(cl_int) + (size_t)plan->rows.rows * (sizeof(cl_float) + sizeof(cl_int));
}

static clg_status check_outputs(const char *call, const clg_softmax_cross_entropy *plan,
                                const clg_softmax_cross_entropy_outputs *outputs)
{
    const clg_tensor_desc *x = &plan->desc.x;
    clg_tensor_desc one = clg_desc_1d(1), samples = clg_desc_1d(plan->rows.rows);
    clg_tensor_desc count = {CLG_INT32, CLG_NCHW, 1, {1}};
    if (!outputs)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: outputs is NULL", call);
    if (!outputs->loss && !outputs->losses && !outputs->probabilities && !outputs->dx)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: all outputs are NULL", call);
    if (outputs->dx && outputs->dx == outputs->probabilities)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: probabilities and dx are one tensor", call);
    if (!isfinite(outputs->dloss))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: dloss is %g", call, (double)outputs->dloss);
    CLG__TRY(clg__expect_optional(call, "loss", plan->ctx, outputs->loss, &one));
    if (outputs->correct && !outputs->loss)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: correct is counted with the loss, which is NULL", call);
    CLG__TRY(clg__expect_optional(call, "correct", plan->ctx, outputs->correct, &count));
    CLG__TRY(clg__expect_optional(call, "losses", plan->ctx, outputs->losses, &samples));
    CLG__TRY(clg__expect_optional(call, "probabilities", plan->ctx, outputs->probabilities, x));
    return clg__expect_optional(call, "dx", plan->ctx, outputs->dx, x);
}

static clg_status enqueue(clg_softmax_cross_entropy *plan, struct clg__stream *stream,
                          const clg_softmax_cross_entropy_outputs *outputs, const clg_tensor *x,
                          const clg_tensor *labels, int flags)
{
    const clg_softmax_cross_entropy_desc *desc = &plan->desc;
    int64_t divisor = desc->ignore ? 0 : plan->rows.rows;
    struct clg__mem counted = stream->workspace;
    struct clg__mem losses = outputs->losses ? clg__tensor_mem(outputs->losses)
                                             : clg__mem_at(stream->workspace, sizeof(cl_int));
    struct clg__mem hits =
        clg__mem_at(stream->workspace, sizeof(cl_int) + (size_t)plan->rows.rows * sizeof(cl_float));
    if (desc->ignore) {
        struct clg__count count = {.y = counted,
                                   .x = clg__tensor_mem(labels),
                                   .count = plan->rows.rows,
                                   .value = desc->ignore_index};
        CLG__TRY(clg__enqueue_count(stream, plan->count, &count));
    }
    CLG__TRY(CLG__LAUNCH(
        stream, plan->kernel, clg__rows_grid(&plan->rows), clg__arg_mem(losses), clg__arg_mem(hits),
        clg__arg_tensor(outputs->probabilities), clg__arg_tensor(outputs->dx), clg__arg_tensor(x),
        clg__arg_tensor(labels), clg__arg_mem(counted), clg__arg_int(plan->rows.columns),
        clg__arg_int(divisor), clg__arg_float(desc->label_smoothing), clg__arg_int(desc->ignore),
        clg__arg_int(desc->ignore_index),
        clg__arg_float(outputs->dloss == 0 ? 1 : (double)outputs->dloss), clg__arg_int(flags)));
    if (!outputs->loss)
        return CLG_OK;
    struct clg__mean mean = {.y = clg__tensor_mem(outputs->loss),
                             .x = losses,
                             .counted = counted,
                             .correct = clg__tensor_mem(outputs->correct),
                             .hits = hits,
                             .count = plan->rows.rows,
                             .divisor = divisor,
                             .accumulate = stream->accumulate};
    return clg__enqueue_mean(stream, plan->mean, &mean);
}

/* add_dx: also dx heeds run->accumulate. */
static clg_status compute(const char *call, clg_softmax_cross_entropy *plan,
                          const clg_softmax_cross_entropy_outputs *outputs, const clg_tensor *x,
                          const clg_tensor *labels, const clg_run *run, bool add_dx)
{
    clg_tensor_desc label_desc = {CLG_INT32, CLG_NCHW, 1, {plan->rows.rows}};
    CLG__TRY(check_outputs(call, plan, outputs));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "labels", plan->ctx, labels, &label_desc));
    struct clg__stream stream;
    CLG__TRY(
        clg__stream_begin(&stream, plan->ctx, run, clg_softmax_cross_entropy_workspace_size(plan)));
    int flags = (outputs->loss || outputs->losses ? WANT_LOSSES : 0) |
                (outputs->probabilities ? WANT_PROBABILITIES : 0) | (outputs->dx ? WANT_DX : 0) |
                (outputs->correct ? WANT_HITS : 0) | (add_dx && stream.accumulate ? ADD_DX : 0);
    return clg__stream_end(&stream, enqueue(plan, &stream, outputs, x, labels, flags));
}

clg_status clg_softmax_cross_entropy_compute(clg_softmax_cross_entropy *plan,
                                             const clg_softmax_cross_entropy_outputs *outputs,
                                             const clg_tensor *x, const clg_tensor *labels,
                                             const clg_run *run)
{
    static const char call[] = "clg_softmax_cross_entropy_compute";
    CLG__TRY(clg__check_plan(call, plan));
    return compute(call, plan, outputs, x, labels, run, false);
}

clg_status clg_softmax_cross_entropy_forward(clg_softmax_cross_entropy *plan, clg_tensor *loss,
                                             const clg_tensor *x, const clg_tensor *labels,
                                             const clg_run *run)
{
    static const char call[] = "clg_softmax_cross_entropy_forward";
    CLG__TRY(clg__check_plan(call, plan));
    if (!loss)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: loss is NULL", call);
    clg_softmax_cross_entropy_outputs outputs = {.loss = loss};
    return compute(call, plan, &outputs, x, labels, run, false);
}

clg_status clg_softmax_cross_entropy_backward(clg_softmax_cross_entropy *plan, clg_tensor *dx,
                                              const clg_tensor *x, const clg_tensor *labels,
                                              const clg_run *run)
{
    static const char call[] = "clg_softmax_cross_entropy_backward";
    CLG__TRY(clg__check_plan(call, plan));
    if (!dx)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: dx is NULL", call);
    clg_softmax_cross_entropy_outputs outputs = {.dx = dx};
    return compute(call, plan, &outputs, x, labels, run, true);
}
