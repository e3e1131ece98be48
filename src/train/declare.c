/* What the kinds of layers have in common when they infer: defaults, checks, parameters. */
#include <math.h>

#include "train/layer.h"

void clg__default_pair(int64_t pair[2], int64_t fallback)
{
    if (pair[0] == 0)
        pair[0] = fallback;
    if (pair[1] == 0)
        pair[1] = pair[0];
}

clg_status clg__expect_dims(const clg_tensor_desc *x, int ndim)
{
    char text[CLG__DESC_TEXT];
    if (x->ndim != ndim)
        return clg__fail(CLG_INVALID_SHAPE,
                         "its input is %s for one image, %d dimensions are "
                         "needed",
                         clg__desc_text(x, text), ndim);
    return CLG_OK;
}

clg_status clg__declare_affine(clg_model *model, struct clg__node *node,
                               const clg_tensor_desc *weight, int64_t outputs, int64_t fan_in,
                               bool no_bias)
{
    struct clg__initial initial = {.bound = (float)(1 / sqrt((double)fan_in))};
    clg_tensor_desc bias = clg_desc_1d(outputs);
    CLG__TRY(clg__declare(model, node, "weight", weight, initial));
    return no_bias ? CLG_OK : clg__declare(model, node, "bias", &bias, initial);
}

clg_status clg__declare_scale(clg_model *model, struct clg__node *node, const clg_tensor_desc *desc)
{
    CLG__TRY(clg__declare(model, node, "weight", desc, (struct clg__initial){.constant = 1}));
    return clg__declare(model, node, "bias", desc, (struct clg__initial){.constant = 0});
}

clg_tensor_desc clg__placed_x(const struct clg__placed *at, int i)
{
    return clg__node_desc(&at->model->nodes[at->node->inputs[i]], at->batch);
}

clg_tensor_desc clg__placed_y(const struct clg__placed *at)
{
    return clg__node_desc(at->node, at->batch);
}

bool clg__wants_dx(const struct clg__placed *at)
{
    for (int i = 0; i < at->node->num_inputs; i++)
        if (at->dx[i])
            return true;
    return false;
}

static const struct clg__parameter *parameter(const struct clg__placed *at, int i)
{
    if (i >= at->node->num_parameters)
        return NULL;
    return &at->model->parameters[at->node->first_parameter + i];
}

clg_tensor *clg__value(const struct clg__placed *at, int i)
{
    const struct clg__parameter *found = parameter(at, i);
    return found ? found->value : NULL;
}

clg_tensor *clg__gradient(const struct clg__placed *at, int i)
{
    const struct clg__parameter *found = parameter(at, i);
    return found ? found->gradient : NULL;
}

clg_run clg__run_with(const struct clg__pass *pass, bool accumulate)
{
    clg_run run = pass->run;
    run.accumulate = accumulate;
    return run;
}
