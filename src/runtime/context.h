/* The context as the runtime sees it. */
#ifndef CLG_RUNTIME_CONTEXT_H
#define CLG_RUNTIME_CONTEXT_H

#include "clgrad/buffer.h"
#include "clgrad/context.h"
#include "runtime/log.h"
#include "runtime/profile.h"
#include "runtime/program_cache.h"
#include "runtime/tuning.h"

struct clg_context {
    int references;
    cl_device_id device;
    cl_context cl;
    cl_command_queue queue;
    cl_command_queue_properties queue_properties;
    bool owns_queue; /* made here, not the caller's */
    clg_device_info info;
    struct clg__program_cache programs;
    struct clg__profile profile;
    bool profiling;
    struct clg__log log;
    struct clg__tuning tuning;
    /* Scratch memory that all plans share; see clg__scratch_reserve. */
    cl_mem scratch;
    size_t scratch_bytes;
};

clg_context *clg__context_retain(clg_context *ctx);

/* Reads a queue's properties. Errors: CLG_INVALID_ARGUMENT (of another context or device). */
clg_status clg__queue_check(const char *call, cl_command_queue queue, cl_context context,
                            cl_device_id device, cl_command_queue_properties *properties);

/*
 * Makes the shared scratch buffer at least `bytes` large; called when plans are created, never when
 * they run. Commands already enqueued keep the old memory alive by OpenCL's own counting.
 */
clg_status clg__scratch_reserve(clg_context *ctx, size_t bytes);

#endif
