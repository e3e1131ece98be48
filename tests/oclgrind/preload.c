/*
 * Preloaded before Oclgrind 21.10, for the defects of its check for uninitialised memory:
 * - What the host writes into a part of a buffer (uploads, fills, copies) replaces all that is
 *   known about the buffer: writes whole buffers instead, with the other bytes as they are.
 * - A new buffer that takes the place of a freed one inherits what is known about the old bytes,
 *   and their number: keeps every buffer for good.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef cl_int (*write_function)(cl_command_queue, cl_mem, cl_bool, size_t, size_t, const void *,
                                 cl_uint, const cl_event *, cl_event *);

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static size_t size_of(cl_mem buffer)
{
    size_t size = 0;
    clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, NULL);
    return size;
}

/* Changes bytes [offset, offset + size) of the buffer after everything before, and the events. */
static cl_int put(cl_command_queue queue, cl_mem buffer, size_t offset, size_t size,
                  const void *bytes, cl_uint num_events, const cl_event *events, cl_event *event)
{
    size_t total = size_of(buffer);
    if (offset > total || size > total - offset)
        return CL_INVALID_VALUE;
    unsigned char *whole = malloc(total);
    cl_int code = whole ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
    if (code == CL_SUCCESS && num_events > 0)
        code = clWaitForEvents(num_events, events);
    if (code == CL_SUCCESS)
        code = clFinish(queue);
    if (code == CL_SUCCESS)
        code = clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, total, whole, 0, NULL, NULL);
    if (code == CL_SUCCESS) {
        memcpy(whole + offset, bytes, size);
        write_function write;
        *(void **)&write = real("clEnqueueWriteBuffer");
        code = write(queue, buffer, CL_TRUE, 0, total, whole, 0, NULL, event);
    }
    free(whole);
    return code;
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                            size_t size, const void *host, cl_uint num_events,
                            const cl_event *events, cl_event *event)
{
    if (offset != 0 || size != size_of(buffer))
        return put(queue, buffer, offset, size, host, num_events, events, event);
    write_function write;
    *(void **)&write = real("clEnqueueWriteBuffer");
    return write(queue, buffer, blocking, offset, size, host, num_events, events, event);
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
                           size_t pattern_size, size_t offset, size_t size, cl_uint num_events,
                           const cl_event *events, cl_event *event)
{
    unsigned char *bytes = malloc(size + 1);
    if (!bytes || pattern_size == 0 || size % pattern_size != 0) {
        free(bytes);
        return CL_INVALID_VALUE;
    }
    for (size_t at = 0; at < size; at += pattern_size)
        memcpy(bytes + at, pattern, pattern_size);
    cl_int code = put(queue, buffer, offset, size, bytes, num_events, events, event);
    free(bytes);
    return code;
}

cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset,
                           size_t to_offset, size_t size, cl_uint num_events,
                           const cl_event *events, cl_event *event)
{
    unsigned char *bytes = malloc(size + 1);
    cl_int code = bytes ? clFinish(queue) : CL_OUT_OF_HOST_MEMORY;
    if (code == CL_SUCCESS)
        code = clEnqueueReadBuffer(queue, from, CL_TRUE, from_offset, size, bytes, num_events,
                                   events, NULL);
    if (code == CL_SUCCESS)
        code = put(queue, to, to_offset, size, bytes, num_events, events, event);
    free(bytes);
    return code;
}

cl_int clReleaseMemObject(cl_mem memory)
{
    cl_uint references = 0;
    clGetMemObjectInfo(memory, CL_MEM_REFERENCE_COUNT, sizeof references, &references, NULL);
    if (references == 1)
        return CL_SUCCESS;
    cl_int (*release)(cl_mem);
    *(void **)&release = real("clReleaseMemObject");
    return release(memory);
}
