#include "io/safetensors.h"

#include "base/error.h"
#include "io/bytes.h"
#include "io/read_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct clg_safetensors {
    uint8_t *data;                   /* the file's data; tensors point into it */
    json_t *header;                  /* owns names and metadata */
    clg_safetensors_tensor *tensors; /* by their place in the data */
    size_t count;
};

/* The file while it is read. */
struct parse {
    const char *path;
    size_t data_size; /* bytes after the header */
};

/* json_t has no const way to iterate; nothing here changes the header. */
static clg_status parse_metadata(const struct parse *parse, json_t *metadata)
{
    const char *key = NULL;
    json_t *value = NULL;
    if (!json_is_object(metadata))
        return clg__fail(CLG_BAD_FORMAT, "'%s': the metadata is not a JSON object", parse->path);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return clg__fail(CLG_BAD_FORMAT, "'%s': metadata '%s' is not a string", parse->path,
                             key);
    }
    return CLG_OK;
}

static clg_status parse_type(const struct parse *parse, const json_t *entry,
                             clg_safetensors_tensor *tensor)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name)
        return clg__fail(CLG_BAD_FORMAT, "'%s': tensor '%s' has no dtype", parse->path,
                         tensor->name);
    for (unsigned i = 0; i < CLG__SAFETENSORS_TYPES; i++) {
        if (strcmp(name, clg_safetensors_type_name((clg_safetensors_type)i)) == 0) {
            tensor->type = (clg_safetensors_type)i;
            return CLG_OK;
        }
    }
    return clg__fail(CLG_BAD_FORMAT, "'%s': tensor '%s' has the unknown dtype '%.40s'", parse->path,
                     tensor->name, name);
}

static clg_status parse_shape(const struct parse *parse, const json_t *entry,
                              clg_safetensors_tensor *tensor)
{
    const json_t *shape = json_object_get(entry, "shape");
    const size_t ndim = json_array_size(shape);
    if (!json_is_array(shape))
        return clg__fail(CLG_BAD_FORMAT, "'%s': tensor '%s' has no shape", parse->path,
                         tensor->name);
    if (ndim > CLG_SAFETENSORS_MAX_DIMS)
        return clg__fail(CLG_UNSUPPORTED, "'%s': tensor '%s' has %zu dimensions, above %d",
                         parse->path, tensor->name, ndim, CLG_SAFETENSORS_MAX_DIMS);
    for (size_t i = 0; i < ndim; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return clg__fail(CLG_BAD_FORMAT,
                             "'%s': tensor '%s': dimension %zu is no whole number from 0",
                             parse->path, tensor->name, i);
        tensor->dims[i] = json_integer_value(dim);
    }
    tensor->ndim = (int)ndim;
    return CLG_OK;
}

static clg_status parse_offsets(const struct parse *parse, const json_t *entry, const uint8_t *data,
                                clg_safetensors_tensor *tensor)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return clg__fail(CLG_BAD_FORMAT, "'%s': tensor '%s' has no data_offsets [begin, end]",
                         parse->path, tensor->name);
    const json_int_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin || (uint64_t)end > parse->data_size)
        return clg__fail(
            CLG_BAD_FORMAT, "'%s': tensor '%s' has bytes %lld to %lld, the file has 0 to %zu",
            parse->path, tensor->name, (long long)begin, (long long)end, parse->data_size);
    tensor->data = data + begin;
    tensor->size = (size_t)(end - begin);
    return CLG_OK;
}

static clg_status parse_tensor(const struct parse *parse, const json_t *entry, const uint8_t *data,
                               clg_safetensors_tensor *tensor)
{
    size_t size = 0;
    if (!json_is_object(entry))
        return clg__fail(CLG_BAD_FORMAT, "'%s': tensor '%s' is not a JSON object in the header",
                         parse->path, tensor->name);
    CLG__TRY(parse_type(parse, entry, tensor));
    CLG__TRY(parse_shape(parse, entry, tensor));
    CLG__TRY(parse_offsets(parse, entry, data, tensor));
    if (!clg__dims_to_bytes(tensor->ndim, tensor->dims, clg_safetensors_type_size(tensor->type),
                            &size))
        return clg__fail(CLG_BAD_FORMAT, "'%s': tensor '%s': its size overflows", parse->path,
                         tensor->name);
    if (size != tensor->size)
        return clg__fail(CLG_BAD_FORMAT,
                         "'%s': tensor '%s' has %zu bytes, its shape and dtype need %zu",
                         parse->path, tensor->name, tensor->size, size);
    return CLG_OK;
}

/* By where a tensor begins, then by where it ends: an empty one comes before its neighbour. */
static int compare_places(const void *left, const void *right)
{
    const clg_safetensors_tensor *a = left, *b = right;
    const uint8_t *a_begin = a->data, *b_begin = b->data;
    if (a_begin != b_begin)
        return a_begin < b_begin ? -1 : 1;
    return (a->size > b->size) - (a->size < b->size);
}

static clg_status check_places(const struct parse *parse, const clg_safetensors *file)
{
    size_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const clg_safetensors_tensor *tensor = &file->tensors[i];
        const size_t begin = (size_t)((const uint8_t *)tensor->data - file->data);
        if (begin != end)
            return clg__fail(CLG_BAD_FORMAT,
                             "'%s': tensor '%s' begins at byte %zu of the data, but the one before "
                             "ends at %zu: %s",
                             parse->path, tensor->name, begin, end,
                             begin < end ? "they overlap" : "a hole");
        end = begin + tensor->size;
    }
    if (end != parse->data_size)
        return clg__fail(CLG_BAD_FORMAT,
                         "'%s': the tensors end at byte %zu of the data, the file at %zu",
                         parse->path, end, parse->data_size);
    return CLG_OK;
}

