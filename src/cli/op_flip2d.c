/* flip2d x=FILE [dy=FILE]: y, and dx when dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_flip2d *plan, const clg_tensor *x,
                           const clg_tensor_desc *y_desc)
{
    clg_tensor *y, *dy, *dx;
    CLG__TRY(op_output(call, "y", y_desc, &y));
    CLG__TRY(clg_flip2d_forward(plan, y, x, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", clg_tensor_get_desc(x), &dx));
    return clg_flip2d_backward(plan, dx, dy, NULL);
}

static clg_status run(struct op_call *call)
{
    clg_tensor *x;
    CLG__TRY(op_need(call, "x", &x));
    clg_flip2d_desc desc = {.x = *clg_tensor_get_desc(x)};
    clg_tensor_desc y = desc.x;

    clg_flip2d *plan;
    CLG__TRY(clg_flip2d_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x, &y);
    clg_flip2d_destroy(plan);
    return status;
}

const struct cli_op cli_op_flip2d = {"flip2d", "x dy", run, NULL};
