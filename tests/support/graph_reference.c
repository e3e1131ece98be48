#include "support/graph_reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "ref/activation.h"
#include "ref/add_concat.h"
#include "ref/array.h"
#include "ref/conv2d.h"
#include "ref/conv_transpose2d.h"
#include "ref/linear.h"
#include "ref/loss.h"
#include "ref/norm.h"
#include "ref/pool2d.h"
#include "support/testing.h"
#include "train/layer.h"

/* One node with its arrays; dx[k] receives what the node adds to the gradient of input k. */
struct site {
    const struct clg__node *node;
    const struct graph_batch *batch;
    uint64_t seed;
    int index;
    clg_tensor_desc x_desc, y_desc; /* of the first input */
    double **x, *y, *dy, **dx;
    double **w, **dw;
    const clg_tensor_desc *all_x; /* [num_inputs] */
};

struct kind {
    const char *name;
    void (*forward)(const struct site *at);
    void (*backward)(const struct site *at);
};

static int64_t spatial(const clg_tensor_desc *desc)
{
    int64_t count = 1;
    for (int i = 2; i < desc->ndim; i++)
        count *= desc->dims[i];
    return count;
}

/* ---- Convolutions ---- */

static struct ref_conv2d conv2d_problem(const struct site *at)
{
    const clg_conv2d_layer *l = at->node->desc;
    const int64_t *d = at->x_desc.dims;
    return (struct ref_conv2d){d[0],
                               d[1],
                               d[2],
                               d[3],
                               l->filters,
                               l->kernel[0],
                               l->kernel[1],
                               l->stride[0],
                               l->stride[1],
                               l->padding[0],
                               l->padding[1],
                               l->padding[2],
                               l->padding[3],
                               l->dilation[0],
                               l->dilation[1],
                               l->groups,
                               (enum ref_pad_mode)l->pad_mode,
                               (double)l->pad_value};
}

static void conv2d_forward(const struct site *at)
{
    struct ref_conv2d problem = conv2d_problem(at);
    ref_conv2d_forward(&problem, at->x[0], at->w[0], at->node->num_parameters > 1 ? at->w[1] : NULL,
                       at->y);
}

static void conv2d_backward(const struct site *at)
{
    struct ref_conv2d problem = conv2d_problem(at);
    ref_conv2d_backward_data(&problem, at->w[0], at->dy, at->dx[0]);
    ref_conv2d_backward_filter(&problem, at->x[0], at->dy, at->dw[0]);
    if (at->node->num_parameters > 1)
        ref_conv2d_backward_bias(&problem, at->dy, at->dw[1]);
}

static struct ref_conv_transpose2d transpose_problem(const struct site *at)
{
    const clg_conv_transpose2d_layer *l = at->node->desc;
    const int64_t *d = at->x_desc.dims;
    return (struct ref_conv_transpose2d){d[0],
                                         d[1],
                                         d[2],
                                         d[3],
                                         l->filters,
                                         l->kernel[0],
                                         l->kernel[1],
                                         l->stride[0],
                                         l->stride[1],
                                         l->padding[0],
                                         l->padding[1],
                                         l->output_padding[0],
                                         l->output_padding[1],
                                         l->dilation[0],
                                         l->dilation[1],
                                         l->groups};
}

static void transpose_forward(const struct site *at)
{
    struct ref_conv_transpose2d problem = transpose_problem(at);
    ref_conv_transpose2d_forward(&problem, at->x[0], at->w[0],
                                 at->node->num_parameters > 1 ? at->w[1] : NULL, at->y);
}

static void transpose_backward(const struct site *at)
{
    struct ref_conv_transpose2d problem = transpose_problem(at);
    ref_conv_transpose2d_backward_data(&problem, at->w[0], at->dy, at->dx[0]);
    ref_conv_transpose2d_backward_filter(&problem, at->x[0], at->dy, at->dw[0]);
    if (at->node->num_parameters > 1)
        ref_conv_transpose2d_backward_bias(&problem, at->dy, at->dw[1]);
}

static void linear_forward(const struct site *at)
{
    struct ref_linear problem = {at->batch->size, at->x_desc.dims[1], at->y_desc.dims[1]};
    ref_linear_forward(&problem, at->x[0], at->w[0], at->node->num_parameters > 1 ? at->w[1] : NULL,
                       at->y);
}

