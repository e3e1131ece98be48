/* A model's graph in double precision, node by node with tests/ref: what training should compute.
 */
#ifndef CLG_GRAPH_REFERENCE_H
#define CLG_GRAPH_REFERENCE_H

#include "train/model.h"

struct graph_reference {
    const clg_model *model;
    double **value;    /* [num_parameters]; copies of the model's, free to change */
    double **gradient; /* [num_parameters]; of the last pass */
    double **y, **dy;  /* [num_nodes]; of the last pass, in N C H W order */
    int64_t batch;
};

/* Takes the parameters that the model has now. */
struct graph_reference *graph_reference_create(const clg_model *model);
void graph_reference_destroy(struct graph_reference *reference);

/* What one pass over a batch gets; x and target in N C H W order. */
struct graph_batch {
    int64_t size;
    const double *x;
    const int32_t *labels; /* softmax cross entropy */
    const double *target;  /* mse */
    uint64_t step;         /* number of the training pass, for dropout */
    bool training;
};

/* Forward, and with `training` all gradients and the running statistics. Returns the loss. */
double graph_reference_pass(struct graph_reference *reference, const struct graph_batch *batch);

/* Elements of node i's output, and of parameter i. */
int64_t graph_reference_node_count(const struct graph_reference *reference, int i);
int64_t graph_reference_parameter_count(const struct graph_reference *reference, int i);

#endif
