#include "runtime/buffer.h"

#include <stdlib.h>

#include "runtime/cl_error.h"

static clg_status new_buffer(clg_context *ctx, struct clg__mem mem, size_t bytes, clg_buffer **out)
{
    clg_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return clg__fail_alloc("a buffer");
    *buffer = (clg_buffer){clg__context_retain(ctx), 1, mem, bytes};
    *out = buffer;
    return CLG_OK;
}

clg_status clg_buffer_create(clg_context *ctx, size_t bytes, clg_buffer **out)
{
    if (!ctx || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_buffer_create: ctx or buffer is NULL");
    *out = NULL;
    if (bytes == 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_buffer_create: a buffer of 0 bytes");
    if (bytes > ctx->info.max_allocation)
        return clg__fail(CLG_OUT_OF_DEVICE_MEMORY,
                         "clg_buffer_create: %zu bytes are more than the largest allocation of "
                         "%s, %llu bytes",
                         bytes, ctx->info.name, (unsigned long long)ctx->info.max_allocation);
    cl_int code;
    cl_mem object = clCreateBuffer(ctx->cl, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code != CL_SUCCESS) {
        clg_status status = clg__fail_cl(code, "clCreateBuffer");
        return clg__fail_in(status, "clg_buffer_create: %zu bytes", bytes);
    }
    clg_status status = new_buffer(ctx, (struct clg__mem){object, 0}, bytes, out);
    if (status != CLG_OK)
        clReleaseMemObject(object);
    return status;
}

clg_status clg_buffer_wrap(clg_context *ctx, cl_mem mem, size_t offset, size_t bytes,
                           clg_buffer **out)
{
    if (!ctx || !out || !mem)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_buffer_wrap: ctx, mem or buffer is NULL");
    *out = NULL;
    size_t size = 0;
    cl_context owner = NULL;
    cl_mem_object_type type = 0;
    CLG__TRY_CL(clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof size, &size, NULL),
                "clGetMemObjectInfo");
    CLG__TRY_CL(clGetMemObjectInfo(mem, CL_MEM_CONTEXT, sizeof owner, &owner, NULL),
                "clGetMemObjectInfo");
    CLG__TRY_CL(clGetMemObjectInfo(mem, CL_MEM_TYPE, sizeof type, &type, NULL),
                "clGetMemObjectInfo");
    if (owner != ctx->cl || type != CL_MEM_OBJECT_BUFFER)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_buffer_wrap: the memory object is not a "
                                               "buffer of the context's OpenCL context");
    if (offset % 4 != 0)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_buffer_wrap: offset %zu is not a multiple of 4 bytes", offset);
    if (bytes == 0 || offset > size || bytes > size - offset)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_buffer_wrap: %zu bytes from byte %zu on, in an object of %zu bytes",
                         bytes, offset, size);
    CLG__TRY_CL(clRetainMemObject(mem), "clRetainMemObject");
    clg_status status = new_buffer(ctx, (struct clg__mem){mem, offset}, bytes, out);
    if (status != CLG_OK)
        clReleaseMemObject(mem);
    return status;
}

clg_buffer *clg__buffer_retain(clg_buffer *buffer)
{
    buffer->references++;
    return buffer;
}

void clg_buffer_destroy(clg_buffer *buffer)
{
    if (!buffer || --buffer->references > 0)
        return;
    clReleaseMemObject(buffer->mem.object);
    clg_context_destroy(buffer->ctx);
    free(buffer);
}

size_t clg_buffer_size(const clg_buffer *buffer)
{
    return buffer->bytes;
}

cl_mem clg_buffer_cl_mem(const clg_buffer *buffer, size_t *offset)
{
    if (offset)
        *offset = buffer->mem.offset;
    return buffer->mem.object;
}

struct clg__mem clg__buffer_mem(const clg_buffer *buffer)
{
    return buffer->mem;
}
