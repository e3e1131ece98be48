/* The operations that memory bounds, ready to be measured. */
#ifndef CLG_CLI_BENCH_OP_H
#define CLG_CLI_BENCH_OP_H

#include "clgrad/clgrad.h"

enum { BENCH_OP_TENSORS = 4, BENCH_OP_PARAMETERS = 5 };

/* x, and for pooling the window. */
struct bench_op_shape {
    const char *name;
    int64_t dims[4];
    int64_t window, stride, pad; /* window 0: all of the plane */
};

struct bench_op;

struct bench_op_run {
    const struct bench_op *op;
    const struct bench_op_shape *shape;
    clg_context *ctx;
    clg_tensor_desc x, y;
    void *plan;
    clg_tensor *tensors[BENCH_OP_TENSORS];
    clg_tensor *parameters[BENCH_OP_PARAMETERS]; /* small ones: a scale for each channel */
};

struct bench_op {
    const char *name;
    bool layouts; /* whether the layout makes a difference */
    /* Floats that must be moved between the device and its memory for each element of x and of y
     * when no cache keeps a tensor from one reading to the next; and distinct tensors like x and
     * like y that this goes to. */
    int x_moved, y_moved, x_tensors, y_tensors;
    const struct bench_op_shape *shapes; /* ends with a NULL name */
    clg_status (*make)(struct bench_op_run *run);
    clg_status (*run)(void *run); /* enqueues; a struct bench_op_run */
    void (*release)(void *plan);
};

extern const struct bench_op bench_op_table[]; /* ends with a NULL name */

/*
 * Describes the run; batch 0 is the shape's own. Then makes plan and tensors with random elements.
 * Errors: those of the operation's create and of clg_tensor_create. Release also after a failure.
 */
clg_status bench_op_make(clg_context *ctx, const struct bench_op *op,
                         const struct bench_op_shape *shape, clg_layout layout, int64_t batch,
                         struct bench_op_run *made);
void bench_op_release(struct bench_op_run *made);

/* Bytes that the operation moves, and that the tensors it moves hold. */
double bench_op_bytes(const struct bench_op_run *run);
size_t bench_op_footprint(const struct bench_op_run *run);

#endif
