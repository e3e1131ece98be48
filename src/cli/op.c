#include "cli/op_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/result.h"

enum { MAX_TENSORS = 32, MAX_REFUSALS = 8, REASON_SIZE = 512 };

struct named_tensor {
    char name[48];
    clg_tensor *tensor;
};

struct refusal {
    char direction[48];
    char reason[REASON_SIZE];
};

struct op_call {
    clg_context *ctx;
    const struct op_args *args;
    const char *folder;
    const char *algorithm;
    struct named_tensor inputs[MAX_TENSORS];
    size_t num_inputs;
    struct named_tensor results[MAX_TENSORS];
    size_t num_results;
    struct refusal refusals[MAX_REFUSALS];
    size_t num_refusals;
};

clg_status op_call_create(clg_context *ctx, const struct op_args *args, const char *folder,
                          const char *algorithm, struct op_call **call)
{
    *call = calloc(1, sizeof **call);
    if (!*call)
        return clg__fail_alloc("an operation's call");
    if (!algorithm)
        algorithm = op_args_get(args, "algo");
    if (algorithm && strcmp(algorithm, "auto") == 0)
        algorithm = NULL;
    (*call)->ctx = ctx;
    (*call)->args = args;
    (*call)->folder = folder;
    (*call)->algorithm = algorithm;
    return CLG_OK;
}

void op_call_destroy(struct op_call *call)
{
    if (!call)
        return;
    for (size_t i = 0; i < call->num_inputs; i++)
        clg_tensor_destroy(call->inputs[i].tensor);
    for (size_t i = 0; i < call->num_results; i++)
        clg_tensor_destroy(call->results[i].tensor);
    free(call);
}

clg_status op_call_run(struct op_call *call)
{
    clg_status status = call->args->op->run(call);
    if (status == CLG_OK)
        status = clg_context_finish(call->ctx);
    /* Most messages begin with the operation's name already. */
    const char *name = call->args->op->name;
    if (status != CLG_OK && !strstr(clg_last_error(), name))
        return clg__fail_in(status, "%s", name);
    return status;
}

clg_context *op_context(const struct op_call *call)
{
    return call->ctx;
}

const char *op_algorithm(const struct op_call *call)
{
    return call->algorithm;
}

clg_status op_maybe_refused(struct op_call *call, const char *direction, clg_status status,
                            bool *skip)
{
    *skip = false;
    if (status != CLG_UNSUPPORTED || !call->algorithm || call->num_refusals == MAX_REFUSALS)
        return status;
    struct refusal *refusal = &call->refusals[call->num_refusals++];
    snprintf(refusal->direction, sizeof refusal->direction, "%s", direction);
    snprintf(refusal->reason, sizeof refusal->reason, "%s", clg_last_error());
    *skip = true;
    return CLG_OK;
}

bool op_has(const struct op_call *call, const char *key)
{
    return op_args_get(call->args, key) != NULL;
}

clg_status op_text(const struct op_call *call, const char *key, const char *fallback,
                   const char **value)
{
    *value = op_args_get(call->args, key);
    if (!*value)
        *value = fallback;
    return CLG_OK;
}

static bool read_int(const char *text, char **end, int64_t *value)
{
    errno = 0;
    *value = strtoll(text, end, 10);
    return *end != text && errno == 0;
}

clg_status op_int(const struct op_call *call, const char *key, int64_t fallback, int64_t *value)
{
    const char *text = op_args_get(call->args, key);
    char *end;
    *value = fallback;
    if (text && (!read_int(text, &end, value) || *end))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s=%s: a whole number is expected", key, text);
    return CLG_OK;
}

clg_status op_float(const struct op_call *call, const char *key, double fallback, double *value)
{
    const char *text = op_args_get(call->args, key);
    char *end;
    *value = fallback;
    if (!text)
        return CLG_OK;
    *value = strtod(text, &end);
    if (end == text || *end)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s=%s: a number is expected", key, text);
    return CLG_OK;
}

clg_status op_ints(const struct op_call *call, const char *key, int count, int64_t *values)
{
    const char *text = op_args_get(call->args, key);
    char *end = (char *)text;
    int found = 0;
    if (!text)
        return CLG_OK;
    for (const char *at = text; found < count && read_int(at, &end, &values[found]); at = end + 1) {
        found++;
        if (*end != ',')
            break;
    }
    if (*end || (found != count && found != 1))
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s=%s: %d whole numbers with commas between them are expected, or one "
                         "for all",
                         key, text, count);
    for (int i = found; i < count; i++)
        values[i] = values[0];
    return CLG_OK;
}

static clg_tensor *find_tensor(const struct named_tensor *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return list[i].tensor;
    return NULL;
}

