/* mse x=FILE target=FILE: loss and dx. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_mse *plan, const clg_tensor *x,
                           const clg_tensor *target)
{
    clg_mse_outputs outputs = {0};
    clg_tensor_desc one = clg_desc_1d(1);
    CLG__TRY(op_output(call, "loss", &one, &outputs.loss));
    CLG__TRY(op_output(call, "dx", clg_tensor_get_desc(x), &outputs.dx));
    return clg_mse_compute(plan, &outputs, x, target, NULL);
}

static clg_status run(struct op_call *call)
{
    clg_tensor *x, *target;
    CLG__TRY(op_need(call, "x", &x));
    CLG__TRY(op_need(call, "target", &target));
    clg_mse_desc desc = {*clg_tensor_get_desc(x)};
    clg_mse *plan;
    CLG__TRY(clg_mse_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x, target);
    clg_mse_destroy(plan);
    return status;
}

const struct cli_op cli_op_mse = {"mse", "x target", run, NULL};
