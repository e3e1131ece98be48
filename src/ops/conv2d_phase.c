#include "ops/conv2d_phase.h"

struct conv2d_phase clg__conv2d_phase(int at, int size, int taps, int pad, int dilation, int stride)
{
    return conv2d_phase_of(at, size, taps, pad, dilation, stride);
}
