/* The fully connected layer. */
#include "clgrad/linear.h"

#include <stdlib.h>

#include "clgrad/activation.h"
#include "train/layer.h"

struct state {
    clg_linear *plan;
    clg_activation *mask; /* NULL without a relu */
};

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
    desc.epilogue = at->node->epilogue;
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return clg__fail_alloc("a layer");
    at->state = state;
    CLG__TRY(clg__mask_create(at, &state->mask));
    return clg_linear_create(at->ctx, &desc, &state->plan);
}

static clg_status forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const struct state *state = at->state;
    return clg_linear_forward(state->plan, at->y, at->x[0], clg__value(at, 0), clg__value(at, 1),
                              &pass->run);
}

static clg_status backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const struct state *state = at->state;
    const clg_tensor *dy;
    clg_run run = clg__run_with(pass, pass->accumulate);
    CLG__TRY(clg__mask_dy(at, state->mask, pass, &dy));
    CLG__TRY(clg_linear_backward_weight(state->plan, clg__gradient(at, 0), clg__gradient(at, 1),
                                        at->x[0], dy, &run));
    if (!at->dx[0])
        return CLG_OK;
    run.accumulate = at->add_dx[0];
    return clg_linear_backward_data(state->plan, at->dx[0], dy, clg__value(at, 0), &run);
}

static size_t workspace(const void *held)
{
    const struct state *state = held;
    size_t most = 0;
    for (int i = CLG_LINEAR_FORWARD; i <= CLG_LINEAR_BACKWARD_WEIGHT; i++) {
        size_t bytes = clg_linear_workspace_size(state->plan, (clg_linear_direction)i);
        if (bytes > most)
            most = bytes;
    }
    return most;
}

static void release(void *held)
{
    struct state *state = held;
    if (!state)
        return;
    clg_linear_destroy(state->plan);
    clg_activation_destroy(state->mask);
    free(state);
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
    .fuse_relu = clg__fuse_masked,
};

clg_node clg_model_linear(clg_model *model, clg_node x, const char *name,
                          const clg_linear_layer *desc)
{
    return clg__add_node(model, &linear, name, &x, 1, desc);
}
