/* softmax_cross_entropy [label_smoothing=E] [ignore_index=I] x=FILE labels=FILE: loss, losses,
 * probabilities and dx. */
#include "base/error.h"
#include "cli/op.h"

static clg_status run_plan(struct op_call *call, clg_softmax_cross_entropy *plan,
                           const clg_tensor *x, const clg_tensor *labels)
{
    clg_softmax_cross_entropy_outputs outputs = {0};
    const clg_tensor_desc *shape = clg_tensor_get_desc(x);
    clg_tensor_desc one = clg_desc_1d(1), samples = clg_desc_1d(shape->dims[0]);
    CLG__TRY(op_output(call, "loss", &one, &outputs.loss));
    CLG__TRY(op_output(call, "losses", &samples, &outputs.losses));
    CLG__TRY(op_output(call, "probabilities", shape, &outputs.probabilities));
    CLG__TRY(op_output(call, "dx", shape, &outputs.dx));
    return clg_softmax_cross_entropy_compute(plan, &outputs, x, labels, NULL);
}

static clg_status run(struct op_call *call)
{
    double smoothing;
    int64_t ignored;
    clg_tensor *x, *labels;
    CLG__TRY(op_float(call, "label_smoothing", 0, &smoothing));
    CLG__TRY(op_int(call, "ignore_index", 0, &ignored));
    if (ignored < INT32_MIN || ignored > INT32_MAX)
        return clg__fail(CLG_INVALID_ARGUMENT, "ignore_index=%lld does not fit 32 bits",
                         (long long)ignored);
    CLG__TRY(op_need(call, "x", &x));
    CLG__TRY(op_need(call, "labels", &labels));
    clg_softmax_cross_entropy_desc desc = {*clg_tensor_get_desc(x), (float)smoothing,
                                           op_has(call, "ignore_index"), (int32_t)ignored};
    clg_softmax_cross_entropy *plan;
    CLG__TRY(clg_softmax_cross_entropy_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, x, labels);
    clg_softmax_cross_entropy_destroy(plan);
    return status;
}

const struct cli_op cli_op_softmax_cross_entropy = {
    "softmax_cross_entropy", "label_smoothing ignore_index x labels", run, NULL};
