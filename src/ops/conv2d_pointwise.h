/* What the directions of the 1x1 convolution share. */
#ifndef CLG_OPS_CONV2D_POINTWISE_H
#define CLG_OPS_CONV2D_POINTWISE_H

#include "ops/conv2d_problem.h"

#include "conv2d_pointwise_args.clh"

/* False with a reason for problems that are no plain 1x1 convolution, and for other devices. */
bool clg__pointwise_supports(const struct conv2d_args *args, const clg_device_info *device,
                             const char **why_not);

struct conv2d_pixels clg__pointwise_pixels(const struct conv2d_args *args);

#endif
