/* What a device can do, guessed from its description, for cost estimates. */
#ifndef CLG_RUNTIME_ESTIMATE_H
#define CLG_RUNTIME_ESTIMATE_H

#include "clgrad/device.h"

/* Seconds that one launch costs on top of its work. */
#define CLG__LAUNCH_SECONDS 5e-6

/* Float operations a second: units x lanes x clock x 2 (multiply and add). GPUs report vector width
 * 1 while each of their units has many lanes: 128 is typical. */
static inline double clg__device_peak_flops(const clg_device_info *device)
{
    double lanes = device->family == CLG_FAMILY_GPU ? 128 : device->vector_width_float;
    double clock = device->clock_mhz ? device->clock_mhz * 1e6 : 1e9;
    return 2 * device->compute_units * (lanes > 0 ? lanes : 1) * clock;
}

/* Bytes a second between the device and its memory: rough, by family. */
static inline double clg__device_bandwidth(const clg_device_info *device)
{
    return device->family == CLG_FAMILY_GPU ? 500e9 : 10e9;
}

#endif
