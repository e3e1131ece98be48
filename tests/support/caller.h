/* A caller that brings its own OpenCL objects: a context and a queue on the tests' device. */
#ifndef CLG_TESTS_CALLER_H
#define CLG_TESTS_CALLER_H

#include "clgrad/clgrad.h"

struct caller {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
};

/* properties: of the queue, 0 or CL_QUEUE_... Failures fail the running test. */
struct caller caller_make(cl_command_queue_properties properties);
void caller_release(const struct caller *caller);

/* A clgrad context on the caller's three objects. */
clg_context *caller_context(const struct caller *caller);

/* Another queue of that context. */
cl_command_queue caller_queue(cl_context context, cl_device_id device,
                              cl_command_queue_properties properties);

/* Memory of `bytes` bytes, every one of value 0xAB. */
cl_mem caller_memory(const struct caller *caller, size_t bytes);

/* How often memory is retained. A driver may let go of a command's reference a moment after the
 * command: waits up to five seconds for the number expected. */
cl_uint caller_references(cl_mem memory, cl_uint expected);

/* Whether the command of the event has finished. */
bool caller_complete(cl_event event);

#endif
