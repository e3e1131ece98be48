/* linear x=FILE w=FILE [b=FILE] [dy=FILE]: y, and dx, dw, db when dy is given. */
#include "base/error.h"
#include "cli/op.h"

struct operands {
    clg_tensor *x, *w, *b, *dy;
};

static clg_status run_direction(struct op_call *call, clg_linear *plan,
                                clg_linear_direction direction, const struct operands *in)
{
    clg_tensor *out, *db = NULL;
    if (direction == CLG_LINEAR_FORWARD) {
        CLG__TRY(op_output(call, "y", clg_linear_y_desc(plan), &out));
        return clg_linear_forward(plan, out, in->x, in->w, in->b, NULL);
    }
    if (direction == CLG_LINEAR_BACKWARD_DATA) {
        CLG__TRY(op_output(call, "dx", clg_linear_x_desc(plan), &out));
        return clg_linear_backward_data(plan, out, in->dy, in->w, NULL);
    }
    CLG__TRY(op_output(call, "dw", clg_linear_w_desc(plan), &out));
    if (in->b)
        CLG__TRY(op_output(call, "db", clg_linear_b_desc(plan), &db));
    return clg_linear_backward_weight(plan, out, db, in->x, in->dy, NULL);
}

static clg_status run(struct op_call *call)
{
    static const char *const names[] = {"forward", "backward_data", "backward_weight"};
    struct operands in = {0};
    CLG__TRY(op_need(call, "x", &in.x));
    CLG__TRY(op_need(call, "w", &in.w));
    CLG__TRY(op_input(call, "b", &in.b));
    CLG__TRY(op_input(call, "dy", &in.dy));
    const clg_tensor_desc *w = clg_tensor_get_desc(in.w);
    if (w->ndim != 2)
        return clg__fail(CLG_INVALID_SHAPE, "linear: w has %d dimensions, not out and in", w->ndim);
    for (int i = 0; i < (in.dy ? 3 : 1); i++) {
        clg_linear *plan;
        bool skip;
        clg_linear_desc desc = {
            .x = *clg_tensor_get_desc(in.x), .out = w->dims[0], .directions = 1u << i};
        desc.algorithm[i] = op_algorithm(call);
        CLG__TRY(op_maybe_refused(call, names[i], clg_linear_create(op_context(call), &desc, &plan),
                                  &skip));
        if (skip)
            continue;
        clg_status status = run_direction(call, plan, (clg_linear_direction)i, &in);
        clg_linear_destroy(plan);
        CLG__TRY(status);
    }
    return CLG_OK;
}

const struct cli_op cli_op_linear = {"linear", "x w b dy", run, clg_linear_algorithms};
