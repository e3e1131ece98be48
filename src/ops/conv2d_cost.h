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

/* The part of the pairs of output and tap along one axis that are inside of the input: output p
 * and tap r meet at first + p step + r tap. */
static inline double clg__conv2d_inside(int outputs, int taps, int step, int tap, int first,
                                        int size)
{
    double count = 0;
    for (int p = 0; p < outputs; p++)
        for (int r = 0; r < taps; r++) {
            int at = first + p * step + r * tap;
            count += at >= 0 && at < size;
        }
    return taps > 0 ? count / ((double)outputs * taps) : 0;
}

#endif
