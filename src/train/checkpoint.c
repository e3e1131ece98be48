/* Models in safetensors files, with PyTorch's names and shapes. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clgrad/safetensors.h"
#include "train/layer.h"
#include "train/model.h"

static const char batches_suffix[] = ".num_batches_tracked";

static clg_status check_call(const char *call, const clg_model *model, const char *path)
{
    if (!model || !path)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is NULL", call, !model ? "model" : "path");
    if (model->state != CLG__MODEL_BUILT)
        return clg__fail(CLG_INVALID_STATE, "%s: the model is not built", call);
    return CLG_OK;
}

/* ---- Saving ---- */

struct writing {
    clg_safetensors_tensor *tensors;
    size_t count;
    char **names; /* those made here */
    size_t num_names;
    clg_safetensors_pair *pairs;
};

static clg_status add_parameter(struct writing *to, const struct clg__parameter *parameter)
{
    clg_safetensors_tensor *tensor = &to->tensors[to->count++];
    *tensor = (clg_safetensors_tensor){
        .name = parameter->name, .type = CLG_SAFETENSORS_F32, .ndim = parameter->desc.ndim};
    memcpy(tensor->dims, parameter->desc.dims,
           (size_t)tensor->ndim * sizeof parameter->desc.dims[0]);
    void *data = malloc(clg_tensor_bytes(parameter->value));
    if (!data)
        return clg__fail_alloc("a parameter's copy");
    tensor->data = data;
    return clg_tensor_download(parameter->value, data, NULL);
}

static clg_status add_batches(struct writing *to, const struct clg__node *node)
{
    size_t size = strlen(node->name) + sizeof batches_suffix;
    int64_t *data = malloc(sizeof *data);
    char *name = malloc(size);
    if (name)
        to->names[to->num_names++] = name;
    if (!data || !name) {
        free(data);
        return clg__fail_alloc("a parameter's copy");
    }
    snprintf(name, size, "%s%s", node->name, batches_suffix);
    *data = node->num_batches_tracked;
    to->tensors[to->count++] =
        (clg_safetensors_tensor){.name = name, .type = CLG_SAFETENSORS_I64, .data = data};
    return CLG_OK;
}

static clg_status collect(const clg_model *model, struct writing *to)
{
    size_t most = (size_t)model->num_parameters + (size_t)model->num_nodes;
    to->tensors = calloc(most, sizeof *to->tensors);
    to->names = calloc((size_t)model->num_nodes, sizeof(char *));
    to->pairs = calloc((size_t)model->num_metadata + 1, sizeof *to->pairs);
    if (!to->tensors || !to->names || !to->pairs)
        return clg__fail_alloc("a checkpoint");
    for (int i = 0; i < model->num_metadata; i++)
        to->pairs[i] = (clg_safetensors_pair){model->metadata[i].key, model->metadata[i].value};
    for (int i = 0; i < model->num_nodes; i++) {
        const struct clg__node *node = &model->nodes[i];
        for (int k = 0; k < node->num_parameters; k++)
            CLG__TRY(add_parameter(to, &model->parameters[node->first_parameter + k]));
        if (node->layer->tracks_batches)
            CLG__TRY(add_batches(to, node));
    }
    return CLG_OK;
}

clg_status clg_model_save(clg_model *model, const char *path)
{
    CLG__TRY(check_call("clg_model_save", model, path));
    struct writing writing = {0};
    clg_status status = collect(model, &writing);
    if (status == CLG_OK)
        status = clg_safetensors_write(path, writing.tensors, writing.count, writing.pairs,
                                       (size_t)model->num_metadata);
    for (size_t i = 0; i < writing.count; i++)
        free((void *)writing.tensors[i].data);
    for (size_t i = 0; i < writing.num_names; i++)
        free(writing.names[i]);
    free(writing.tensors);
    free(writing.names);
    free(writing.pairs);
    return status;
}

/* ---- Loading ---- */

/* "F32 of 16x1x3x3", "I64 of no dimensions". */
static const char *shape_text(clg_safetensors_type type, int ndim, const int64_t *dims, char *text,
                              size_t size)
{
    int used = snprintf(text, size, "%s of %s", clg_safetensors_type_name(type),
                        ndim == 0 ? "no dimensions" : "");
    for (int i = 0; i < ndim && used > 0 && (size_t)used < size; i++)
        used +=
            snprintf(text + used, size - (size_t)used, "%s%lld", i ? "x" : "", (long long)dims[i]);
    return text;
}

