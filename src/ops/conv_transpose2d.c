/*
 * A transposed convolution is a convolution read backwards: the convolution that leads from our y
 * to our x has our filter, and its backward_data is our forward pass. Output padding is a bottom
 * and right padding of that convolution which is smaller by as much.
 */
#include "clgrad/conv_transpose2d.h"

#include <stdlib.h>

#include "base/error.h"
#include "clgrad/conv2d.h"
#include "ops/channel_sum.h"
#include "ops/plan.h"

struct clg_conv_transpose2d {
    clg_context *ctx;
    clg_tensor_desc x, y, w, b;
    clg_conv2d *conv;
    struct clg__channel_sum *channels; /* of y: the bias and its gradient */
};

static const char name[] = "clg_conv_transpose2d";

static clg_status check_axis(const clg_conv_transpose2d_desc *desc, int axis, int64_t *size)
{
    int64_t stride = desc->stride[axis], dilation = desc->dilation[axis];
    int64_t kernel = desc->kernel[axis], padding = desc->padding[axis];
    int64_t extra = desc->output_padding[axis];
    const int64_t positive[] = {stride, dilation, kernel};
    for (int i = 0; i < 3; i++)
        if (positive[i] < 1 || positive[i] > INT32_MAX / 4)
            return clg__fail(positive[i] < 1 ? CLG_INVALID_ARGUMENT : CLG_TOO_LARGE,
                             "%s: stride %lld, dilation %lld, kernel %lld: each is 1 to %d", name,
                             (long long)stride, (long long)dilation, (long long)kernel,
                             INT32_MAX / 4);
    if (padding < 0 || padding > INT32_MAX / 4 || extra < 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: a padding of %lld, an output padding of %lld",
                         name, (long long)padding, (long long)extra);
    if (extra >= stride && extra >= dilation)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: the output padding %lld is neither below the stride %lld nor below "
                         "the dilation %lld",
                         name, (long long)extra, (long long)stride, (long long)dilation);
    int64_t in = desc->x.dims[2 + axis];
    *size = (in - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1;
    if (*size < 1)
        return clg__fail(CLG_INVALID_SHAPE,
                         "%s: %lld %s are left: input %lld, stride %lld, padding %lld, kernel %lld",
                         name, (long long)*size, axis ? "columns" : "rows", (long long)in,
                         (long long)stride, (long long)padding, (long long)kernel);
    return CLG_OK;
}

clg_status clg_conv_transpose2d_output_size(const clg_conv_transpose2d_desc *desc,
                                            clg_tensor_desc *y, clg_tensor_desc *w)
{
    if (!desc)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s_output_size: desc is NULL", name);
    CLG__TRY(clg__check_float_4d(name, "x", &desc->x));
    if (desc->filters < 1 || desc->groups < 1)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %lld filters, %lld groups: at least 1 each",
                         name, (long long)desc->filters, (long long)desc->groups);
    if (desc->x.dims[1] % desc->groups != 0 || desc->filters % desc->groups != 0)
        return clg__fail(
            CLG_INVALID_SHAPE, "%s: %lld groups do not divide %lld channels and %lld filters", name,
            (long long)desc->groups, (long long)desc->x.dims[1], (long long)desc->filters);
    int64_t p = 0, q = 0, count;
    CLG__TRY(check_axis(desc, 0, &p));
    CLG__TRY(check_axis(desc, 1, &q));
    clg_tensor_desc out = clg_desc_4d(desc->x.dims[0], desc->filters, p, q);
    out.layout = desc->y_layout;
    clg_tensor_desc filter = clg_desc_4d(desc->x.dims[1], desc->filters / desc->groups,
                                         desc->kernel[0], desc->kernel[1]);
    CLG__TRY(clg__check_float(name, "y", &out, &count));
    CLG__TRY(clg__check_float(name, "w", &filter, &count));
    if (y)
        *y = out;
    if (w)
        *w = filter;
    return CLG_OK;
}

/* The convolution from our y to our x. */
static clg_conv2d_desc reverse(const clg_conv_transpose2d_desc *desc, const clg_tensor_desc *y)
{
    clg_conv2d_desc conv =
        clg_conv2d_desc_init(*y, desc->x.dims[1], desc->kernel[0], desc->kernel[1]);
    for (int i = 0; i < 2; i++) {
        conv.stride[i] = desc->stride[i];
        conv.dilation[i] = desc->dilation[i];
        conv.padding[i] = desc->padding[i];
        conv.padding[i + 2] = desc->padding[i] - desc->output_padding[i];
    }
    conv.groups = desc->groups;
    conv.y_layout = desc->x.layout;
    conv.workspace_limit = desc->workspace_limit;
    conv.tune = desc->tune;
    for (int i = 0; i < 3; i++)
        conv.algorithm[i] = desc->algorithm[i];
    return conv;
}

