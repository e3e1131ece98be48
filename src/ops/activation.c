#include "clgrad/activation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/activation.h"
#include "ops/elements.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

struct clg_activation {
    clg_context *ctx;
    clg_activation_desc desc;
    struct clg__elements forward_elements, backward_elements;
    struct clg__kernel *forward;
    struct clg__kernel *backward;
};

static const char *const names[] = {
#define NAME(NAME, name) #name,
    CLG_ACTIVATION_LIST(NAME)
#undef NAME
};

const char *clg_activation_name(clg_activation_kind kind)
{
    return (unsigned)kind < CLG_ACTIVATION_COUNT ? names[kind] : "unknown";
}

clg_status clg_activation_from_name(const char *name, clg_activation_kind *kind)
{
    if (!name || !kind)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_activation_from_name: name or kind is NULL");
    char known[256] = "";
    for (int i = 0; i < CLG_ACTIVATION_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (clg_activation_kind)i;
            return CLG_OK;
        }
        strcat(strcat(known, i ? ", " : ""), names[i]);
    }
    return clg__fail(CLG_INVALID_ARGUMENT, "no activation \"%s\"; there are: %s", name, known);
}

static clg_status check_desc(const clg_activation_desc *desc, int64_t *count)
{
    if ((unsigned)desc->kind >= CLG_ACTIVATION_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_activation_create: kind %d is unknown",
                         (int)desc->kind);
    if (!isfinite(desc->alpha))
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_activation_create: alpha is %g",
                         (double)desc->alpha);
    return clg__check_float("clg_activation_create", "x", &desc->x, count);
}

clg_status clg_activation_create(clg_context *ctx, const clg_activation_desc *desc,
                                 clg_activation **out)
{
    CLG__TRY(clg__check_create("clg_activation_create", ctx, desc, out));
    *out = NULL;
    int64_t count;
    CLG__TRY(check_desc(desc, &count));
    clg_activation *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("an activation plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    plan->forward_elements = clg__elements_of(ctx, count, 2);
    plan->backward_elements = clg__elements_of(ctx, count, 3);
    char options[32];
    snprintf(options, sizeof options, "-DKIND=%d %s", (int)desc->kind, clg__elements_options(ctx));
    clg_status status;
    CLG__TRY_GOTO(
        clg__kernel_create(ctx, "activation", "activation_forward", options, &plan->forward));
    CLG__TRY_GOTO(
        clg__kernel_create(ctx, "activation", "activation_backward", options, &plan->backward));
    *out = plan;
    return CLG_OK;
fail:
    clg_activation_destroy(plan);
    return status;
}

void clg_activation_destroy(clg_activation *plan)
{
    if (!plan)
        return;
    clg__kernel_destroy(plan->forward);
    clg__kernel_destroy(plan->backward);
    clg_context_destroy(plan->ctx);
    free(plan);
}

clg_status clg__activation_enqueue(clg_activation *plan, struct clg__stream *stream,
                                   struct clg__mem y, struct clg__mem x)
{
    const struct clg__elements *elements = &plan->forward_elements;
    return CLG__LAUNCH(stream, plan->forward, elements->grid, clg__arg_mem(y), clg__arg_mem(x),
                       clg__arg_elements(elements), clg__arg_float(plan->desc.alpha));
}

clg_status clg__activation_enqueue_backward(clg_activation *plan, struct clg__stream *stream,
                                            struct clg__mem dx, struct clg__mem dy,
                                            struct clg__mem x)
{
    const struct clg__elements *elements = &plan->backward_elements;
    return CLG__LAUNCH(stream, plan->backward, elements->grid, clg__arg_mem(dx), clg__arg_mem(dy),
                       clg__arg_mem(x), clg__arg_elements(elements),
                       clg__arg_float(plan->desc.alpha));
}

clg_status clg_activation_forward(clg_activation *plan, clg_tensor *y, const clg_tensor *x,
                                  const clg_run *run)
{
    static const char call[] = "clg_activation_forward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->desc.x));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    return clg__stream_end(
        &stream, clg__activation_enqueue(plan, &stream, clg__tensor_mem(y), clg__tensor_mem(x)));
}

clg_status clg_activation_backward(clg_activation *plan, clg_tensor *dx, const clg_tensor *dy,
                                   const clg_tensor *x, const clg_run *run)
{
    static const char call[] = "clg_activation_backward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__refuse_accumulate(call, run));
    CLG__TRY(clg__expect_tensor(call, "dx", plan->ctx, dx, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->desc.x));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->desc.x));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    return clg__stream_end(
        &stream, clg__activation_enqueue_backward(plan, &stream, clg__tensor_mem(dx),
                                                  clg__tensor_mem(dy), clg__tensor_mem(x)));
}
