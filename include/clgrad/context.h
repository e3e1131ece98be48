/* The context: a device, its OpenCL context and queue, and everything clgrad keeps for them. */
#ifndef CLGRAD_CONTEXT_H
#define CLGRAD_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "clgrad/device.h"
#include "clgrad/opencl.h"
#include "clgrad/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A context is used by one thread at a time; different contexts are independent of each other.
 * Plans, buffers and tensors keep their context alive: the order of destruction does not matter.
 */
typedef struct clg_context clg_context;

/* How algorithms are chosen where the caller names none; see clgrad/tuning.h. */
typedef enum clg_tuning {
    CLG_TUNING_AUTO = 0, /* as the environment variable CLGRAD_TUNE says: 1 is CLG_TUNING_MEASURE, 0
                            or off CLG_TUNING_OFF, anything else or nothing CLG_TUNING_STORED */
    CLG_TUNING_OFF,      /* by estimate only */
    CLG_TUNING_STORED,   /* by the times in the tuning store, by estimate where it has none */
    CLG_TUNING_MEASURE   /* by measured times: creating a plan measures what the store lacks */
} clg_tuning;

/* Receives one line, without its end, about a topic: "plan". Called by the thread that uses the
 * context, inside of clgrad's functions; it must not use the context. */
typedef void clg_log_function(void *data, const char *topic, const char *line);

typedef struct clg_context_desc {
    /* Which device, as for clg_device_find; NULL: CLGRAD_DEVICE, else the best one. Unused when
     * `cl_context` is given. */
    const char *device;
    /* Collect the time of every kernel (see clgrad/profile.h). Needs a queue with
     * CL_QUEUE_PROFILING_ENABLE where the caller brings the queue. */
    bool profiling;
    /* The caller's own OpenCL objects: all NULL (clgrad makes them), or context and device, or all
     * three. clgrad retains them and never finishes or flushes the caller's queue on its own,
     * except where a function's comment says that it blocks. An out-of-order queue is allowed:
     * clgrad then puts a barrier between its commands. */
    struct _cl_context *cl_context; /* a cl_context, spelled so that C++ reads it too */
    cl_device_id cl_device;
    cl_command_queue cl_queue;
    clg_tuning tuning;
    /*
     * Hears what clgrad does. "plan": for each operation with several algorithms whose plan is made
     * the chosen one, its workspace, the work, the alternatives with their times, those that refuse
     * with their reasons, and a command that measures the same.
     * NULL: nobody, unless the environment variable CLGRAD_LOG names topics, between commas: then
     * their lines go to standard error. This is the only thing that clgrad ever prints.
     */
    clg_log_function *log;
    void *log_data;
} clg_context_desc;

/*
 * desc: NULL means all zero. *ctx is NULL after a failure.
 * Errors: CLG_NO_DEVICE (no driver, or nothing matches the selector), CLG_INVALID_ARGUMENT (a
 * queue without its context and device, a device that is not in the context, a queue of another
 * context or device, profiling on a queue without CL_QUEUE_PROFILING_ENABLE, an unknown value of
 * `tuning`), CLG_OPENCL_ERROR,
 * CLG_OUT_OF_HOST_MEMORY.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_context_create(const clg_context_desc *desc,
                                                      clg_context **ctx);

/* Drops the caller's reference. NULL is allowed. Does not wait for enqueued work. */
CLG_API void clg_context_destroy(clg_context *ctx);

/* The device's description; valid as long as the context. */
CLG_API const clg_device_info *clg_context_device(const clg_context *ctx);

/* The OpenCL objects in use, not retained: valid as long as the context. */
CLG_API cl_context clg_context_cl_context(const clg_context *ctx);
CLG_API cl_device_id clg_context_cl_device(const clg_context *ctx);
CLG_API cl_command_queue clg_context_cl_queue(const clg_context *ctx);

/* Blocks until everything enqueued on the context's queue has finished. Errors:
 * CLG_INVALID_ARGUMENT (NULL), CLG_OPENCL_ERROR and what the commands failed with. */
CLG_API CLG_WARN_UNUSED clg_status clg_context_finish(clg_context *ctx);

/* Bytes of the scratch buffer that the context's plans share (see clgrad/run.h). */
CLG_API uint64_t clg_context_scratch_bytes(const clg_context *ctx);

#ifdef __cplusplus
}
#endif

#endif
