#include "clgrad/flip2d.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/flip2d.h"
#include "ops/plan.h"

struct clg_flip2d {
    struct clg__planes_plan base;
};

clg_status clg__flip2d_create(clg_context *ctx, const struct clg__planes *x,
                              struct clg__planes_map **map)
{
    return clg__planes_map_create(ctx, "flip2d", "flip2d", "", x, x, NULL, 0, map);
}

static clg_status check_desc(const char *call, const clg_flip2d_desc *desc, clg_tensor_desc *y)
{
    CLG__TRY(clg__check_float_4d(call, "x", &desc->x));
    *y = desc->x;
    return CLG_OK;
}

clg_status clg_flip2d_create(clg_context *ctx, const clg_flip2d_desc *desc, clg_flip2d **out)
{
    static const char call[] = "clg_flip2d_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    clg_tensor_desc y;
    CLG__TRY(check_desc(call, desc, &y));
    clg_flip2d *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a flip2d plan");
    plan->base = (struct clg__planes_plan){.ctx = clg__context_retain(ctx), .x = desc->x, .y = y};
    struct clg__planes x = clg__planes_of(&desc->x);
    clg_status status;
    CLG__TRY_GOTO(clg__flip2d_create(ctx, &x, &plan->base.forward));
    CLG__TRY_GOTO(clg__flip2d_create(ctx, &x, &plan->base.backward));
    *out = plan;
    return CLG_OK;
fail:
    clg_flip2d_destroy(plan);
    return status;
}

void clg_flip2d_destroy(clg_flip2d *plan)
{
    if (!plan)
        return;
    clg__planes_plan_release(&plan->base);
    free(plan);
}

clg_status clg_flip2d_forward(clg_flip2d *plan, clg_tensor *y, const clg_tensor *x,
                              const clg_run *run)
{
    static const char call[] = "clg_flip2d_forward";
    CLG__TRY(clg__check_plan(call, plan));
    return clg__planes_plan_forward(call, &plan->base, y, x, run);
}

clg_status clg_flip2d_backward(clg_flip2d *plan, clg_tensor *dx, const clg_tensor *dy,
                               const clg_run *run)
{
    static const char call[] = "clg_flip2d_backward";
    CLG__TRY(clg__check_plan(call, plan));
    return clg__planes_plan_backward(call, &plan->base, dx, dy, run);
}
