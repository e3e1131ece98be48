#include "io/safetensors.h"

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/bytes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
#define TYPE_ROW(name, size) {#name, size},
    CLG_SAFETENSORS_TYPE_LIST(TYPE_ROW)
#undef TYPE_ROW
};

const char *clg_safetensors_type_name(clg_safetensors_type type)
{
    return (unsigned)type < CLG__SAFETENSORS_TYPES ? types[type].name : NULL;
}

size_t clg_safetensors_type_size(clg_safetensors_type type)
{
    return (unsigned)type < CLG__SAFETENSORS_TYPES ? types[type].size : 0;
}

/* Adds key: value to the object and takes over value, which may be NULL: no memory was left. */
static clg_status add(json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new_nocheck(object, key, value) != 0)
        return clg__fail_alloc("a safetensors header");
    return CLG_OK;
}

static clg_status check_text(const char *text, const char *what, size_t index)
{
    if (!text)
        return clg__fail(CLG_INVALID_ARGUMENT, "the %s at %zu is NULL", what, index);
    json_t *unchecked = json_string_nocheck(text);
    json_t *checked = json_string(text);
    clg_status status = CLG_OK;
    if (!unchecked)
        status = clg__fail_alloc("a safetensors header");
    else if (!checked)
        status = clg__fail(CLG_INVALID_ARGUMENT, "the %s at %zu is not UTF-8", what, index);
    json_decref(unchecked);
    json_decref(checked);
    return status;
}

/* Names and keys: present, UTF-8 and new to the object. */
static clg_status check_key(const json_t *object, const char *key, const char *what, size_t index)
{
    CLG__TRY(check_text(key, what, index));
    if (json_object_get(object, key))
        return clg__fail(CLG_INVALID_ARGUMENT, "the %s '%s' is given twice", what, key);
    return CLG_OK;
}

static clg_status check_tensor(const clg_safetensors_tensor *tensor, size_t *size)
{
    const size_t element = clg_safetensors_type_size(tensor->type);
    if (strcmp(tensor->name, CLG__SAFETENSORS_METADATA) == 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "no tensor can be named " CLG__SAFETENSORS_METADATA);
    if (element == 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "tensor '%s': %d is no clg_safetensors_type",
                         tensor->name, (int)tensor->type);
    if (tensor->ndim < 0 || tensor->ndim > CLG_SAFETENSORS_MAX_DIMS)
        return clg__fail(CLG_INVALID_ARGUMENT, "tensor '%s': %d dimensions, 0 to %d are possible",
                         tensor->name, tensor->ndim, CLG_SAFETENSORS_MAX_DIMS);
    for (int i = 0; i < tensor->ndim; i++)
        if (tensor->dims[i] < 0)
            return clg__fail(CLG_INVALID_ARGUMENT, "tensor '%s': dimension %d is %lld",
                             tensor->name, i, (long long)tensor->dims[i]);
    if (!clg__dims_to_bytes(tensor->ndim, tensor->dims, element, size))
        return clg__fail(CLG_TOO_LARGE, "tensor '%s': its size in bytes overflows", tensor->name);
    if (*size > 0 && !tensor->data)
        return clg__fail(CLG_INVALID_ARGUMENT, "tensor '%s' has no data", tensor->name);
    return CLG_OK;
}

static clg_status add_metadata(json_t *header, const clg_safetensors_pair *metadata, size_t pairs)
{
    if (pairs == 0)
        return CLG_OK;
    json_t *object = json_object();
    CLG__TRY(add(header, CLG__SAFETENSORS_METADATA, object));
    for (size_t i = 0; i < pairs; i++) {
        CLG__TRY(check_key(object, metadata[i].key, "metadata key", i));
        CLG__TRY(check_text(metadata[i].value, "metadata value", i));
        CLG__TRY(add(object, metadata[i].key, json_string(metadata[i].value)));
    }
    return CLG_OK;
}

