/* concat x0=FILE [x1=FILE ... x7=FILE] [dy=FILE]: y, and dx0, dx1, ... when dy is given. */
#include <stdio.h>

#include "base/error.h"
#include "cli/op.h"

enum { MAX_INPUTS = 8 };

static clg_status run_plan(struct op_call *call, clg_concat *plan, const clg_concat_desc *desc,
                           clg_tensor *const *x)
{
    clg_tensor_desc shape;
    clg_tensor *y, *dy, *dx[MAX_INPUTS];
    const clg_tensor *in[MAX_INPUTS];
    for (int i = 0; i < desc->num_inputs; i++)
        in[i] = x[i];
    CLG__TRY(clg_concat_output_desc(desc, &shape));
    CLG__TRY(op_output(call, "y", &shape, &y));
    CLG__TRY(clg_concat_forward(plan, y, in, NULL));
    CLG__TRY(op_input(call, "dy", &dy));
    if (!dy)
        return CLG_OK;
    for (int i = 0; i < desc->num_inputs; i++) {
        char name[16];
        snprintf(name, sizeof name, "dx%d", i);
        CLG__TRY(op_output(call, name, &desc->x[i], &dx[i]));
    }
    return clg_concat_backward(plan, dx, dy, NULL);
}

static clg_status run(struct op_call *call)
{
    clg_tensor *x[MAX_INPUTS];
    clg_tensor_desc shapes[MAX_INPUTS];
    clg_concat_desc desc = {0, shapes};
    CLG__TRY(op_need(call, "x0", &x[0]));
    for (int i = 0; i < MAX_INPUTS; i++) {
        char key[16];
        snprintf(key, sizeof key, "x%d", i);
        if (i > 0)
            CLG__TRY(op_input(call, key, &x[i]));
        if (!x[i])
            continue;
        if (i > desc.num_inputs)
            return clg__fail(CLG_INVALID_ARGUMENT, "%s is given but not x%d", key, desc.num_inputs);
        shapes[desc.num_inputs++] = *clg_tensor_get_desc(x[i]);
    }
    clg_concat *plan;
    CLG__TRY(clg_concat_create(op_context(call), &desc, &plan));
    clg_status status = run_plan(call, plan, &desc, x);
    clg_concat_destroy(plan);
    return status;
}

const struct cli_op cli_op_concat = {"concat", "x0 x1 x2 x3 x4 x5 x6 x7 dy", run, NULL};
