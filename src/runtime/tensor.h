/* Tensors inside the library, and the checks that every operation makes. */
#ifndef CLG_RUNTIME_TENSOR_H
#define CLG_RUNTIME_TENSOR_H

#include "clgrad/tensor.h"
#include "runtime/kernel.h"

struct clg_tensor {
    clg_buffer *buffer;
    size_t offset; /* bytes, in the buffer */
    clg_tensor_desc desc;
    int64_t count; /* elements */
};

/* "2x3x8x8 float32 NHWC" for messages; `text` holds at least CLG__DESC_TEXT bytes. Returns text. */
enum { CLG__DESC_TEXT = 192 };
const char *clg__desc_text(const clg_tensor_desc *desc, char *text);

bool clg__desc_equal(const clg_tensor_desc *a, const clg_tensor_desc *b);

/*
 * Checks that `tensor` exists, belongs to `ctx` and is what the plan expects; the message says
 * "<call>: <name> is ..., expected ...".
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (differs).
 */
clg_status clg__expect_tensor(const char *call, const char *name, const clg_context *ctx,
                              const clg_tensor *tensor, const clg_tensor_desc *expected);

/* Element strides of a four-dimensional tensor in its layout. */
struct clg__strides {
    int n, c, h, w;
};
struct clg__strides clg__desc_strides(const clg_tensor_desc *desc);

#endif
