#include "clgrad/add.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/elements.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

struct clg_add {
    clg_context *ctx;
    clg_add_desc desc;
    struct clg__elements elements;
    struct clg__kernel *forward;
    struct clg__kernel *backward;
};

clg_status clg_add_create(clg_context *ctx, const clg_add_desc *desc, clg_add **out)
{
    static const char call[] = "clg_add_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    if (!isfinite(desc->alpha) || !isfinite(desc->beta))
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: alpha is %g and beta %g, finite numbers are "
                         "needed",
                         call, (double)desc->alpha, (double)desc->beta);
    int64_t count;
    CLG__TRY(clg__check_float(call, "x", &desc->x, &count));
    clg_add *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("an add plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    plan->elements = clg__elements_of(ctx, count, 3);
    if (desc->alpha == 0 && desc->beta == 0)
        plan->desc.alpha = plan->desc.beta = 1;
    const char *options = clg__elements_options(ctx);
    clg_status status;
    CLG__TRY_GOTO(clg__kernel_create(ctx, "add", "add_forward", options, &plan->forward));
    CLG__TRY_GOTO(clg__kernel_create(ctx, "add", "add_backward", options, &plan->backward));
    *out = plan;
    return CLG_OK;
fail:
    clg_add_destroy(plan);
    return status;
}

void clg_add_destroy(clg_add *plan)
{
    if (!plan)
        return;
    clg__kernel_destroy(plan->forward);
    clg__kernel_destroy(plan->backward);
    clg_context_destroy(plan->ctx);
    free(plan);
}

clg_status clg_add_forward(clg_add *plan, clg_tensor *y, const clg_tensor *a, const clg_tensor *b,
                           const clg_run *run)
{
    static const char call[] = "clg_add_forward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "a", plan->ctx, a, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "b", plan->ctx, b, &plan->desc.x));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    clg_status status =
        CLG__LAUNCH(&stream, plan->forward, plan->elements.grid, clg__arg_tensor(y),
                    clg__arg_tensor(a), clg__arg_tensor(b), clg__arg_elements(&plan->elements),
                    clg__arg_float(plan->desc.alpha), clg__arg_float(plan->desc.beta));
    return clg__stream_end(&stream, status);
}

clg_status clg_add_backward(clg_add *plan, clg_tensor *da, clg_tensor *db, const clg_tensor *dy,
                            const clg_run *run)
{
    static const char call[] = "clg_add_backward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->desc.x));
    CLG__TRY(clg__expect_optional(call, "da", plan->ctx, da, &plan->desc.x));
    CLG__TRY(clg__expect_optional(call, "db", plan->ctx, db, &plan->desc.x));
    if (da == db)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: da and db are %s", call,
                         da ? "one tensor" : "both NULL");
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    clg_status status = CLG__LAUNCH(
        &stream, plan->backward, plan->elements.grid, clg__arg_tensor(da), clg__arg_tensor(db),
        clg__arg_tensor(dy), clg__arg_elements(&plan->elements), clg__arg_float(plan->desc.alpha),
        clg__arg_float(plan->desc.beta), clg__arg_int(da != NULL), clg__arg_int(db != NULL),
        clg__arg_int(stream.accumulate));
    return clg__stream_end(&stream, status);
}
