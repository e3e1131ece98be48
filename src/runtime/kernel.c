#include "runtime/kernel.h"

#include <stdlib.h>

#include "runtime/cl_error.h"

struct clg__kernel {
    clg_context *ctx;
    const char *name;
    cl_kernel kernel;
};

clg_status clg__kernel_create(clg_context *ctx, const char *source, const char *name,
                              const char *options, struct clg__kernel **out)
{
    *out = NULL;
    cl_program program;
    CLG__TRY(clg__program_get(&ctx->programs, source, options, &program));
    struct clg__kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return clg__fail_alloc("a kernel");
    cl_int code;
    kernel->kernel = clCreateKernel(program, name, &code);
    if (code != CL_SUCCESS) {
        free(kernel);
        clg_status status = clg__fail_cl(code, "clCreateKernel");
        return clg__fail_in(status, "%s of %s.cl", name, source);
    }
    kernel->name = name;
    kernel->ctx = clg__context_retain(ctx);
    *out = kernel;
    return CLG_OK;
}

void clg__kernel_destroy(struct clg__kernel *kernel)
{
    if (!kernel)
        return;
    clReleaseKernel(kernel->kernel);
    clg_context_destroy(kernel->ctx);
    free(kernel);
}

static cl_int set_arg(cl_kernel kernel, cl_uint *index, const struct clg__arg *arg)
{
    switch (arg->kind) {
    case CLG__ARG_MEM: {
        cl_ulong offset = arg->mem.offset / 4;
        cl_int code = clSetKernelArg(kernel, (*index)++, sizeof(cl_mem), &arg->mem.object);
        return code != CL_SUCCESS ? code
                                  : clSetKernelArg(kernel, (*index)++, sizeof offset, &offset);
    }
    case CLG__ARG_VALUE:
        return clSetKernelArg(kernel, (*index)++, arg->size, &arg->value);
    case CLG__ARG_STRUCT:
        return clSetKernelArg(kernel, (*index)++, arg->size, arg->pointer);
    case CLG__ARG_LOCAL:
        return clSetKernelArg(kernel, (*index)++, arg->size, NULL);
    }
    return CL_INVALID_VALUE;
}

static clg_status fail_launch(const struct clg__kernel *kernel, const struct clg__grid *grid,
                              cl_int code)
{
    clg_status status = clg__fail_cl(code, "clEnqueueNDRangeKernel");
    return clg__fail_in(status, "%s, global %zu x %zu x %zu, local %zu x %zu x %zu", kernel->name,
                        grid->global[0], grid->global[1], grid->global[2], grid->local[0],
                        grid->local[1], grid->local[2]);
}

clg_status clg__launch(struct clg__stream *stream, struct clg__kernel *kernel,
                       struct clg__grid grid, const struct clg__arg *args, size_t count)
{
    cl_uint index = 0;
    for (size_t i = 0; i < count; i++) {
        cl_int code = set_arg(kernel->kernel, &index, &args[i]);
        if (code != CL_SUCCESS) {
            clg_status status = clg__fail_cl(code, "clSetKernelArg");
            return clg__fail_in(status, "%s, parameter %u", kernel->name, index - 1);
        }
    }
    CLG__TRY(clg__stream_order(stream));
    cl_event event = NULL;
    cl_int code = clEnqueueNDRangeKernel(stream->queue, kernel->kernel, grid.dims, NULL,
                                         grid.global, grid.local[0] ? grid.local : NULL, 0, NULL,
                                         stream->profiling ? &event : NULL);
    if (code != CL_SUCCESS)
        return fail_launch(kernel, &grid, code);
    return event ? clg__profile_add(&stream->ctx->profile, kernel->name, NULL, event) : CLG_OK;
}
