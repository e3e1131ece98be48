/* What the directions of the depthwise convolution share. */
#ifndef CLG_OPS_CONV2D_DEPTHWISE_H
#define CLG_OPS_CONV2D_DEPTHWISE_H

#include "ops/conv2d_problem.h"

/* False with a reason for problems that are not depthwise, or too narrow, and for other devices. */
bool clg__depthwise_supports(const struct conv2d_args *args, const clg_device_info *device,
                             const char **why_not);

/* Seconds that x and y take on their way, for estimates: a part of what the device's bandwidth
 * says, because much of them is in a cache. */
double clg__depthwise_moving(const struct conv2d_args *args, const clg_device_info *device);

#endif
