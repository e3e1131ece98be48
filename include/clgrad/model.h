/* Models: a graph of layers with its parameters, loss and optimiser, and the steps that train it.
 */
#ifndef CLGRAD_MODEL_H
#define CLGRAD_MODEL_H

#include "clgrad/layers.h"
#include "clgrad/optimizer.h"
#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum clg_model_layout {
    CLG_MODEL_LAYOUT_AUTO = 0, /* what the device is faster with */
    CLG_MODEL_LAYOUT_NCHW = 1,
    CLG_MODEL_LAYOUT_NHWC = 2
} clg_model_layout;

/*
 * A network is written down with the calls of clgrad/layers.h and made ready by clg_model_build:
 *
 *     status = clg_model_create(ctx, &(clg_model_desc){.channels = 1, .height = 28, .width = 28},
 *                               &model);
 *     clg_node x = clg_model_input(model);
 *     x = clg_model_conv2d(model, x, "conv1", &(clg_conv2d_layer){.filters = 8, .kernel = {5}});
 *     x = clg_model_relu(model, x);
 *     x = clg_model_max_pool2d(model, x, NULL, &(clg_pool2d_layer){.size = {2}});
 *     x = clg_model_flatten(model, x, NULL);
 *     x = clg_model_linear(model, x, "fc", &(clg_linear_layer){.features = 10});
 *     status = clg_model_build(model, x, NULL);
 *
 * Everything random (initial parameters, dropout) depends on the seed only: the same calls on the
 * same device give the same bits.
 */
typedef struct clg_model_desc {
    int64_t channels, height, width; /* of an input image */
    uint64_t seed;
    /* The layout of everything between the layers; the caller's tensors may come in either. */
    clg_model_layout layout;
    /* Batch sizes whose plans and memory are kept at the same time; the least recently used one
     * goes first. 0: 4. */
    int max_batch_sizes;
    /* Every layer runs for itself. Without, a convolution, linear layer or batch norm also does the
     * relu behind it, and a batch norm an addition between the two, in its own passes over the
     * data, where nothing else reads what lies between. The results differ by rounding. */
    bool unfused;
} clg_model_desc;

/* An empty graph. *model is NULL after a failure. The model keeps the context alive.
 * Errors: CLG_INVALID_ARGUMENT (NULL, an unknown layout, a negative max_batch_sizes), those of a
 * clg_tensor_desc for the input, CLG_OUT_OF_HOST_MEMORY. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_create(clg_context *ctx, const clg_model_desc *desc,
                                                    clg_model **model);
CLG_API void clg_model_destroy(clg_model *model); /* NULL is allowed */

/* The description of a node's tensor for the given batch size.
 * Errors: CLG_INVALID_ARGUMENT (NULL, no such node), CLG_TOO_LARGE, CLG_INVALID_SHAPE (batch < 1),
 * and the error that a negative node stands for. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_node_desc(const clg_model *model, clg_node node,
                                                       int64_t batch, clg_tensor_desc *desc);

/* X(NAME, name):
 *   softmax_cross_entropy  of an output [N, K] with labels [N] int32
 *   mse                    mean squared error of an output of any shape with targets like it */
#define CLG_LOSS_LIST(X)                                                                           \
    X(SOFTMAX_CROSS_ENTROPY, softmax_cross_entropy)                                                \
    X(MSE, mse)

typedef enum clg_loss_kind {
#define CLG_LOSS_ENUM(NAME, name) CLG_LOSS_##NAME,
    CLG_LOSS_LIST(CLG_LOSS_ENUM)
#undef CLG_LOSS_ENUM
        CLG_LOSS_COUNT
} clg_loss_kind;

typedef struct clg_train_desc {
    clg_loss_kind loss;
    float label_smoothing; /* of softmax_cross_entropy */
    /* From clg_optimizer_defaults(kind, NULL); w is filled in by the model. */
    clg_optimizer_desc optimizer;
} clg_train_desc;

/*
 * Makes the graph with output node `output` ready: checks it, allocates the parameters (one buffer
 * for all values, one for all gradients), initialises them as PyTorch's layers do (convolution and
 * linear: weight and bias uniform in +-1 / sqrt(fan in); norms: 1 and 0), makes the loss and the
 * optimiser. train NULL: softmax cross entropy and sgd with PyTorch's defaults. Blocks.
 *
 * Plans and activations come into being at the first use of a batch size (see clg_model_prepare).
 *
 * Errors: the first error of a layer call, with its message; CLG_INVALID_ARGUMENT (NULL, an unknown
 * loss or optimiser, settings out of range, layers that do not lead to the output),
 * CLG_INVALID_SHAPE (an output that does not suit the loss), CLG_INVALID_STATE (built already),
 * CLG_OUT_OF_DEVICE_MEMORY, CLG_OUT_OF_HOST_MEMORY, CLG_BUILD_FAILED. A model whose build failed
 * can only be destroyed.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_model_build(clg_model *model, clg_node output,
                                                   const clg_train_desc *train);

/*
 * Makes plans and memory for a batch size now, not in the first step: for evaluation, and with
 * `training` for both. Errors: CLG_INVALID_STATE (not built), CLG_INVALID_SHAPE and CLG_TOO_LARGE
 * (batch), what the operations' create functions return; the message names the layer.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_model_prepare(clg_model *model, int64_t batch,
                                                     bool training);

/* Bytes that a batch size needs for running: activations, and the gradients of those when it was
 * made for training; 0 when there are no plans for it. Also the workspace that a run on another
 * queue must bring (see clgrad/run.h). */
