/* The model inside the library: nodes, parameters, and one plan for each batch size in use. */
#ifndef CLG_TRAIN_MODEL_H
#define CLG_TRAIN_MODEL_H

#include "base/error.h"
#include "clgrad/epilogue.h"
#include "clgrad/model.h"
#include "runtime/tensor.h"

struct clg__layer;
struct clg__batch_plans;

struct clg__node {
    const struct clg__layer *layer;
    char *name;
    void *desc; /* of layer->desc_size bytes, defaults filled in */
    int *inputs;
    int num_inputs;
    int uses; /* how many inputs of later nodes it is */
    /* Set by layer->infer: the output for a batch of one, and enum clg__layer_flag. */
    clg_tensor_desc y;
    unsigned flags;
    /* The layer's own, in the model's list; a running range. */
    int first_parameter;
    int num_parameters;
    bool has_gradient;     /* something trained lies at or before this node */
    clg_epilogue epilogue; /* of a relu behind it that it does itself; see fuse.c */
    int64_t num_batches_tracked;
};

/* Initial values: a constant, or uniform in [-bound, bound). */
struct clg__initial {
    float constant;
    float bound; /* 0: the constant */
};

struct clg__parameter {
    char *name;
    clg_tensor_desc desc;
    struct clg__initial initial;
    bool trained;
    size_t offset; /* bytes, in the model's buffers of its kind */
    clg_tensor *value;
    clg_tensor *gradient; /* NULL unless trained */
};

struct clg__pair {
    char *key;
    char *value;
};

enum clg__model_state { CLG__MODEL_OPEN, CLG__MODEL_BUILT, CLG__MODEL_FAILED };

struct clg_model {
    clg_context *ctx;
    clg_model_desc desc;
    enum clg__model_state state;
    /* The first error of a layer call. */
    clg_status error;
    char error_text[512];
    struct clg__node *nodes;
    int num_nodes, room_nodes;
    struct clg__parameter *parameters;
    int num_parameters, room_parameters;
    struct clg__pair *metadata;
    int num_metadata;
    clg_train_desc train;
    /* All trained values side by side, their gradients likewise, and the running statistics. */
    clg_tensor *values, *gradients, *statistics;
    int64_t num_trained;
    clg_optimizer *optimizer;
    uint64_t step; /* training passes so far; names the dropout masks */
    struct clg__batch_plans *plans;
    /* Metrics of plans that are gone. */
    clg_metrics settled;
};

/* The description of a node's output for a batch of n. */
clg_tensor_desc clg__node_desc(const struct clg__node *node, int64_t batch);

/* Elements of one image; the description was checked. */
int64_t clg__desc_count(const clg_tensor_desc *desc);

/* A copy for free(); NULL when there is no memory. */
char *clg__copy_text(const char *text);

#endif
