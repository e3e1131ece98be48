/*
 * Which tensors a graph needs for one batch size, how long each lives, and which share memory.
 *
 * Time counts the steps of a pass over n nodes: node i runs forward at time i, the loss at n, node
 * i backward at 2n - i. A tensor lives from the step that writes it first to the step that reads it
 * last. Tensors of one group have one piece of memory: an activation that works in place, a
 * gradient that is handed on as it is.
 */
#ifndef CLG_TRAIN_PLACEMENT_H
#define CLG_TRAIN_PLACEMENT_H

#include "train/layer.h"

/* How the gradient of a node's input comes about. */
enum clg__edge_kind {
    CLG__EDGE_NONE,  /* not wanted */
    CLG__EDGE_WRITE, /* the layer writes it */
    CLG__EDGE_ADD,   /* the layer adds to what later nodes wrote */
    CLG__EDGE_SHARE, /* it is dy, in the same memory */
    CLG__EDGE_COPY,  /* it is dy, copied by the graph */
    CLG__EDGE_SUM,   /* dy is added to it by the graph */
    CLG__EDGE_APART  /* the layer writes a temporary, which the graph adds to it */
};

struct clg__edge {
    enum clg__edge_kind kind;
    clg_tensor *part; /* APART: the temporary; COPY, SUM: dy in the shape of the input */
};

struct clg__placement {
    int num_nodes;
    clg_tensor **y;          /* [num_nodes] */
    clg_tensor **dy;         /* [num_nodes]; NULL where no gradient is wanted */
    clg_tensor **masked_dy;  /* [num_nodes]; see CLG__MASKS_DY; NULL: dy itself */
    struct clg__edge **edge; /* [num_nodes][its inputs], into edges */
    struct clg__edge *edges;
    int num_edges;
    bool *outside; /* [num_nodes]: y is the caller's x, in whatever shape */
    clg_buffer **arenas;
    int num_arenas;
    size_t bytes; /* of all arenas */
};

/* Finds a place for everything and allocates. On failure *placement is empty.
 * Errors: CLG_OUT_OF_DEVICE_MEMORY, CLG_OUT_OF_HOST_MEMORY, CLG_TOO_LARGE (the batch). */
clg_status clg__placement_create(const clg_model *model, int64_t batch, bool training,
                                 struct clg__placement *placement);
void clg__placement_release(struct clg__placement *placement);

/* Points the tensors that are the caller's x at it; only for the calls until the next one. */
void clg__placement_set_input(struct clg__placement *placement, const clg_tensor *x);

#endif
