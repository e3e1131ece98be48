/* From the graph to a model: checks, parameters in memory with their initial values, optimiser. */
#include <stdlib.h>

#include "base/philox.h"
#include "train/batch_plan.h"
#include "train/layer.h"
#include "train/loss.h"

/* Parameters begin at multiples of this many elements, 64 bytes. */
enum { PARAMETER_ALIGNMENT = 16 };

static clg_status check_connected(const clg_model *model, clg_node output)
{
    if (output < 0 || output >= model->num_nodes)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_model_build: the output is node %d, there are nodes 0 to %d", output,
                         model->num_nodes - 1);
    for (int i = 0; i < model->num_nodes; i++) {
        const struct clg__node *node = &model->nodes[i];
        if ((node->uses == 0) != (i == output))
            return clg__fail(CLG_INVALID_ARGUMENT,
                             i == output ? "clg_model_build: the output, layer \"%s\" (%s), is "
                                           "an input of another layer"
                                         : "clg_model_build: layer \"%s\" (%s) does not lead to "
                                           "the output",
                             node->name, node->layer->kind);
    }
    return CLG_OK;
}

/* Lays out the parameters of one kind; the padding between them holds zeros, which every optimiser
 * leaves at zero. */
static clg_status lay_out(clg_model *model, bool trained, int64_t *elements)
{
    int64_t at = 0;
    for (int i = 0; i < model->num_parameters; i++) {
        struct clg__parameter *parameter = &model->parameters[i];
        if (parameter->trained != trained)
            continue;
        parameter->offset = (size_t)at * sizeof(float);
        int64_t count = clg__desc_count(&parameter->desc);
        at += (count + PARAMETER_ALIGNMENT - 1) / PARAMETER_ALIGNMENT * PARAMETER_ALIGNMENT;
        if (at > INT32_MAX)
            return clg__fail(CLG_TOO_LARGE,
                             "clg_model_build: with \"%s\" the parameters are more than "
                             "2147483647 numbers",
                             parameter->name);
        if (trained)
            model->num_trained += count;
    }
    *elements = at;
    return CLG_OK;
}

static clg_status create_zeros(clg_context *ctx, int64_t elements, clg_tensor **tensor)
{
    if (elements == 0)
        return CLG_OK;
    clg_tensor_desc desc = clg_desc_1d(elements);
    CLG__TRY(clg_tensor_create(ctx, &desc, tensor));
    return clg_tensor_fill(*tensor, 0, NULL);
}

static clg_status create_parameters(clg_model *model)
{
    int64_t trained = 0, kept = 0;
    CLG__TRY(lay_out(model, true, &trained));
    CLG__TRY(lay_out(model, false, &kept));
    CLG__TRY(create_zeros(model->ctx, trained, &model->values));
    CLG__TRY(create_zeros(model->ctx, trained, &model->gradients));
    CLG__TRY(create_zeros(model->ctx, kept, &model->statistics));
    for (int i = 0; i < model->num_parameters; i++) {
        struct clg__parameter *it = &model->parameters[i];
        clg_tensor *whole = it->trained ? model->values : model->statistics;
        CLG__TRY(clg_tensor_view(whole->buffer, it->offset, &it->desc, &it->value));
        if (it->trained)
            CLG__TRY(
                clg_tensor_view(model->gradients->buffer, it->offset, &it->desc, &it->gradient));
    }
    return CLG_OK;
}

/* Initial values: parameter i draws from stream i of the seed. */
static clg_status initialise(const clg_model *model, int i)
{
    const struct clg__parameter *parameter = &model->parameters[i];
    struct clg__initial initial = parameter->initial;
    if (initial.bound == 0)
        return initial.constant == 0 ? CLG_OK
                                     : clg_tensor_fill(parameter->value, initial.constant, NULL);
    int64_t count = clg__desc_count(&parameter->desc);
    float *values = malloc((size_t)count * sizeof *values);
    if (!values)
        return clg__fail_alloc("initial values");
    struct clg__random random = clg__random_start(model->desc.seed, (uint32_t)i);
    for (int64_t j = 0; j < count; j++)
        values[j] = initial.bound * (2 * clg__random_uniform(&random) - 1);
    clg_status status = clg_tensor_upload(parameter->value, values, NULL);
    free(values);
    return status;
}

static clg_status create_optimizer(clg_model *model)
{
    if (!model->values)
        return CLG_OK;
    model->train.optimizer.w = model->values->desc;
    return clg_optimizer_create(model->ctx, &model->train.optimizer, &model->optimizer);
}

static clg_status build(clg_model *model, clg_node output, const clg_train_desc *train)
{
    if (model->error != CLG_OK)
        return clg__fail(model->error, "%s", model->error_text);
    CLG__TRY(check_connected(model, output));
    if (train)
        model->train = *train;
    else
        model->train.optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, NULL);
    CLG__TRY(clg__loss_check(&model->train, &model->nodes[output].y));
    if (!model->desc.unfused)
        clg__fuse(model);
    CLG__TRY(create_parameters(model));
    for (int i = 0; i < model->num_parameters; i++)
        CLG__TRY(initialise(model, i));
    CLG__TRY(create_optimizer(model));
    return clg__batch_plans_create(model);
}

clg_status clg_model_build(clg_model *model, clg_node output, const clg_train_desc *train)
{
    if (!model)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_build: model is NULL");
    if (model->state != CLG__MODEL_OPEN)
        return clg__fail(CLG_INVALID_STATE, "clg_model_build: the model was built already");
    clg_status status = build(model, output, train);
    model->state = status == CLG_OK ? CLG__MODEL_BUILT : CLG__MODEL_FAILED;
    return status;
}
