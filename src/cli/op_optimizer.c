/* optimizer kind=NAME [lr= momentum= dampening= nesterov=0|1 weight_decay= beta1= beta2= eps=]
 * param=FILE grads=FILE: params, one row after each of the gradients [steps, n]. */
#include "base/error.h"
#include "cli/op.h"

static clg_status read_settings(struct op_call *call, clg_optimizer_desc *desc)
{
    int64_t nesterov;
    CLG__TRY(op_float(call, "lr", desc->lr, &desc->lr));
    CLG__TRY(op_float(call, "momentum", desc->momentum, &desc->momentum));
    CLG__TRY(op_float(call, "dampening", desc->dampening, &desc->dampening));
    CLG__TRY(op_float(call, "weight_decay", desc->weight_decay, &desc->weight_decay));
    CLG__TRY(op_float(call, "beta1", desc->beta1, &desc->beta1));
    CLG__TRY(op_float(call, "beta2", desc->beta2, &desc->beta2));
    CLG__TRY(op_float(call, "eps", desc->eps, &desc->eps));
    CLG__TRY(op_int(call, "nesterov", 0, &nesterov));
    desc->nesterov = nesterov != 0;
    return CLG_OK;
}

/* Row `row` of a matrix with rows like `desc`. */
static clg_status view_row(clg_tensor *matrix, int64_t row, const clg_tensor_desc *desc,
                           clg_tensor **view)
{
    size_t bytes, offset;
    clg_buffer *buffer = clg_tensor_buffer(matrix, &offset);
    CLG__TRY(clg_tensor_desc_bytes(desc, &bytes));
    return clg_tensor_view(buffer, offset + (size_t)row * bytes, desc, view);
}

/* Row `row` of params = the parameters before (w, or the row before) after one step. */
static clg_status step(clg_optimizer *plan, const clg_tensor *w, clg_tensor *grads,
                       clg_tensor *params, int64_t row)
{
    const clg_tensor_desc *desc = clg_tensor_get_desc(w);
    clg_tensor *dw = NULL, *before = NULL, *after = NULL;
    clg_status status = view_row(grads, row, desc, &dw);
    if (status == CLG_OK && row > 0)
        status = view_row(params, row - 1, desc, &before);
    if (status == CLG_OK)
        status = view_row(params, row, desc, &after);
    if (status == CLG_OK)
        status = clg_tensor_copy(after, before ? before : w, NULL);
    if (status == CLG_OK)
        status = clg_optimizer_step(plan, after, dw, NULL);
    clg_tensor_destroy(dw);
    clg_tensor_destroy(before);
    clg_tensor_destroy(after);
    return status;
}

static clg_status run(struct op_call *call)
{
    const char *name;
    clg_optimizer_kind kind;
    clg_tensor *w, *grads, *params;
    CLG__TRY(op_text(call, "kind", "sgd", &name));
    CLG__TRY(clg_optimizer_from_name(name, &kind));
    CLG__TRY(op_need(call, "param", &w));
    CLG__TRY(op_need(call, "grads", &grads));
    const clg_tensor_desc *shape = clg_tensor_get_desc(grads);
    clg_optimizer_desc desc = clg_optimizer_defaults(kind, clg_tensor_get_desc(w));
    CLG__TRY(read_settings(call, &desc));
    if (shape->ndim != 2 || shape->dims[1] != clg_tensor_count(w))
        return clg__fail(CLG_INVALID_SHAPE,
                         "grads has %d dimensions, the last of %lld: two are needed, rows of %lld",
                         shape->ndim, (long long)shape->dims[shape->ndim - 1],
                         (long long)clg_tensor_count(w));
    CLG__TRY(op_output(call, "params", shape, &params));
    clg_optimizer *plan;
    CLG__TRY(clg_optimizer_create(op_context(call), &desc, &plan));
    clg_status status = CLG_OK;
    for (int64_t row = 0; row < shape->dims[0] && status == CLG_OK; row++)
        status = step(plan, w, grads, params, row);
    clg_optimizer_destroy(plan);
    return status;
}

const struct cli_op cli_op_optimizer = {
    "optimizer", "kind lr momentum dampening nesterov weight_decay beta1 beta2 eps param grads",
    run, NULL};
