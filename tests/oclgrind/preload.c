/*
 * Preloaded before Oclgrind 21.10, for two defects of its check for uninitialised memory:
 * - It does not see that clEnqueueFillBuffer writes memory: fills by clEnqueueWriteBuffer instead.
 * - A new buffer that takes the place of a freed one inherits what is known about the old bytes,
 *   and their number: keeps every buffer for good.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* The bytes are not freed either: the write happens at any time later. */
cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
                           size_t pattern_size, size_t offset, size_t size, cl_uint num_events,
                           const cl_event *events, cl_event *event)
{
    unsigned char *bytes = malloc(size ? size : 1);
    if (!bytes || pattern_size == 0 || size % pattern_size != 0) {
        free(bytes);
        return CL_INVALID_VALUE;
    }
    for (size_t at = 0; at < size; at += pattern_size)
        memcpy(bytes + at, pattern, pattern_size);
    return clEnqueueWriteBuffer(queue, buffer, CL_FALSE, offset, size, bytes, num_events, events,
                                event);
}

cl_int clReleaseMemObject(cl_mem memory)
{
    cl_uint references = 0;
    clGetMemObjectInfo(memory, CL_MEM_REFERENCE_COUNT, sizeof references, &references, NULL);
    if (references == 1)
        return CL_SUCCESS;
    cl_int (*release)(cl_mem);
    *(void **)&release = dlsym(RTLD_NEXT, "clReleaseMemObject");
    return release(memory);
}
