/* Tensors: a shape, an element type, a layout and a range of a buffer. */
#ifndef CLGRAD_TENSOR_H
#define CLGRAD_TENSOR_H

#include <stdint.h>

#include "clgrad/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CLG_MAX_DIMS = 6 };

typedef enum clg_dtype { CLG_FLOAT32 = 0, CLG_INT32 = 1 } clg_dtype;

/*
 * The order of a tensor's elements in memory. The dimensions of a tensor are always N, C, H, W,
 * whatever its layout. Tensors that do not have four dimensions are CLG_NCHW: plain C order.
 */
typedef enum clg_layout { CLG_NCHW = 0, CLG_NHWC = 1 } clg_layout;

/* A tensor without memory. Entries of dims behind the first ndim are not looked at. */
typedef struct clg_tensor_desc {
    clg_dtype type;
    clg_layout layout;
    int ndim; /* 1..CLG_MAX_DIMS */
    int64_t dims[CLG_MAX_DIMS];
} clg_tensor_desc;

/* Descriptions of dense float32 tensors in C order: a vector, a matrix, N C H W. */
static inline clg_tensor_desc clg_desc_1d(int64_t n)
{
    clg_tensor_desc desc = {CLG_FLOAT32, CLG_NCHW, 1, {n}};
    return desc;
}

static inline clg_tensor_desc clg_desc_2d(int64_t rows, int64_t columns)
{
    clg_tensor_desc desc = {CLG_FLOAT32, CLG_NCHW, 2, {rows, columns}};
    return desc;
}

static inline clg_tensor_desc clg_desc_4d(int64_t n, int64_t c, int64_t h, int64_t w)
{
    clg_tensor_desc desc = {CLG_FLOAT32, CLG_NCHW, 4, {n, c, h, w}};
    return desc;
}

/*
 * Errors of everything that takes a clg_tensor_desc: CLG_INVALID_SHAPE (ndim outside 1..6, a
 * dimension below 1, NHWC without four dimensions), CLG_TOO_LARGE (2^31 elements or more: kernels
 * index with 32 bits), CLG_INVALID_ARGUMENT (unknown type or layout).
 */

/* Elements and bytes of a description. */
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_desc_count(const clg_tensor_desc *desc,
                                                         int64_t *count);
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_desc_bytes(const clg_tensor_desc *desc,
                                                         size_t *bytes);

typedef struct clg_tensor clg_tensor;

/* Allocates a tensor; contents are undefined. *tensor is NULL after a failure.
 * Errors: as above, and those of clg_buffer_create. */
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_create(clg_context *ctx, const clg_tensor_desc *desc,
                                                     clg_tensor **tensor);

/* The same, filled from host memory of clg_tensor_bytes bytes in the tensor's own layout: create
 * and upload, which blocks. Errors: those of both; CLG_INVALID_ARGUMENT (host is NULL). */
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_create_from(clg_context *ctx,
                                                          const clg_tensor_desc *desc,
                                                          const void *host, clg_tensor **tensor);

/* A tensor on a range of an existing buffer, from byte `offset` (a multiple of 4) on; shares the
 * memory and keeps the buffer alive. Errors: as above; CLG_INVALID_ARGUMENT (not in the buffer). */
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_view(clg_buffer *buffer, size_t offset,
                                                   const clg_tensor_desc *desc,
                                                   clg_tensor **tensor);

/* Drops the caller's reference; NULL is allowed. */
CLG_API void clg_tensor_destroy(clg_tensor *tensor);

CLG_API const clg_tensor_desc *clg_tensor_get_desc(const clg_tensor *tensor);
CLG_API int64_t clg_tensor_count(const clg_tensor *tensor); /* elements */
CLG_API size_t clg_tensor_bytes(const clg_tensor *tensor);
/* The buffer under the tensor and the tensor's first byte in it; not retained. */
CLG_API clg_buffer *clg_tensor_buffer(const clg_tensor *tensor, size_t *offset);

/* The whole tensor from or to host memory of clg_tensor_bytes bytes, in the tensor's own layout.
 * They block as described in clgrad/buffer.h. */
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_upload(clg_tensor *tensor, const void *host,
                                                     const clg_run *run);
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_download(const clg_tensor *tensor, void *host,
                                                       const clg_run *run);
/* Sets every element of a float32 tensor to `value`. Asynchronous.
 * Errors: CLG_UNSUPPORTED for other types. */
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_fill(clg_tensor *tensor, float value,
                                                   const clg_run *run);
/* Copies between tensors of the same description. Asynchronous.
 * Errors: CLG_INVALID_SHAPE (the descriptions differ). */
CLG_API CLG_WARN_UNUSED clg_status clg_tensor_copy(clg_tensor *to, const clg_tensor *from,
                                                   const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
