#include "runtime/queue.h"

#include "runtime/cl_error.h"
#include "runtime/kernel.h"

clg_status clg__queue_create(clg_context *ctx, cl_command_queue *queue)
{
    cl_int code;
    *queue = clCreateCommandQueue(ctx->cl, ctx->device, 0, &code);
    if (code == CL_SUCCESS)
        return CLG_OK;
    *queue = NULL;
    return clg__fail_cl(code, "clCreateCommandQueue");
}

void clg__queue_destroy(cl_command_queue queue)
{
    if (!queue)
        return;
    clFinish(queue);
    clReleaseCommandQueue(queue);
}

clg_status clg__queue_flush(clg_context *ctx, cl_command_queue queue)
{
    CLG__TRY_CL(clFlush(queue ? queue : ctx->queue), "clFlush");
    return CLG_OK;
}

clg_status clg__queue_mark(clg_context *ctx, cl_event *event)
{
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, ctx, &(clg_run){.event = event}, 0));
    return clg__stream_end(&stream, CLG_OK);
}

clg_status clg__queue_wait_for(clg_context *ctx, cl_event event)
{
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, ctx, &(clg_run){.num_wait = 1, .wait_list = &event}, 0));
    return clg__stream_end(&stream, CLG_OK);
}

clg_status clg__event_finish(cl_event *event)
{
    if (!*event)
        return CLG_OK;
    cl_int code = clWaitForEvents(1, event);
    clg__event_drop(event);
    CLG__TRY_CL(code, "clWaitForEvents");
    return CLG_OK;
}

void clg__event_drop(cl_event *event)
{
    if (*event)
        clReleaseEvent(*event);
    *event = NULL;
}
