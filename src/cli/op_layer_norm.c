/* layer_norm normalized_dims=D eps=E x=FILE [gamma=FILE beta=FILE] [dy=FILE]: y; dx, dgamma, dbeta
 * when dy is given. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_layer_norm *plan, const clg_tensor *x)
{
    clg_tensor *y, *dy, *gamma, *beta;
    clg_norm_gradients grads = {0};
    const clg_tensor_desc *shape = clg_tensor_get_desc(x);
    clg_tensor_desc row = clg_layer_norm_gamma_desc(plan);
    CLG__TRY(op_input(call, "gamma", &gamma));
    CLG__TRY(op_input(call, "beta", &beta));
    clg_norm_tensors tensors = {gamma, beta, NULL};
    CLG__TRY(op_output(call, "y", shape, &y));
    CLG__TRY(clg_layer_norm_forward(plan, y, x, &tensors, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", shape, &grads.dx));
    CLG__TRY(op_output(call, "dgamma", &row, &grads.dgamma));
    CLG__TRY(op_output(call, "dbeta", &row, &grads.dbeta));
    return clg_layer_norm_backward(plan, &grads, dy, x, &tensors, NULL);
}

static clg_status run(struct op_call *call)
{
    clg_layer_norm_desc desc = {0};
    int64_t normalized_dims;
    double eps;
    clg_tensor *x;
    CLG__TRY(op_int(call, "normalized_dims", 1, &normalized_dims));
    CLG__TRY(op_float(call, "eps", 1e-5, &eps));
    CLG__TRY(op_need(call, "x", &x));
    desc.x = *clg_tensor_get_desc(x);
    if (normalized_dims < 1 || normalized_dims > desc.x.ndim)
        return clg__fail(CLG_INVALID_ARGUMENT, "normalized_dims=%lld, x has %d dimensions",
                         (long long)normalized_dims, desc.x.ndim);
    desc.normalized_dims = (int)normalized_dims;
    desc.eps = (float)eps;
    clg_layer_norm *plan;
    CLG__TRY(clg_layer_norm_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x);
    clg_layer_norm_destroy(plan);
    return status;
}

const struct cli_op cli_op_layer_norm = {"layer_norm", "normalized_dims eps x gamma beta dy", run,
                                         NULL};
