/* The checks that every operation's create and run functions begin with. */
#ifndef CLG_OPS_PLAN_H
#define CLG_OPS_PLAN_H

#include "clgrad/run.h"
#include "clgrad/tensor.h"
#include "runtime/kernel.h"

/* Errors: CLG_INVALID_ARGUMENT when one of the three is NULL. */
clg_status clg__check_create(const char *call, const clg_context *ctx, const void *desc,
                             const void *out);

/* Errors: CLG_INVALID_ARGUMENT when the plan is NULL. */
clg_status clg__check_plan(const char *call, const void *plan);

/* For gradients that only overwrite. Errors: CLG_UNSUPPORTED when run asks to accumulate. */
clg_status clg__refuse_accumulate(const char *call, const clg_run *run);

/* Checks the description of a float32 tensor and counts its elements.
 * Errors: those of a clg_tensor_desc, CLG_UNSUPPORTED (another type); the message names it. */
clg_status clg__check_float(const char *call, const char *name, const clg_tensor_desc *desc,
                            int64_t *count);

/* The same for float32 tensors N C H W. Errors: also CLG_INVALID_SHAPE (not four dimensions). */
clg_status clg__check_float_4d(const char *call, const char *name, const clg_tensor_desc *desc);

/* The same for float32 matrices. Errors: also CLG_INVALID_SHAPE (not two dimensions). */
clg_status clg__check_float_2d(const char *call, const char *name, const clg_tensor_desc *desc);

/* clg__expect_tensor for a tensor that may be left out: NULL is right. */
clg_status clg__expect_optional(const char *call, const char *name, const clg_context *ctx,
                                const clg_tensor *tensor, const clg_tensor_desc *expected);

/* One item for each column (dimension 0) and row (dimension 1) of a matrix, in groups of 64 that
 * are as wide as the columns allow; kernels check both indices. */
struct clg__grid clg__grid_2d(int64_t columns, int64_t rows);

#endif
