#include "clgrad/optimizer.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/elements.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

enum { MAX_STATES = 2 };

struct clg_optimizer {
    clg_context *ctx;
    clg_optimizer_desc desc;
    struct clg__elements elements;
    int64_t steps; /* taken so far */
    int num_states;
    clg_tensor *state[MAX_STATES];
    struct clg__kernel *kernel;
};

static const char *const names[] = {
#define NAME(NAME, name) #name,
    CLG_OPTIMIZER_LIST(NAME)
#undef NAME
};

const char *clg_optimizer_name(clg_optimizer_kind kind)
{
    return (unsigned)kind < CLG_OPTIMIZER_COUNT ? names[kind] : "unknown";
}

clg_status clg_optimizer_from_name(const char *name, clg_optimizer_kind *kind)
{
    if (!name || !kind)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_optimizer_from_name: name or kind is NULL");
    char known[64] = "";
    for (int i = 0; i < CLG_OPTIMIZER_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (clg_optimizer_kind)i;
            return CLG_OK;
        }
        strcat(strcat(known, i ? ", " : ""), names[i]);
    }
    return clg__fail(CLG_INVALID_ARGUMENT, "no optimizer \"%s\"; there are: %s", name, known);
}

clg_optimizer_desc clg_optimizer_defaults(clg_optimizer_kind kind, const clg_tensor_desc *w)
{
    clg_optimizer_desc desc = {.kind = kind, .lr = 0.001};
    if (w)
        desc.w = *w;
    if (kind != CLG_OPTIMIZER_SGD) {
        desc.beta1 = 0.9;
        desc.beta2 = 0.999;
        desc.eps = 1e-8;
    }
    if (kind == CLG_OPTIMIZER_ADAMW)
        desc.weight_decay = 0.01;
    return desc;
}

/* ---- Validation ---- */

/* min <= value < end; end may be infinite, value may not. */
static clg_status check_range(const char *call, const char *name, double value, double min,
                              double end)
{
    if (value >= min && value < end)
        return CLG_OK;
    if (isinf(end))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is %g, it must be finite%s", call, name,
                         value, isinf(min) ? "" : " and at least 0");
    return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is %g, it must be in [%g, %g)", call, name,
                     value, min, end);
}

