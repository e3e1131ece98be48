/*
 * A kind of layer: one constant in one file. The graph knows nothing of kinds but what stands here.
 */
#ifndef CLG_TRAIN_LAYER_H
#define CLG_TRAIN_LAYER_H

#include "train/model.h"

/* What infer says about a node; decides how long tensors live and which share memory. */
enum clg__layer_flag {
    CLG__READS_X = 1,          /* backward reads the inputs */
    CLG__READS_Y = 2,          /* backward reads the output */
    CLG__IN_PLACE = 4,         /* of one input: y may be x, and dx dy */
    CLG__VIEW = 8,             /* y is x in another shape: same memory, no forward */
    CLG__PASSES_GRADIENT = 16, /* every dx is dy: no backward, the graph does it */
    CLG__ACCUMULATES = 32,     /* backward can add to dx */
    CLG__MASKS_DY = 64,        /* backward writes what relu lets through of dy */
    /* The second input is added to y, so that backward does not read it; its gradient may be dy,
     * but then not that of the first. */
    CLG__RESIDUAL = 128,
    CLG__MASKS_DX = 256 /* dx is the gradient of what a relu before the node took */
};

/* A node with its tensors for one batch size. */
struct clg__placed {
    clg_context *ctx;
    const clg_model *model;
    struct clg__node *node;
    int index; /* of the node */
    int64_t batch;
    bool training;  /* whether it was made for training, too */
    void *state;    /* the layer's plans */
    clg_tensor **x; /* [num_inputs] */
    clg_tensor *y;
    clg_tensor *dy;
    clg_tensor *masked_dy; /* with CLG__MASKS_DY: where that goes, dy or memory of its own */
    clg_tensor **dx;       /* [num_inputs]; NULL where no gradient is wanted */
    bool *add_dx;          /* [num_inputs] with CLG__ACCUMULATES: add to dx */
};

/* One run over the graph. */
struct clg__pass {
    bool training;
    bool accumulate; /* add to the gradients of parameters */
    uint64_t step;
    clg_run run; /* queue and workspace only */
};

struct clg__layer {
    const char *kind;
    size_t desc_size;
    /* Fills defaults into node->desc, checks it against the inputs, sets node->y and node->flags,
     * declares parameters. x: descriptions for a batch of one. */
    clg_status (*infer)(clg_model *model, struct clg__node *node, const clg_tensor_desc *x);
    /* Makes the plans: *state, which release frees. */
    clg_status (*prepare)(struct clg__placed *at);
    clg_status (*forward)(const struct clg__placed *at, const struct clg__pass *pass);
    /* Writes every dx that is not NULL and the gradients of the node's parameters. */
    clg_status (*backward)(const struct clg__placed *at, const struct clg__pass *pass);
    size_t (*workspace)(const void *state); /* bytes that a run needs; NULL: none */
    void (*release)(void *state);           /* NULL is allowed */
    bool tracks_batches;                    /* counts training passes in num_batches_tracked */
    /* For a relu behind it: does it in its own forward (node->epilogue), and its backward takes the
     * dy of the relu. What becomes of the node's flags; NULL: cannot. */
    unsigned (*fuse_relu)(unsigned flags);
    /* With that relu, also adds a second input before it. */
    bool fuses_add;
    /* For a relu before it: backward can do that of the relu, with CLG__MASKS_DX. */
    bool masks_dx;
};

/* ---- For infer ---- */

/* Declares `<node>.<suffix>`. */
clg_status clg__declare(clg_model *model, struct clg__node *node, const char *suffix,
                        const clg_tensor_desc *desc, struct clg__initial initial);
/* The same for what is kept but not trained. */
clg_status clg__declare_statistic(clg_model *model, struct clg__node *node, const char *suffix,
                                  const clg_tensor_desc *desc, float initial);

/* weight and, unless no_bias, bias [outputs], uniform in +-1 / sqrt(fan_in). */
clg_status clg__declare_affine(clg_model *model, struct clg__node *node,
                               const clg_tensor_desc *weight, int64_t outputs, int64_t fan_in,
                               bool no_bias);

/* weight 1 and bias 0, both of the given shape. */
clg_status clg__declare_scale(clg_model *model, struct clg__node *node,
                              const clg_tensor_desc *desc);

/* Errors: CLG_INVALID_SHAPE unless x has that many dimensions. */
clg_status clg__expect_dims(const clg_tensor_desc *x, int ndim);

/* A zero second number stands for the first, and a zero first for the fallback. */
void clg__default_pair(int64_t pair[2], int64_t fallback);

/* ---- For plans and runs ---- */

/* The description of input i for the batch. */
clg_tensor_desc clg__placed_x(const struct clg__placed *at, int i);
clg_tensor_desc clg__placed_y(const struct clg__placed *at);

/* Whether the gradient of some input is wanted. */
bool clg__wants_dx(const struct clg__placed *at);

/* Parameter i of the node: value and gradient, NULL when it does not have that many. */
clg_tensor *clg__value(const struct clg__placed *at, int i);
clg_tensor *clg__gradient(const struct clg__placed *at, int i);

/* pass->run with accumulate set as said. */
clg_run clg__run_with(const struct clg__pass *pass, bool accumulate);

/* The backward step of a relu that the node does: dy where y is above 0, to at->masked_dy. */
struct clg_activation;
clg_status clg__mask_create(const struct clg__placed *at, struct clg_activation **mask);
clg_status clg__mask_dy(const struct clg__placed *at, struct clg_activation *mask,
                        const struct clg__pass *pass, const clg_tensor **dy);

/* fuse_relu of a layer whose backward begins with clg__mask_dy. */
unsigned clg__fuse_masked(unsigned flags);

/* ---- Adding nodes ---- */

/* Adds a node of that kind; desc NULL stands for zeros. Negative after the first error. */
clg_node clg__add_node(clg_model *model, const struct clg__layer *layer, const char *name,
                       const clg_node *inputs, int num_inputs, const void *desc);

/* The kind of the first node. */
extern const struct clg__layer clg__layer_input;

/* ---- Fusing ---- */

extern const struct clg__layer clg__layer_add, clg__layer_activation;
bool clg__is_relu(const struct clg__node *node);

/* Lets layers do the relu behind them, or the addition and the relu: those nodes become views.
 * Names and parameters stay. Nothing changes where something else reads what lies between. */
void clg__fuse(clg_model *model);

#endif
