/* Where the caller's tensors meet the model's: the same shape, perhaps in the other layout. */
#ifndef CLG_TRAIN_BORDER_H
#define CLG_TRAIN_BORDER_H

#include "clgrad/reorder.h"
#include "runtime/tensor.h"

/* One tensor of a batch size that crosses the border; all zero at first. The plan is made when a
 * tensor in the other layout comes for the first time. */
struct clg__border {
    clg_reorder *change;
    clg_tensor *inside;      /* the changed copy, of what enters */
    struct clg_tensor alias; /* the caller's memory, where both layouts are the same order */
};

void clg__border_release(struct clg__border *border);

/* clg__expect_tensor, with either layout. */
clg_status clg__border_expect(const char *call, const char *name, const clg_context *ctx,
                              const clg_tensor *tensor, const clg_tensor_desc *expected);

/* *entered: x in the layout of `inside`; valid until the border is used again. */
clg_status clg__border_enter(clg_context *ctx, struct clg__border *border,
                             const clg_tensor_desc *inside, const clg_tensor *x, const clg_run *run,
                             const clg_tensor **entered);

/* Copies a tensor of the model to the caller's y. */
clg_status clg__border_leave(clg_context *ctx, struct clg__border *border, clg_tensor *y,
                             const clg_tensor *inside, const clg_run *run);

/* True when NCHW and NHWC are the same order of elements for this shape. */
bool clg__layout_is_free(const clg_tensor_desc *desc);

#endif
