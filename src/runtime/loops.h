/*
 * How long a work-item may loop. Mesa's llvmpipe leaves all loops of a work-item for good once they
 * made 65535 iterations together: no error, wrong sums. Kernels for GPU-like devices share a long
 * sum out to many items; the ones that could still loop for too long ask here.
 */
#ifndef CLG_RUNTIME_LOOPS_H
#define CLG_RUNTIME_LOOPS_H

#include "runtime/context.h"

#define CLG__LOOPS_END_EARLY "the device's driver ends loops that are as long as this sum needs"

/* Of an item for each term of a matrix product in tiles, measured 2.5. */
#define CLG__GEMM_LOOPS 3.0

/* Whether an item's loops may make so many iterations in all. */
static inline bool clg__loops_fit(const clg_device_info *device, double iterations)
{
    return device->longest_loop == 0 || iterations <= device->longest_loop;
}

/* Iterations of loops, each in the one before. */
static inline double clg__loops_nested(double outer, double middle, double inner)
{
    return outer * (1 + middle * (1 + inner));
}

/* Measures with a kernel; *longest is 0 where loops go on as long as they should. */
clg_status clg__loops_measure(clg_context *ctx, uint32_t *longest);

/* Does so where it is in question, for ctx->info.longest_loop. */
clg_status clg__loops_init(clg_context *ctx);

#endif
