/* The normalisation layers: batch, layer and group norm. */
#include "clgrad/layer_norm.h"
#include "clgrad/batch_norm.h"
#include "clgrad/group_norm.h"
#include "clgrad/reorder.h"
#include "train/layer.h"

/* The gradients of a norm's pass; the fields of a node that does not want dx are NULL. */
static clg_norm_gradients gradients(const struct clg__placed *at)
{
    return (clg_norm_gradients){
        .dx = at->dx[0], .dgamma = clg__gradient(at, 0), .dbeta = clg__gradient(at, 1)};
}

static void default_eps(float *eps)
{
    if (*eps == 0)
        *eps = 1e-5f;
}

/* x is only read by the backward pass, and dx may be dy. */
static void set_output(struct clg__node *node, const clg_tensor_desc *x)
{
    node->y = *x;
    node->flags = CLG__READS_X | CLG__IN_PLACE;
}

/* ---- Batch norm: parameters weight, bias, running_mean, running_var ---- */

static clg_status batch_infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    clg_batch_norm_layer *layer = node->desc;
    default_eps(&layer->eps);
    if (layer->momentum == 0)
        layer->momentum = 0.1f;
    if (x->ndim < 2)
        return clg__expect_dims(x, 2);
    set_output(node, x);
    clg_tensor_desc channels = clg_desc_1d(x->dims[1]);
    CLG__TRY(clg__declare_scale(model, node, &channels));
    CLG__TRY(clg__declare_statistic(model, node, "running_mean", &channels, 0));
    return clg__declare_statistic(model, node, "running_var", &channels, 1);
}

static clg_status batch_prepare(struct clg__placed *at)
{
    const clg_batch_norm_layer *layer = at->node->desc;
    clg_batch_norm_desc desc = {.x = clg__placed_x(at, 0),
                                .eps = layer->eps,
                                .momentum = layer->momentum,
                                .epilogue = at->node->epilogue,
                                .residual = at->node->num_inputs == 2};
    clg_batch_norm *plan = NULL;
    clg_status status = clg_batch_norm_create(at->ctx, &desc, &plan);
    at->state = plan;
    return status;
}

static clg_batch_norm_tensors batch_tensors(const struct clg__placed *at)
{
    return (clg_batch_norm_tensors){.gamma = clg__value(at, 0),
                                    .beta = clg__value(at, 1),
                                    .running_mean = clg__value(at, 2),
                                    .running_var = clg__value(at, 3)};
}

/* The mask is made from x, or with a residual, which is not kept, from y. */
static unsigned batch_fuse_relu(unsigned flags)
{
    return flags & CLG__RESIDUAL ? flags | CLG__READS_Y : flags;
}

static clg_status batch_forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    clg_batch_norm_tensors tensors = batch_tensors(at);
    if (at->node->num_inputs == 2)
        tensors.z = at->x[1];
    return (pass->training ? clg_batch_norm_forward_train : clg_batch_norm_forward_eval)(
        at->state, at->y, at->x[0], &tensors, &pass->run);
}

static clg_status batch_backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    clg_batch_norm_tensors tensors = batch_tensors(at);
    clg_norm_gradients grads = gradients(at);
    clg_run run = clg__run_with(pass, pass->accumulate);
    if (at->node->num_inputs == 2) {
        tensors.y = at->y;
        grads.dz = at->dx[1];
    }
    return clg_batch_norm_backward(at->state, &grads, at->dy, at->x[0], &tensors, &run);
}

static size_t batch_workspace(const void *state)
{
    return clg_batch_norm_workspace_size(state);
}

static void batch_release(void *state)
{
    clg_batch_norm_destroy(state);
}

static const struct clg__layer batch_norm = {
    .kind = "batch_norm",
    .desc_size = sizeof(clg_batch_norm_layer),
    .infer = batch_infer,
    .prepare = batch_prepare,
    .forward = batch_forward,
    .backward = batch_backward,
    .workspace = batch_workspace,
    .release = batch_release,
    .tracks_batches = true,
    .fuse_relu = batch_fuse_relu,
    .fuses_add = true,
};

clg_node clg_model_batch_norm(clg_model *model, clg_node x, const char *name,
                              const clg_batch_norm_layer *desc)
{
    return clg__add_node(model, &batch_norm, name, &x, 1, desc);
}

/* ---- Layer norm: its rows run along W, so that a model in NHWC changes layout around it ---- */

struct layer_state {
    clg_layer_norm *norm;
    /* Only in NHWC: x, kept for the backward pass, and y or dy and dx in NCHW. */
    clg_reorder *to_rows, *from_rows;
    clg_tensor *x, *y;
};

static clg_norm_tensors scale(const struct clg__placed *at)
{
    return (clg_norm_tensors){.gamma = clg__value(at, 0), .beta = clg__value(at, 1)};
}

static clg_status layer_infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    clg_layer_norm_layer *layer = node->desc;
    default_eps(&layer->eps);
    if (layer->normalized_dims == 0)
        layer->normalized_dims = x->ndim - 1;
    if (layer->normalized_dims < 1 || layer->normalized_dims >= x->ndim)
        return clg__fail(CLG_INVALID_SHAPE,
                         "it normalises over the last %d dimensions, an image has %d",
                         layer->normalized_dims, x->ndim - 1);
    set_output(node, x);
    if (x->layout == CLG_NHWC)
        node->flags = 0; /* it keeps a copy of x */
    clg_tensor_desc shape = {.ndim = layer->normalized_dims};
    for (int i = 0; i < shape.ndim; i++)
        shape.dims[i] = x->dims[x->ndim - shape.ndim + i];
    return clg__declare_scale(model, node, &shape);
}

