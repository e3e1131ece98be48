/* Fusing: a relu, and an addition before it, done by the layer before them in its own passes; the
 * backward pass of that relu also by a layer behind it. */
#include "train/layer.h"

/* y is x: no forward, and the gradient is handed on. */
static void become_view(struct clg__node *node)
{
    node->flags = CLG__VIEW | CLG__PASSES_GRADIENT;
    node->num_inputs = 1;
}

static void take_relu(struct clg__node *node, struct clg__node *relu)
{
    node->epilogue = CLG_EPILOGUE_RELU;
    node->flags = node->layer->fuse_relu(node->flags);
    become_view(relu);
}

/* The input of `add` that can do the addition; -1. It must come after the other one, which it
 * reads, and be read by the addition alone. */
static int adder_of(const clg_model *model, const struct clg__node *add)
{
    for (int k = 0; k < 2; k++) {
        int taker = add->inputs[k], other = add->inputs[1 - k];
        const struct clg__node *node = &model->nodes[taker];
        if (node->layer->fuses_add && node->uses == 1 && node->epilogue == CLG_EPILOGUE_NONE &&
            other < taker)
            return taker;
    }
    return -1;
}

static void fuse_into_add(clg_model *model, struct clg__node *add, struct clg__node *relu)
{
    int taker = adder_of(model, add);
    if (taker < 0)
        return;
    struct clg__node *node = &model->nodes[taker];
    node->inputs[1] = add->inputs[add->inputs[0] == taker ? 1 : 0];
    node->num_inputs = 2;
    node->flags |= CLG__RESIDUAL;
    take_relu(node, relu);
    add->inputs[0] = taker;
    become_view(add);
}

/* The layer before the relu then takes the gradient as it comes. */
static void fuse_mask(clg_model *model, struct clg__node *node)
{
    const struct clg__node *relu = &model->nodes[node->inputs[0]];
    if (!node->layer->masks_dx || !clg__is_relu(relu) || relu->uses != 1)
        return;
    struct clg__node *before = &model->nodes[relu->inputs[0]];
    if (!(relu->flags & CLG__VIEW) || !(before->flags & CLG__MASKS_DY))
        return;
    before->flags &= ~(unsigned)(CLG__MASKS_DY | CLG__READS_Y);
    node->flags |= CLG__MASKS_DX;
}

static void fuse_relu(clg_model *model, struct clg__node *relu)
{
    struct clg__node *before = &model->nodes[relu->inputs[0]];
    if (before->uses != 1)
        return;
    if (before->layer->fuse_relu && before->epilogue == CLG_EPILOGUE_NONE)
        take_relu(before, relu);
    else if (before->layer == &clg__layer_add)
        fuse_into_add(model, before, relu);
}

void clg__fuse(clg_model *model)
{
    for (int i = 1; i < model->num_nodes; i++) {
        struct clg__node *node = &model->nodes[i];
        if (clg__is_relu(node))
            fuse_relu(model, node);
        else
            fuse_mask(model, node);
    }
}
