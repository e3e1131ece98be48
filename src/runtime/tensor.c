#include "runtime/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "runtime/buffer.h"

static const char *const type_names[] = {"float32", "int32"};
static const char *const layout_names[] = {"NCHW", "NHWC"};

enum { NUM_TYPES = 2, NUM_LAYOUTS = 2 };

const char *clg__desc_text(const clg_tensor_desc *desc, char *text)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < desc->ndim && i < CLG_MAX_DIMS; i++)
        used += (size_t)snprintf(text + used, CLG__DESC_TEXT - used, "%s%lld", i ? "x" : "",
                                 (long long)desc->dims[i]);
    snprintf(text + used, CLG__DESC_TEXT - used, " %s%s",
             (unsigned)desc->type < NUM_TYPES ? type_names[desc->type] : "?",
             desc->layout == CLG_NHWC ? " NHWC" : "");
    return text;
}

clg_status clg_tensor_desc_count(const clg_tensor_desc *desc, int64_t *count)
{
    if (!desc || !count)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_tensor_desc_count: desc or count is NULL");
    if ((unsigned)desc->type >= NUM_TYPES || (unsigned)desc->layout >= NUM_LAYOUTS)
        return clg__fail(CLG_INVALID_ARGUMENT, "tensor type %d or layout %d is unknown",
                         (int)desc->type, (int)desc->layout);
    if (desc->ndim < 1 || desc->ndim > CLG_MAX_DIMS)
        return clg__fail(CLG_INVALID_SHAPE, "a tensor of %d dimensions: 1 to %d are possible",
                         desc->ndim, CLG_MAX_DIMS);
    if (desc->layout != CLG_NCHW && desc->ndim != 4)
        return clg__fail(CLG_INVALID_SHAPE, "layout %s needs four dimensions, not %d",
                         layout_names[desc->layout], desc->ndim);
    char text[CLG__DESC_TEXT];
    int64_t n = 1;
    for (int i = 0; i < desc->ndim; i++) {
        if (desc->dims[i] < 1)
            return clg__fail(CLG_INVALID_SHAPE, "dimension %d of %s is %lld, at least 1 is needed",
                             i, clg__desc_text(desc, text), (long long)desc->dims[i]);
        if (desc->dims[i] > INT32_MAX / n)
            return clg__fail(CLG_TOO_LARGE, "%s has more than 2147483647 elements",
                             clg__desc_text(desc, text));
        n *= desc->dims[i];
    }
    *count = n;
    return CLG_OK;
}

clg_status clg_tensor_desc_bytes(const clg_tensor_desc *desc, size_t *bytes)
{
    if (!bytes)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_tensor_desc_bytes: bytes is NULL");
    int64_t count = 0;
    CLG__TRY(clg_tensor_desc_count(desc, &count));
    *bytes = (size_t)count * 4;
    return CLG_OK;
}

