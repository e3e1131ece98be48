/* dropout p=P [seed=S] [step=T] [number=I] x=FILE [dy=FILE]: y, and dx when dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_dropout *plan, const clg_tensor *x,
                           const int64_t *counter)
{
    clg_tensor *y, *dy, *dx;
    const clg_tensor_desc *shape = clg_tensor_get_desc(x);
    uint64_t seed = (uint64_t)counter[0], step = (uint64_t)counter[1];
    CLG__TRY(op_output(call, "y", shape, &y));
    CLG__TRY(clg_dropout_forward(plan, y, x, seed, step, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", shape, &dx));
    return clg_dropout_backward(plan, dx, dy, seed, step, NULL);
}

static clg_status run(struct op_call *call)
{
    double p;
    int64_t counter[2], number;
    clg_tensor *x;
    CLG__TRY(op_float(call, "p", 0.5, &p));
    CLG__TRY(op_int(call, "seed", 0, &counter[0]));
    CLG__TRY(op_int(call, "step", 0, &counter[1]));
    CLG__TRY(op_int(call, "number", 0, &number));
    if (number < 0 || number > UINT32_MAX)
        return clg__fail(CLG_INVALID_ARGUMENT, "number=%lld does not fit 32 bits",
                         (long long)number);
    CLG__TRY(op_need(call, "x", &x));
    clg_dropout_desc desc = {(float)p, (uint32_t)number, *clg_tensor_get_desc(x)};
    clg_dropout *plan;
    CLG__TRY(clg_dropout_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x, counter);
    clg_dropout_destroy(plan);
    return status;
}

const struct cli_op cli_op_dropout = {"dropout", "p seed step number x dy", run, NULL};
