/* The convolution layer. */
#include "clgrad/conv2d.h"

#include <stdlib.h>

#include "clgrad/activation.h"
#include "train/layer.h"

struct state {
    clg_conv2d *plan;
    clg_activation *mask; /* NULL without a relu */
};

static clg_conv2d_desc describe(const clg_conv2d_layer *layer, clg_tensor_desc x)
{
    clg_conv2d_desc desc =
        clg_conv2d_desc_init(x, layer->filters, layer->kernel[0], layer->kernel[1]);
    for (int i = 0; i < 2; i++) {
        desc.stride[i] = layer->stride[i];
        desc.dilation[i] = layer->dilation[i];
    }
    for (int i = 0; i < 4; i++)
        desc.padding[i] = layer->padding[i];
    desc.groups = layer->groups;
    desc.pad_mode = layer->pad_mode;
    desc.pad_value = layer->pad_value;
    return desc;
}

static clg_status infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    clg_conv2d_layer *layer = node->desc;
    clg_tensor_desc w;
    clg__default_pair(layer->kernel, 0);
    clg__default_pair(layer->stride, 1);
    clg__default_pair(layer->dilation, 1);
    if (layer->groups == 0)
        layer->groups = 1;
    CLG__TRY(clg__expect_dims(x, 4));
    clg_conv2d_desc desc = describe(layer, *x);
    CLG__TRY(clg_conv2d_output_size(&desc, &node->y, &w));
    node->flags = CLG__READS_X | CLG__ACCUMULATES;
    int64_t fan_in = w.dims[1] * w.dims[2] * w.dims[3];
    return clg__declare_affine(model, node, &w, layer->filters, fan_in, layer->no_bias);
}

static clg_status prepare(struct clg__placed *at)
{
    clg_conv2d_desc desc = describe(at->node->desc, clg__placed_x(at, 0));
    desc.directions = 1u << CLG_CONV2D_FORWARD;
    if (at->training)
        desc.directions |= 1u << CLG_CONV2D_BACKWARD_FILTER;
    if (at->dx[0])
        desc.directions |= 1u << CLG_CONV2D_BACKWARD_DATA;
    desc.epilogue = at->node->epilogue;
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return clg__fail_alloc("a layer");
    at->state = state;
    CLG__TRY(clg__mask_create(at, &state->mask));
    return clg_conv2d_create(at->ctx, &desc, &state->plan);
}

static clg_status forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const struct state *state = at->state;
    return clg_conv2d_forward(state->plan, at->y, at->x[0], clg__value(at, 0), clg__value(at, 1),
                              &pass->run);
}

static clg_status backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const struct state *state = at->state;
    const clg_tensor *dy;
    clg_run run = clg__run_with(pass, pass->accumulate);
    CLG__TRY(clg__mask_dy(at, state->mask, pass, &dy));
    CLG__TRY(clg_conv2d_backward_filter(state->plan, clg__gradient(at, 0), clg__gradient(at, 1),
                                        at->x[0], dy, &run));
    if (!at->dx[0])
        return CLG_OK;
    run.accumulate = at->add_dx[0];
    return clg_conv2d_backward_data(state->plan, at->dx[0], dy, clg__value(at, 0), &run);
}

static size_t workspace(const void *held)
{
    const struct state *state = held;
    size_t most = 0;
    for (int i = CLG_CONV2D_FORWARD; i <= CLG_CONV2D_BACKWARD_FILTER; i++) {
        size_t bytes = clg_conv2d_workspace_size(state->plan, (clg_conv2d_direction)i);
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
    clg_conv2d_destroy(state->plan);
    clg_activation_destroy(state->mask);
    free(state);
}

static const struct clg__layer conv2d = {
    .kind = "conv2d",
    .desc_size = sizeof(clg_conv2d_layer),
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .workspace = workspace,
    .release = release,
    .fuse_relu = clg__fuse_masked,
};

clg_node clg_model_conv2d(clg_model *model, clg_node x, const char *name,
                          const clg_conv2d_layer *desc)
{
    return clg__add_node(model, &conv2d, name, &x, 1, desc);
}
