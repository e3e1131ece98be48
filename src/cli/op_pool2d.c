/* pool2d x=FILE kind=max|avg size=H,W [stride=H,W] [pad=H,W] [dilation=H,W] [count_include_pad=0|1]
 * [dy=FILE]: y, and dx when dy is given. Without size the window is the whole plane. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_pool2d *plan, const clg_tensor *x,
                           const clg_tensor_desc *y_desc)
{
    clg_tensor *y, *dy, *dx;
    CLG__TRY(op_output(call, "y", y_desc, &y));
    CLG__TRY(clg_pool2d_forward(plan, y, x, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", clg_tensor_get_desc(x), &dx));
    return clg_pool2d_backward(plan, dx, dy, x, y, NULL);
}

static clg_status read_window(struct op_call *call, clg_pool2d_desc *desc)
{
    const char *kind;
    int64_t include;
    CLG__TRY(op_text(call, "kind", "max", &kind));
    CLG__TRY(clg_pool_kind_from_name(kind, &desc->kind));
    CLG__TRY(op_int(call, "count_include_pad", 1, &include));
    desc->count_include_pad = include != 0;
    desc->global = !op_has(call, "size");
    CLG__TRY(op_ints(call, "size", 2, desc->size));
    for (int axis = 0; axis < 2; axis++) {
        desc->stride[axis] = desc->size[axis];
        desc->dilation[axis] = 1;
    }
    CLG__TRY(op_ints(call, "stride", 2, desc->stride));
    CLG__TRY(op_ints(call, "pad", 2, desc->pad));
    return op_ints(call, "dilation", 2, desc->dilation);
}

static clg_status run(struct op_call *call)
{
    clg_tensor *x;
    CLG__TRY(op_need(call, "x", &x));
    clg_pool2d_desc desc = {.x = *clg_tensor_get_desc(x)};
    clg_tensor_desc y = desc.x;
    CLG__TRY(read_window(call, &desc));
    CLG__TRY(clg_pool2d_output_size(&desc, &y.dims[2], &y.dims[3]));
    clg_pool2d *plan;
    CLG__TRY(clg_pool2d_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x, &y);
    clg_pool2d_destroy(plan);
    return status;
}

const struct cli_op cli_op_pool2d = {
    "pool2d", "kind size stride pad dilation count_include_pad x dy", run, NULL};
