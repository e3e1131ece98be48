#include "clgrad/concat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/elements.h"
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
    const char *options = clg__elements_options(ctx);
    size_t bytes = (size_t)desc->num_inputs * sizeof *plan->x;
    plan->x = malloc(bytes);
    CLG__TRY_GOTO(plan->x ? CLG_OK : clg__fail_alloc("a concat plan"));
    memcpy(plan->x, desc->x, bytes);
    CLG__TRY_GOTO(clg__kernel_create(ctx, "concat", "concat_forward", options, &plan->forward));
    CLG__TRY_GOTO(clg__kernel_create(ctx, "concat", "concat_backward", options, &plan->backward));
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

/* Where an input stands in y, in elements: both are matrices of contiguous rows. */
struct place {
    int64_t width, pitch, start;
    struct clg__elements elements; /* of the input */
};

/* channel: the input's first one in y. */
static struct place place_of(const clg_concat *plan, int i, int64_t channel)
{
    const clg_tensor_desc *y = &plan->y;
    int64_t plane = y->dims[2] * y->dims[3];
    int64_t step = y->layout == CLG_NHWC ? 1 : plane; /* of a row, per channel */
    int64_t rows = y->layout == CLG_NHWC ? y->dims[0] * plane : y->dims[0];
    int64_t width = plan->x[i].dims[1] * step;
    return (struct place){width, y->dims[1] * step, channel * step,
                          clg__elements_of(plan->ctx, width * rows, 2)};
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
        struct place at = place_of(plan, i, channel);
        status =
            CLG__LAUNCH(&stream, plan->forward, at.elements.grid, clg__arg_tensor(y),
                        clg__arg_tensor(x[i]), clg__arg_elements(&at.elements),
                        clg__arg_int(at.width), clg__arg_int(at.pitch), clg__arg_int(at.start));
        channel += plan->x[i].dims[1];
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
        struct place at = place_of(plan, i, channel);
        if (dx[i])
            status = CLG__LAUNCH(&stream, plan->backward, at.elements.grid, clg__arg_tensor(dx[i]),
                                 clg__arg_tensor(dy), clg__arg_elements(&at.elements),
                                 clg__arg_int(at.width), clg__arg_int(at.pitch),
                                 clg__arg_int(at.start), clg__arg_int(stream.accumulate));
        channel += plan->x[i].dims[1];
    }
    return clg__stream_end(&stream, status);
}
