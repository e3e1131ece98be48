/* batch_norm eps=E momentum=M x=FILE [gamma=FILE beta=FILE running_mean=FILE running_var=FILE]
 * [dy=FILE]: y in training mode and the updated running statistics; y_eval from those given; dx,
 * dgamma, dbeta of training when dy is given. */
#include "base/error.h"
#include "cli/op.h"

/* A running statistic as the plan updates it: an output that starts as the input. */
static clg_status running_output(struct op_call *call, const char *name, const clg_tensor *input,
                                 clg_tensor **output)
{
    *output = NULL;
    if (!input)
        return CLG_OK;
    CLG__TRY(op_output(call, name, clg_tensor_get_desc(input), output));
    return clg_tensor_copy(*output, input, NULL);
}

static clg_status run_eval(struct op_call *call, clg_batch_norm *plan, const clg_tensor *x,
                           const clg_batch_norm_tensors *tensors)
{
    clg_tensor *y;
    if (!tensors->running_mean || !tensors->running_var)
        return CLG_OK;
    CLG__TRY(op_output(call, "y_eval", clg_tensor_get_desc(x), &y));
    return clg_batch_norm_forward_eval(plan, y, x, tensors, NULL);
}

static clg_status run_backward(struct op_call *call, clg_batch_norm *plan, const clg_tensor *x,
                               const clg_batch_norm_tensors *tensors)
{
    clg_tensor *dy;
    clg_norm_gradients grads = {0};
    const clg_tensor_desc *shape = clg_tensor_get_desc(x);
    clg_tensor_desc channels = clg_desc_1d(shape->dims[1]);
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    CLG__TRY(op_output(call, "dx", shape, &grads.dx));
    CLG__TRY(op_output(call, "dgamma", &channels, &grads.dgamma));
    CLG__TRY(op_output(call, "dbeta", &channels, &grads.dbeta));
    return clg_batch_norm_backward(plan, &grads, dy, x, tensors, NULL);
}

static clg_status run_plan(struct op_call *call, clg_batch_norm *plan, const clg_tensor *x)
{
    clg_tensor *y, *gamma, *beta, *running_mean, *running_var;
    CLG__TRY(op_input(call, "gamma", &gamma));
    CLG__TRY(op_input(call, "beta", &beta));
    CLG__TRY(op_input(call, "running_mean", &running_mean));
    CLG__TRY(op_input(call, "running_var", &running_var));
    clg_batch_norm_tensors tensors = {
        .gamma = gamma, .beta = beta, .running_mean = running_mean, .running_var = running_var};
    CLG__TRY(run_eval(call, plan, x, &tensors));
    CLG__TRY(running_output(call, "running_mean", running_mean, &tensors.running_mean));
    CLG__TRY(running_output(call, "running_var", running_var, &tensors.running_var));
    CLG__TRY(op_output(call, "y", clg_tensor_get_desc(x), &y));
    CLG__TRY(clg_batch_norm_forward_train(plan, y, x, &tensors, NULL));
    return run_backward(call, plan, x, &tensors);
}

static clg_status run(struct op_call *call)
{
    clg_batch_norm_desc desc = {0};
    double eps, momentum;
    clg_tensor *x;
    CLG__TRY(op_float(call, "eps", 1e-5, &eps));
    CLG__TRY(op_float(call, "momentum", 0.1, &momentum));
    CLG__TRY(op_need(call, "x", &x));
    desc.x = *clg_tensor_get_desc(x);
    desc.eps = (float)eps;
    desc.momentum = (float)momentum;
    clg_batch_norm *plan;
    CLG__TRY(clg_batch_norm_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x);
    clg_batch_norm_destroy(plan);
    return status;
}

const struct cli_op cli_op_batch_norm = {
    "batch_norm", "eps momentum x gamma beta running_mean running_var dy", run, NULL};
