#include "ops/conv2d_phase.h"

struct conv2d_phase clg__conv2d_phase(int at, int size, int taps, int pad, int dilation, int stride)
{
    struct conv2d_phase phase = {.outputs = at < size ? (size - at + stride - 1) / stride : 0,
                                 .in_step = 1};
    int first = -1, second = -1;
    for (int r = 0; r < taps; r++)
        if ((at + pad - r * dilation) % stride == 0) {
            if (first < 0)
                first = r;
            else if (second < 0)
                second = r;
            phase.taps++;
        }
    if (phase.taps == 0)
        return phase;
    int step = second < 0 ? 1 : second - first;
    int last = first + (phase.taps - 1) * step;
    phase.first_tap = last;
    phase.tap_step = -step;
    phase.first_in = (at + pad - last * dilation) / stride;
    phase.in_step = phase.taps > 1 ? step * dilation / stride : 1;
    return phase;
}
