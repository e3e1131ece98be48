#include "runtime/kernel.h"

#include "runtime/cl_error.h"

static clg_status resolve_workspace(struct clg__stream *stream, const clg_run *run, size_t bytes)
{
    if (bytes == 0)
        return CLG_OK;
    if (run->workspace) {
        size_t size = clg_buffer_size(run->workspace);
        if (size < bytes)
            return clg__fail(CLG_INVALID_ARGUMENT, "the workspace has %zu bytes, %zu are needed",
                             size, bytes);
        stream->workspace = clg__buffer_mem(run->workspace);
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
    cl_command_queue_properties properties = 0;
    CLG__TRY_CL(clGetCommandQueueInfo(stream->queue, CL_QUEUE_PROPERTIES, sizeof properties,
                                      &properties, NULL),
                "clGetCommandQueueInfo");
    stream->out_of_order = properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE;
    CLG__TRY(resolve_workspace(stream, run, workspace));
    if (run->num_wait > 0)
        CLG__TRY_CL(
            clEnqueueBarrierWithWaitList(stream->queue, run->num_wait, run->wait_list, NULL),
            "clEnqueueBarrierWithWaitList");
    return CLG_OK;
}

clg_status clg__stream_end(struct clg__stream *stream, clg_status status)
{
    if (status == CLG_OK && stream->event)
        CLG__TRY_CL(clEnqueueMarkerWithWaitList(stream->queue, 0, NULL, stream->event),
                    "clEnqueueMarkerWithWaitList");
    return status;
}

clg_status clg__stream_record(struct clg__stream *stream, const char *name, cl_event event)
{
    if (stream->ctx->profiling)
        return clg__profile_add(&stream->ctx->profile, name, event);
    clReleaseEvent(event);
    return CLG_OK;
}
