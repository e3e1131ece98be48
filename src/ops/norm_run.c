/* The passes of a normalisation: forward, evaluation, backward. */
#include <math.h>
#include <stdint.h>

#include "base/error.h"
#include "ops/norm.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

/* A call under way. */
struct pass {
    struct clg__norm *norm;
    struct clg__stream *stream;
    const struct clg__norm_operands *operands;
    struct clg__mem partial, coefficients, spread, saved;
};

struct clg__norm_operands clg__norm_operands_of(const clg_norm_tensors *tensors)
{
    return tensors ? (struct clg__norm_operands){.gamma = tensors->gamma,
                                                 .beta = tensors->beta,
                                                 .saved = tensors->saved}
                   : (struct clg__norm_operands){0};
}

/* The tensors of a residual: z goes forward, and backward relu needs y. */
static clg_status check_residual(const struct clg__norm *norm, const char *call,
                                 const struct clg__norm_operands *operands, bool forward)
{
    const struct clg__norm_problem *p = &norm->problem;
    const struct {
        const char *name;
        const clg_tensor *tensor;
        bool needed;
    } tensors[] = {{"z", operands->z, forward && p->residual},
                   {"y", operands->y, !forward && p->residual && p->relu}};
    const struct clg_tensor *ignored = forward ? operands->y : operands->z;
    for (int i = 0; i < 2; i++) {
        if (tensors[i].needed)
            CLG__TRY(
                clg__expect_tensor(call, tensors[i].name, norm->ctx, tensors[i].tensor, &p->x));
        else if (tensors[i].tensor && tensors[i].tensor != ignored)
            return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is given to a plan %s", call,
                             tensors[i].name, p->residual ? "without relu" : "without a residual");
    }
    return CLG_OK;
}

static clg_status check_operands(const struct clg__norm *norm, const char *call,
                                 const struct clg__norm_operands *operands)
{
    const struct clg__norm_problem *p = &norm->problem;
    char text[CLG__DESC_TEXT];
    CLG__TRY(clg__expect_optional(call, "gamma", norm->ctx, operands->gamma, &p->gamma));
    CLG__TRY(clg__expect_optional(call, "beta", norm->ctx, operands->beta, &p->gamma));
    if (operands->evaluation) {
        CLG__TRY(
            clg__expect_tensor(call, "running_mean", norm->ctx, operands->running_mean, &p->gamma));
        return clg__expect_tensor(call, "running_var", norm->ctx, operands->running_var, &p->gamma);
    }
    CLG__TRY(
        clg__expect_optional(call, "running_mean", norm->ctx, operands->running_mean, &p->gamma));
    CLG__TRY(
        clg__expect_optional(call, "running_var", norm->ctx, operands->running_var, &p->gamma));
    if (p->kind == CLG__NORM_BATCH && p->images * p->length == 1)
        return clg__fail(CLG_INVALID_SHAPE,
                         "%s: x is %s, one element a channel; the statistics of training need at "
                         "least 2",
                         call, clg__desc_text(&p->x, text));
    return clg__expect_optional(call, "saved", norm->ctx, operands->saved, &norm->saved_desc);
}

static struct pass begin(struct clg__norm *norm, struct clg__stream *stream,
                         const struct clg__norm_operands *operands)
{
    struct clg__mem workspace = stream->workspace;
    return (struct pass){norm,
                         stream,
                         operands,
                         workspace,
                         clg__mem_at(workspace, norm->coefficients),
                         clg__mem_at(workspace, norm->spread),
                         clg__tensor_mem(operands->saved ? operands->saved : norm->saved)};
}

/* ---- Forward ---- */

static struct clg__grid join_grid(const struct clg__norm *norm)
{
    return clg__norm_join_grid(norm->ctx, norm->problem.kind == CLG__NORM_BATCH, norm->sets);
}