CLG_API size_t clg_model_activation_bytes(const clg_model *model, int64_t batch);
CLG_API size_t clg_model_workspace_size(const clg_model *model, int64_t batch);

/*
 * The calls below run the model. Asynchronous: they enqueue and never wait, and they compile and
 * allocate only when the batch size, x's dims[0], is new, or the layout of x or target for it.
 * x: [N, C, H, W] float32. target: labels [N] int32, or for mse a tensor like the output
 * (clg_model_node_desc). Tensors of four dimensions may have either layout. The memory of x and
 * target is read until the commands have finished.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (x or target),
 * CLG_INVALID_STATE (not built), and those of clg_model_prepare.
 */

/* Forward, loss, gradients, update. Adds to the metrics. run->accumulate as in
 * clg_model_forward_backward. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_train_step(clg_model *model, const clg_tensor *x,
                                                        const clg_tensor *target,
                                                        const clg_run *run);

/* The same without the update. Overwrites the gradients, or adds to them with run->accumulate: a
 * large batch in several parts, whose mean gradients are summed. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_forward_backward(clg_model *model, const clg_tensor *x,
                                                              const clg_tensor *target,
                                                              const clg_run *run);
/* The optimiser's step on the parameters with the gradients as they are. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_update(clg_model *model, const clg_run *run);

/* The output in evaluation mode. y: like the output node, in either layout. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_predict(clg_model *model, clg_tensor *y,
                                                     const clg_tensor *x, const clg_run *run);

/* Evaluation mode; adds loss and right answers to the metrics. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_evaluate(clg_model *model, const clg_tensor *x,
                                                      const clg_tensor *target, const clg_run *run);

/* What was trained and evaluated since the last reading. */
typedef struct clg_metrics {
    double loss;     /* mean over the samples; 0 when there were none */
    int64_t correct; /* samples whose largest output is the label's; 0 for mse */
    int64_t count;   /* samples */
} clg_metrics;

/* The metrics are summed on the device; this blocks, reads them and begins anew.
 * Errors: CLG_INVALID_ARGUMENT (NULL), OpenCL failures. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_read_metrics(clg_model *model, clg_metrics *metrics);

/* The optimiser, for its learning rate and state; NULL before clg_model_build. Also NULL for a
 * model without parameters. */
CLG_API clg_optimizer *clg_model_optimizer(clg_model *model);

/* ---- Parameters ---- */

typedef struct clg_parameter {
    const char *name; /* "conv1.weight" */
    clg_tensor *value;
    clg_tensor *gradient; /* NULL for what is not trained: running statistics */
} clg_parameter;

/* How many there are, and the one at `index`, in the order of the layers; the tensors are views
 * that belong to the model. Errors: CLG_INVALID_ARGUMENT (NULL, no such parameter), and
 * CLG_INVALID_STATE (not built). num_batches_tracked is none of them. */
CLG_API int clg_model_num_parameters(const clg_model *model);
CLG_API CLG_WARN_UNUSED clg_status clg_model_parameter(const clg_model *model, int index,
                                                       clg_parameter *parameter);
CLG_API CLG_WARN_UNUSED clg_status clg_model_find_parameter(const clg_model *model,
                                                            const char *name,
                                                            clg_parameter *parameter);

/* The numbers that are trained, in elements. */
CLG_API int64_t clg_model_num_trained(const clg_model *model);

/* ---- Checkpoints ---- */

/* Text that is kept with the model and written into its file; value NULL removes the key.
 * clg_model_metadata: NULL when there is none; valid until the key is set again.
 * Errors: CLG_INVALID_ARGUMENT (NULL, an empty key), CLG_OUT_OF_HOST_MEMORY. */
CLG_API CLG_WARN_UNUSED clg_status clg_model_set_metadata(clg_model *model, const char *key,
                                                          const char *value);
CLG_API const char *clg_model_metadata(const clg_model *model, const char *key);

/*
 * Writes all parameters as PyTorch names and shapes them, and the metadata, to a safetensors file,
 * which appears whole or not at all. Running statistics are included, num_batches_tracked as I64;
 * the optimiser's state is not. Blocks.
 * Errors: CLG_INVALID_STATE (not built), those of clg_safetensors_write, OpenCL failures.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_model_save(clg_model *model, const char *path);

/*
 * Reads such a file into the model. Every parameter must be there with the right shape as F32, and
 * nothing else; num_batches_tracked (I64) may be missing. All is checked before anything changes.
 * The metadata of the file is not taken over. Blocks.
 * Errors: CLG_INVALID_STATE (not built), those of clg_safetensors_open, CLG_INVALID_SHAPE (missing,
 * unexpected or different tensors; the message names the first ones, with both shapes), OpenCL
 * failures.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_model_load(clg_model *model, const char *path);

#ifdef __cplusplus
}
#endif

#endif
