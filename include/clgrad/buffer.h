/* Buffers: a range of bytes in device memory. */
#ifndef CLGRAD_BUFFER_H
#define CLGRAD_BUFFER_H

#include <stddef.h>

#include "clgrad/context.h"
#include "clgrad/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Transfers between host and device block until the host memory is free to use again, unless the
 * call is given run->event: then they return at once, and the host memory must stay until that
 * event has completed.
 */

/*
 * Allocates `bytes` bytes on the device; contents are undefined. *buffer is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (0 bytes, NULL), CLG_OUT_OF_DEVICE_MEMORY (more than the device's
 * largest allocation, or the driver refuses; the message has both numbers).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_create(clg_context *ctx, size_t bytes,
                                                     clg_buffer **buffer);

/*
 * Wraps `bytes` bytes of the caller's memory object from byte `offset` on; retained, not copied.
 * offset: a multiple of 4 (kernels read whole elements).
 * Errors: CLG_INVALID_ARGUMENT (the range is not inside the object, the object is not a buffer of
 * the same OpenCL context, the offset is no multiple of 4).
 */
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_wrap(clg_context *ctx, cl_mem mem, size_t offset,
                                                   size_t bytes, clg_buffer **buffer);

/* Drops the caller's reference; NULL is allowed. Enqueued work that uses the memory is safe. */
CLG_API void clg_buffer_destroy(clg_buffer *buffer);

CLG_API size_t clg_buffer_size(const clg_buffer *buffer); /* bytes */

/* The memory object and the first byte of the buffer in it; not retained. */
CLG_API cl_mem clg_buffer_cl_mem(const clg_buffer *buffer, size_t *offset);

/* Copies `bytes` bytes between host memory and the buffer from byte `offset` on.
 * Errors: CLG_INVALID_ARGUMENT (range outside the buffer), OpenCL failures. */
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_upload(clg_buffer *buffer, size_t offset,
                                                     size_t bytes, const void *host,
                                                     const clg_run *run);
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_download(const clg_buffer *buffer, size_t offset,
                                                       size_t bytes, void *host,
                                                       const clg_run *run);

/*
 * Fills a range with a repeated pattern of 1, 2, 4, 8 or 16 bytes; bytes and offset (counted from
 * the start of the memory object, when the buffer wraps a part of one) are multiples of the
 * pattern's size. Asynchronous; the pattern may go when the call returns.
 * Errors: CLG_INVALID_ARGUMENT (range outside the buffer, another pattern), OpenCL failures.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_fill(clg_buffer *buffer, size_t offset, size_t bytes,
                                                   const void *pattern, size_t pattern_bytes,
                                                   const clg_run *run);

/* Copies between buffers of one context. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (a range outside its buffer, two contexts, ranges that overlap in
 * one memory object), OpenCL failures. */
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_copy(clg_buffer *to, size_t to_offset,
                                                   const clg_buffer *from, size_t from_offset,
                                                   size_t bytes, const clg_run *run);

/*
 * Maps a range into host memory; access: CL_MAP_READ, CL_MAP_WRITE or both, or
 * CL_MAP_WRITE_INVALIDATE_REGION. Blocks until the range may be used, unless run->event is given.
 * Unmap with the same pointer before the device uses the range again.
 * *host is NULL after a failure. Errors: CLG_INVALID_ARGUMENT (range empty or outside the buffer,
 * NULL), OpenCL failures.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_map(clg_buffer *buffer, size_t offset, size_t bytes,
                                                  cl_map_flags access, void **host,
                                                  const clg_run *run);
CLG_API CLG_WARN_UNUSED clg_status clg_buffer_unmap(clg_buffer *buffer, void *host,
                                                    const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
