/* The activation layer. */
#include "clgrad/activation.h"

#include "train/layer.h"

/* Whether y tells as much about the derivative as x: it has the same sign and the same kinks. Then
 * the layer works in place, and x need not be kept. */
static bool derivative_from_y(const clg_activation_layer *layer)
{
    return layer->kind == CLG_ACTIVATION_RELU || layer->kind == CLG_ACTIVATION_RELU6 ||
           (layer->kind == CLG_ACTIVATION_LEAKY_RELU && layer->alpha > 0);
}

static clg_activation_desc describe(const clg_activation_layer *layer, clg_tensor_desc x)
{
    return (clg_activation_desc){.kind = layer->kind, .alpha = layer->alpha, .x = x};
}

static clg_status infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    (void)model;
    clg_activation_layer *layer = node->desc;
    if ((unsigned)layer->kind >= CLG_ACTIVATION_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "activation %d is unknown", (int)layer->kind);
    if (layer->alpha == 0)
        layer->alpha = layer->kind == CLG_ACTIVATION_LEAKY_RELU ? 0.01f : 1.0f;
    node->y = *x;
    node->flags = CLG__IN_PLACE | (derivative_from_y(layer) ? CLG__READS_Y : CLG__READS_X);
    return CLG_OK;
}

static clg_status prepare(struct clg__placed *at)
{
    clg_activation_desc desc = describe(at->node->desc, clg__placed_x(at, 0));
    clg_activation *plan = NULL;
    clg_status status = clg_activation_create(at->ctx, &desc, &plan);
    at->state = plan;
    return status;
}

static clg_status forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    return clg_activation_forward(at->state, at->y, at->x[0], &pass->run);
}

static clg_status backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const clg_tensor *x = at->node->flags & CLG__READS_Y ? at->y : at->x[0];
    return clg_activation_backward(at->state, at->dx[0], at->dy, x, &pass->run);
}

static void release(void *state)
{
    clg_activation_destroy(state);
}

const struct clg__layer clg__layer_activation = {
    .kind = "activation",
    .desc_size = sizeof(clg_activation_layer),
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};

bool clg__is_relu(const struct clg__node *node)
{
    return node->layer == &clg__layer_activation &&
           ((const clg_activation_layer *)node->desc)->kind == CLG_ACTIVATION_RELU;
}

/* ---- A relu that another layer does ---- */

clg_status clg__mask_create(const struct clg__placed *at, clg_activation **mask)
{
    *mask = NULL;
    if (!at->training || !(at->node->flags & CLG__MASKS_DY))
        return CLG_OK;
    const clg_activation_desc desc = {CLG_ACTIVATION_RELU, 0, clg__placed_y(at)};
    return clg_activation_create(at->ctx, &desc, mask);
}

clg_status clg__mask_dy(const struct clg__placed *at, clg_activation *mask,
                        const struct clg__pass *pass, const clg_tensor **dy)
{
    *dy = at->dy;
    if (!mask)
        return CLG_OK;
    *dy = at->masked_dy;
    return clg_activation_backward(mask, at->masked_dy, at->dy, at->y, &pass->run);
}

unsigned clg__fuse_masked(unsigned flags)
{
    return flags | CLG__READS_Y | CLG__MASKS_DY;
}

clg_node clg_model_activation(clg_model *model, clg_node x, const char *name,
                              const clg_activation_layer *desc)
{
    return clg__add_node(model, &clg__layer_activation, name, &x, 1, desc);
}

clg_node clg_model_relu(clg_model *model, clg_node x)
{
    return clg_model_activation(model, x, NULL,
                                &(clg_activation_layer){.kind = CLG_ACTIVATION_RELU});
}
