/* The layers of a model: calls that add a node to its graph. */
#ifndef CLGRAD_LAYERS_H
#define CLGRAD_LAYERS_H

#include <stdbool.h>

#include "clgrad/activation.h"
#include "clgrad/pad_mode.h"
#include "clgrad/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_model clg_model;

/*
 * A node of the graph: the output of one layer. Negative: an error. The calls below take nodes and
 * give nodes; given a negative one they do nothing and return it, so a network is written down
 * without checks. The model keeps its first error, and clg_model_build returns it with its message,
 * which names the layer and the numbers. Shapes are inferred and checked as nodes are added.
 *
 * name: what parameters are called by, "conv1" or "layer1.0.bn1", with PyTorch's endings .weight,
 * .bias, .running_mean, .running_var, .num_batches_tracked. Unique in the model. NULL: the kind and
 * the node's number, "relu_3".
 *
 * In the descriptions a zero is what leaving a member out means; the comments say what it stands
 * for, and desc NULL is a description of zeros. Pairs are down, across. In kernel, size, stride and
 * dilation a zero second number stands for the first: {3} is 3 x 3. Paddings mean what they say.
 *
 * Errors (of clg_model_build): CLG_INVALID_ARGUMENT (an unknown node, a repeated name, a
 * description that the operation refuses, a layer added after clg_model_build), CLG_INVALID_SHAPE
 * (an input of the wrong shape), CLG_TOO_LARGE, CLG_OUT_OF_HOST_MEMORY, and those of the operation.
 */
typedef int clg_node;

/* The images that the model gets: the one input, N x C x H x W of the clg_model_desc. */
CLG_API clg_node clg_model_input(clg_model *model);

/* See clgrad/conv2d.h. Parameters: weight [K, C / groups, R, S] and bias [K]. */
typedef struct clg_conv2d_layer {
    int64_t filters;     /* K */
    int64_t kernel[2];   /* R, S */
    int64_t stride[2];   /* 0: 1 */
    int64_t padding[4];  /* top, left, bottom, right */
    int64_t dilation[2]; /* 0: 1, dense */
    int64_t groups;      /* 0: 1 */
    bool no_bias;
    clg_pad_mode pad_mode;
    float pad_value; /* with CLG_PAD_CONSTANT */
} clg_conv2d_layer;
CLG_API clg_node clg_model_conv2d(clg_model *model, clg_node x, const char *name,
                                  const clg_conv2d_layer *desc);

/* See clgrad/conv_transpose2d.h. Parameters: weight [C, K / groups, R, S] and bias [K]. */
typedef struct clg_conv_transpose2d_layer {
    int64_t filters;           /* K */
    int64_t kernel[2];         /* R, S */
    int64_t stride[2];         /* 0: 1 */
    int64_t padding[2];        /* rows and columns dropped at both ends */
    int64_t output_padding[2]; /* rows and columns added at the end */
    int64_t dilation[2];       /* 0: 1, dense */
    int64_t groups;            /* 0: 1 */
    bool no_bias;
} clg_conv_transpose2d_layer;
CLG_API clg_node clg_model_conv_transpose2d(clg_model *model, clg_node x, const char *name,
                                            const clg_conv_transpose2d_layer *desc);

/* y = x w^T + b, see clgrad/linear.h. x is [N, in]; a node N C H W goes through clg_model_flatten
 * first. Parameters: weight [out, in] and bias [out]. */
typedef struct clg_linear_layer {
    int64_t features; /* out */
    bool no_bias;
} clg_linear_layer;
CLG_API clg_node clg_model_linear(clg_model *model, clg_node x, const char *name,
                                  const clg_linear_layer *desc);

/* See clgrad/activation.h. */
typedef struct clg_activation_layer {
    clg_activation_kind kind;
    float alpha; /* 0: 0.01 for leaky_relu, 1 for elu */
} clg_activation_layer;
CLG_API clg_node clg_model_activation(clg_model *model, clg_node x, const char *name,
                                      const clg_activation_layer *desc);
/* The most common one in short. */
CLG_API clg_node clg_model_relu(clg_model *model, clg_node x);

/* See clgrad/pool2d.h. */
typedef struct clg_pool2d_layer {
    int64_t size[2];
    int64_t stride[2];         /* 0: the size */
    int64_t padding[2];        /* rows and columns at both ends */
    int64_t dilation[2];       /* max pooling only; 0: 1, dense */
    bool padding_not_averaged; /* average pooling only: divide by the elements inside x alone */
} clg_pool2d_layer;
CLG_API clg_node clg_model_max_pool2d(clg_model *model, clg_node x, const char *name,
                                      const clg_pool2d_layer *desc);
CLG_API clg_node clg_model_avg_pool2d(clg_model *model, clg_node x, const char *name,
                                      const clg_pool2d_layer *desc);
/* The mean of each plane: N x C x 1 x 1. */
CLG_API clg_node clg_model_global_avg_pool2d(clg_model *model, clg_node x, const char *name);

/* See clgrad/batch_norm.h. Training normalises with the batch and updates the running statistics;
 * evaluation normalises with those. Parameters: weight, bias; running_mean, running_var [C] and
 * num_batches_tracked, which are kept but not trained. */
typedef struct clg_batch_norm_layer {
    float eps;      /* 0: 1e-5 */
    float momentum; /* 0: 0.1 */
} clg_batch_norm_layer;
CLG_API clg_node clg_model_batch_norm(clg_model *model, clg_node x, const char *name,
                                      const clg_batch_norm_layer *desc);

/* See clgrad/layer_norm.h: normalises over the last dimensions. Parameters: weight and bias of
 * those dimensions. */
typedef struct clg_layer_norm_layer {
    int normalized_dims; /* 0: all but N */
    float eps;           /* 0: 1e-5 */
} clg_layer_norm_layer;
CLG_API clg_node clg_model_layer_norm(clg_model *model, clg_node x, const char *name,
                                      const clg_layer_norm_layer *desc);

/* See clgrad/group_norm.h; groups = C is instance norm. Parameters: weight and bias [C]. */
typedef struct clg_group_norm_layer {
    int64_t groups;
    float eps; /* 0: 1e-5 */
} clg_group_norm_layer;
CLG_API clg_node clg_model_group_norm(clg_model *model, clg_node x, const char *name,
                                      const clg_group_norm_layer *desc);

/* See clgrad/dropout.h: drops with probability p while training, copies in evaluation. The mask
 * depends on the model's seed, the node and the number of the training step. */
CLG_API clg_node clg_model_dropout(clg_model *model, clg_node x, const char *name, float p);

/* a + b, of one shape: where a residual branch comes back. */
CLG_API clg_node clg_model_add(clg_model *model, clg_node a, clg_node b, const char *name);

/* The channels of all nodes one after the other; N, H and W are equal. */
CLG_API clg_node clg_model_concat(clg_model *model, const clg_node *nodes, int count,
                                  const char *name);

/* N x C x H x W to N x (C H W), in that order whatever the model's layout. */
CLG_API clg_node clg_model_flatten(clg_model *model, clg_node x, const char *name);

#ifdef __cplusplus
}
#endif

#endif
