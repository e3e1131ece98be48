/* The transposed convolution layer. */
#include "clgrad/conv_transpose2d.h"

#include "train/layer.h"

static clg_conv_transpose2d_desc describe(const clg_conv_transpose2d_layer *layer,
                                          clg_tensor_desc x)
{
    clg_conv_transpose2d_desc desc = {
        .x = x, .filters = layer->filters, .groups = layer->groups, .y_layout = x.layout};
    for (int i = 0; i < 2; i++) {
        desc.kernel[i] = layer->kernel[i];
        desc.stride[i] = layer->stride[i];
        desc.padding[i] = layer->padding[i];
        desc.output_padding[i] = layer->output_padding[i];
        desc.dilation[i] = layer->dilation[i];
    }
    return desc;
}

static clg_status infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    clg_conv_transpose2d_layer *layer = node->desc;
    clg_tensor_desc w;
    clg__default_pair(layer->kernel, 0);
    clg__default_pair(layer->stride, 1);
    clg__default_pair(layer->dilation, 1);
    if (layer->groups == 0)
        layer->groups = 1;
    CLG__TRY(clg__expect_dims(x, 4));
    clg_conv_transpose2d_desc desc = describe(layer, *x);
    CLG__TRY(clg_conv_transpose2d_output_size(&desc, &node->y, &w));
    node->flags = CLG__READS_X | CLG__ACCUMULATES;
    /* PyTorch computes the fan in from the filter tensor as if it were that of a convolution. */
    int64_t fan_in = w.dims[1] * w.dims[2] * w.dims[3];
    return clg__declare_affine(model, node, &w, layer->filters, fan_in, layer->no_bias);
}

static clg_status prepare(struct clg__placed *at)
{
    clg_conv_transpose2d_desc desc = describe(at->node->desc, clg__placed_x(at, 0));
    clg_conv_transpose2d *plan = NULL;
    clg_status status = clg_conv_transpose2d_create(at->ctx, &desc, &plan);
    at->state = plan;
    return status;
}

static clg_status forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    return clg_conv_transpose2d_forward(at->state, at->y, at->x[0], clg__value(at, 0),
                                        clg__value(at, 1), &pass->run);
}

static clg_status backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    clg_run run = clg__run_with(pass, pass->accumulate);
    CLG__TRY(clg_conv_transpose2d_backward_filter(at->state, clg__gradient(at, 0),
                                                  clg__gradient(at, 1), at->x[0], at->dy, &run));
    if (!at->dx[0])
        return CLG_OK;
    run.accumulate = at->add_dx[0];
    return clg_conv_transpose2d_backward_data(at->state, at->dx[0], at->dy, clg__value(at, 0),
                                              &run);
}

static size_t workspace(const void *state)
{
    return clg_conv_transpose2d_workspace_size(state);
}

static void release(void *state)
{
    clg_conv_transpose2d_destroy(state);
}

static const struct clg__layer conv_transpose2d = {
    .kind = "conv_transpose2d",
    .desc_size = sizeof(clg_conv_transpose2d_layer),
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .workspace = workspace,
    .release = release,
};

clg_node clg_model_conv_transpose2d(clg_model *model, clg_node x, const char *name,
                                    const clg_conv_transpose2d_layer *desc)
{
    return clg__add_node(model, &conv_transpose2d, name, &x, 1, desc);
}
