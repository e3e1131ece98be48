#include "support/caller.h"

#include <time.h>

#include "support/testing.h"

cl_command_queue caller_queue(cl_context context, cl_device_id device,
                              cl_command_queue_properties properties)
{
    cl_int code;
    cl_command_queue queue = clCreateCommandQueue(context, device, properties, &code);
    assert_int_equal(code, CL_SUCCESS);
    return queue;
}

struct caller caller_make(cl_command_queue_properties properties)
{
    struct caller caller = {.device = clg_context_cl_device(testing_context())};
    cl_int code;
    caller.context = clCreateContext(NULL, 1, &caller.device, NULL, NULL, &code);
    assert_int_equal(code, CL_SUCCESS);
    caller.queue = caller_queue(caller.context, caller.device, properties);
    return caller;
}

void caller_release(const struct caller *caller)
{
    clReleaseCommandQueue(caller->queue);
    clReleaseContext(caller->context);
}

clg_context *caller_context(const struct caller *caller)
{
    clg_context *ctx;
    OK(clg_context_create(&(clg_context_desc){.cl_context = caller->context,
                                              .cl_device = caller->device,
                                              .cl_queue = caller->queue},
                          &ctx));
    return ctx;
}

cl_mem caller_memory(const struct caller *caller, size_t bytes)
{
    cl_int code;
    unsigned char *host = malloc(bytes);
    assert_non_null(host);
    memset(host, 0xAB, bytes);
    cl_mem memory = clCreateBuffer(caller->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, bytes,
                                   host, &code);
    assert_int_equal(code, CL_SUCCESS);
    free(host);
    return memory;
}

cl_uint caller_references(cl_mem memory, cl_uint expected)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};
    cl_uint count = 0;
    for (int i = 0; i < 500 && count != expected; i++) {
        if (i > 0)
            nanosleep(&moment, NULL);
        clGetMemObjectInfo(memory, CL_MEM_REFERENCE_COUNT, sizeof count, &count, NULL);
    }
    return count;
}

bool caller_complete(cl_event event)
{
    cl_int state = CL_QUEUED;
    assert_int_equal(
        clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL),
        CL_SUCCESS);
    return state == CL_COMPLETE;
}
