/* The cost estimate that convolution algorithms share: a roofline from the device's description. */
#ifndef CLG_OPS_CONV2D_COST_H
#define CLG_OPS_CONV2D_COST_H

#include "runtime/estimate.h"

/* `flop` at a fraction of the peak, plus what `launches` cost. */
static inline double clg__conv2d_seconds(const clg_device_info *device, double flop,
                                         double fraction, double launches)
{
    return flop / (clg__device_peak_flops(device) * fraction) + launches * CLG__LAUNCH_SECONDS;
}

#endif
