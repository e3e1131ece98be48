/* activation kind=NAME [alpha=A] x=FILE [dy=FILE]: y, and dx when dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_activation *plan, const clg_tensor *x)
{
    clg_tensor *y, *dy, *dx;
    const clg_tensor_desc *shape = clg_tensor_get_desc(x);
    CLG__TRY(op_output(call, "y", shape, &y));
    CLG__TRY(clg_activation_forward(plan, y, x, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", shape, &dx));
    return clg_activation_backward(plan, dx, dy, x, NULL);
}

static clg_status run(struct op_call *call)
{
    clg_activation_desc desc = {0};
    const char *kind;
    double alpha;
    clg_tensor *x;
    CLG__TRY(op_text(call, "kind", "relu", &kind));
    CLG__TRY(clg_activation_from_name(kind, &desc.kind));
    CLG__TRY(op_float(call, "alpha", desc.kind == CLG_ACTIVATION_LEAKY_RELU ? 0.01 : 1.0, &alpha));
    CLG__TRY(op_need(call, "x", &x));
    desc.alpha = (float)alpha;
    desc.x = *clg_tensor_get_desc(x);
    clg_activation *plan;
    CLG__TRY(clg_activation_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x);
    clg_activation_destroy(plan);
    return status;
}

const struct cli_op cli_op_activation = {"activation", "kind alpha x dy", run, NULL};
