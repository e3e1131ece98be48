/* The graph while it is written down: nodes, their names, the first error. */
#include "train/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/batch_plan.h"
#include "train/layer.h"

/* Measured on whole training steps: kernels for CPU-like devices run along the channels. */
static clg_layout choose_layout(const clg_context *ctx, clg_model_layout asked)
{
    if (asked != CLG_MODEL_LAYOUT_AUTO)
        return asked == CLG_MODEL_LAYOUT_NHWC ? CLG_NHWC : CLG_NCHW;
    return clg_context_device(ctx)->family == CLG_FAMILY_CPU ? CLG_NHWC : CLG_NCHW;
}

clg_status clg_model_create(clg_context *ctx, const clg_model_desc *desc, clg_model **out)
{
    if (!ctx || !desc || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_create: ctx, desc or model is NULL");
    *out = NULL;
    if ((unsigned)desc->layout > CLG_MODEL_LAYOUT_NHWC)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_create: layout %d is unknown",
                         (int)desc->layout);
    if (desc->max_batch_sizes < 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_create: max_batch_sizes is %d",
                         desc->max_batch_sizes);
    clg_tensor_desc x = clg_desc_4d(1, desc->channels, desc->height, desc->width);
    x.layout = choose_layout(ctx, desc->layout);
    int64_t count;
    clg_status status = clg_tensor_desc_count(&x, &count);
    if (status != CLG_OK)
        return clg__fail_in(status, "clg_model_create: the input");
    clg_model *model = calloc(1, sizeof *model);
    if (!model)
        return clg__fail_alloc("a model");
    model->ctx = clg__context_retain(ctx);
    model->desc = *desc;
    if (model->desc.max_batch_sizes == 0)
        model->desc.max_batch_sizes = 4;
    if (clg__add_node(model, &clg__layer_input, "input", NULL, 0, &x) < 0) {
        status = model->error;
        clg_model_destroy(model);
        return status;
    }
    *out = model;
    return CLG_OK;
}

static void free_node(struct clg__node *node)
{
    free(node->name);
    free(node->desc);
    free(node->inputs);
}

void clg_model_destroy(clg_model *model)
{
    if (!model)
        return;
    clg__batch_plans_destroy(model->plans);
    clg_optimizer_destroy(model->optimizer);
    for (int i = 0; i < model->num_parameters; i++) {
        free(model->parameters[i].name);
        clg_tensor_destroy(model->parameters[i].value);
        clg_tensor_destroy(model->parameters[i].gradient);
    }
    free(model->parameters);
    clg_tensor_destroy(model->values);
    clg_tensor_destroy(model->gradients);
    clg_tensor_destroy(model->statistics);
    for (int i = 0; i < model->num_nodes; i++)
        free_node(&model->nodes[i]);
    free(model->nodes);
    for (int i = 0; i < model->num_metadata; i++) {
        free(model->metadata[i].key);
        free(model->metadata[i].value);
    }
    free(model->metadata);
    clg_context_destroy(model->ctx);
    free(model);
}

/* ---- Adding a node ---- */

/* Keeps the message just set as the model's first error. */
static clg_node keep_error(clg_model *model, clg_status status)
{
    if (model->error == CLG_OK) {
        model->error = status;
        snprintf(model->error_text, sizeof model->error_text, "%s", clg_last_error());
    }
    return -1;
}

char *clg__copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static clg_status set_name(const clg_model *model, struct clg__node *node, const char *name)
{
    char made[64];
    if (!name) {
        snprintf(made, sizeof made, "%s_%d", node->layer->kind, model->num_nodes);
        name = made;
    }
    if (!*name)
        return clg__fail(CLG_INVALID_ARGUMENT, "a %s layer has an empty name", node->layer->kind);
    for (int i = 0; i < model->num_nodes; i++)
        if (strcmp(model->nodes[i].name, name) == 0)
            return clg__fail(CLG_INVALID_ARGUMENT, "two layers, %s and %s, are named \"%s\"",
                             model->nodes[i].layer->kind, node->layer->kind, name);
    node->name = clg__copy_text(name);
    return node->name ? CLG_OK : clg__fail_alloc("a layer's name");
}

static clg_status set_inputs(const clg_model *model, struct clg__node *node, const clg_node *inputs,
                             int count)
{
    node->inputs = calloc((size_t)count + 1, sizeof *node->inputs);
    if (!node->inputs)
        return clg__fail_alloc("a layer's inputs");
    for (int i = 0; i < count; i++) {
        if (inputs[i] < 0 || inputs[i] >= model->num_nodes)
            return clg__fail(CLG_INVALID_ARGUMENT, "input %d is node %d, there are nodes 0 to %d",
                             i, inputs[i], model->num_nodes - 1);
        node->inputs[i] = inputs[i];
    }
    node->num_inputs = count;
    return CLG_OK;
}

