/* pad2d x=FILE pad=TOP,LEFT,BOTTOM,RIGHT [pad_mode=NAME] [pad_value=V] [dy=FILE]: y, and dx when
 * dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_pad2d *plan, const clg_tensor *x,
                           const clg_tensor_desc *y_desc)
{
    clg_tensor *y, *dy, *dx;
    CLG__TRY(op_output(call, "y", y_desc, &y));
    CLG__TRY(clg_pad2d_forward(plan, y, x, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", clg_tensor_get_desc(x), &dx));
    return clg_pad2d_backward(plan, dx, dy, NULL);
}

static clg_status run(struct op_call *call)
{
    clg_tensor *x;
    CLG__TRY(op_need(call, "x", &x));
    clg_pad2d_desc desc = {.x = *clg_tensor_get_desc(x)};
    clg_tensor_desc y = desc.x;
    const char *mode;
    double value;
    CLG__TRY(op_ints(call, "pad", 4, desc.pad));
    CLG__TRY(op_text(call, "pad_mode", "zeros", &mode));
    CLG__TRY(clg_pad_mode_from_name(mode, &desc.mode));
    CLG__TRY(op_float(call, "pad_value", 0, &value));
    desc.value = (float)value;
    CLG__TRY(clg_pad2d_output_size(&desc, &y.dims[2], &y.dims[3]));
    clg_pad2d *plan;
    CLG__TRY(clg_pad2d_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x, &y);
    clg_pad2d_destroy(plan);
    return status;
}

const struct cli_op cli_op_pad2d = {"pad2d", "x pad pad_mode pad_value dy", run, NULL};
