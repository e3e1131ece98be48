/* How to run: queue, events and workspace of one call. */
#ifndef CLGRAD_RUN_H
#define CLGRAD_RUN_H

#include <stdbool.h>

#include "clgrad/opencl.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_buffer clg_buffer;

/*
 * The last parameter of every call that enqueues work; NULL means all zero: the context's queue,
 * after everything enqueued there before, nothing to wait for, no event, overwrite.
 *
 * The calls are asynchronous: they return when the commands are enqueued. After a failure no event
 * is given, and the contents of the outputs are undefined. Outputs must not overlap inputs or each
 * other unless the function's comment allows it; this is not checked.
 *
 * Errors of every call that takes a clg_run: CLG_INVALID_ARGUMENT (a queue of another OpenCL
 * context or device, num_wait without wait_list or the other way round, a workspace that is too
 * small, of another context, or missing on another queue than the context's), CLG_OPENCL_ERROR.
 */
typedef struct clg_run {
    /* Another queue of the same context and device; NULL: the context's own. */
    cl_command_queue queue;
    /* Events to wait for before the first command, of the same OpenCL context. */
    cl_uint num_wait;
    const cl_event *wait_list;
    /* Receives an event that completes with the last command; the caller releases it. Commands on
     * the queue that clgrad made are then flushed to the device; a queue of the caller's is for the
     * caller to flush, before another queue waits for the event. */
    cl_event *event;
    /* Scratch memory for plans that need some (clg_<noun>_workspace_size says how many bytes).
     * NULL: the context's scratch buffer, which all plans share and which grew when the plan was
     * created. That one belongs to the context's queue: a plan that needs workspace and runs on
     * another queue must be given its own. */
    clg_buffer *workspace;
    /* Gradient functions add to their outputs instead of overwriting them. Functions that cannot
     * say so in their comment and return CLG_UNSUPPORTED. */
    bool accumulate;
} clg_run;

#ifdef __cplusplus
}
#endif

#endif
