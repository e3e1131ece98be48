#include "runtime/context.h"

#include <stdlib.h>

#include "runtime/cl_error.h"
#include "runtime/device.h"
#include "runtime/loops.h"

static clg_status make_cl_objects(clg_context *ctx, const clg_context_desc *desc)
{
    CLG__TRY(clg__device_find(desc->device, &ctx->device, &ctx->info));
    cl_int code;
    ctx->cl = clCreateContext(NULL, 1, &ctx->device, NULL, NULL, &code);
    CLG__TRY_CL(code, "clCreateContext");
    return CLG_OK;
}

static clg_status check_device(const clg_context_desc *desc)
{
    cl_device_id devices[64];
    size_t bytes = 0;
    CLG__TRY_CL(
        clGetContextInfo(desc->cl_context, CL_CONTEXT_DEVICES, sizeof devices, devices, &bytes),
        "clGetContextInfo");
    for (size_t i = 0; i < bytes / sizeof devices[0]; i++)
        if (devices[i] == desc->cl_device)
            return CLG_OK;
    return clg__fail(CLG_INVALID_ARGUMENT,
                     "clg_context_create: the device is not one of the %zu of the OpenCL context",
                     bytes / sizeof devices[0]);
}

clg_status clg__queue_check(const char *call, cl_command_queue queue, cl_context context,
                            cl_device_id device, cl_command_queue_properties *properties)
{
    cl_context own_context = NULL;
    cl_device_id own_device = NULL;
    const struct {
        cl_command_queue_info what;
        size_t size;
        void *out;
    } queries[] = {
        {CL_QUEUE_CONTEXT, sizeof own_context, &own_context},
        {CL_QUEUE_DEVICE, sizeof own_device, &own_device},
        {CL_QUEUE_PROPERTIES, sizeof *properties, properties},
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        CLG__TRY_CL(
            clGetCommandQueueInfo(queue, queries[i].what, queries[i].size, queries[i].out, NULL),
            "clGetCommandQueueInfo");
    if (own_context != context || own_device != device)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: the queue belongs to another OpenCL %s than the one given", call,
                         own_context != context ? "context" : "device");
    return CLG_OK;
}

static clg_status wrap_cl_objects(clg_context *ctx, const clg_context_desc *desc)
{
    if (!desc->cl_context || !desc->cl_device)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_context_create: an OpenCL context, device or queue of the caller "
                         "needs at least both the context and the device");
    CLG__TRY(check_device(desc));
    CLG__TRY(clg__device_query(desc->cl_device, &ctx->info));
    CLG__TRY_CL(clRetainContext(desc->cl_context), "clRetainContext");
    ctx->cl = desc->cl_context;
    ctx->device = desc->cl_device;
    if (desc->cl_queue) {
        CLG__TRY(clg__queue_check("clg_context_create", desc->cl_queue, ctx->cl, ctx->device,
                                  &ctx->queue_properties));
        if (desc->profiling && !(ctx->queue_properties & CL_QUEUE_PROFILING_ENABLE))
            return clg__fail(CLG_INVALID_ARGUMENT, "clg_context_create: profiling needs a queue "
                                                   "made with CL_QUEUE_PROFILING_ENABLE");
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
        ctx->owns_queue = true;
        ctx->queue_properties = desc->profiling ? CL_QUEUE_PROFILING_ENABLE : 0;
        ctx->queue = clCreateCommandQueue(ctx->cl, ctx->device, ctx->queue_properties, &code);
        CLG__TRY_CL(code, "clCreateCommandQueue");
    }
    ctx->profiling = desc->profiling;
    CLG__TRY(clg__tuning_init(&ctx->tuning, desc->tuning));
    CLG__TRY(clg__program_cache_init(&ctx->programs, ctx->cl, ctx->device, &ctx->info));
    return clg__loops_init(ctx);
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
    ctx->log = clg__log_init(desc ? desc : &defaults);
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
    clg__tuning_close(ctx->tuning.store);
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
    if (!ctx)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_context_finish: ctx is NULL");
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
