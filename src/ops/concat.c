#include "clgrad/concat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

struct clg_concat {
    clg_context *ctx;
    int num_inputs;
    clg_tensor_desc *x;
    clg_tensor_desc y;
    struct clg__kernel *forward;
    struct clg__kernel *backward;
};

static clg_status check_input(const char *call, const clg_concat_desc *desc, int i)
{
    const clg_tensor_desc *x = &desc->x[i], *first = &desc->x[0];
    char name[24], is[CLG__DESC_TEXT], expected[CLG__DESC_TEXT];
    snprintf(name, sizeof name, "x[%d]", i);
    CLG__TRY(clg__check_float_4d(call, name, x));
    if (x->layout != first->layout || x->dims[0] != first->dims[0] ||
        x->dims[2] != first->dims[2] || x->dims[3] != first->dims[3])
        return clg__fail(CLG_INVALID_SHAPE, "%s: %s is %s but x[0] %s: only channels may differ",
                         call, name, clg__desc_text(x, is), clg__desc_text(first, expected));
    return CLG_OK;
}

static clg_status output_desc(const char *call, const clg_concat_desc *desc, clg_tensor_desc *y)
{
    if (desc->num_inputs < 1 || !desc->x)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %d inputs%s, at least 1 is needed", call,
                         desc->num_inputs, desc->x ? "" : " and x is NULL");
    int64_t channels = 0;
    for (int i = 0; i < desc->num_inputs; i++) {
        CLG__TRY(check_input(call, desc, i));
        channels += desc->x[i].dims[1];
    }
    clg_tensor_desc joined = desc->x[0];
    joined.dims[1] = channels;
    int64_t count;
    CLG__TRY(clg__check_float(call, "y", &joined, &count));
    *y = joined;
    return CLG_OK;
}

clg_status clg_concat_output_desc(const clg_concat_desc *desc, clg_tensor_desc *y)
{
    static const char call[] = "clg_concat_output_desc";
    if (!desc || !y)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is NULL", call, desc ? "y" : "desc");
    return output_desc(call, desc, y);
}

clg_status clg_concat_create(clg_context *ctx, const clg_concat_desc *desc, clg_concat **out)
{
    static const char call[] = "clg_concat_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    clg_tensor_desc y;
    CLG__TRY(output_desc(call, desc, &y));
    clg_concat *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a concat plan");
    plan->ctx = clg__context_retain(ctx);
    plan->num_inputs = desc->num_inputs;
    plan->y = y;
    clg_status status;
    size_t bytes = (size_t)desc->num_inputs * sizeof *plan->x;
    plan->x = malloc(bytes);
    CLG__TRY_GOTO(plan->x ? CLG_OK : clg__fail_alloc("a concat plan"));
    memcpy(plan->x, desc->x, bytes);
    CLG__TRY_GOTO(clg__kernel_create(ctx, "concat", "concat_forward", "", &plan->forward));
    CLG__TRY_GOTO(clg__kernel_create(ctx, "concat", "concat_backward", "", &plan->backward));
    *out = plan;
    return CLG_OK;
fail:
    clg_concat_destroy(plan);
    return status;
}

void clg_concat_destroy(clg_concat *plan)
{
    if (!plan)
        return;
    clg__kernel_destroy(plan->forward);
    clg__kernel_destroy(plan->backward);
    clg_context_destroy(plan->ctx);
    free(plan->x);
    free(plan);
}

static clg_status expect_input(const char *call, const char *name, const clg_concat *plan, int i,
                               const clg_tensor *tensor)
{
    char text[24];
    snprintf(text, sizeof text, "%s[%d]", name, i);
    return clg__expect_tensor(call, text, plan->ctx, tensor, &plan->x[i]);
}

/* Elements that lie side by side in memory for `channels` channels. */
static int64_t row_length(const clg_concat *plan, int64_t channels)
{
    return plan->y.layout == CLG_NHWC ? channels : channels * plan->y.dims[2] * plan->y.dims[3];
}

clg_status clg_concat_forward(clg_concat *plan, clg_tensor *y, const clg_tensor *const *x,
                              const clg_run *run)
{
    static const char call[] = "clg_concat_forward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->y));
    if (!x)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: x is NULL", call);
    for (int i = 0; i < plan->num_inputs; i++)
        CLG__TRY(expect_input(call, "x", plan, i, x[i]));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    clg_status status = CLG_OK;
    int64_t channel = 0;
    for (int i = 0; i < plan->num_inputs && status == CLG_OK; i++) {
        int64_t channels = plan->x[i].dims[1];
        status = CLG__LAUNCH(&stream, plan->forward, clg__grid_1d(x[i]->count), clg__arg_tensor(y),
                             clg__arg_tensor(x[i]), clg__arg_int(x[i]->count),
                             clg__arg_int(row_length(plan, channels)),
                             clg__arg_int(row_length(plan, plan->y.dims[1])),
                             clg__arg_int(row_length(plan, channel)));
        channel += channels;
    }
    return clg__stream_end(&stream, status);
}

clg_status clg_concat_backward(clg_concat *plan, clg_tensor *const *dx, const clg_tensor *dy,
                               const clg_run *run)
{
    static const char call[] = "clg_concat_backward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    if (!dx)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: dx is NULL", call);
    for (int i = 0; i < plan->num_inputs; i++)
        if (dx[i])
            CLG__TRY(expect_input(call, "dx", plan, i, dx[i]));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    clg_status status = CLG_OK;
    int64_t channel = 0;
    for (int i = 0; i < plan->num_inputs && status == CLG_OK; i++) {
        int64_t channels = plan->x[i].dims[1];
        if (dx[i])
            status = CLG__LAUNCH(
                &stream, plan->backward, clg__grid_1d(dx[i]->count), clg__arg_tensor(dx[i]),
                clg__arg_tensor(dy), clg__arg_int(dx[i]->count),
                clg__arg_int(row_length(plan, channels)),
                clg__arg_int(row_length(plan, plan->y.dims[1])),
                clg__arg_int(row_length(plan, channel)), clg__arg_int(stream.accumulate));
        channel += channels;
    }
    return clg__stream_end(&stream, status);
}
