/* The fully connected layer. */
#include "clgrad/linear.h"

#include "train/layer.h"

static clg_status infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    const clg_linear_layer *layer = node->desc;
    CLG__TRY(clg__expect_dims(x, 2));
    if (layer->features < 1)
        return clg__fail(CLG_INVALID_ARGUMENT, "it has %lld features", (long long)layer->features);
    node->y = clg_desc_2d(1, layer->features);
    node->flags = CLG__READS_X | CLG__ACCUMULATES;
    clg_tensor_desc w = clg_desc_2d(layer->features, x->dims[1]);
    return clg__declare_affine(model, node, &w, layer->features, x->dims[1], layer->no_bias);
}

static clg_status prepare(struct clg__placed *at)
{
    const clg_linear_layer *layer = at->node->desc;
    clg_linear_desc desc = {.x = clg__placed_x(at, 0), .out = layer->features};
    desc.directions = 1u << CLG_LINEAR_FORWARD;
    if (at->training)
        desc.directions |= 1u << CLG_LINEAR_BACKWARD_WEIGHT;
    if (at->dx[0])
        desc.directions |= 1u << CLG_LINEAR_BACKWARD_DATA;
    clg_linear *plan = NULL;
    clg_status status = clg_linear_create(at->ctx, &desc, &plan);
    at->state = plan;
    return status;
}

static clg_status forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    return clg_linear_forward(at->state, at->y, at->x[0], clg__value(at, 0), clg__value(at, 1),
                              &pass->run);
}

static clg_status backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    clg_run run = clg__run_with(pass, pass->accumulate);
    CLG__TRY(clg_linear_backward_weight(at->state, clg__gradient(at, 0), clg__gradient(at, 1),
                                        at->x[0], at->dy, &run));
    if (!at->dx[0])
        return CLG_OK;
    run.accumulate = at->add_dx[0];
    return clg_linear_backward_data(at->state, at->dx[0], at->dy, clg__value(at, 0), &run);
}

static size_t workspace(const void *state)
{
    size_t most = 0;
    for (int i = CLG_LINEAR_FORWARD; i <= CLG_LINEAR_BACKWARD_WEIGHT; i++) {
        size_t bytes = clg_linear_workspace_size(state, (clg_linear_direction)i);
        if (bytes > most)
            most = bytes;
    }
    return most;
}

static void release(void *state)
{
    clg_linear_destroy(state);
}

static const struct clg__layer linear = {
    .kind = "linear",
    .desc_size = sizeof(clg_linear_layer),
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .workspace = workspace,
    .release = release,
};

clg_node clg_model_linear(clg_model *model, clg_node x, const char *name,
                          const clg_linear_layer *desc)
{
    return clg__add_node(model, &linear, name, &x, 1, desc);
}
