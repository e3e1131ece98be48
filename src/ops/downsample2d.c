#include "clgrad/downsample2d.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/dilate2d.h"
#include "ops/downsample2d.h"
#include "ops/plan.h"

struct clg_downsample2d {
    struct clg__planes_plan base;
};

int64_t clg__downsample2d_size(int64_t size, int64_t stride)
{
    return (size - 1) / stride + 1;
}

clg_status clg__downsample2d_create(clg_context *ctx, const struct clg__planes *x,
                                    const int64_t stride[2], int64_t y_h, int64_t y_w,
                                    struct clg__planes_map **map)
{
    struct clg__planes y = clg__planes_resized(x, y_h, y_w);
    const cl_int strides[] = {(cl_int)stride[0], (cl_int)stride[1]};
    return clg__planes_map_create(ctx, "downsample2d", "downsample2d", "", &y, x, strides,
                                  sizeof strides, map);
}

static clg_status check_desc(const char *call, const clg_downsample2d_desc *desc,
                             clg_tensor_desc *y)
{
    CLG__TRY(clg__check_float_4d(call, "x", &desc->x));
    CLG__TRY(clg__check_steps(call, "stride", desc->stride));
    *y = clg__desc_resized(&desc->x, clg__downsample2d_size(desc->x.dims[2], desc->stride[0]),
                           clg__downsample2d_size(desc->x.dims[3], desc->stride[1]));
    return clg__check_output(call, y);
}

clg_status clg_downsample2d_output_size(const clg_downsample2d_desc *desc, int64_t *p, int64_t *q)
{
    static const char call[] = "clg_downsample2d_output_size";
    if (!desc || !p || !q)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: desc, p or q is NULL", call);
    clg_tensor_desc y;
    CLG__TRY(check_desc(call, desc, &y));
    *p = y.dims[2];
    *q = y.dims[3];
    return CLG_OK;
}

clg_status clg_downsample2d_create(clg_context *ctx, const clg_downsample2d_desc *desc,
                                   clg_downsample2d **out)
{
    static const char call[] = "clg_downsample2d_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    clg_tensor_desc y;
    CLG__TRY(check_desc(call, desc, &y));
    clg_downsample2d *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a downsample2d plan");
    plan->base = (struct clg__planes_plan){.ctx = clg__context_retain(ctx), .x = desc->x, .y = y};
    struct clg__planes x = clg__planes_of(&desc->x), dy = clg__planes_of(&y);
    clg_status status;
    CLG__TRY_GOTO(clg__downsample2d_create(ctx, &x, desc->stride, dy.h, dy.w, &plan->base.forward));
    CLG__TRY_GOTO(clg__dilate2d_create(ctx, &dy, desc->stride, x.h, x.w, &plan->base.backward));
    *out = plan;
    return CLG_OK;
fail:
    clg_downsample2d_destroy(plan);
    return status;
}

void clg_downsample2d_destroy(clg_downsample2d *plan)
{
    if (!plan)
        return;
    clg__planes_plan_release(&plan->base);
    free(plan);
}

clg_status clg_downsample2d_forward(clg_downsample2d *plan, clg_tensor *y, const clg_tensor *x,
                                    const clg_run *run)
{
    static const char call[] = "clg_downsample2d_forward";
    CLG__TRY(clg__check_plan(call, plan));
    return clg__planes_plan_forward(call, &plan->base, y, x, run);
}

clg_status clg_downsample2d_backward(clg_downsample2d *plan, clg_tensor *dx, const clg_tensor *dy,
                                     const clg_run *run)
{
    static const char call[] = "clg_downsample2d_backward";
    CLG__TRY(clg__check_plan(call, plan));
    return clg__planes_plan_backward(call, &plan->base, dx, dy, run);
}