clg_status clg_conv_transpose2d_create(clg_context *ctx, const clg_conv_transpose2d_desc *desc,
                                       clg_conv_transpose2d **out)
{
    CLG__TRY(clg__check_create("clg_conv_transpose2d_create", ctx, desc, out));
    *out = NULL;
    clg_tensor_desc y, w;
    CLG__TRY(clg_conv_transpose2d_output_size(desc, &y, &w));
    clg_conv_transpose2d *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a transposed convolution plan");
    *plan = (clg_conv_transpose2d){clg__context_retain(ctx),   desc->x, y,   w,
                                   clg_desc_1d(desc->filters), NULL,    NULL};
    clg_conv2d_desc conv = reverse(desc, &y);
    clg_status status = clg_conv2d_create(ctx, &conv, &plan->conv);
    if (status == CLG_OK)
        status = clg__channel_sum_create(ctx, &plan->y, &plan->channels);
    if (status == CLG_OK)
        status = clg__scratch_reserve(ctx, clg__channel_sum_workspace(plan->channels));
    if (status != CLG_OK) {
        clg_conv_transpose2d_destroy(plan);
        return status;
    }
    *out = plan;
    return CLG_OK;
}

void clg_conv_transpose2d_destroy(clg_conv_transpose2d *plan)
{
    if (!plan)
        return;
    clg_conv2d_destroy(plan->conv);
    clg__channel_sum_destroy(plan->channels);
    clg_context_destroy(plan->ctx);
    free(plan);
}

size_t clg_conv_transpose2d_workspace_size(const clg_conv_transpose2d *plan)
{
    size_t bytes = clg__channel_sum_workspace(plan->channels);
    for (int i = 0; i < 3; i++) {
        size_t conv = clg_conv2d_workspace_size(plan->conv, (clg_conv2d_direction)i);
        bytes = conv > bytes ? conv : bytes;
    }
    return bytes;
}

/* The caller's run for the first of two steps: waits for the caller's events, gives no event. */
static clg_run without_event(const clg_run *run)
{
    clg_run first = run ? *run : (clg_run){0};
    first.event = NULL;
    return first;
}

/* And for the second: it comes behind the first on the same queue. */
static clg_run without_wait(const clg_run *run)
{
    clg_run second = run ? *run : (clg_run){0};
    second.num_wait = 0;
    second.wait_list = NULL;
    return second;
}

clg_status clg_conv_transpose2d_forward(clg_conv_transpose2d *plan, clg_tensor *y,
                                        const clg_tensor *x, const clg_tensor *w,
                                        const clg_tensor *b, const clg_run *run)
{
    static const char call[] = "clg_conv_transpose2d_forward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "w", plan->ctx, w, &plan->w));
    if (!b)
        return clg_conv2d_backward_data(plan->conv, y, x, w, run);
    CLG__TRY(clg__expect_tensor(call, "b", plan->ctx, b, &plan->b));
    clg_run first = without_event(run), second = without_wait(run);
    CLG__TRY(clg_conv2d_backward_data(plan->conv, y, x, w, &first));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, &second, 0));
    return clg__stream_end(
        &stream,
        clg__channel_add_enqueue(plan->channels, &stream, clg__tensor_mem(y), clg__tensor_mem(b)));
}

clg_status clg_conv_transpose2d_backward_data(clg_conv_transpose2d *plan, clg_tensor *dx,
                                              const clg_tensor *dy, const clg_tensor *w,
                                              const clg_run *run)
{
    static const char call[] = "clg_conv_transpose2d_backward_data";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "dx", plan->ctx, dx, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "w", plan->ctx, w, &plan->w));
    return clg_conv2d_forward(plan->conv, dx, dy, w, NULL, run);
}

clg_status clg_conv_transpose2d_backward_filter(clg_conv_transpose2d *plan, clg_tensor *dw,
                                                clg_tensor *db, const clg_tensor *x,
                                                const clg_tensor *dy, const clg_run *run)
{
    static const char call[] = "clg_conv_transpose2d_backward_filter";
    CLG__TRY(clg__check_plan(call, plan));
    if (!dw && !db)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: both dw and db are NULL", call);
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    if (dw) {
        CLG__TRY(clg__expect_tensor(call, "dw", plan->ctx, dw, &plan->w));
        CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    }
    if (!db)
        return clg_conv2d_backward_filter(plan->conv, dw, NULL, dy, x, run);
    CLG__TRY(clg__expect_tensor(call, "db", plan->ctx, db, &plan->b));
    clg_run first = without_event(run), second = without_wait(run);
    if (dw)
        CLG__TRY(clg_conv2d_backward_filter(plan->conv, dw, NULL, dy, x, &first));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, dw ? &second : run,
                               clg__channel_sum_workspace(plan->channels)));
    clg_status status =
        clg__channel_sum_enqueue(plan->channels, &stream, clg__tensor_mem(db), clg__tensor_mem(dy),
                                 stream.workspace, stream.accumulate);
    return clg__stream_end(&stream, status);
}