/* Creates a tensor in the next slot of a list. */
static clg_status add_tensor(struct op_call *call, struct named_tensor *list, size_t *count,
                             const char *name, const clg_tensor_desc *desc)
{
    struct named_tensor *slot = &list[*count];
    if (*count == MAX_TENSORS || strlen(name) >= sizeof slot->name)
        return clg__fail(CLG_INTERNAL_ERROR, "no room for the tensor %s", name);
    clg_status status = clg_tensor_create(call->ctx, desc, &slot->tensor);
    if (status != CLG_OK)
        return clg__fail_in(status, "%s", name);
    snprintf(slot->name, sizeof slot->name, "%s", name);
    ++*count;
    return CLG_OK;
}

static clg_status describe(const char *key, const clg_npy_array *array, clg_tensor_desc *desc)
{
    if (array->ndim > CLG_MAX_DIMS)
        return clg__fail(CLG_INVALID_SHAPE, "%s has %d dimensions, at most %d are possible", key,
                         array->ndim, (int)CLG_MAX_DIMS);
    *desc = (clg_tensor_desc){.type = strcmp(key, "labels") == 0 ? CLG_INT32 : CLG_FLOAT32,
                              .layout = CLG_NCHW,
                              .ndim = array->ndim ? array->ndim : 1,
                              .dims = {1}};
    for (int i = 0; i < array->ndim; i++)
        desc->dims[i] = array->dims[i];
    return CLG_OK;
}

/* Converts the elements and uploads them; both element types have four bytes. */
static clg_status upload(clg_tensor *tensor, const clg_npy_array *array)
{
    void *host = malloc(clg_tensor_bytes(tensor));
    if (!host)
        return clg__fail_alloc("an input");
    clg_status status = clg_tensor_get_desc(tensor)->type == CLG_INT32
                            ? clg_npy_to_int32(array, host)
                            : clg_npy_to_float(array, host);
    if (status == CLG_OK)
        status = clg_tensor_upload(tensor, host, NULL);
    free(host);
    return status;
}

static clg_status read_input(const struct op_call *call, const char *file, clg_npy_array *array)
{
    char path[4096];
    bool relative = call->folder && file[0] != '/';
    int length = relative ? snprintf(path, sizeof path, "%s/%s", call->folder, file)
                          : snprintf(path, sizeof path, "%s", file);
    if (length < 0 || (size_t)length >= sizeof path)
        return clg__fail(CLG_IO_ERROR, "the path of %s is too long", file);
    return clg_npy_read(path, array);
}

clg_status op_input(struct op_call *call, const char *key, clg_tensor **tensor)
{
    const char *file = op_args_get(call->args, key);
    *tensor = find_tensor(call->inputs, call->num_inputs, key);
    if (!file || *tensor)
        return CLG_OK;
    clg_npy_array array;
    clg_tensor_desc desc;
    clg_status status = read_input(call, file, &array);
    if (status == CLG_OK)
        status = describe(key, &array, &desc);
    if (status == CLG_OK)
        status = add_tensor(call, call->inputs, &call->num_inputs, key, &desc);
    if (status == CLG_OK)
        *tensor = call->inputs[call->num_inputs - 1].tensor;
    if (status == CLG_OK)
        status = upload(*tensor, &array);
    clg_npy_free(&array);
    return status;
}

clg_status op_need(struct op_call *call, const char *key, clg_tensor **tensor)
{
    if (!op_has(call, key))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s needs %s=FILE.npy", call->args->op->name, key);
    return op_input(call, key, tensor);
}

clg_status op_output(struct op_call *call, const char *name, const clg_tensor_desc *desc,
                     clg_tensor **tensor)
{
    *tensor = NULL;
    if (find_tensor(call->results, call->num_results, name))
        return clg__fail(CLG_INTERNAL_ERROR, "the result %s is made twice", name);
    CLG__TRY(add_tensor(call, call->results, &call->num_results, name, desc));
    clg_tensor *made = call->results[call->num_results - 1].tensor;
    CLG__TRY(result_poison(made));
    *tensor = made;
    return CLG_OK;
}

size_t op_call_results(const struct op_call *call)
{
    return call->num_results;
}

const char *op_call_result_name(const struct op_call *call, size_t index)
{
    return call->results[index].name;
}

const clg_tensor_desc *op_call_result_desc(const struct op_call *call, size_t index)
{
    return clg_tensor_get_desc(call->results[index].tensor);
}

clg_status op_call_read(const struct op_call *call, size_t index, float **data)
{
    return result_read(call->results[index].tensor, call->results[index].name, data);
}

size_t op_call_refusals(const struct op_call *call)
{
    return call->num_refusals;
}

const char *op_call_refusal_direction(const struct op_call *call, size_t index)
{
    return call->refusals[index].direction;
}

const char *op_call_refusal_reason(const struct op_call *call, size_t index)
{
    return call->refusals[index].reason;
}
