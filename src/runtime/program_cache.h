/* Built programs: each pair of source and options is built once a context. */
#ifndef CLG_RUNTIME_PROGRAM_CACHE_H
#define CLG_RUNTIME_PROGRAM_CACHE_H

#include "clgrad/device.h"
#include "runtime/cl.h"

struct clg__program_cache {
    cl_context cl;
    cl_device_id device;
    const clg_device_info *info;
    struct clg__program *programs;
    struct clg__disk_cache *disk; /* NULL: none, or the driver keeps its own */
};

clg_status clg__program_cache_init(struct clg__program_cache *cache, cl_context cl,
                                   cl_device_id device, const clg_device_info *info);
void clg__program_cache_destroy(struct clg__program_cache *cache);

/*
 * The program of kernels_cl/<source>.cl built with `options` (on top of -cl-std=CL1.2), from
 * memory, from disk or by the driver's compiler. Owned by the cache.
 * Errors: CLG_BUILD_FAILED with the end of the build log, CLG_INTERNAL_ERROR (no such source).
 */
clg_status clg__program_get(struct clg__program_cache *cache, const char *source,
                            const char *options, cl_program *program);

#endif
