#include "clgrad/dropout.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

/* As in kernels_cl/dropout.cl. */
struct dropout_args {
    cl_uint count;
    cl_uint images, channels, plane;
    cl_uint blocks;
    cl_uint number, step_low, step_high, seed_low, seed_high;
    cl_uint threshold;
    cl_float scale;
    cl_int accumulate;
};

struct clg_dropout {
    clg_context *ctx;
    clg_dropout_desc desc;
    struct dropout_args args; /* what is the same in every run */
    struct clg__grid grid;
    struct clg__kernel *kernel;
};

static void set_shape(clg_dropout *plan, int64_t count)
{
    const clg_tensor_desc *x = &plan->desc.x;
    struct dropout_args *args = &plan->args;
    args->count = (cl_uint)count;
    if (x->layout != CLG_NHWC) {
        plan->grid = clg__grid_many(&plan->ctx->info, (count + 3) / 4);
        return;
    }
    args->images = (cl_uint)x->dims[0];
    args->channels = (cl_uint)x->dims[1];
    args->plane = (cl_uint)(x->dims[2] * x->dims[3]);
    args->blocks = (args->plane + 6) / 4; /* when the first one holds only one element of it */
    plan->grid = clg__grid_2d(args->channels, (int64_t)args->images * args->blocks);
}

static void set_mask(clg_dropout *plan)
{
    double p = (double)plan->desc.p, threshold = floor(p * 4294967296.0 + 0.5);
    plan->args.threshold = threshold < 4294967295.0 ? (cl_uint)threshold : UINT32_MAX;
    plan->args.scale = p < 1 ? (cl_float)(1 / (1 - p)) : 0;
    plan->args.number = plan->desc.number;
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
    set_shape(plan, count);
    set_mask(plan);
    bool channels_last = desc->x.layout == CLG_NHWC;
    clg_status status;
    CLG__TRY_GOTO(clg__kernel_create(
        ctx, "dropout", channels_last ? "dropout_channels_last" : "dropout", "", &plan->kernel));
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
    struct dropout_args args = plan->args;
    args.step_low = (cl_uint)draw.step;
    args.step_high = (cl_uint)(draw.step >> 32);
    args.seed_low = (cl_uint)draw.seed;
    args.seed_high = (cl_uint)(draw.seed >> 32);
    args.accumulate = accumulate;
    clg_status status = CLG__LAUNCH(&stream, plan->kernel, plan->grid, clg__arg_tensor(y),
                                    clg__arg_tensor(x), clg__arg_struct(&args, sizeof args));
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