clg_status clg_tensor_create(clg_context *ctx, const clg_tensor_desc *desc, clg_tensor **out)
{
    if (!ctx || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_tensor_create: ctx or tensor is NULL");
    *out = NULL;
    size_t bytes;
    CLG__TRY(clg_tensor_desc_bytes(desc, &bytes));
    clg_buffer *buffer;
    CLG__TRY(clg_buffer_create(ctx, bytes, &buffer));
    clg_status status = clg_tensor_view(buffer, 0, desc, out);
    clg_buffer_destroy(buffer); /* the tensor holds its own reference */
    return status;
}

clg_status clg_tensor_create_from(clg_context *ctx, const clg_tensor_desc *desc, const void *host,
                                  clg_tensor **out)
{
    CLG__TRY(clg_tensor_create(ctx, desc, out));
    clg_status status = clg_tensor_upload(*out, host, NULL);
    if (status != CLG_OK) {
        clg_tensor_destroy(*out);
        *out = NULL;
    }
    return status;
}

clg_status clg_tensor_view(clg_buffer *buffer, size_t offset, const clg_tensor_desc *desc,
                           clg_tensor **out)
{
    if (!buffer || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_tensor_view: buffer or tensor is NULL");
    *out = NULL;
    size_t bytes;
    CLG__TRY(clg_tensor_desc_bytes(desc, &bytes));
    char text[CLG__DESC_TEXT];
    if (offset % 4 != 0 || offset > buffer->bytes || bytes > buffer->bytes - offset)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_tensor_view: %s (%zu bytes) from byte %zu on, in a buffer of %zu "
                         "bytes; offsets are multiples of 4",
                         clg__desc_text(desc, text), bytes, offset, buffer->bytes);
    clg_tensor *tensor = calloc(1, sizeof *tensor);
    if (!tensor)
        return clg__fail_alloc("a tensor");
    *tensor = (clg_tensor){clg__buffer_retain(buffer), offset, *desc, (int64_t)(bytes / 4)};
    *out = tensor;
    return CLG_OK;
}

void clg_tensor_destroy(clg_tensor *tensor)
{
    if (!tensor)
        return;
    clg_buffer_destroy(tensor->buffer);
    free(tensor);
}

const clg_tensor_desc *clg_tensor_get_desc(const clg_tensor *tensor)
{
    return &tensor->desc;
}

int64_t clg_tensor_count(const clg_tensor *tensor)
{
    return tensor->count;
}

size_t clg_tensor_bytes(const clg_tensor *tensor)
{
    return (size_t)tensor->count * 4;
}

clg_buffer *clg_tensor_buffer(const clg_tensor *tensor, size_t *offset)
{
    if (offset)
        *offset = tensor->offset;
    return tensor->buffer;
}

struct clg__mem clg__tensor_mem(const clg_tensor *tensor)
{
    if (!tensor)
        return (struct clg__mem){NULL, 0};
    return clg__mem_at(tensor->buffer->mem, tensor->offset);
}

static clg_status check_tensor(const char *call, const clg_tensor *tensor)
{
    return tensor ? CLG_OK : clg__fail(CLG_INVALID_ARGUMENT, "%s: tensor is NULL", call);
}

clg_status clg_tensor_upload(clg_tensor *tensor, const void *host, const clg_run *run)
{
    CLG__TRY(check_tensor("clg_tensor_upload", tensor));
    return clg_buffer_upload(tensor->buffer, tensor->offset, clg_tensor_bytes(tensor), host, run);
}

clg_status clg_tensor_download(const clg_tensor *tensor, void *host, const clg_run *run)
{
    CLG__TRY(check_tensor("clg_tensor_download", tensor));
    return clg_buffer_download(tensor->buffer, tensor->offset, clg_tensor_bytes(tensor), host, run);
}

clg_status clg_tensor_fill(clg_tensor *tensor, float value, const clg_run *run)
{
    CLG__TRY(check_tensor("clg_tensor_fill", tensor));
    if (tensor->desc.type != CLG_FLOAT32)
        return clg__fail(CLG_UNSUPPORTED, "clg_tensor_fill: the tensor is %s, not float32",
                         type_names[tensor->desc.type]);
    return clg_buffer_fill(tensor->buffer, tensor->offset, clg_tensor_bytes(tensor), &value,
                           sizeof value, run);
}

clg_status clg_tensor_copy(clg_tensor *to, const clg_tensor *from, const clg_run *run)
{
    CLG__TRY(check_tensor("clg_tensor_copy", from));
    CLG__TRY(clg__expect_tensor("clg_tensor_copy", "to", from->buffer->ctx, to, &from->desc));
    return clg_buffer_copy(to->buffer, to->offset, from->buffer, from->offset,
                           clg_tensor_bytes(from), run);
}

bool clg__desc_equal(const clg_tensor_desc *a, const clg_tensor_desc *b)
{
    return a->type == b->type && a->layout == b->layout && a->ndim == b->ndim &&
           memcmp(a->dims, b->dims, (size_t)a->ndim * sizeof a->dims[0]) == 0;
}

clg_status clg__expect_tensor(const char *call, const char *name, const clg_context *ctx,
                              const clg_tensor *tensor, const clg_tensor_desc *expected)
{
    if (!tensor)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is NULL", call, name);
    if (tensor->buffer->ctx != ctx)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s belongs to another context", call, name);
    char is[CLG__DESC_TEXT], want[CLG__DESC_TEXT];
    if (!clg__desc_equal(&tensor->desc, expected))
        return clg__fail(CLG_INVALID_SHAPE, "%s: %s is %s, expected %s", call, name,
                         clg__desc_text(&tensor->desc, is), clg__desc_text(expected, want));
    return CLG_OK;
}

struct clg__strides clg__desc_strides(const clg_tensor_desc *desc)
{
    int c = (int)desc->dims[1], h = (int)desc->dims[2], w = (int)desc->dims[3];
    if (desc->layout == CLG_NHWC)
        return (struct clg__strides){c * h * w, 1, w * c, c};
    return (struct clg__strides){c * h * w, h * w, w, 1};
}
