/* reorder x=FILE to=nhwc|nchw: y. A file holds elements in the order of their layout: the array of
 * an NHWC tensor has the shape N,H,W,C. */
#include <string.h>

#include "base/error.h"
#include "cli/op.h"

/* The array [a,b,c,d] of a file as an NHWC tensor, in the same memory. */
static clg_status view_as_nhwc(const clg_tensor *array, clg_tensor **view)
{
    clg_tensor_desc desc = *clg_tensor_get_desc(array);
    int64_t channels = desc.dims[3];
    desc.dims[3] = desc.dims[2];
    desc.dims[2] = desc.dims[1];
    desc.dims[1] = channels;
    desc.layout = CLG_NHWC;
    size_t offset;
    clg_buffer *buffer = clg_tensor_buffer(array, &offset);
    return clg_tensor_view(buffer, offset, &desc, view);
}

static clg_status run_plan(struct op_call *call, clg_tensor *to, const clg_tensor *from)
{
    clg_reorder_desc desc = {*clg_tensor_get_desc(from), *clg_tensor_get_desc(to)};
    clg_reorder *plan;
    CLG__TRY(clg_reorder_create(op_context(call), &desc, &plan));
    clg_status status = clg_reorder_forward(plan, to, from, NULL);
    clg_reorder_destroy(plan);
    return status;
}

static clg_status run(struct op_call *call)
{
    const char *to;
    clg_tensor *x, *y, *view;
    CLG__TRY(op_text(call, "to", "nhwc", &to));
    bool to_nhwc = strcmp(to, "nhwc") == 0;
    if (!to_nhwc && strcmp(to, "nchw") != 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "reorder: to=%s, not nhwc or nchw", to);
    CLG__TRY(op_need(call, "x", &x));
    const int64_t *dims = clg_tensor_get_desc(x)->dims;
    if (clg_tensor_get_desc(x)->ndim != 4)
        return clg__fail(CLG_INVALID_SHAPE, "reorder: x has %d dimensions, not 4",
                         clg_tensor_get_desc(x)->ndim);
    clg_tensor_desc out = to_nhwc ? clg_desc_4d(dims[0], dims[2], dims[3], dims[1])
                                  : clg_desc_4d(dims[0], dims[3], dims[1], dims[2]);
    CLG__TRY(op_output(call, "y", &out, &y));
    CLG__TRY(view_as_nhwc(to_nhwc ? y : x, &view));
    clg_status status = to_nhwc ? run_plan(call, view, x) : run_plan(call, y, view);
    clg_tensor_destroy(view);
    return status;
}

const struct cli_op cli_op_reorder = {"reorder", "x to", run, NULL};
