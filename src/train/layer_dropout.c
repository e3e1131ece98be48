/* The dropout layer. */
#include "clgrad/dropout.h"

#include "train/layer.h"

static clg_status infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    (void)model;
    const float *p = node->desc;
    if (!(*p >= 0 && *p <= 1))
        return clg__fail(CLG_INVALID_ARGUMENT, "the probability is %g, not in 0..1", (double)*p);
    node->y = *x;
    node->flags = CLG__IN_PLACE | CLG__ACCUMULATES;
    return CLG_OK;
}

static clg_status prepare(struct clg__placed *at)
{
    const float *p = at->node->desc;
    clg_dropout_desc desc = {.p = *p, .number = (uint32_t)at->index, .x = clg__placed_x(at, 0)};
    clg_dropout *plan = NULL;
    clg_status status = clg_dropout_create(at->ctx, &desc, &plan);
    at->state = plan;
    return status;
}

static clg_status forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    if (pass->training)
        return clg_dropout_forward(at->state, at->y, at->x[0], at->model->desc.seed, pass->step,
                                   &pass->run);
    if (clg__tensor_mem(at->y).object == clg__tensor_mem(at->x[0]).object &&
        clg__tensor_mem(at->y).offset == clg__tensor_mem(at->x[0]).offset)
        return CLG_OK;
    return clg_tensor_copy(at->y, at->x[0], &pass->run);
}

static clg_status backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    clg_run run = clg__run_with(pass, at->add_dx[0]);
    return clg_dropout_backward(at->state, at->dx[0], at->dy, at->model->desc.seed, pass->step,
                                &run);
}

static void release(void *state)
{
    clg_dropout_destroy(state);
}

static const struct clg__layer dropout = {
    .kind = "dropout",
    .desc_size = sizeof(float),
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};

clg_node clg_model_dropout(clg_model *model, clg_node x, const char *name, float p)
{
    return clg__add_node(model, &dropout, name, &x, 1, &p);
}