static void linear_backward(const struct site *at)
{
    struct ref_linear problem = {at->batch->size, at->x_desc.dims[1], at->y_desc.dims[1]};
    ref_linear_backward_data(&problem, at->w[0], at->dy, at->dx[0]);
    ref_linear_backward_filter(&problem, at->x[0], at->dy, at->dw[0]);
    if (at->node->num_parameters > 1)
        ref_linear_backward_bias(&problem, at->dy, at->dw[1]);
}

/* ---- Element by element ---- */

static void activation_forward(const struct site *at)
{
    const clg_activation_layer *l = at->node->desc;
    ref_activation_forward((enum ref_activation)l->kind, (double)l->alpha,
                           clg__desc_count(&at->y_desc), at->x[0], at->y);
}

static void activation_backward(const struct site *at)
{
    const clg_activation_layer *l = at->node->desc;
    ref_activation_backward((enum ref_activation)l->kind, (double)l->alpha,
                            clg__desc_count(&at->y_desc), at->x[0], at->dy, at->dx[0]);
}

/* 0 or 1 / (1 - p), as clgrad/dropout.h says. */
static double dropout_mask(const struct site *at, int64_t i)
{
    double p = (double)*(const float *)at->node->desc;
    uint64_t step = at->batch->step;
    struct clg__philox_block counter = {
        {(uint32_t)(i / 4), (uint32_t)at->index, (uint32_t)step, (uint32_t)(step >> 32)}};
    uint32_t word = clg__philox(at->seed, counter).word[i % 4];
    return (double)word < p * 4294967296.0 ? 0 : 1 / (1 - p);
}

static void dropout(const struct site *at, const double *from, double *to)
{
    for (int64_t i = 0; i < clg__desc_count(&at->y_desc); i++)
        to[i] = at->batch->training ? from[i] * dropout_mask(at, i) : from[i];
}

static void dropout_forward(const struct site *at)
{
    dropout(at, at->x[0], at->y);
}

static void dropout_backward(const struct site *at)
{
    dropout(at, at->dy, at->dx[0]);
}

static void add_forward(const struct site *at)
{
    ref_add_forward(clg__desc_count(&at->y_desc), at->x[0], at->x[1], at->y);
}

static void add_backward(const struct site *at)
{
    ref_add_backward(clg__desc_count(&at->y_desc), at->dy, at->dx[0], at->dx[1]);
}

static void copy_forward(const struct site *at)
{
    memcpy(at->y, at->x[0], (size_t)clg__desc_count(&at->y_desc) * sizeof(double));
}

static void copy_backward(const struct site *at)
{
    memcpy(at->dx[0], at->dy, (size_t)clg__desc_count(&at->y_desc) * sizeof(double));
}

static void concat(const struct site *at, bool backward)
{
    int64_t channels[8];
    assert_true(at->node->num_inputs <= 8);
    for (int i = 0; i < at->node->num_inputs; i++)
        channels[i] = at->all_x[i].dims[1];
    struct ref_concat problem = {at->batch->size, spatial(&at->y_desc), at->node->num_inputs,
                                 channels};
    if (backward)
        ref_concat_backward(&problem, at->dy, at->dx);
    else
        ref_concat_forward(&problem, (const double *const *)at->x, at->y);
}

static void concat_forward(const struct site *at)
{
    concat(at, false);
}

static void concat_backward(const struct site *at)
{
    concat(at, true);
}

/* ---- Pooling ---- */

static struct ref_pool2d pool_problem(const struct site *at)
{
    const clg_pool2d_layer *l = at->node->desc; /* the first member of what the layer keeps */
    const int64_t *d = at->x_desc.dims;
    if (strcmp(at->node->layer->kind, "global_avg_pool2d") == 0)
        return (struct ref_pool2d){d[0], d[1], d[2], d[3], d[2], d[3], 1, 1, 0, 0, 1, 1, false};
    return (struct ref_pool2d){d[0],
                               d[1],
                               d[2],
                               d[3],
                               l->size[0],
                               l->size[1],
                               l->stride[0],
                               l->stride[1],
                               l->padding[0],
                               l->padding[1],
                               l->dilation[0],
                               l->dilation[1],
                               !l->padding_not_averaged};
}

static void max_pool_forward(const struct site *at)
{
    struct ref_pool2d problem = pool_problem(at);
    ref_pool2d_max_forward(&problem, at->x[0], at->y);
}

static void max_pool_backward(const struct site *at)
{
    struct ref_pool2d problem = pool_problem(at);
    ref_pool2d_max_backward(&problem, at->x[0], at->dy, at->dx[0]);
}

static void avg_pool_forward(const struct site *at)
{
    struct ref_pool2d problem = pool_problem(at);
    ref_pool2d_avg_forward(&problem, at->x[0], at->y);
}