static clg_status infer(clg_model *model, struct clg__node *node)
{
    clg_tensor_desc *x = calloc((size_t)node->num_inputs + 1, sizeof *x);
    if (!x)
        return clg__fail_alloc("a layer's inputs");
    for (int i = 0; i < node->num_inputs; i++) {
        x[i] = model->nodes[node->inputs[i]].y;
        if (model->nodes[node->inputs[i]].has_gradient)
            node->has_gradient = true;
    }
    clg_status status = node->layer->infer(model, node, x);
    free(x);
    int64_t count;
    if (status == CLG_OK)
        status = clg_tensor_desc_count(&node->y, &count);
    for (int i = 0; i < node->num_parameters; i++)
        if (model->parameters[node->first_parameter + i].trained)
            node->has_gradient = true;
    return status;
}

static clg_status fill_node(clg_model *model, struct clg__node *node, const char *name,
                            const void *desc)
{
    node->first_parameter = model->num_parameters;
    node->desc = calloc(1, node->layer->desc_size + 1);
    if (!node->desc)
        return clg__fail_alloc("a layer's description");
    if (desc)
        memcpy(node->desc, desc, node->layer->desc_size);
    CLG__TRY(set_name(model, node, name));
    return infer(model, node);
}

static clg_status grow_nodes(clg_model *model)
{
    if (model->num_nodes < model->room_nodes)
        return CLG_OK;
    int room = model->room_nodes ? 2 * model->room_nodes : 32;
    void *nodes = realloc(model->nodes, (size_t)room * sizeof *model->nodes);
    if (!nodes)
        return clg__fail_alloc("a model's layers");
    model->nodes = nodes;
    model->room_nodes = room;
    return CLG_OK;
}

clg_node clg__add_node(clg_model *model, const struct clg__layer *layer, const char *name,
                       const clg_node *inputs, int num_inputs, const void *desc)
{
    if (!model || model->error != CLG_OK)
        return -1;
    if (model->state != CLG__MODEL_OPEN) {
        (void)clg__fail(CLG_INVALID_STATE, "a layer is added to a model that is built already");
        return -1;
    }
    struct clg__node node = {.layer = layer};
    clg_status status = grow_nodes(model);
    if (status == CLG_OK)
        status = set_inputs(model, &node, inputs, num_inputs);
    if (status == CLG_OK)
        status = fill_node(model, &node, name, desc);
    if (status != CLG_OK) {
        (void)clg__fail_in(status, "layer \"%s\" (%s)", name ? name : "", layer->kind);
        free_node(&node);
        return keep_error(model, status);
    }
    for (int i = 0; i < num_inputs; i++)
        model->nodes[inputs[i]].uses++;
    model->nodes[model->num_nodes] = node;
    return model->num_nodes++;
}

/* ---- Declaring parameters ---- */

static clg_status declare(clg_model *model, struct clg__node *node, const char *suffix,
                          const struct clg__parameter *what)
{
    int64_t count;
    CLG__TRY(clg_tensor_desc_count(&what->desc, &count));
    if (model->num_parameters == model->room_parameters) {
        int room = model->room_parameters ? 2 * model->room_parameters : 32;
        void *grown = realloc(model->parameters, (size_t)room * sizeof *model->parameters);
        if (!grown)
            return clg__fail_alloc("a model's parameters");
        model->parameters = grown;
        model->room_parameters = room;
    }
    struct clg__parameter parameter = *what;
    size_t size = strlen(node->name) + strlen(suffix) + 2;
    parameter.name = malloc(size);
    if (!parameter.name)
        return clg__fail_alloc("a parameter's name");
    snprintf(parameter.name, size, "%s.%s", node->name, suffix);
    model->parameters[model->num_parameters++] = parameter;
    node->num_parameters++;
    return CLG_OK;
}

clg_status clg__declare(clg_model *model, struct clg__node *node, const char *suffix,
                        const clg_tensor_desc *desc, struct clg__initial initial)
{
    return declare(model, node, suffix,
                   &(struct clg__parameter){.desc = *desc, .initial = initial, .trained = true});
}

clg_status clg__declare_statistic(clg_model *model, struct clg__node *node, const char *suffix,
                                  const clg_tensor_desc *desc, float initial)
{
    return declare(model, node, suffix,
                   &(struct clg__parameter){.desc = *desc, .initial = {.constant = initial}});
}

/* ---- Descriptions ---- */

int64_t clg__desc_count(const clg_tensor_desc *desc)
{
    int64_t count = 1;
    for (int i = 0; i < desc->ndim; i++)
        count *= desc->dims[i];
    return count;
}

clg_tensor_desc clg__node_desc(const struct clg__node *node, int64_t batch)
{
    clg_tensor_desc desc = node->y;
    desc.dims[0] = batch;
    return desc;
}

clg_status clg_model_node_desc(const clg_model *model, clg_node node, int64_t batch,
                               clg_tensor_desc *desc)
{
    if (!model || !desc)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_node_desc: model or desc is NULL");
    if (model->error != CLG_OK)
        return clg__fail(model->error, "%s", model->error_text);
    if (node < 0 || node >= model->num_nodes)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_model_node_desc: node %d, there are nodes 0 to %d", node,
                         model->num_nodes - 1);
    *desc = clg__node_desc(&model->nodes[node], batch);
    int64_t count;
    clg_status status = clg_tensor_desc_count(desc, &count);
    return status == CLG_OK ? CLG_OK : clg__fail_in(status, "clg_model_node_desc");
}
