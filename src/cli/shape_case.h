/* One convolution problem as `clgrad verify --shapes` runs it: data, references, device tensors. */
#ifndef CLG_CLI_SHAPE_CASE_H
#define CLG_CLI_SHAPE_CASE_H

#include "clgrad/conv2d.h"
#include "cli/benchdnn.h"
#include "ref/conv2d.h"

/* What a direction reads and writes; index with these. */
enum shape_tensor { SHAPE_X, SHAPE_W, SHAPE_B, SHAPE_Y, SHAPE_TENSORS };

struct shape_case {
    clg_context *ctx;
    clg_conv2d_desc desc;
    struct ref_conv2d ref;
    clg_tensor_desc shapes[SHAPE_TENSORS];
    /* Small integers: x, w, b, and dy in the place of y. */
    double *host[SHAPE_TENSORS];
    clg_tensor *data[SHAPE_TENSORS];
};

/* What the asked-for direction gives, and the reference of it: y; dx; dw and db. */
struct shape_results {
    int count;
    enum shape_tensor which[2];
    const char *names[2];
    clg_tensor *tensors[2];
    double *references[2];
};

/*
 * Describes the problem; makes no data yet.
 * Errors: CLG_UNSUPPORTED (3-D, or too large for this machine's memory), those of
 * clg_conv2d_output_size.
 */
clg_status shape_case_describe(const struct benchdnn_problem *problem, clg_layout layout,
                               struct shape_case *made);

/*
 * Makes the data, on the host and on the device. `terms_of` are the directions, as bits, whose sums
 * must stay exact. Release with shape_case_release, also after a failure.
 * Errors: CLG_OUT_OF_HOST_MEMORY, CLG_OUT_OF_DEVICE_MEMORY, OpenCL failures.
 */
clg_status shape_case_make(clg_context *ctx, unsigned directions, struct shape_case *made);
void shape_case_release(struct shape_case *made);

/* Makes the outputs of a direction and computes their references. Release also after a failure. */
clg_status shape_results_make(const struct shape_case *made, clg_conv2d_direction direction,
                              struct shape_results *results);
void shape_results_release(struct shape_results *results);

/* Poisons the outputs and runs the plan's direction. */
clg_status shape_case_run(const struct shape_case *made, clg_conv2d_direction direction,
                          clg_conv2d *plan, const struct shape_results *results);

#endif
