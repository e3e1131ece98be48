/* dilate2d x=FILE [stride=H,W] [dy=FILE]: y, and dx when dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_dilate2d *plan, const clg_tensor *x,
                           const clg_tensor_desc *y_desc)
{
    clg_tensor *y, *dy, *dx;
    CLG__TRY(op_output(call, "y", y_desc, &y));
    CLG__TRY(clg_dilate2d_forward(plan, y, x, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", clg_tensor_get_desc(x), &dx));
    return clg_dilate2d_backward(plan, dx, dy, NULL);
}

static clg_status run(struct op_call *call)
{
    clg_tensor *x;
    CLG__TRY(op_need(call, "x", &x));
    clg_dilate2d_desc desc = {.x = *clg_tensor_get_desc(x)};
    clg_tensor_desc y = desc.x;
    desc.stride[0] = desc.stride[1] = 1;
    CLG__TRY(op_ints(call, "stride", 2, desc.stride));
    CLG__TRY(clg_dilate2d_output_size(&desc, &y.dims[2], &y.dims[3]));
    clg_dilate2d *plan;
    CLG__TRY(clg_dilate2d_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x, &y);
    clg_dilate2d_destroy(plan);
    return status;
}

const struct cli_op cli_op_dilate2d = {"dilate2d", "x stride dy", run, NULL};
