/* Moving bytes: upload, download, fill, copy, map. */
#include "runtime/buffer.h"

#include "runtime/cl_error.h"

static clg_status check_range(const char *call, const clg_buffer *buffer, size_t offset,
                              size_t bytes)
{
    if (!buffer)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: buffer is NULL", call);
    if (offset > buffer->bytes || bytes > buffer->bytes - offset)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: %zu bytes from byte %zu on, in a buffer of %zu bytes", call, bytes,
                         offset, buffer->bytes);
    return CLG_OK;
}

/* Begins a transfer: checks the range, opens the stream, keeps order on an out-of-order queue. */
static clg_status begin(const char *call, struct clg__stream *stream, const clg_buffer *buffer,
                        size_t offset, size_t bytes, const clg_run *run)
{
    CLG__TRY(check_range(call, buffer, offset, bytes));
    CLG__TRY(clg__stream_begin(stream, buffer->ctx, run, 0));
    return clg__stream_order(stream);
}

static clg_status end(struct clg__stream *stream, cl_int code, const char *call)
{
    return clg__stream_end(stream, code == CL_SUCCESS ? CLG_OK : clg__fail_cl(code, call));
}

static clg_status check_host(const char *call, const void *host)
{
    return host ? CLG_OK : clg__fail(CLG_INVALID_ARGUMENT, "%s: host is NULL", call);
}

clg_status clg_buffer_upload(clg_buffer *buffer, size_t offset, size_t bytes, const void *host,
                             const clg_run *run)
{
    struct clg__stream stream;
    CLG__TRY(check_host("clg_buffer_upload", host));
    CLG__TRY(begin("clg_buffer_upload", &stream, buffer, offset, bytes, run));
    cl_int code =
        bytes == 0 ? CL_SUCCESS
                   : clEnqueueWriteBuffer(stream.queue, buffer->mem.object,
                                          stream.event ? CL_FALSE : CL_TRUE,
                                          buffer->mem.offset + offset, bytes, host, 0, NULL, NULL);
    return end(&stream, code, "clEnqueueWriteBuffer");
}

clg_status clg_buffer_download(const clg_buffer *buffer, size_t offset, size_t bytes, void *host,
                               const clg_run *run)
{
    struct clg__stream stream;
    CLG__TRY(check_host("clg_buffer_download", host));
    CLG__TRY(begin("clg_buffer_download", &stream, buffer, offset, bytes, run));
    cl_int code =
        bytes == 0 ? CL_SUCCESS
                   : clEnqueueReadBuffer(stream.queue, buffer->mem.object,
                                         stream.event ? CL_FALSE : CL_TRUE,
                                         buffer->mem.offset + offset, bytes, host, 0, NULL, NULL);
    return end(&stream, code, "clEnqueueReadBuffer");
}

clg_status clg_buffer_fill(clg_buffer *buffer, size_t offset, size_t bytes, const void *pattern,
                           size_t pattern_bytes, const clg_run *run)
{
    struct clg__stream stream;
    CLG__TRY(check_host("clg_buffer_fill", pattern));
    CLG__TRY(check_range("clg_buffer_fill", buffer, offset, bytes));
    bool power_of_two = pattern_bytes > 0 && (pattern_bytes & (pattern_bytes - 1)) == 0;
    size_t start = buffer->mem.offset + offset; /* OpenCL counts in the whole object */
    if (!power_of_two || pattern_bytes > 16 || bytes % pattern_bytes != 0 ||
        start % pattern_bytes != 0)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_buffer_fill: a pattern of %zu bytes for %zu bytes from byte %zu of "
                         "the memory object on",
                         pattern_bytes, bytes, start);
    CLG__TRY(begin("clg_buffer_fill", &stream, buffer, offset, bytes, run));
    cl_int code =
        bytes == 0 ? CL_SUCCESS
                   : clEnqueueFillBuffer(stream.queue, buffer->mem.object, pattern, pattern_bytes,
                                         buffer->mem.offset + offset, bytes, 0, NULL, NULL);
    return end(&stream, code, "clEnqueueFillBuffer");
}

clg_status clg_buffer_copy(clg_buffer *to, size_t to_offset, const clg_buffer *from,
                           size_t from_offset, size_t bytes, const clg_run *run)
{
    struct clg__stream stream;
    CLG__TRY(check_range("clg_buffer_copy", from, from_offset, bytes));
    CLG__TRY(check_range("clg_buffer_copy", to, to_offset, bytes));
    if (from->ctx != to->ctx)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_buffer_copy: the buffers belong to two contexts");
    size_t source = from->mem.offset + from_offset, target = to->mem.offset + to_offset;
    if (from->mem.object == to->mem.object && source < target + bytes && target < source + bytes)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_buffer_copy: %zu bytes from byte %zu to byte %zu of one memory "
                         "object overlap",
                         bytes, source, target);
    CLG__TRY(begin("clg_buffer_copy", &stream, to, to_offset, bytes, run));
    cl_int code = bytes == 0 ? CL_SUCCESS
                             : clEnqueueCopyBuffer(stream.queue, from->mem.object, to->mem.object,
                                                   source, target, bytes, 0, NULL, NULL);
    return end(&stream, code, "clEnqueueCopyBuffer");
}

clg_status clg_buffer_map(clg_buffer *buffer, size_t offset, size_t bytes, cl_map_flags access,
                          void **host, const clg_run *run)
{
    struct clg__stream stream;
    CLG__TRY(check_host("clg_buffer_map", host));
    *host = NULL;
    if (bytes == 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_buffer_map: a range of 0 bytes");
    CLG__TRY(begin("clg_buffer_map", &stream, buffer, offset, bytes, run));
    cl_int code;
    *host = clEnqueueMapBuffer(stream.queue, buffer->mem.object, stream.event ? CL_FALSE : CL_TRUE,
                               access, buffer->mem.offset + offset, bytes, 0, NULL, NULL, &code);
    return end(&stream, code, "clEnqueueMapBuffer");
}

clg_status clg_buffer_unmap(clg_buffer *buffer, void *host, const clg_run *run)
{
    struct clg__stream stream;
    CLG__TRY(check_host("clg_buffer_unmap", host));
    CLG__TRY(begin("clg_buffer_unmap", &stream, buffer, 0, 0, run));
    cl_int code = clEnqueueUnmapMemObject(stream.queue, buffer->mem.object, host, 0, NULL, NULL);
    return end(&stream, code, "clEnqueueUnmapMemObject");
}
