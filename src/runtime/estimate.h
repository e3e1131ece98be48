/* What a device can do, guessed from its description, for cost estimates. */
#ifndef CLG_RUNTIME_ESTIMATE_H
#define CLG_RUNTIME_ESTIMATE_H

#include "clgrad/device.h"

/* Seconds that one launch costs on top of its work. */
#define CLG__LAUNCH_SECONDS 5e-6

/* Float operations a second: units x lanes x clock x 2 (multiply and add). GPUs report vector width
 * 1 while each of their units has many lanes: 128 is typical. CPUs have two multiply-add units. */
static inline double clg__device_peak_flops(const clg_device_info *device)
{
    bool gpu = device->family == CLG_FAMILY_GPU;
    double lanes = gpu ? 128 : 2.0 * device->vector_width_float;
    double clock = device->clock_mhz ? device->clock_mhz * 1e6 : 1e9;
    return 2 * device->compute_units * (lanes > 0 ? lanes : 1) * clock;
}

/* Bytes a second between the device and its memory: rough, by family. It grows with the peak on
 * both kinds: GPUs do 14 (those for computing centres) to 80 operations while a byte comes, about
 * 25 if caches help; a CPU's is between that of its memory and that of its last cache. */
static inline double clg__device_bandwidth(const clg_device_info *device)
{
    return clg__device_peak_flops(device) / (device->family == CLG_FAMILY_GPU ? 25 : 8);
}

#endif