static clg_status check_tensor(const clg_safetensors_tensor *found, const char *name,
                               clg_safetensors_type type, const clg_tensor_desc *desc)
{
    int ndim = desc ? desc->ndim : 0;
    const int64_t *dims = desc ? desc->dims : NULL;
    char is[256], want[256];
    if (found->type == type && found->ndim == ndim &&
        (ndim == 0 || memcmp(found->dims, dims, (size_t)ndim * sizeof *dims) == 0))
        return CLG_OK;
    return clg__fail(CLG_INVALID_SHAPE, "\"%s\" is %s in the file, the model's is %s", name,
                     shape_text(found->type, found->ndim, found->dims, is, sizeof is),
                     shape_text(type, ndim, dims, want, sizeof want));
}

/* The node whose num_batches_tracked has that name; NULL. */
static struct clg__node *batches_node(const clg_model *model, const char *name)
{
    for (int i = 0; i < model->num_nodes; i++) {
        struct clg__node *node = &model->nodes[i];
        size_t length = strlen(node->name);
        if (node->layer->tracks_batches && strncmp(name, node->name, length) == 0 &&
            strcmp(name + length, batches_suffix) == 0)
            return node;
    }
    return NULL;
}

static bool is_parameter(const clg_model *model, const char *name)
{
    for (int i = 0; i < model->num_parameters; i++)
        if (strcmp(model->parameters[i].name, name) == 0)
            return true;
    return false;
}

/* Names the first few of what is missing or too much, and how many there are. */
struct names {
    char text[256];
    int count;
};

static void add_name(struct names *names, const char *name)
{
    size_t used = strlen(names->text);
    if (names->count++ < 3)
        snprintf(names->text + used, sizeof names->text - used, "%s\"%s\"", used ? ", " : "", name);
    else if (names->count == 4)
        snprintf(names->text + used, sizeof names->text - used, ", ...");
}

static clg_status check_names(const clg_model *model, const clg_safetensors *file)
{
    struct names missing = {.count = 0}, extra = {.count = 0};
    for (int i = 0; i < model->num_parameters; i++)
        if (!clg_safetensors_find(file, model->parameters[i].name))
            add_name(&missing, model->parameters[i].name);
    for (size_t i = 0; i < clg_safetensors_count(file); i++) {
        const char *name = clg_safetensors_at(file, i)->name;
        if (!is_parameter(model, name) && !batches_node(model, name))
            add_name(&extra, name);
    }
    if (missing.count == 0 && extra.count == 0)
        return CLG_OK;
    return clg__fail(CLG_INVALID_SHAPE,
                     "the file lacks %d of the model's %d tensors%s%s%s and has %d that the model "
                     "does not know%s%s%s",
                     missing.count, model->num_parameters, missing.count ? " (" : "", missing.text,
                     missing.count ? ")" : "", extra.count, extra.count ? " (" : "", extra.text,
                     extra.count ? ")" : "");
}

static clg_status check_file(const clg_model *model, const clg_safetensors *file)
{
    CLG__TRY(check_names(model, file));
    for (size_t i = 0; i < clg_safetensors_count(file); i++) {
        const clg_safetensors_tensor *found = clg_safetensors_at(file, i);
        if (batches_node(model, found->name))
            CLG__TRY(check_tensor(found, found->name, CLG_SAFETENSORS_I64, NULL));
    }
    for (int i = 0; i < model->num_parameters; i++) {
        const struct clg__parameter *parameter = &model->parameters[i];
        CLG__TRY(check_tensor(clg_safetensors_find(file, parameter->name), parameter->name,
                              CLG_SAFETENSORS_F32, &parameter->desc));
    }
    return CLG_OK;
}

static clg_status take_over(clg_model *model, const clg_safetensors *file)
{
    for (int i = 0; i < model->num_parameters; i++) {
        const struct clg__parameter *parameter = &model->parameters[i];
        CLG__TRY(clg_tensor_upload(parameter->value,
                                   clg_safetensors_find(file, parameter->name)->data, NULL));
    }
    for (size_t i = 0; i < clg_safetensors_count(file); i++) {
        const clg_safetensors_tensor *found = clg_safetensors_at(file, i);
        struct clg__node *node = batches_node(model, found->name);
        if (node)
            memcpy(&node->num_batches_tracked, found->data, sizeof node->num_batches_tracked);
    }
    return CLG_OK;
}

clg_status clg_model_load(clg_model *model, const char *path)
{
    CLG__TRY(check_call("clg_model_load", model, path));
    clg_safetensors *file;
    CLG__TRY(clg_safetensors_open(path, &file));
    clg_status status = check_file(model, file);
    if (status != CLG_OK)
        status = clg__fail_in(status, "%s", path);
    else
        status = take_over(model, file);
    clg_safetensors_close(file);
    return status;
}
