/* One direction of one convolution of a list, ready to be measured. */
#ifndef CLG_CLI_BENCH_CONV2D_H
#define CLG_CLI_BENCH_CONV2D_H

#include "clgrad/conv2d.h"
#include "cli/benchdnn.h"

struct bench_conv2d_desc {
    const struct benchdnn_problem *problem;
    clg_conv2d_direction direction;
    const char *algorithm; /* NULL: the library's choice */
    bool preferred;        /* tensors in the layout that the direction prefers */
    clg_layout layout;     /* else */
};

struct bench_conv2d {
    clg_conv2d_direction direction;
    clg_layout layout;
    double flop; /* a multiplication and an addition for each term of the dense sum */
    size_t workspace;
    double estimate;       /* seconds */
    const char *algorithm; /* the chosen one */
    clg_conv2d *plan;
    clg_tensor *x, *y, *w, *b; /* what the direction does not write is random */
};

/* Errors: those of shape_describe, clg_conv2d_create and clg_tensor_create. Release also after a
 * failure. */
clg_status bench_conv2d_make(clg_context *ctx, const struct bench_conv2d_desc *desc,
                             struct bench_conv2d *made);
void bench_conv2d_release(struct bench_conv2d *made);

/* Enqueues the direction, with its bias or the bias's gradient; `made` is a struct bench_conv2d. */
clg_status bench_conv2d_run(void *made);

#endif
