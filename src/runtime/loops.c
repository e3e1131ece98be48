#include "runtime/loops.h"

#include "runtime/buffer.h"
#include "runtime/cl_error.h"
#include "runtime/kernel.h"
#include "runtime/queue.h"

/* The steps of the generator that lead from `start` to `end`; `most` if none of fewer do. */
static uint32_t steps_between(uint32_t start, uint32_t end, uint32_t most)
{
    uint32_t steps = 0;
    for (; steps < most && start != end; steps++)
        start = start * 1664525u + 1013904223u;
    return steps;
}

static clg_status run(clg_context *ctx, cl_command_queue queue, clg_buffer *state,
                      struct clg__kernel *kernel, uint32_t start, int steps, uint32_t *end)
{
    /* Apart from the context's queue, which may be the caller's, and its profile. */
    struct clg__stream stream = {.ctx = ctx, .queue = queue};
    const struct clg__mem mem = clg__buffer_mem(state);
    const struct clg__grid one = {1, {1}, {1}};
    CLG__TRY(CLG__LAUNCH(&stream, kernel, one, clg__arg_mem(mem), clg__arg_int(start),
                         clg__arg_int(steps)));
    CLG__TRY_CL(clEnqueueReadBuffer(queue, mem.object, CL_TRUE, mem.offset, sizeof *end, end, 0,
                                    NULL, NULL),
                "clEnqueueReadBuffer");
    return CLG_OK;
}

clg_status clg__loops_measure(clg_context *ctx, uint32_t *longest)
{
    enum { START = 12345, STEPS = 1 << 17 };
    cl_command_queue queue = NULL;
    clg_buffer *state = NULL;
    struct clg__kernel *kernel = NULL;
    uint32_t end = START;
    *longest = 0;
    clg_status status = clg__queue_create(ctx, &queue);
    if (status == CLG_OK)
        status = clg_buffer_create(ctx, sizeof end, &state);
    if (status == CLG_OK)
        status = clg__kernel_create(ctx, "loop_count", "loop_count", "", &kernel);
    if (status == CLG_OK)
        status = run(ctx, queue, state, kernel, START, STEPS, &end);
    if (status == CLG_OK) {
        uint32_t steps = steps_between(START, end, STEPS);
        *longest = steps < STEPS ? steps : 0;
    }
    clg__kernel_destroy(kernel);
    clg_buffer_destroy(state);
    clg__queue_destroy(queue);
    return status;
}

clg_status clg__loops_init(clg_context *ctx)
{
    /* Graphics drivers that run on the processor. Others do not compile a kernel more for it. */
    const bool suspect = ctx->info.type == CLG_DEVICE_CPU && ctx->info.vector_width_float <= 1;
    return suspect ? clg__loops_measure(ctx, &ctx->info.longest_loop) : CLG_OK;
}