/* Adds the entry of a tensor whose data begins at *offset and moves *offset to its end. */
static clg_status add_tensor(json_t *header, const clg_safetensors_tensor *tensor, size_t index,
                             uint64_t *offset)
{
    size_t size = 0;
    CLG__TRY(check_key(header, tensor->name, "tensor name", index));
    CLG__TRY(check_tensor(tensor, &size));
    if (size > (uint64_t)INT64_MAX - *offset)
        return clg__fail(CLG_TOO_LARGE, "the tensors' size in bytes overflows at '%s'",
                         tensor->name);
    json_t *shape = json_array();
    bool complete = shape != NULL;
    for (int i = 0; complete && i < tensor->ndim; i++)
        complete = json_array_append_new(shape, json_integer(tensor->dims[i])) == 0;
    if (!complete) {
        json_decref(shape);
        return clg__fail_alloc("a safetensors header");
    }
    json_t *entry = json_pack(
        "{s:s, s:o, s:[I, I]}", "dtype", clg_safetensors_type_name(tensor->type), "shape", shape,
        "data_offsets", (json_int_t)*offset, (json_int_t)*offset + (json_int_t)size);
    *offset += size;
    return add(header, tensor->name, entry);
}

static clg_status make_header(const clg_safetensors_tensor *tensors, size_t count,
                              const clg_safetensors_pair *metadata, size_t pairs, char **text)
{
    clg_status status = CLG_OK;
    uint64_t offset = 0;
    json_t *header = json_object();
    if (!header)
        return clg__fail_alloc("a safetensors header");
    CLG__TRY_GOTO(add_metadata(header, metadata, pairs));
    for (size_t i = 0; i < count; i++)
        CLG__TRY_GOTO(add_tensor(header, &tensors[i], i, &offset));
    *text = json_dumps(header, JSON_COMPACT);
    if (!*text)
        status = clg__fail_alloc("a safetensors header");
fail:
    json_decref(header);
    return status;
}

static clg_status write_header(struct clg__atomic_file *file, const char *text)
{
    static const char spaces[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
    uint8_t prefix[CLG__SAFETENSORS_PREFIX];
    const size_t length = strlen(text), padding = (8 - length % 8) % 8;
    clg__store_le(prefix, CLG__SAFETENSORS_PREFIX, length + padding);
    CLG__TRY(clg__atomic_file_write(file, prefix, sizeof prefix));
    CLG__TRY(clg__atomic_file_write(file, text, length));
    return clg__atomic_file_write(file, spaces, padding);
}

static clg_status write_file(const char *path, const char *header,
                             const clg_safetensors_tensor *tensors, size_t count)
{
    clg_status status = CLG_OK;
    struct clg__atomic_file file;
    CLG__TRY(clg__atomic_file_begin(&file, path));
    CLG__TRY_GOTO(write_header(&file, header));
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        CLG__TRY_GOTO(check_tensor(&tensors[i], &size));
        CLG__TRY_GOTO(clg__atomic_file_write(&file, tensors[i].data, size));
    }
    return clg__atomic_file_commit(&file);
fail:
    clg__atomic_file_abort(&file);
    return status;
}

clg_status clg_safetensors_write(const char *path, const clg_safetensors_tensor *tensors,
                                 size_t count, const clg_safetensors_pair *metadata, size_t pairs)
{
    char *header = NULL;
    if (!path || (!tensors && count > 0) || (!metadata && pairs > 0))
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_safetensors_write: an argument is NULL");
    if (!clg__host_is_little_endian())
        return clg__fail(CLG_UNSUPPORTED, "safetensors needs a little-endian host");
    clg_status status = make_header(tensors, count, metadata, pairs, &header);
    if (status == CLG_OK && strlen(header) > CLG__SAFETENSORS_MAX_HEADER - 8)
        status = clg__fail(CLG_TOO_LARGE, "a safetensors header of %zu bytes is above %d",
                           strlen(header), CLG__SAFETENSORS_MAX_HEADER);
    if (status == CLG_OK)
        status = write_file(path, header, tensors, count);
    free(header);
    return status;
}