static clg_status statistics(const struct pass *pass, const clg_tensor *x)
{
    const struct clg__norm *norm = pass->norm;
    const struct clg__norm_operands *operands = pass->operands;
    CLG__TRY(
        CLG__NORM_STAGE_LAUNCH(&norm->moments, pass->stream, pass->partial, clg__tensor_mem(x)));
    return CLG__LAUNCH(pass->stream, norm->join_moments, join_grid(norm), clg__arg_mem(pass->saved),
                       clg__arg_mem(pass->coefficients), clg__arg_mem(pass->partial),
                       clg__arg_tensor(operands->gamma), clg__arg_tensor(operands->beta),
                       clg__arg_tensor(operands->running_mean),
                       clg__arg_tensor(operands->running_var),
                       clg__arg_struct(&norm->join_moments_args, sizeof norm->join_moments_args));
}

/* From the running statistics: `spread` as if saved, and coefficients; use: NORM_FOR_... */
static clg_status evaluation(const struct pass *pass, int use)
{
    const struct clg__norm *norm = pass->norm;
    const struct clg__norm_operands *operands = pass->operands;
    return CLG__LAUNCH(pass->stream, norm->evaluation, clg__grid_1d(norm->sets),
                       clg__arg_mem(pass->spread), clg__arg_mem(pass->coefficients),
                       clg__arg_tensor(operands->running_mean),
                       clg__arg_tensor(operands->running_var), clg__arg_tensor(operands->gamma),
                       clg__arg_tensor(operands->beta), clg__arg_int(norm->sets),
                       clg__arg_int(norm->join_sums_args.copies),
                       clg__arg_float((double)norm->problem.eps), clg__arg_int(use));
}

static clg_status apply(const struct pass *pass, clg_tensor *y, const clg_tensor *x)
{
    const struct clg__norm *norm = pass->norm;
    if (norm->problem.kind == CLG__NORM_LAYER)
        return CLG__NORM_STAGE_LAUNCH(
            &norm->apply, pass->stream, clg__tensor_mem(y), clg__tensor_mem(x), pass->saved,
            clg__tensor_mem(pass->operands->gamma), clg__tensor_mem(pass->operands->beta));
    return CLG__NORM_STAGE_LAUNCH(&norm->apply, pass->stream, clg__tensor_mem(y),
                                  clg__tensor_mem(x), pass->coefficients,
                                  clg__tensor_mem(pass->operands->z));
}

static clg_status enqueue_forward(const struct pass *pass, clg_tensor *y, const clg_tensor *x)
{
    if (pass->operands->evaluation)
        CLG__TRY(evaluation(pass, NORM_FOR_Y));
    else if (!pass->norm->whole_rows)
        CLG__TRY(statistics(pass, x));
    return apply(pass, y, x);
}

clg_status clg__norm_forward(struct clg__norm *norm, const char *call, clg_tensor *y,
                             const clg_tensor *x, const struct clg__norm_operands *operands,
                             const clg_run *run)
{
    CLG__TRY(clg__expect_tensor(call, "y", norm->ctx, y, &norm->problem.x));
    CLG__TRY(clg__expect_tensor(call, "x", norm->ctx, x, &norm->problem.x));
    CLG__TRY(check_operands(norm, call, operands));
    CLG__TRY(check_residual(norm, call, operands, true));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, norm->ctx, run, norm->workspace));
    struct pass pass = begin(norm, &stream, operands);
    clg_status status = clg__stream_end(&stream, enqueue_forward(&pass, y, x));
    if (status == CLG_OK && !operands->evaluation && !operands->saved)
        norm->saved_valid = true;
    return status;
}

/* ---- Backward ---- */

static clg_status parameter_gradients(const struct pass *pass, const clg_norm_gradients *grads,
                                      int64_t parts)
{
    const struct clg__norm *norm = pass->norm;
    int64_t channels = norm->problem.channels;
    return CLG__LAUNCH(pass->stream, norm->parameter_gradients, clg__grid_1d(channels),
                       clg__arg_tensor(grads->dgamma), clg__arg_tensor(grads->dbeta),
                       clg__arg_mem(pass->partial), clg__arg_int(channels), clg__arg_int(parts),
                       clg__arg_int(pass->stream->accumulate));
}

