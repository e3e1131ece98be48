#include "runtime/context.h"

#include <stdlib.h>

#include "runtime/cl_error.h"
#include "runtime/device.h"

static clg_status make_cl_objects(clg_context *ctx, const clg_context_desc *desc)
{
    CLG__TRY(clg__device_find(desc->device, &ctx->device, &ctx->info));
    cl_int code;
    ctx->cl = clCreateContext(NULL, 1, &ctx->device, NULL, NULL, &code);
    CLG__TRY_CL(code, "clCreateContext");
    return CLG_OK;
}

static clg_status check_queue(const clg_context_desc *desc, cl_command_queue_properties *properties)
{
    cl_context context = NULL;
    cl_device_id device = NULL;
    CLG__TRY_CL(
        clGetCommandQueueInfo(desc->cl_queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL),
        "clGetCommandQueueInfo");
    CLG__TRY_CL(
        clGetCommandQueueInfo(desc->cl_queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL),
        "clGetCommandQueueInfo");
    CLG__TRY_CL(clGetCommandQueueInfo(desc->cl_queue, CL_QUEUE_PROPERTIES, sizeof *properties,
                                      properties, NULL),
                "clGetCommandQueueInfo");
    if (context != desc->cl_context || device != desc->cl_device)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_context_create: the queue belongs to another "
                         "OpenCL %s than the one given",
                         context != desc->cl_context ? "context" : "device");
    if (desc->profiling && !(*properties & CL_QUEUE_PROFILING_ENABLE))
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_context_create: profiling needs a queue made "
                                               "with CL_QUEUE_PROFILING_ENABLE");
    return CLG_OK;
}

static clg_status wrap_cl_objects(clg_context *ctx, const clg_context_desc *desc)
{
    if (!desc->cl_context || !desc->cl_device)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_context_create: an OpenCL context, device or queue of the caller "
                         "needs at least both the context and the device");
    CLG__TRY(clg__device_query(desc->cl_device, &ctx->info));
    CLG__TRY_CL(clRetainContext(desc->cl_context), "clRetainContext");
    ctx->cl = desc->cl_context;
    ctx->device = desc->cl_device;
    if (desc->cl_queue) {
        cl_command_queue_properties properties = 0;
        CLG__TRY(check_queue(desc, &properties));
        CLG__TRY_CL(clRetainCommandQueue(desc->cl_queue), "clRetainCommandQueue");
        ctx->queue = desc->cl_queue;
    }
    return CLG_OK;
}

static clg_status init_context(clg_context *ctx, const clg_context_desc *desc)
{
    if (desc->cl_context || desc->cl_device || desc->cl_queue)
        CLG__TRY(wrap_cl_objects(ctx, desc));
    else
        CLG__TRY(make_cl_objects(ctx, desc));
    if (!ctx->queue) {
        cl_int code;
        ctx->queue = clCreateCommandQueue(ctx->cl, ctx->device,
                                          desc->profiling ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
        CLG__TRY_CL(code, "clCreateCommandQueue");
    }
    ctx->profiling = desc->profiling;
    return clg__program_cache_init(&ctx->programs, ctx->cl, ctx->device, &ctx->info);
}

clg_status clg_context_create(const clg_context_desc *desc, clg_context **out)
{
    static const clg_context_desc defaults = {0};
    if (!out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_context_create: ctx is NULL");
    *out = NULL;
    clg_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return clg__fail_alloc("a context");
    ctx->references = 1;
    clg_status status = init_context(ctx, desc ? desc : &defaults);
    if (status != CLG_OK) {
        clg_context_destroy(ctx);
        return status;
    }
    *out = ctx;
    return CLG_OK;
}

clg_context *clg__context_retain(clg_context *ctx)
{
    ctx->references++;
    return ctx;
}

void clg_context_destroy(clg_context *ctx)
{
    if (!ctx || --ctx->references > 0)
        return;
    clg__profile_clear(&ctx->profile);
    clg__program_cache_destroy(&ctx->programs);
    if (ctx->scratch)
        clReleaseMemObject(ctx->scratch);
    if (ctx->queue)
        clReleaseCommandQueue(ctx->queue);
    if (ctx->cl)
        clReleaseContext(ctx->cl);
    free(ctx);
}

const clg_device_info *clg_context_device(const clg_context *ctx)
{
    return &ctx->info;
}

cl_context clg_context_cl_context(const clg_context *ctx)
{
    return ctx->cl;
}

cl_device_id clg_context_cl_device(const clg_context *ctx)
{
    return ctx->device;
}

cl_command_queue clg_context_cl_queue(const clg_context *ctx)
{
    return ctx->queue;
}

clg_status clg_context_finish(clg_context *ctx)
{
    CLG__TRY_CL(clFinish(ctx->queue), "clFinish");
    return CLG_OK;
}

uint64_t clg_context_scratch_bytes(const clg_context *ctx)
{
    return ctx->scratch_bytes;
}

clg_status clg__scratch_reserve(clg_context *ctx, size_t bytes)
{
    if (bytes <= ctx->scratch_bytes)
        return CLG_OK;
    if (bytes > ctx->info.max_allocation)
        return clg__fail(CLG_OUT_OF_DEVICE_MEMORY,
                         "%zu bytes of workspace are more than the largest allocation of %s, "
                         "%llu bytes",
                         bytes, ctx->info.name, (unsigned long long)ctx->info.max_allocation);
    cl_int code;
    cl_mem scratch = clCreateBuffer(ctx->cl, CL_MEM_READ_WRITE, bytes, NULL, &code);
    if (code != CL_SUCCESS) {
        clg_status status = clg__fail_cl(code, "clCreateBuffer");
        return clg__fail_in(status, "workspace of %zu bytes", bytes);
    }
    if (ctx->scratch)
        clReleaseMemObject(ctx->scratch);
    ctx->scratch = scratch;
    ctx->scratch_bytes = bytes;
    return CLG_OK;
}