static void avg_pool_backward(const struct site *at)
{
    struct ref_pool2d problem = pool_problem(at);
    ref_pool2d_avg_backward(&problem, at->dy, at->dx[0]);
}

/* ---- Norms ---- */

static struct ref_norm_grads norm_grads(const struct site *at)
{
    return (struct ref_norm_grads){at->dx[0], at->dw[0], at->dw[1]};
}

static struct ref_batch_norm batch_norm_problem(const struct site *at)
{
    const clg_batch_norm_layer *l = at->node->desc;
    return (struct ref_batch_norm){at->batch->size, at->x_desc.dims[1],  spatial(&at->x_desc),
                                   (double)l->eps,  (double)l->momentum, at->w[0],
                                   at->w[1]};
}

static void batch_norm_forward(const struct site *at)
{
    struct ref_batch_norm problem = batch_norm_problem(at);
    if (at->batch->training)
        ref_batch_norm_forward(&problem, at->x[0], at->w[2], at->w[3], at->y);
    else
        ref_batch_norm_apply(&problem, at->x[0], at->w[2], at->w[3], at->y);
}

static void batch_norm_backward(const struct site *at)
{
    struct ref_batch_norm problem = batch_norm_problem(at);
    struct ref_norm_grads grads = norm_grads(at);
    ref_batch_norm_backward(&problem, at->x[0], at->dy, &grads);
}

static struct ref_layer_norm layer_norm_problem(const struct site *at)
{
    const clg_layer_norm_layer *l = at->node->desc;
    int64_t d = 1;
    for (int i = at->x_desc.ndim - l->normalized_dims; i < at->x_desc.ndim; i++)
        d *= at->x_desc.dims[i];
    return (struct ref_layer_norm){clg__desc_count(&at->x_desc) / d, d, (double)l->eps, at->w[0],
                                   at->w[1]};
}

static void layer_norm_forward(const struct site *at)
{
    struct ref_layer_norm problem = layer_norm_problem(at);
    ref_layer_norm_forward(&problem, at->x[0], at->y);
}

static void layer_norm_backward(const struct site *at)
{
    struct ref_layer_norm problem = layer_norm_problem(at);
    struct ref_norm_grads grads = norm_grads(at);
    ref_layer_norm_backward(&problem, at->x[0], at->dy, &grads);
}

static struct ref_group_norm group_norm_problem(const struct site *at)
{
    const clg_group_norm_layer *l = at->node->desc;
    return (struct ref_group_norm){at->batch->size, at->x_desc.dims[1], spatial(&at->x_desc),
                                   l->groups,       (double)l->eps,     at->w[0],
                                   at->w[1]};
}

static void group_norm_forward(const struct site *at)
{
    struct ref_group_norm problem = group_norm_problem(at);
    ref_group_norm_forward(&problem, at->x[0], at->y);
}

static void group_norm_backward(const struct site *at)
{
    struct ref_group_norm problem = group_norm_problem(at);
    struct ref_norm_grads grads = norm_grads(at);
    ref_group_norm_backward(&problem, at->x[0], at->dy, &grads);
}

static const struct kind kinds[] = {
    {"conv2d", conv2d_forward, conv2d_backward},
    {"conv_transpose2d", transpose_forward, transpose_backward},
    {"linear", linear_forward, linear_backward},
    {"activation", activation_forward, activation_backward},
    {"dropout", dropout_forward, dropout_backward},
    {"add", add_forward, add_backward},
    {"flatten", copy_forward, copy_backward},
    {"concat", concat_forward, concat_backward},
    {"max_pool2d", max_pool_forward, max_pool_backward},
    {"avg_pool2d", avg_pool_forward, avg_pool_backward},
    {"global_avg_pool2d", avg_pool_forward, avg_pool_backward},
    {"batch_norm", batch_norm_forward, batch_norm_backward},
    {"layer_norm", layer_norm_forward, layer_norm_backward},
    {"group_norm", group_norm_forward, group_norm_backward},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    fail_msg("the reference has no layer %s", name);
    return NULL;
}

/* ---- The graph ---- */

int64_t graph_reference_node_count(const struct graph_reference *reference, int i)
{
    return clg__desc_count(&reference->model->nodes[i].y) * reference->batch;
}

int64_t graph_reference_parameter_count(const struct graph_reference *reference, int i)
{
    return clg__desc_count(&reference->model->parameters[i].desc);
}

