/* Layout changes inside other operations, on plain memory and in their stream. */
#ifndef CLG_OPS_REORDER_H
#define CLG_OPS_REORDER_H

#include "runtime/kernel.h"

struct clg__reorder;

/* For a tensor of n*c*h*w float32 elements, fewer than 2^31; every size is at least 1.
 * Errors: CLG_BUILD_FAILED, CLG_OUT_OF_HOST_MEMORY; *reorder is NULL then. */
clg_status clg__reorder_create(clg_context *ctx, int64_t n, int64_t c, int64_t h, int64_t w,
                               clg_layout from, clg_layout to, struct clg__reorder **reorder);
void clg__reorder_destroy(struct clg__reorder *reorder); /* NULL is allowed */

/* y = x in the other layout; the two do not overlap. */
clg_status clg__reorder_enqueue(struct clg__reorder *reorder, struct clg__stream *stream,
                                struct clg__mem y, struct clg__mem x);

#endif
