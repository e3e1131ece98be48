/* Device discovery as the runtime uses it: the public info plus the OpenCL handles. */
#ifndef CLG_RUNTIME_DEVICE_H
#define CLG_RUNTIME_DEVICE_H

#include "clgrad/device.h"
#include "runtime/cl.h"

/* Fills `info` from the device; the indices are those of the loader's lists, or -1. */
clg_status clg__device_query(cl_device_id id, clg_device_info *info);

/* clg_device_find, with the handle. */
clg_status clg__device_find(const char *selector, cl_device_id *id, clg_device_info *info);

#endif