struct graph_reference *graph_reference_create(const clg_model *model)
{
    struct graph_reference *reference = calloc(1, sizeof *reference);
    size_t parameters = (size_t)model->num_parameters, nodes = (size_t)model->num_nodes;
    assert_non_null(reference);
    reference->model = model;
    reference->value = calloc(parameters, sizeof(double *));
    reference->gradient = calloc(parameters, sizeof(double *));
    reference->y = calloc(nodes, sizeof(double *));
    reference->dy = calloc(nodes, sizeof(double *));
    for (int i = 0; i < model->num_parameters; i++) {
        int64_t count = graph_reference_parameter_count(reference, i);
        float *values = testing_download(model->parameters[i].value);
        reference->value[i] = ref_array_widen(values, count);
        reference->gradient[i] = ref_array_zeros(count);
        free(values);
    }
    return reference;
}

static void clear(struct graph_reference *reference)
{
    for (int i = 0; i < reference->model->num_nodes; i++) {
        free(reference->y[i]);
        free(reference->dy[i]);
        reference->y[i] = reference->dy[i] = NULL;
    }
}

void graph_reference_destroy(struct graph_reference *reference)
{
    clear(reference);
    for (int i = 0; i < reference->model->num_parameters; i++) {
        free(reference->value[i]);
        free(reference->gradient[i]);
    }
    free(reference->value);
    free(reference->gradient);
    free(reference->y);
    free(reference->dy);
    free(reference);
}

enum { MOST_INPUTS = 8 };

/* Runs node i forward or backward; backward adds to the gradients of its inputs. */
static void run_node(struct graph_reference *reference, const struct graph_batch *batch, int i,
                     bool backward)
{
    const clg_model *model = reference->model;
    const struct clg__node *node = &model->nodes[i];
    double *x[MOST_INPUTS], *dx[MOST_INPUTS];
    clg_tensor_desc descs[MOST_INPUTS];
    for (int k = 0; k < node->num_inputs; k++) {
        int j = node->inputs[k];
        x[k] = reference->y[j];
        descs[k] = clg__node_desc(&model->nodes[j], batch->size);
        dx[k] = backward ? ref_array_zeros(graph_reference_node_count(reference, j)) : NULL;
    }
    struct site at = {.node = node,
                      .batch = batch,
                      .seed = model->desc.seed,
                      .index = i,
                      .x_desc = descs[0],
                      .y_desc = clg__node_desc(node, batch->size),
                      .x = x,
                      .y = reference->y[i],
                      .dy = reference->dy[i],
                      .dx = dx,
                      .w = reference->value + node->first_parameter,
                      .dw = reference->gradient + node->first_parameter,
                      .all_x = descs};
    const struct kind *kind = find_kind(node->layer->kind);
    (backward ? kind->backward : kind->forward)(&at);
    for (int k = 0; backward && k < node->num_inputs; k++) {
        double *sum = reference->dy[node->inputs[k]];
        for (int64_t e = 0; e < graph_reference_node_count(reference, node->inputs[k]); e++)
            sum[e] += dx[k][e];
        free(dx[k]);
    }
}

static double run_loss(struct graph_reference *reference, const struct graph_batch *batch)
{
    const clg_model *model = reference->model;
    int last = model->num_nodes - 1;
    double *dy = batch->training ? reference->dy[last] : NULL;
    if (model->train.loss == CLG_LOSS_MSE)
        return ref_mse(graph_reference_node_count(reference, last), reference->y[last],
                       batch->target, dy);
    struct ref_softmax_cross_entropy problem = {batch->size, model->nodes[last].y.dims[1],
                                                (double)model->train.label_smoothing};
    return ref_softmax_cross_entropy(&problem, reference->y[last], batch->labels, NULL, dy);
}

double graph_reference_pass(struct graph_reference *reference, const struct graph_batch *batch)
{
    int nodes = reference->model->num_nodes;
    clear(reference);
    reference->batch = batch->size;
    for (int i = 0; i < nodes; i++) {
        reference->y[i] = ref_array_zeros(graph_reference_node_count(reference, i));
        reference->dy[i] = ref_array_zeros(graph_reference_node_count(reference, i));
    }
    memcpy(reference->y[0], batch->x,
           (size_t)graph_reference_node_count(reference, 0) * sizeof(double));
    for (int i = 1; i < nodes; i++)
        run_node(reference, batch, i, false);
    double loss = run_loss(reference, batch);
    for (int i = nodes - 1; i > 0 && batch->training; i--)
        run_node(reference, batch, i, true);
    return loss;
}
