/* What a device can reach, measured by kernels that do nothing else (kernels_cl/bench_peak.cl). */
#ifndef CLG_RUNTIME_PEAK_H
#define CLG_RUNTIME_PEAK_H

#include "clgrad/context.h"

struct clg__peak;

/* Compiles. Errors: CLG_BUILD_FAILED, CLG_OUT_OF_HOST_MEMORY, OpenCL failures. */
clg_status clg__peak_create(clg_context *ctx, struct clg__peak **peak);
void clg__peak_destroy(struct clg__peak *peak); /* NULL is allowed */

/* Each of these measures for about `seconds` and gives the best rate that it saw. */

/* Float operations a second: multiply-adds in registers, each counted as two. */
clg_status clg__peak_fma(struct clg__peak *peak, double seconds, double *flops);

/* Bytes a second, those read and those written, of copying one buffer to another one, `bytes` in
 * both together; `runs` times, one enqueued after the other, and then waited for. Errors: also
 * CLG_OUT_OF_DEVICE_MEMORY. */
clg_status clg__peak_copy(struct clg__peak *peak, size_t bytes, int runs, double seconds,
                          double *rate);

/* The same inside the second-level cache: every compute unit of a CPU-like device copies parts of
 * 64 KiB again and again; a GPU-like one copies half of its cache. */
clg_status clg__peak_cached_copy(struct clg__peak *peak, double seconds, double *rate);

/* Bytes that are surely more than the caches hold, for clg__peak_copy. */
size_t clg__peak_uncached_bytes(const clg_device_info *device);

#endif
