/*
 * The gradient of the input as dense convolutions. With a stride, dx elements at the same place
 * between two windows' starts, a phase, meet the same taps: each phase is a convolution of dy of
 * its own, without the zeros of a dilated dy ("polyphase").
 */
#ifndef CLG_OPS_CONV2D_PHASE_H
#define CLG_OPS_CONV2D_PHASE_H

#include "conv2d_phase.clh"

/* The phase of dx elements `at`, `at` + stride, ... of an axis of `size` elements; its taps in the
 * order of rising dy index. */
struct conv2d_phase clg__conv2d_phase(int at, int size, int taps, int pad, int dilation,
                                      int stride);

#endif