static clg_status parse_entries(const struct parse *parse, clg_safetensors *file)
{
    const char *name = NULL;
    json_t *entry = NULL;
    const size_t entries = json_object_size(file->header);
    file->tensors = calloc(entries > 0 ? entries : 1, sizeof *file->tensors);
    if (!file->tensors)
        return clg__fail_alloc("the list of tensors");
    json_object_foreach(file->header, name, entry)
    {
        if (strcmp(name, CLG__SAFETENSORS_METADATA) == 0) {
            CLG__TRY(parse_metadata(parse, entry));
            continue;
        }
        clg_safetensors_tensor *tensor = &file->tensors[file->count++];
        tensor->name = name;
        CLG__TRY(parse_tensor(parse, entry, file->data, tensor));
    }
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
    return check_places(parse, file);
}

static clg_status parse_json(const char *path, const char *text, size_t length, json_t **header)
{
    json_error_t error;
    *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!*header && json_error_code(&error) == json_error_out_of_memory)
        return clg__fail_alloc("a safetensors header");
    if (!*header)
        return clg__fail(CLG_BAD_FORMAT, "'%s': the header is not JSON: %s at byte %d of %zu", path,
                         error.text, error.position, length);
    if (!json_is_object(*header))
        return clg__fail(CLG_BAD_FORMAT, "'%s': the header is not a JSON object", path);
    return CLG_OK;
}

/* Parses the header in file->data and moves the data over it, so that it is aligned. */
static clg_status parse_file(const char *path, size_t size, clg_safetensors *file)
{
    if (size < CLG__SAFETENSORS_PREFIX)
        return clg__fail(CLG_BAD_FORMAT, "'%s' is no safetensors file: it has only %zu bytes", path,
                         size);
    const uint64_t length = clg__load_le(file->data, CLG__SAFETENSORS_PREFIX);
    if (length > CLG__SAFETENSORS_MAX_HEADER)
        return clg__fail(CLG_BAD_FORMAT,
                         "'%s' is no safetensors file: a header of %llu bytes is above %d", path,
                         (unsigned long long)length, CLG__SAFETENSORS_MAX_HEADER);
    if (length > size - CLG__SAFETENSORS_PREFIX)
        return clg__fail(CLG_BAD_FORMAT,
                         "'%s' is cut short: the header is %llu bytes, the file has %zu more", path,
                         (unsigned long long)length, size - CLG__SAFETENSORS_PREFIX);
    const char *text = (const char *)file->data + CLG__SAFETENSORS_PREFIX;
    if (length == 0 || text[0] != '{')
        return clg__fail(CLG_BAD_FORMAT, "'%s': the header does not begin with '{'", path);
    CLG__TRY(parse_json(path, text, (size_t)length, &file->header));
    const size_t data_offset = CLG__SAFETENSORS_PREFIX + (size_t)length;
    const struct parse parse = {path, size - data_offset};
    memmove(file->data, file->data + data_offset, parse.data_size);
    return parse_entries(&parse, file);
}

clg_status clg_safetensors_open(const char *path, clg_safetensors **file)
{
    clg_status status = CLG_OK;
    size_t size = 0;
    if (file)
        *file = NULL;
    if (!path || !file)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_safetensors_open: path or file is NULL");
    if (!clg__host_is_little_endian())
        return clg__fail(CLG_UNSUPPORTED, "safetensors needs a little-endian host");
    clg_safetensors *made = calloc(1, sizeof *made);
    if (!made)
        return clg__fail_alloc(path);
    CLG__TRY_GOTO(clg__read_file(path, &made->data, &size));
    CLG__TRY_GOTO(parse_file(path, size, made));
    *file = made;
    return CLG_OK;
fail:
    clg_safetensors_close(made);
    return status;
}

void clg_safetensors_close(clg_safetensors *file)
{
    if (!file)
        return;
    json_decref(file->header);
    free(file->tensors);
    free(file->data);
    free(file);
}

size_t clg_safetensors_count(const clg_safetensors *file)
{
    return file ? file->count : 0;
}

const clg_safetensors_tensor *clg_safetensors_at(const clg_safetensors *file, size_t index)
{
    return file && index < file->count ? &file->tensors[index] : NULL;
}

const clg_safetensors_tensor *clg_safetensors_find(const clg_safetensors *file, const char *name)
{
    for (size_t i = 0; name && i < clg_safetensors_count(file); i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *clg_safetensors_metadata(const clg_safetensors *file, const char *key)
{
    if (!file || !key)
        return NULL;
    const json_t *metadata = json_object_get(file->header, CLG__SAFETENSORS_METADATA);
    return json_string_value(json_object_get(metadata, key));
}

bool clg_safetensors_metadata_at(const clg_safetensors *file, size_t index,
                                 clg_safetensors_pair *pair)
{
    json_t *metadata = file ? json_object_get(file->header, CLG__SAFETENSORS_METADATA) : NULL;
    void *at = json_object_iter(metadata);
    for (size_t i = 0; at && i < index; i++)
        at = json_object_iter_next(metadata, at);
    if (!at || !pair)
        return false;
    *pair = (clg_safetensors_pair){json_object_iter_key(at),
                                   json_string_value(json_object_iter_value(at))};
    return true;
}