static clg_status check_desc(const char *call, const clg_optimizer_desc *desc, int64_t *count)
{
    if ((unsigned)desc->kind >= CLG_OPTIMIZER_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: kind %d is unknown", call, (int)desc->kind);
    CLG__TRY(check_range(call, "lr", desc->lr, 0, INFINITY));
    CLG__TRY(check_range(call, "weight_decay", desc->weight_decay, 0, INFINITY));
    if (desc->kind == CLG_OPTIMIZER_SGD) {
        CLG__TRY(check_range(call, "momentum", desc->momentum, 0, INFINITY));
        CLG__TRY(check_range(call, "dampening", desc->dampening, -DBL_MAX, INFINITY));
        if (desc->nesterov && !(desc->momentum > 0 && desc->dampening == 0))
            return clg__fail(CLG_INVALID_ARGUMENT,
                             "%s: momentum is %g and dampening %g, nesterov needs momentum above 0 "
                             "and dampening 0",
                             call, desc->momentum, desc->dampening);
    } else {
        CLG__TRY(check_range(call, "beta1", desc->beta1, 0, 1));
        CLG__TRY(check_range(call, "beta2", desc->beta2, 0, 1));
        CLG__TRY(check_range(call, "eps", desc->eps, 0, INFINITY));
    }
    return clg__check_float(call, "w", &desc->w, count);
}

/* ---- The plan ---- */

/* All states are zero in every queue once this returns. */
static clg_status create_states(clg_optimizer *plan)
{
    for (int i = 0; i < plan->num_states; i++) {
        CLG__TRY(clg_tensor_create(plan->ctx, &plan->desc.w, &plan->state[i]));
        CLG__TRY(clg_tensor_fill(plan->state[i], 0, NULL));
    }
    float last;
    return plan->num_states == 0 ? CLG_OK
                                 : clg_buffer_download(plan->state[plan->num_states - 1]->buffer, 0,
                                                       sizeof last, &last, NULL);
}

clg_status clg_optimizer_create(clg_context *ctx, const clg_optimizer_desc *desc,
                                clg_optimizer **out)
{
    static const char call[] = "clg_optimizer_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    int64_t count = 0;
    CLG__TRY(check_desc(call, desc, &count));
    clg_optimizer *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("an optimizer plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    plan->elements = clg__elements_of(ctx, count, 3);
    const char *options = clg__elements_options(ctx);
    clg_status status;
    if (desc->kind != CLG_OPTIMIZER_SGD) {
        plan->num_states = 2;
        CLG__TRY_GOTO(clg__kernel_create(ctx, "optimizer", "adam", options, &plan->kernel));
    } else if (desc->momentum != 0) {
        plan->num_states = 1;
        CLG__TRY_GOTO(clg__kernel_create(ctx, "optimizer", "sgd_momentum", options, &plan->kernel));
    } else {
        CLG__TRY_GOTO(clg__kernel_create(ctx, "optimizer", "sgd", options, &plan->kernel));
    }
    CLG__TRY_GOTO(create_states(plan));
    *out = plan;
    return CLG_OK;
fail:
    clg_optimizer_destroy(plan);
    return status;
}

void clg_optimizer_destroy(clg_optimizer *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < MAX_STATES; i++)
        clg_tensor_destroy(plan->state[i]);
    clg__kernel_destroy(plan->kernel);
    clg_context_destroy(plan->ctx);
    free(plan);
}

/* ---- A step ---- */

static clg_status enqueue_sgd(clg_optimizer *plan, struct clg__stream *stream, clg_tensor *w,
                              const clg_tensor *dw)
{
    const clg_optimizer_desc *desc = &plan->desc;
    if (plan->num_states == 0)
        return CLG__LAUNCH(stream, plan->kernel, plan->elements.grid, clg__arg_tensor(w),
                           clg__arg_tensor(dw), clg__arg_elements(&plan->elements),
                           clg__arg_float(desc->lr), clg__arg_float(desc->weight_decay));
    return CLG__LAUNCH(stream, plan->kernel, plan->elements.grid, clg__arg_tensor(w),
                       clg__arg_tensor(plan->state[0]), clg__arg_tensor(dw),
                       clg__arg_elements(&plan->elements), clg__arg_float(desc->lr),
                       clg__arg_float(desc->weight_decay), clg__arg_float(desc->momentum),
                       clg__arg_float(1 - desc->dampening), clg__arg_int(desc->nesterov),
                       clg__arg_int(plan->steps == 0));
}

static clg_status enqueue_adam(clg_optimizer *plan, struct clg__stream *stream, clg_tensor *w,
                               const clg_tensor *dw)
{
    const clg_optimizer_desc *desc = &plan->desc;
    bool decoupled = desc->kind == CLG_OPTIMIZER_ADAMW;
    double t = (double)plan->steps + 1;
    double rate = desc->lr / (1 - pow(desc->beta1, t));
    double root_scale = 1 / sqrt(1 - pow(desc->beta2, t));
    return CLG__LAUNCH(stream, plan->kernel, plan->elements.grid, clg__arg_tensor(w),
                       clg__arg_tensor(plan->state[0]), clg__arg_tensor(plan->state[1]),
                       clg__arg_tensor(dw), clg__arg_elements(&plan->elements),
                       clg__arg_float(decoupled ? 0 : desc->weight_decay),
                       clg__arg_float(decoupled ? 1 - desc->lr * desc->weight_decay : 1),
                       clg__arg_float(desc->beta1), clg__arg_float(1 - desc->beta1),
                       clg__arg_float(desc->beta2), clg__arg_float(1 - desc->beta2),
                       clg__arg_float(rate), clg__arg_float(root_scale), clg__arg_float(desc->eps));
}

clg_status clg_optimizer_step(clg_optimizer *plan, clg_tensor *w, const clg_tensor *dw,
                              const clg_run *run)
{
    static const char call[] = "clg_optimizer_step";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "w", plan->ctx, w, &plan->desc.w));
    CLG__TRY(clg__expect_tensor(call, "dw", plan->ctx, dw, &plan->desc.w));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    clg_status status = plan->desc.kind == CLG_OPTIMIZER_SGD ? enqueue_sgd(plan, &stream, w, dw)
                                                             : enqueue_adam(plan, &stream, w, dw);
    if (status == CLG_OK)
        plan->steps++;
    return clg__stream_end(&stream, status);
}

/* ---- Settings and state ---- */

clg_status clg_optimizer_set_lr(clg_optimizer *plan, double lr)
{
    static const char call[] = "clg_optimizer_set_lr";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(check_range(call, "lr", lr, 0, INFINITY));
    plan->desc.lr = lr;
    return CLG_OK;
}

double clg_optimizer_lr(const clg_optimizer *plan)
{
    return plan->desc.lr;
}

int clg_optimizer_num_states(const clg_optimizer *plan)
{
    return plan->num_states;
}

const char *clg_optimizer_state_name(const clg_optimizer *plan, int i)
{
    static const char *const adam[] = {"exp_avg", "exp_avg_sq"};
    if (i < 0 || i >= plan->num_states)
        return NULL;
    return plan->desc.kind == CLG_OPTIMIZER_SGD ? "momentum_buffer" : adam[i];
}

clg_tensor *clg_optimizer_state(const clg_optimizer *plan, int i)
{
    return i < 0 || i >= plan->num_states ? NULL : plan->state[i];
}

int64_t clg_optimizer_steps(const clg_optimizer *plan)
{
    return plan->steps;
}

clg_status clg_optimizer_set_steps(clg_optimizer *plan, int64_t steps)
{
    static const char call[] = "clg_optimizer_set_steps";
    CLG__TRY(clg__check_plan(call, plan));
    if (steps < 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %lld steps, at least 0 is needed", call,
                         (long long)steps);
    plan->steps = steps;
    return CLG_OK;
}
