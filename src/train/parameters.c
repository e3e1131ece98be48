/* Parameters by name, and the text kept with a model. */
#include <stdlib.h>
#include <string.h>

#include "train/model.h"

int clg_model_num_parameters(const clg_model *model)
{
    return model && model->state == CLG__MODEL_BUILT ? model->num_parameters : 0;
}

int64_t clg_model_num_trained(const clg_model *model)
{
    return model ? model->num_trained : 0;
}

static clg_status check(const char *call, const clg_model *model, const clg_parameter *parameter)
{
    if (!model || !parameter)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is NULL", call,
                         !model ? "model" : "parameter");
    if (model->state != CLG__MODEL_BUILT)
        return clg__fail(CLG_INVALID_STATE, "%s: the model is not built", call);
    return CLG_OK;
}

static void get(const struct clg__parameter *from, clg_parameter *parameter)
{
    *parameter = (clg_parameter){from->name, from->value, from->gradient};
}

clg_status clg_model_parameter(const clg_model *model, int index, clg_parameter *parameter)
{
    CLG__TRY(check("clg_model_parameter", model, parameter));
    if (index < 0 || index >= model->num_parameters)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_model_parameter: index %d, there are %d parameters", index,
                         model->num_parameters);
    get(&model->parameters[index], parameter);
    return CLG_OK;
}

clg_status clg_model_find_parameter(const clg_model *model, const char *name,
                                    clg_parameter *parameter)
{
    CLG__TRY(check("clg_model_find_parameter", model, parameter));
    if (!name)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_find_parameter: name is NULL");
    for (int i = 0; i < model->num_parameters; i++)
        if (strcmp(model->parameters[i].name, name) == 0) {
            get(&model->parameters[i], parameter);
            return CLG_OK;
        }
    return clg__fail(CLG_INVALID_ARGUMENT,
                     "clg_model_find_parameter: the model has no parameter \"%s\"", name);
}

/* ---- Metadata ---- */

static struct clg__pair *find_pair(const clg_model *model, const char *key)
{
    for (int i = 0; i < model->num_metadata; i++)
        if (strcmp(model->metadata[i].key, key) == 0)
            return &model->metadata[i];
    return NULL;
}

const char *clg_model_metadata(const clg_model *model, const char *key)
{
    const struct clg__pair *pair = model && key ? find_pair(model, key) : NULL;
    return pair ? pair->value : NULL;
}

static void remove_pair(clg_model *model, struct clg__pair *pair)
{
    free(pair->key);
    free(pair->value);
    struct clg__pair *last = &model->metadata[--model->num_metadata];
    memmove(pair, pair + 1, (size_t)(last - pair) * sizeof *pair);
}

static clg_status add_pair(clg_model *model, char *key, char *value)
{
    struct clg__pair *grown =
        realloc(model->metadata, ((size_t)model->num_metadata + 1) * sizeof *grown);
    if (grown)
        model->metadata = grown;
    if (!grown || !key || !value) {
        free(key);
        free(value);
        return clg__fail_alloc("a model's metadata");
    }
    grown[model->num_metadata++] = (struct clg__pair){key, value};
    return CLG_OK;
}

clg_status clg_model_set_metadata(clg_model *model, const char *key, const char *value)
{
    if (!model || !key || !*key)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_set_metadata: %s",
                         !model ? "model is NULL" : "the key is empty");
    /* Copied first: value may be the present one. */
    char *copy = value ? clg__copy_text(value) : NULL;
    if (value && !copy)
        return clg__fail_alloc("a model's metadata");
    struct clg__pair *pair = find_pair(model, key);
    if (!pair)
        return copy ? add_pair(model, clg__copy_text(key), copy) : CLG_OK;
    if (!copy) {
        remove_pair(model, pair);
        return CLG_OK;
    }
    free(pair->value);
    pair->value = copy;
    return CLG_OK;
}
