#include "cli/bench_conv2d.h"

#include "base/error.h"
#include "cli/bench.h"
#include "cli/shape_list.h"

clg_status bench_conv2d_make(clg_context *ctx, const struct bench_conv2d_desc *desc,
                             struct bench_conv2d *made)
{
    clg_conv2d_desc conv;
    clg_tensor_desc y, w, b = clg_desc_1d(desc->problem->out_channels);
    *made = (struct bench_conv2d){.direction = desc->direction, .layout = desc->layout};
    if (desc->algorithm && !shape_has_algorithm(desc->direction, desc->algorithm))
        return clg__fail(CLG_UNSUPPORTED, "there is no algorithm %s in this direction",
                         desc->algorithm);
    CLG__TRY(shape_describe(desc->problem, CLG_NCHW, &conv, &y, &w));
    conv.directions = 1u << desc->direction;
    conv.algorithm[desc->direction] = desc->algorithm;
    if (desc->preferred)
        CLG__TRY(clg_conv2d_preferred_layout(ctx, &conv, &made->layout));
    conv.x.layout = conv.y_layout = y.layout = made->layout;
    CLG__TRY(clg_conv2d_create(ctx, &conv, &made->plan));
    made->algorithm = clg_conv2d_algorithm(made->plan, desc->direction);
    made->estimate = clg_conv2d_estimate(made->plan, desc->direction);
    made->workspace = clg_conv2d_workspace_size(made->plan, desc->direction);
    CLG__TRY(bench_tensor(ctx, &conv.x, 1, &made->x));
    CLG__TRY(bench_tensor(ctx, &y, 2, &made->y));
    CLG__TRY(bench_tensor(ctx, &w, 3, &made->w));
    CLG__TRY(bench_tensor(ctx, &b, 4, &made->b));
    double terms = (double)(w.dims[1] * w.dims[2] * w.dims[3]);
    made->flop = 2 * (double)clg_tensor_count(made->y) * terms;
    return CLG_OK;
}

void bench_conv2d_release(struct bench_conv2d *made)
{
    clg_tensor_destroy(made->x);
    clg_tensor_destroy(made->y);
    clg_tensor_destroy(made->w);
    clg_tensor_destroy(made->b);
    clg_conv2d_destroy(made->plan);
    *made = (struct bench_conv2d){.plan = NULL};
}

clg_status bench_conv2d_run(void *subject)
{
    const struct bench_conv2d *made = subject;
    switch (made->direction) {
    case CLG_CONV2D_FORWARD:
        return clg_conv2d_forward(made->plan, made->y, made->x, made->w, made->b, NULL);
    case CLG_CONV2D_BACKWARD_DATA:
        return clg_conv2d_backward_data(made->plan, made->x, made->y, made->w, NULL);
    case CLG_CONV2D_BACKWARD_FILTER:
        return clg_conv2d_backward_filter(made->plan, made->w, made->b, made->x, made->y, NULL);
    }
    return CLG_OK;
}
