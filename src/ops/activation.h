/* Activations on raw memory, for operations that need them as a step. */
#ifndef CLG_OPS_ACTIVATION_H
#define CLG_OPS_ACTIVATION_H

#include "clgrad/activation.h"
#include "runtime/kernel.h"

/* y = f(x); y may be x. */
clg_status clg__activation_enqueue(clg_activation *plan, struct clg__stream *stream,
                                   struct clg__mem y, struct clg__mem x);

/* dx = dy f'(x); dx may be dy. */
clg_status clg__activation_enqueue_backward(clg_activation *plan, struct clg__stream *stream,
                                            struct clg__mem dx, struct clg__mem dy,
                                            struct clg__mem x);

#endif
