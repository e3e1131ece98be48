#include "runtime/kernel.h"

#include "runtime/buffer.h"
#include "runtime/cl_error.h"

static clg_status resolve_workspace(struct clg__stream *stream, const clg_run *run, size_t bytes)
{
    if (bytes == 0)
        return CLG_OK;
    if (run->workspace) {
        if (run->workspace->ctx != stream->ctx)
            return clg__fail(CLG_INVALID_ARGUMENT, "the workspace belongs to another context");
        if (run->workspace->bytes < bytes)
            return clg__fail(CLG_INVALID_ARGUMENT, "the workspace has %zu bytes, %zu are needed",
                             run->workspace->bytes, bytes);
        stream->workspace = run->workspace->mem;
        return CLG_OK;
    }
    if (stream->queue != stream->ctx->queue)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "a run on another queue than the context's needs a workspace of its own, "
                         "%zu bytes",
                         bytes);
    if (stream->ctx->scratch_bytes < bytes)
        return clg__fail(CLG_INTERNAL_ERROR, "the scratch buffer has %zu bytes, %zu are needed",
                         stream->ctx->scratch_bytes, bytes);
    stream->workspace = (struct clg__mem){stream->ctx->scratch, 0};
    return CLG_OK;
}

clg_status clg__stream_begin(struct clg__stream *stream, clg_context *ctx, const clg_run *run,
                             size_t workspace)
{
    static const clg_run defaults = {0};
    if (!run)
        run = &defaults;
    if (run->event)
        *run->event = NULL;
    if ((run->num_wait > 0) != (run->wait_list != NULL))
        return clg__fail(CLG_INVALID_ARGUMENT, "the run has %u events to wait for and %s list",
                         run->num_wait, run->wait_list ? "a" : "no");
    *stream = (struct clg__stream){.ctx = ctx,
                                   .queue = run->queue ? run->queue : ctx->queue,
                                   .event = run->event,
                                   .accumulate = run->accumulate};
    cl_command_queue_properties properties = ctx->queue_properties;
    if (stream->queue != ctx->queue)
        CLG__TRY(clg__queue_check("run", stream->queue, ctx->cl, ctx->device, &properties));
    stream->out_of_order = properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE;
    stream->profiling = ctx->profiling && (properties & CL_QUEUE_PROFILING_ENABLE);
    CLG__TRY(resolve_workspace(stream, run, workspace));
    if (run->num_wait > 0)
        CLG__TRY_CL(
            clEnqueueBarrierWithWaitList(stream->queue, run->num_wait, run->wait_list, NULL),
            "clEnqueueBarrierWithWaitList");
    return CLG_OK;
}

clg_status clg__stream_order(struct clg__stream *stream)
{
    if (stream->out_of_order)
        CLG__TRY_CL(clEnqueueBarrierWithWaitList(stream->queue, 0, NULL, NULL),
                    "clEnqueueBarrierWithWaitList");
    return CLG_OK;
}

clg_status clg__stream_end(struct clg__stream *stream, clg_status status)
{
    if (status != CLG_OK || !stream->event)
        return status;
    CLG__TRY_CL(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, stream->event),
                "clEnqueueMarkerWithWaitList");
    /* Else an event that another queue waits for might never come. The marker is there: a failing
     * flush takes nothing back. */
    if (stream->ctx->owns_queue && stream->queue == stream->ctx->queue)
        clFlush(stream->queue);
    return CLG_OK;
}

clg_status clg__stream_enter(struct clg__stream *stream, cl_event *before)
{
    *before = NULL;
    CLG__TRY(clg__stream_order(stream));
    if (stream->profiling)
        CLG__TRY_CL(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, before),
                    "clEnqueueMarkerWithWaitList");
    return CLG_OK;
}

clg_status clg__stream_record(struct clg__stream *stream, const char *name, cl_event before,
                              cl_event event)
{
    if (stream->profiling && event)
        return clg__profile_add(&stream->ctx->profile, name, before, event);
    if (before)
        clReleaseEvent(before);
    if (event)
        clReleaseEvent(event);
    return CLG_OK;
}