/* grads: where dgamma and dbeta go, of batch norm; else NULL. */
static clg_status join_sums(const struct pass *pass, const clg_tensor *gamma,
                            const clg_norm_gradients *grads)
{
    const struct clg__norm *norm = pass->norm;
    return CLG__LAUNCH(
        pass->stream, norm->join_sums, join_grid(norm), clg__arg_mem(pass->coefficients),
        clg__arg_tensor(grads ? grads->dgamma : NULL), clg__arg_tensor(grads ? grads->dbeta : NULL),
        clg__arg_mem(pass->partial), clg__arg_mem(pass->saved), clg__arg_tensor(gamma),
        clg__arg_tensor(pass->operands->beta),
        clg__arg_struct(&norm->join_sums_args, sizeof norm->join_sums_args),
        clg__arg_int(pass->stream->accumulate));
}

/* Parameter gradients come first: dx may be dy. */
static clg_status backward_layer(const struct pass *pass, const clg_norm_gradients *grads,
                                 struct clg__mem dy, struct clg__mem x)
{
    const struct clg__norm *norm = pass->norm;
    struct clg__mem gamma = clg__tensor_mem(pass->operands->gamma);
    if (grads->dgamma || grads->dbeta) {
        const struct clg__mem none = {NULL, 0};
        CLG__TRY(CLG__NORM_STAGE_LAUNCH(&norm->column_sums, pass->stream, pass->partial, dy, x,
                                        pass->saved, none, none, none, none));
        CLG__TRY(parameter_gradients(pass, grads, norm->column_sums.chunks));
    }
    if (!grads->dx)
        return CLG_OK;
    if (!norm->whole_rows) {
        CLG__TRY(CLG__NORM_STAGE_LAUNCH(&norm->sums, pass->stream, pass->partial, dy, x,
                                        pass->saved, gamma));
        CLG__TRY(join_sums(pass, NULL, NULL));
    }
    return CLG__NORM_STAGE_LAUNCH(&norm->gradient, pass->stream, clg__tensor_mem(grads->dx), dy, x,
                                  norm->whole_rows ? pass->saved : pass->coefficients, gamma);
}

/* The statistics with one column a channel: *saved. */
static clg_status spread_saved(const struct pass *pass, struct clg__mem *saved)
{
    const struct clg__norm *norm = pass->norm;
    int entries = norm->join_sums_args.entries;
    *saved = pass->saved;
    if (pass->operands->evaluation) {
        *saved = pass->spread;
        return evaluation(pass, norm->problem.relu ? NORM_FOR_MASKED_SLOPE : NORM_FOR_SLOPE);
    }
    if (!norm->spread_saved)
        return CLG_OK;
    *saved = pass->spread;
    return CLG__LAUNCH(pass->stream, norm->spread_saved, clg__grid_1d(norm->sets * entries),
                       clg__arg_mem(pass->spread), clg__arg_mem(pass->saved),
                       clg__arg_int(norm->sets), clg__arg_int(entries));
}

/* dx, from the coefficients and what relu lets through of dy, which dz already is. */
static clg_status gradient(const struct pass *pass, const clg_norm_gradients *grads,
                           struct clg__mem dy, struct clg__mem x)
{
    const struct clg__norm *norm = pass->norm;
    struct clg__mem dx = clg__tensor_mem(grads->dx), none = {NULL, 0};
    if (pass->operands->evaluation && !norm->problem.relu)
        return CLG__NORM_STAGE_LAUNCH(&norm->apply, pass->stream, dx, dy, pass->coefficients, none);
    struct clg__norm_stage stage = norm->gradient;
    if (grads->dz) {
        clg__norm_stage_set_relu(&stage, -INFINITY, NORM_MASK_NONE);
        dy = clg__tensor_mem(grads->dz);
    }
    return CLG__NORM_STAGE_LAUNCH(&stage, pass->stream, dx, dy, x, pass->coefficients,
                                  clg__tensor_mem(pass->operands->y));
}

