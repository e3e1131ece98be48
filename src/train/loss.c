#include "train/loss.h"

#include "clgrad/mse.h"
#include "clgrad/softmax_cross_entropy.h"

struct clg__loss {
    clg_status (*check)(const clg_train_desc *train, const clg_tensor_desc *output);
    clg_status (*create)(clg_context *ctx, const clg_train_desc *train, const clg_tensor_desc *x,
                         struct clg__loss_plan *plan);
    clg_status (*run)(void *state, const struct clg__sums *sums, clg_tensor *dx,
                      const clg_tensor *x, const clg_tensor *target, const clg_run *run);
    size_t (*workspace)(const void *state);
    void (*release)(void *state);
};

/* ---- Softmax cross entropy, with the count of right answers ---- */

static clg_status classify_check(const clg_train_desc *train, const clg_tensor_desc *output)
{
    char text[CLG__DESC_TEXT];
    if (output->ndim != 2)
        return clg__fail(CLG_INVALID_SHAPE,
                         "clg_model_build: the output is %s for one image, softmax cross entropy "
                         "needs two dimensions (flatten it first)",
                         clg__desc_text(output, text));
    if (!(train->label_smoothing >= 0 && train->label_smoothing <= 1))
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_build: label_smoothing is %g",
                         (double)train->label_smoothing);
    return CLG_OK;
}

static void classify_release(void *state)
{
    clg_softmax_cross_entropy_destroy(state);
}

static clg_status classify_create(clg_context *ctx, const clg_train_desc *train,
                                  const clg_tensor_desc *x, struct clg__loss_plan *plan)
{
    clg_softmax_cross_entropy *loss = NULL;
    plan->target = (clg_tensor_desc){CLG_INT32, CLG_NCHW, 1, {x->dims[0]}};
    clg_softmax_cross_entropy_desc desc = {.x = *x, .label_smoothing = train->label_smoothing};
    clg_status status = clg_softmax_cross_entropy_create(ctx, &desc, &loss);
    plan->state = loss;
    return status;
}

static size_t classify_workspace(const void *state)
{
    return clg_softmax_cross_entropy_workspace_size(state);
}

static clg_status classify_run(void *state, const struct clg__sums *sums, clg_tensor *dx,
                               const clg_tensor *x, const clg_tensor *labels, const clg_run *run)
{
    clg_softmax_cross_entropy_outputs outputs = {
        .loss = sums->loss, .dx = dx, .correct = sums->correct};
    return clg_softmax_cross_entropy_compute(state, &outputs, x, labels, run);
}

/* ---- Mean squared error ---- */

static clg_status mse_check(const clg_train_desc *train, const clg_tensor_desc *output)
{
    (void)train;
    (void)output;
    return CLG_OK;
}

static clg_status mse_create(clg_context *ctx, const clg_train_desc *train,
                             const clg_tensor_desc *x, struct clg__loss_plan *plan)
{
    (void)train;
    clg_mse *mse = NULL;
    plan->target = *x;
    clg_status status = clg_mse_create(ctx, &(clg_mse_desc){.x = *x}, &mse);
    plan->state = mse;
    return status;
}

static size_t mse_workspace(const void *state)
{
    return clg_mse_workspace_size(state);
}

static clg_status mse_run(void *state, const struct clg__sums *sums, clg_tensor *dx,
                          const clg_tensor *x, const clg_tensor *target, const clg_run *run)
{
    clg_mse_outputs outputs = {.loss = sums->loss, .dx = dx};
    return clg_mse_compute(state, &outputs, x, target, run);
}

static void mse_release(void *state)
{
    clg_mse_destroy(state);
}

static const struct clg__loss losses[CLG_LOSS_COUNT] = {
    [CLG_LOSS_SOFTMAX_CROSS_ENTROPY] = {classify_check, classify_create, classify_run,
                                        classify_workspace, classify_release},
    [CLG_LOSS_MSE] = {mse_check, mse_create, mse_run, mse_workspace, mse_release},
};

clg_status clg__loss_check(const clg_train_desc *train, const clg_tensor_desc *output)
{
    if ((unsigned)train->loss >= CLG_LOSS_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_build: loss %d is unknown",
                         (int)train->loss);
    return losses[train->loss].check(train, output);
}

clg_status clg__loss_create(clg_context *ctx, const clg_train_desc *train,
                            const clg_tensor_desc *output, struct clg__loss_plan *plan)
{
    plan->loss = &losses[train->loss];
    return plan->loss->create(ctx, train, output, plan);
}

void clg__loss_release(struct clg__loss_plan *plan)
{
    if (plan->state)
        plan->loss->release(plan->state);
}

size_t clg__loss_workspace(const struct clg__loss_plan *plan)
{
    return plan->loss->workspace(plan->state);
}

clg_status clg__loss_run(const struct clg__loss_plan *plan, const struct clg__sums *sums,
                         clg_tensor *dx, const clg_tensor *x, const clg_tensor *target,
                         const clg_run *run)
{
    return plan->loss->run(plan->state, sums, dx, x, target, run);
}
