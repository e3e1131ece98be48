#include "clgrad/dropout.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

struct clg_dropout {
    clg_context *ctx;
    clg_dropout_desc desc;
    int64_t count;
    bool channels_last;
    int64_t channels, plane; /* of N C H W; 1 and the count when the order of memory is the index */
    uint32_t threshold;      /* random words below it drop their element */
    double scale;            /* of the others */
    struct clg__kernel *kernel;
};

static void set_mask(clg_dropout *plan, double p)
{
    double threshold = floor(p * 4294967296.0 + 0.5);
    plan->threshold = threshold < 4294967295.0 ? (uint32_t)threshold : UINT32_MAX;
    plan->scale = p < 1 ? 1 / (1 - p) : 0;
}

clg_status clg_dropout_create(clg_context *ctx, const clg_dropout_desc *desc, clg_dropout **out)
{
    static const char call[] = "clg_dropout_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    if (!(desc->p >= 0 && desc->p <= 1))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: p is %g, it must be in [0, 1]", call,
                         (double)desc->p);
    int64_t count;
    CLG__TRY(clg__check_float(call, "x", &desc->x, &count));
    clg_dropout *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a dropout plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    plan->count = count;
    plan->channels_last = desc->x.layout == CLG_NHWC;
    plan->channels = plan->channels_last ? desc->x.dims[1] : 1;
    plan->plane = plan->channels_last ? desc->x.dims[2] * desc->x.dims[3] : count;
    set_mask(plan, (double)desc->p);
    clg_status status;
    CLG__TRY_GOTO(clg__kernel_create(
        ctx, "dropout", "dropout", plan->channels_last ? "-DCHANNELS_LAST=1" : "", &plan->kernel));
    *out = plan;
    return CLG_OK;
fail:
    clg_dropout_destroy(plan);
    return status;
}

void clg_dropout_destroy(clg_dropout *plan)
{
    if (!plan)
        return;
    clg__kernel_destroy(plan->kernel);
    clg_context_destroy(plan->ctx);
    free(plan);
}

/* What random numbers a call uses. */
struct draw {
    uint64_t seed, step;
};

static clg_status enqueue(clg_dropout *plan, clg_tensor *y, const clg_tensor *x, struct draw draw,
                          const clg_run *run, bool accumulate)
{
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    int64_t items = plan->channels_last ? plan->count : (plan->count + 3) / 4;
    clg_status status = CLG__LAUNCH(
        &stream, plan->kernel, clg__grid_1d(items), clg__arg_tensor(y), clg__arg_tensor(x),
        clg__arg_int(plan->count), clg__arg_int(plan->channels), clg__arg_int(plan->plane),
        clg__arg_uint(plan->desc.number), clg__arg_uint((uint32_t)draw.step),
        clg__arg_uint((uint32_t)(draw.step >> 32)), clg__arg_uint((uint32_t)draw.seed),
        clg__arg_uint((uint32_t)(draw.seed >> 32)), clg__arg_uint(plan->threshold),
        clg__arg_float(plan->scale), clg__arg_int(accumulate));
    return clg__stream_end(&stream, status);
}

clg_status clg_dropout_forward(clg_dropout *plan, clg_tensor *y, const clg_tensor *x, uint64_t seed,
                               uint64_t step, const clg_run *run)
{
    static const char call[] = "clg_dropout_forward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->desc.x));
    return enqueue(plan, y, x, (struct draw){seed, step}, run, false);
}

clg_status clg_dropout_backward(clg_dropout *plan, clg_tensor *dx, const clg_tensor *dy,
                                uint64_t seed, uint64_t step, const clg_run *run)
{
    static const char call[] = "clg_dropout_backward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "dx", plan->ctx, dx, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->desc.x));
    return enqueue(plan, dx, dy, (struct draw){seed, step}, run, run && run->accumulate);
}