static clg_status backward_images(const struct pass *pass, const clg_norm_gradients *grads,
                                  struct clg__mem dy, struct clg__mem x)
{
    const struct clg__norm *norm = pass->norm;
    const struct clg__norm_operands *operands = pass->operands;
    bool affine = grads->dgamma || grads->dbeta;
    bool joined = !operands->evaluation && norm->problem.kind == CLG__NORM_BATCH;
    struct clg__mem saved;
    CLG__TRY(spread_saved(pass, &saved));
    if (affine || grads->dz || !operands->evaluation)
        CLG__TRY(CLG__NORM_STAGE_LAUNCH(&norm->sums, pass->stream, pass->partial, dy, x, saved,
                                        clg__tensor_mem(operands->gamma),
                                        clg__tensor_mem(operands->beta),
                                        clg__tensor_mem(operands->y), clg__tensor_mem(grads->dz)));
    if (affine && !joined) {
        int64_t images = norm->sets / norm->join_sums_args.groups;
        CLG__TRY(parameter_gradients(pass, grads, images * norm->sums.chunks));
    }
    if (!operands->evaluation && (grads->dx || (affine && joined)))
        CLG__TRY(join_sums(pass, operands->gamma, joined ? grads : NULL));
    return grads->dx ? gradient(pass, grads, dy, x) : CLG_OK;
}

static clg_status check_backward(const struct clg__norm *norm, const char *call,
                                 const clg_norm_gradients *grads, const clg_tensor *dy,
                                 const clg_tensor *x)
{
    const struct clg__norm_problem *p = &norm->problem;
    if (!grads || (!grads->dx && !grads->dgamma && !grads->dbeta && !grads->dz))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s NULL", call,
                         grads ? "dx, dgamma and dbeta are all" : "grads is");
    if (grads->dz && !(p->residual && p->relu))
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: dz is given to a plan without a residual and relu", call);
    CLG__TRY(clg__expect_optional(call, "dz", norm->ctx, grads->dz, &p->x));
    CLG__TRY(clg__expect_optional(call, "dx", norm->ctx, grads->dx, &p->x));
    CLG__TRY(clg__expect_optional(call, "dgamma", norm->ctx, grads->dgamma, &p->gamma));
    CLG__TRY(clg__expect_optional(call, "dbeta", norm->ctx, grads->dbeta, &p->gamma));
    CLG__TRY(clg__expect_tensor(call, "dy", norm->ctx, dy, &p->x));
    return clg__expect_tensor(call, "x", norm->ctx, x, &p->x);
}

clg_status clg__norm_backward(struct clg__norm *norm, const char *call,
                              const clg_norm_gradients *grads, const clg_tensor *dy,
                              const clg_tensor *x, const struct clg__norm_operands *operands,
                              const clg_run *run)
{
    CLG__TRY(check_backward(norm, call, grads, dy, x));
    CLG__TRY(check_operands(norm, call, operands));
    CLG__TRY(check_residual(norm, call, operands, false));
    if (!operands->evaluation && !operands->saved && !norm->saved_valid)
        return clg__fail(CLG_INVALID_STATE,
                         "%s: saved is NULL, and the plan has not run forward without it", call);
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, norm->ctx, run, norm->workspace));
    struct pass pass = begin(norm, &stream, operands);
    struct clg__mem from = clg__tensor_mem(x), slope = clg__tensor_mem(dy);
    return clg__stream_end(&stream, norm->problem.kind == CLG__NORM_LAYER
                                        ? backward_layer(&pass, grads, slope, from)
                                        : backward_images(&pass, grads, slope, from));
}
