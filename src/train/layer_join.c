/* Layers without parameters that join or reshape tensors: input, add, concat, flatten. */
#include <stdlib.h>

#include "clgrad/add.h"
#include "clgrad/concat.h"
#include "clgrad/reorder.h"
#include "train/border.h"
#include "train/layer.h"

/* ---- Input: its description is the node's ---- */

static clg_status input_infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    (void)model;
    (void)x;
    node->y = *(const clg_tensor_desc *)node->desc;
    return CLG_OK;
}

const struct clg__layer clg__layer_input = {
    .kind = "input", .desc_size = sizeof(clg_tensor_desc), .infer = input_infer};

clg_node clg_model_input(clg_model *model)
{
    return model && model->error == CLG_OK ? 0 : -1;
}

/* ---- Add: the graph hands the gradient on ---- */

static clg_status add_infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    (void)model;
    char a[CLG__DESC_TEXT], b[CLG__DESC_TEXT];
    if (!clg__desc_equal(&x[0], &x[1]))
        return clg__fail(CLG_INVALID_SHAPE, "it adds %s and %s", clg__desc_text(&x[0], a),
                         clg__desc_text(&x[1], b));
    node->y = x[0];
    node->flags = CLG__IN_PLACE | CLG__PASSES_GRADIENT;
    return CLG_OK;
}

static clg_status add_prepare(struct clg__placed *at)
{
    clg_add *plan = NULL;
    clg_status status = clg_add_create(at->ctx, &(clg_add_desc){.x = clg__placed_x(at, 0)}, &plan);
    at->state = plan;
    return status;
}

static clg_status add_forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    return clg_add_forward(at->state, at->y, at->x[0], at->x[1], &pass->run);
}

static void add_release(void *state)
{
    clg_add_destroy(state);
}

const struct clg__layer clg__layer_add = {
    .kind = "add",
    .infer = add_infer,
    .prepare = add_prepare,
    .forward = add_forward,
    .release = add_release,
};

clg_node clg_model_add(clg_model *model, clg_node a, clg_node b, const char *name)
{
    return clg__add_node(model, &clg__layer_add, name, (const clg_node[]){a, b}, 2, NULL);
}

/* ---- Concat ---- */

static clg_status concat_infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    (void)model;
    clg_concat_desc desc = {.num_inputs = node->num_inputs, .x = x};
    return clg_concat_output_desc(&desc, &node->y);
}

static clg_status concat_prepare(struct clg__placed *at)
{
    clg_tensor_desc *x = calloc((size_t)at->node->num_inputs, sizeof *x);
    if (!x)
        return clg__fail_alloc("a layer's inputs");
    for (int i = 0; i < at->node->num_inputs; i++)
        x[i] = clg__placed_x(at, i);
    clg_concat_desc desc = {.num_inputs = at->node->num_inputs, .x = x};
    clg_concat *plan = NULL;
    clg_status status = clg_concat_create(at->ctx, &desc, &plan);
    at->state = plan;
    free(x);
    return status;
}

static clg_status concat_forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    return clg_concat_forward(at->state, at->y, (const clg_tensor *const *)at->x, &pass->run);
}

static clg_status concat_backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    if (!clg__wants_dx(at))
        return CLG_OK;
    return clg_concat_backward(at->state, at->dx, at->dy, &pass->run);
}

static void concat_release(void *state)
{
    clg_concat_destroy(state);
}

static const struct clg__layer concat = {
    .kind = "concat",
    .infer = concat_infer,
    .prepare = concat_prepare,
    .forward = concat_forward,
    .backward = concat_backward,
    .release = concat_release,
};

clg_node clg_model_concat(clg_model *model, const clg_node *nodes, int count, const char *name)
{
    return clg__add_node(model, &concat, name, nodes, nodes && count > 0 ? count : 0, NULL);
}

/* ---- Flatten: a view, unless the channels come last ---- */

struct flatten {
    clg_reorder *forward, *backward;
    clg_tensor *y, *dy; /* in the shape of x, NCHW */
};

static clg_status flatten_infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    (void)model;
    if (x->ndim < 2)
        return clg__expect_dims(x, 4);
    node->y = clg_desc_2d(1, clg__desc_count(x));
    if (x->layout == CLG_NCHW || clg__layout_is_free(x))
        node->flags = CLG__VIEW | CLG__PASSES_GRADIENT;
    return CLG_OK;
}

static clg_status flatten_fill(const struct clg__placed *at, struct flatten *state)
{
    clg_tensor_desc x = clg__placed_x(at, 0), plain = x;
    plain.layout = CLG_NCHW;
    CLG__TRY(clg_tensor_view(at->y->buffer, at->y->offset, &plain, &state->y));
    CLG__TRY(
        clg_reorder_create(at->ctx, &(clg_reorder_desc){.from = x, .to = plain}, &state->forward));
    if (!at->dx[0])
        return CLG_OK;
    CLG__TRY(clg_tensor_view(at->dy->buffer, at->dy->offset, &plain, &state->dy));
    return clg_reorder_create(at->ctx, &(clg_reorder_desc){.from = plain, .to = x},
                              &state->backward);
}

static clg_status flatten_prepare(struct clg__placed *at)
{
    if (at->node->flags & CLG__VIEW)
        return CLG_OK;
    at->state = calloc(1, sizeof(struct flatten));
    return at->state ? flatten_fill(at, at->state) : clg__fail_alloc("a flatten layer");
}

static clg_status flatten_forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    struct flatten *state = at->state;
    return clg_reorder_forward(state->forward, state->y, at->x[0], &pass->run);
}

static clg_status flatten_backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    struct flatten *state = at->state;
    return clg_reorder_forward(state->backward, at->dx[0], state->dy, &pass->run);
}

static void flatten_release(void *held)
{
    struct flatten *state = held;
    if (!state)
        return;
    clg_reorder_destroy(state->forward);
    clg_reorder_destroy(state->backward);
    clg_tensor_destroy(state->y);
    clg_tensor_destroy(state->dy);
    free(state);
}

static const struct clg__layer flatten = {
    .kind = "flatten",
    .infer = flatten_infer,
    .prepare = flatten_prepare,
    .forward = flatten_forward,
    .backward = flatten_backward,
    .release = flatten_release,
};

clg_node clg_model_flatten(clg_model *model, clg_node x, const char *name)
{
    return clg__add_node(model, &flatten, name, &x, 1, NULL);
}
