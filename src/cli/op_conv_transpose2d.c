/* conv_transpose2d x=FILE w=FILE [b=FILE] [dy=FILE] stride= pad= out_pad= dilation= groups=: y, and
 * dx, dw, db when dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status gradients(struct op_call *call, clg_conv_transpose2d *plan, const clg_tensor *x,
                            const clg_tensor *w, const clg_tensor *b, const clg_tensor *dy)
{
    clg_tensor *dx, *dw, *db = NULL;
    CLG__TRY(op_output(call, "dx", clg_tensor_get_desc(x), &dx));
    CLG__TRY(op_output(call, "dw", clg_tensor_get_desc(w), &dw));
    if (b)
        CLG__TRY(op_output(call, "db", clg_tensor_get_desc(b), &db));
    CLG__TRY(clg_conv_transpose2d_backward_data(plan, dx, dy, w, NULL));
    return clg_conv_transpose2d_backward_filter(plan, dw, db, x, dy, NULL);
}

static clg_status run_plan(struct op_call *call, const clg_conv_transpose2d_desc *desc,
                           clg_conv_transpose2d *plan, const clg_tensor *x, const clg_tensor *w)
{
    clg_tensor *y, *b, *dy;
    clg_tensor_desc shape;
    CLG__TRY(op_input(call, "b", &b));
    CLG__TRY(op_input(call, "dy", &dy));
    CLG__TRY(clg_conv_transpose2d_output_size(desc, &shape, NULL));
    CLG__TRY(op_output(call, "y", &shape, &y));
    CLG__TRY(clg_conv_transpose2d_forward(plan, y, x, w, b, NULL));
    return dy ? gradients(call, plan, x, w, b, dy) : CLG_OK;
}

static clg_status run(struct op_call *call)
{
    clg_tensor *x, *w;
    CLG__TRY(op_need(call, "x", &x));
    CLG__TRY(op_need(call, "w", &w));
    const clg_tensor_desc *filter = clg_tensor_get_desc(w);
    if (filter->ndim != 4)
        return clg__fail(CLG_INVALID_SHAPE, "conv_transpose2d: w has %d dimensions, not C K R S",
                         filter->ndim);
    clg_conv_transpose2d_desc desc = {
        .x = *clg_tensor_get_desc(x),
        .kernel = {filter->dims[2], filter->dims[3]},
        .stride = {1, 1},
        .dilation = {1, 1},
    };
    CLG__TRY(op_ints(call, "stride", 2, desc.stride));
    CLG__TRY(op_ints(call, "pad", 2, desc.padding));
    CLG__TRY(op_ints(call, "out_pad", 2, desc.output_padding));
    CLG__TRY(op_ints(call, "dilation", 2, desc.dilation));
    CLG__TRY(op_int(call, "groups", 1, &desc.groups));
    desc.filters = filter->dims[1] * desc.groups;
    for (int i = 0; i < 3; i++)
        desc.algorithm[i] = op_algorithm(call);
    clg_conv_transpose2d *plan;
    bool skip;
    CLG__TRY(op_maybe_refused(call, "all",
                              clg_conv_transpose2d_create(op_context(call), &desc, &plan), &skip));
    if (skip)
        return CLG_OK;
    clg_status status = run_plan(call, &desc, plan, x, w);
    clg_conv_transpose2d_destroy(plan);
    return status;
}

/* Algorithms are those of the convolution underneath, those that all directions have: a filter
 * gradient's are those of the other directions, too. */
static size_t algorithms(const char **names, size_t capacity)
{
    return clg_conv2d_algorithms(CLG_CONV2D_BACKWARD_FILTER, names, capacity);
}

const struct cli_op cli_op_conv_transpose2d = {
    "conv_transpose2d", "x w b dy stride pad out_pad dilation groups", run, algorithms};
