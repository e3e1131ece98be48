/* Time per kernel, measured by the device. */
#ifndef CLGRAD_PROFILE_H
#define CLGRAD_PROFILE_H

#include "clgrad/context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_profile_entry {
    char name[64]; /* the kernel's, or the library call's */
    uint64_t launches;
    uint64_t nanoseconds; /* sum of the time from start to end on the device */
} clg_profile_entry;

/*
 * The kernels launched since the context was created or last reset, the longest total first; those
 * run on another queue (clgrad/run.h) count when it has CL_QUEUE_PROFILING_ENABLE.
 * Blocks until they have finished. entries: `capacity` entries (NULL with 0); count: how many there
 * are, also when that is more than the capacity.
 * Errors: CLG_INVALID_STATE (the context was made without profiling), CLG_INVALID_ARGUMENT (NULL),
 * OpenCL failures.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_profile_read(clg_context *ctx, clg_profile_entry *entries,
                                                    size_t capacity, size_t *count);

/* Forgets what was collected. Errors: CLG_INVALID_STATE, CLG_INVALID_ARGUMENT, as above. */
CLG_API CLG_WARN_UNUSED clg_status clg_profile_reset(clg_context *ctx);

#ifdef __cplusplus
}
#endif

#endif
