#include "ops/conv2d_problem.h"

bool clg__conv2d_meets(const struct conv2d_args *a, const clg_device_info *device,
                       unsigned requirements, const char **why_not)
{
    const struct {
        unsigned requirement;
        bool met;
        const char *why;
    } checks[] = {
        {CLG__ON_CPU, device->family == CLG_FAMILY_CPU, "for CPU-like devices"},
        {CLG__ON_GPU, device->family == CLG_FAMILY_GPU, "for GPU-like devices"},
        {CLG__WINDOW_1X1, a->r == 1 && a->s == 1, "for windows of 1x1"},
        {CLG__NHWC_ONLY, a->x_channels_last && a->y_channels_last, "works on NHWC only"},
        {CLG__NCHW_ONLY, !a->x_channels_last && !a->y_channels_last, "works on NCHW only"},
        {CLG__ONE_GROUP, a->groups == 1, "one group only"},
        {CLG__WINDOW_3X3, a->r == 3 && a->s == 3, "windows of 3x3 only"},
        {CLG__STRIDE_1, a->stride_h == 1 && a->stride_w == 1, "stride 1 only"},
        {CLG__NO_DILATION, a->dilation_h == 1 && a->dilation_w == 1, "dense windows only"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if ((requirements & checks[i].requirement) && !checks[i].met) {
            *why_not = checks[i].why;
            return false;
        }
    return true;
}
