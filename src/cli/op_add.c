/* add a=FILE b=FILE [alpha=A] [beta=B] [dy=FILE]: y, and da and db when dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_add *plan, const clg_tensor *a,
                           const clg_tensor *b)
{
    clg_tensor *y, *dy, *da, *db;
    const clg_tensor_desc *shape = clg_tensor_get_desc(a);
    CLG__TRY(op_output(call, "y", shape, &y));
    CLG__TRY(clg_add_forward(plan, y, a, b, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "da", shape, &da));
    CLG__TRY(op_output(call, "db", shape, &db));
    return clg_add_backward(plan, da, db, dy, NULL);
}

static clg_status run(struct op_call *call)
{
    double alpha, beta;
    clg_tensor *a, *b;
    CLG__TRY(op_float(call, "alpha", 1, &alpha));
    CLG__TRY(op_float(call, "beta", 1, &beta));
    CLG__TRY(op_need(call, "a", &a));
    CLG__TRY(op_need(call, "b", &b));
    clg_add_desc desc = {*clg_tensor_get_desc(a), (float)alpha, (float)beta};
    clg_add *plan;
    CLG__TRY(clg_add_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, a, b);
    clg_add_destroy(plan);
    return status;
}

const struct cli_op cli_op_add = {"add", "alpha beta a b dy", run, NULL};
