/* Devices: what is there, what it can do, which one clgrad takes. */
#ifndef CLGRAD_DEVICE_H
#define CLGRAD_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clgrad/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The two families of kernels. CPU-like devices have no local memory of their own: one work-item
 * with wide vectors does the work of a group. GPU-like devices have local memory and many items, or
 * their compilers make vectors of items only (a native vector width of 1).
 */
typedef enum clg_family { CLG_FAMILY_AUTO = 0, CLG_FAMILY_CPU = 1, CLG_FAMILY_GPU = 2 } clg_family;

typedef enum clg_device_type {
    CLG_DEVICE_OTHER = 0,
    CLG_DEVICE_CPU = 1,
    CLG_DEVICE_ACCELERATOR = 2,
    CLG_DEVICE_GPU = 3
} clg_device_type;

typedef struct clg_device_info {
    /* Index of the platform, and of the device in it: "platform:device"; both -1 in the description
     * of a device that the caller brought along. */
    int platform;
    int device;
    char platform_name[128];
    char name[128];
    char vendor[128];
    char version[128]; /* CL_DEVICE_VERSION */
    char driver[128];  /* CL_DRIVER_VERSION */
    clg_device_type type;
    clg_family family; /* what clgrad derives from the capabilities, or CLGRAD_FAMILY=cpu|gpu */
    uint32_t compute_units;
    uint32_t clock_mhz;
    uint32_t vector_width_float; /* native width in elements */
    size_t max_work_group_size;  /* work-items */
    size_t max_work_item_sizes[3];
    uint64_t global_memory;    /* bytes */
    uint64_t max_allocation;   /* bytes, of one buffer */
    uint64_t local_memory;     /* bytes, of one work-group */
    uint64_t global_cache;     /* bytes */
    uint32_t buffer_alignment; /* bytes, of a sub-buffer's offset */
    /* Iterations of a work-item's loops after which the driver leaves them, with wrong results; 0:
     * none known. Contexts find it out (clg_context_device); plans refuse what would loop longer.
     */
    uint32_t longest_loop;
    bool dedicated_local_memory;
    bool unified_memory; /* shares memory with the host */
    bool compiler_available;
    bool fp16;
    bool fp64;
    bool subgroups;
    bool nv_compiler_options; /* takes -cl-nv-maxrregcount */
} clg_device_info;

/*
 * Lists every OpenCL device of every platform, in the loader's order.
 * infos: array of `capacity` entries (may be NULL with capacity 0), filled up to its capacity.
 * count: receives how many devices there are, also when that is more than the capacity.
 * Errors: CLG_NO_DEVICE when there is no OpenCL driver or no device (the message says what to
 * install; count is 0), CLG_OPENCL_ERROR, CLG_INVALID_ARGUMENT (count is NULL).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_device_list(clg_device_info *infos, size_t capacity,
                                                   size_t *count);

/*
 * Finds the device that clg_context_create would take.
 * selector: "platform:device" (indices as listed) or a part of the device's or platform's name in
 * any case; NULL or "": the environment variable CLGRAD_DEVICE, and without it the best device: a
 * GPU before an accelerator before a CPU, then the most compute units x vector width x clock.
 * Devices without a compiler are passed over.
 * Errors: CLG_NO_DEVICE (nothing matches; the message lists what is there), CLG_OPENCL_ERROR,
 * CLG_INVALID_ARGUMENT (info is NULL).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_device_find(const char *selector, clg_device_info *info);

#ifdef __cplusplus
}
#endif

#endif