static clg_status layer_fill(const struct clg__placed *at, struct layer_state *state)
{
    const clg_layer_norm_layer *layer = at->node->desc;
    clg_tensor_desc x = clg__placed_x(at, 0), rows = x;
    rows.layout = CLG_NCHW;
    clg_layer_norm_desc desc = {
        .x = rows, .normalized_dims = layer->normalized_dims, .eps = layer->eps};
    CLG__TRY(clg_layer_norm_create(at->ctx, &desc, &state->norm));
    if (x.layout == CLG_NCHW)
        return CLG_OK;
    CLG__TRY(clg_tensor_create(at->ctx, &rows, &state->x));
    CLG__TRY(clg_tensor_create(at->ctx, &rows, &state->y));
    CLG__TRY(
        clg_reorder_create(at->ctx, &(clg_reorder_desc){.from = x, .to = rows}, &state->to_rows));
    return clg_reorder_create(at->ctx, &(clg_reorder_desc){.from = rows, .to = x},
                              &state->from_rows);
}

static clg_status layer_prepare(struct clg__placed *at)
{
    at->state = calloc(1, sizeof(struct layer_state));
    return at->state ? layer_fill(at, at->state) : clg__fail_alloc("a layer norm");
}

static clg_status layer_forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const struct layer_state *state = at->state;
    clg_norm_tensors tensors = scale(at);
    if (!state->to_rows)
        return clg_layer_norm_forward(state->norm, at->y, at->x[0], &tensors, &pass->run);
    CLG__TRY(clg_reorder_forward(state->to_rows, state->x, at->x[0], &pass->run));
    CLG__TRY(clg_layer_norm_forward(state->norm, state->y, state->x, &tensors, &pass->run));
    return clg_reorder_forward(state->from_rows, at->y, state->y, &pass->run);
}

static clg_status layer_backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const struct layer_state *state = at->state;
    clg_norm_tensors tensors = scale(at);
    clg_norm_gradients grads = gradients(at);
    clg_run run = clg__run_with(pass, pass->accumulate);
    if (!state->to_rows)
        return clg_layer_norm_backward(state->norm, &grads, at->dy, at->x[0], &tensors, &run);
    CLG__TRY(clg_reorder_forward(state->to_rows, state->y, at->dy, &pass->run));
    grads.dx = at->dx[0] ? state->y : NULL; /* dx may be dy */
    CLG__TRY(clg_layer_norm_backward(state->norm, &grads, state->y, state->x, &tensors, &run));
    if (!at->dx[0])
        return CLG_OK;
    return clg_reorder_forward(state->from_rows, at->dx[0], state->y, &pass->run);
}

static size_t layer_workspace(const void *held)
{
    const struct layer_state *state = held;
    return clg_layer_norm_workspace_size(state->norm);
}

static void layer_release(void *held)
{
    struct layer_state *state = held;
    if (!state)
        return;
    clg_layer_norm_destroy(state->norm);
    clg_reorder_destroy(state->to_rows);
    clg_reorder_destroy(state->from_rows);
    clg_tensor_destroy(state->x);
    clg_tensor_destroy(state->y);
    free(state);
}

static const struct clg__layer layer_norm = {
    .kind = "layer_norm",
    .desc_size = sizeof(clg_layer_norm_layer),
    .infer = layer_infer,
    .prepare = layer_prepare,
    .forward = layer_forward,
    .backward = layer_backward,
    .workspace = layer_workspace,
    .release = layer_release,
};

clg_node clg_model_layer_norm(clg_model *model, clg_node x, const char *name,
                              const clg_layer_norm_layer *desc)
{
    return clg__add_node(model, &layer_norm, name, &x, 1, desc);
}

/* ---- Group norm ---- */

static clg_status group_infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    clg_group_norm_layer *layer = node->desc;
    default_eps(&layer->eps);
    if (x->ndim < 2)
        return clg__expect_dims(x, 2);
    if (layer->groups < 1 || x->dims[1] % layer->groups != 0)
        return clg__fail(CLG_INVALID_SHAPE, "%lld groups do not divide %lld channels",
                         (long long)layer->groups, (long long)x->dims[1]);
    set_output(node, x);
    clg_tensor_desc channels = clg_desc_1d(x->dims[1]);
    return clg__declare_scale(model, node, &channels);
}

static clg_status group_prepare(struct clg__placed *at)
{
    const clg_group_norm_layer *layer = at->node->desc;
    clg_group_norm_desc desc = {
        .x = clg__placed_x(at, 0), .groups = layer->groups, .eps = layer->eps};
    clg_group_norm *plan = NULL;
    clg_status status = clg_group_norm_create(at->ctx, &desc, &plan);
    at->state = plan;
    return status;
}

static clg_status group_forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    clg_norm_tensors tensors = scale(at);
    return clg_group_norm_forward(at->state, at->y, at->x[0], &tensors, &pass->run);
}

static clg_status group_backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    clg_norm_tensors tensors = scale(at);
    clg_norm_gradients grads = gradients(at);
    clg_run run = clg__run_with(pass, pass->accumulate);
    return clg_group_norm_backward(at->state, &grads, at->dy, at->x[0], &tensors, &run);
}

static size_t group_workspace(const void *state)
{
    return clg_group_norm_workspace_size(state);
}

static void group_release(void *state)
{
    clg_group_norm_destroy(state);
}

static const struct clg__layer group_norm = {
    .kind = "group_norm",
    .desc_size = sizeof(clg_group_norm_layer),
    .infer = group_infer,
    .prepare = group_prepare,
    .forward = group_forward,
    .backward = group_backward,
    .workspace = group_workspace,
    .release = group_release,
};

clg_node clg_model_group_norm(clg_model *model, clg_node x, const char *name,
                              const clg_group_norm_layer *desc)
{
    return clg__add_node(model, &group_norm, name, &x, 1, desc);
}
