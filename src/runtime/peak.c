#include "runtime/peak.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "runtime/kernel.h"
#include "runtime/timing.h"

enum { FMA, COPY, STREAMING_COPY, NUM_KERNELS };

struct clg__peak {
    clg_context *ctx;
    int lanes, chains;
    size_t group;  /* work-items of a group */
    size_t groups; /* that keep the device busy and its units evenly so */
    struct clg__kernel *kernels[NUM_KERNELS];
};

/* A CPU's vector registers as OpenCL's vector types have them; what a GPU's item loads at once. */
static int lanes_of(const clg_device_info *device)
{
    if (device->family == CLG_FAMILY_GPU)
        return 4;
    return device->vector_width_float >= 16 ? 16 : device->vector_width_float >= 8 ? 8 : 4;
}

clg_status clg__peak_create(clg_context *ctx, struct clg__peak **out)
{
    static const struct {
        const char *name, *options;
    } kernels[NUM_KERNELS] = {{"peak_fma", ""}, {"peak_copy", ""}, {"peak_copy", " -DSTREAM=1"}};
    *out = NULL;
    struct clg__peak *peak = calloc(1, sizeof *peak);
    if (!peak)
        return clg__fail_alloc("a measurement of the device");
    bool gpu = ctx->info.family == CLG_FAMILY_GPU;
    peak->ctx = clg__context_retain(ctx);
    peak->lanes = lanes_of(&ctx->info);
    peak->chains = gpu ? 4 : 12;
    peak->group = !gpu ? 1 : ctx->info.max_work_group_size < 256 ? 64 : 256;
    peak->groups = 64 * (size_t)ctx->info.compute_units;
    for (int i = 0; i < NUM_KERNELS; i++) {
        char options[64];
        snprintf(options, sizeof options, "-DLANES=%d -DCHAINS=%d%s", peak->lanes, peak->chains,
                 kernels[i].options);
        clg_status status =
            clg__kernel_create(ctx, "bench_peak", kernels[i].name, options, &peak->kernels[i]);
        if (status != CLG_OK) {
            clg__peak_destroy(peak);
            return status;
        }
    }
    *out = peak;
    return CLG_OK;
}

void clg__peak_destroy(struct clg__peak *peak)
{
    if (!peak)
        return;
    for (int i = 0; i < NUM_KERNELS; i++)
        clg__kernel_destroy(peak->kernels[i]);
    clg_context_destroy(peak->ctx);
    free(peak);
}

/* One measured run: some launches of one kernel. */
struct run {
    struct clg__peak *peak;
    int kernel, launches;
    size_t groups;
    struct clg__mem to, from;
    int64_t steps;               /* of peak_fma */
    int64_t count, own, repeats; /* of peak_copy, in vectors */
};

static clg_status enqueue_run(void *subject)
{
    const struct run *run = subject;
    struct clg__kernel *kernel = run->peak->kernels[run->kernel];
    size_t items = run->groups * run->peak->group;
    const struct clg__grid grid = {1, {items}, {run->peak->group}};
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, run->peak->ctx, NULL, 0));
    clg_status status = CLG_OK;
    for (int i = 0; i < run->launches && status == CLG_OK; i++) {
        /* The factor and the term keep sums near 1, far from slow denormal numbers. */
        if (run->kernel == FMA)
            status =
                CLG__LAUNCH(&stream, kernel, grid, clg__arg_mem(run->to), clg__arg_int(run->steps),
                            clg__arg_float(0.5), clg__arg_float(0.5));
        else
            status = CLG__LAUNCH(
                &stream, kernel, grid, clg__arg_mem(run->to), clg__arg_mem(run->from),
                clg__arg_int(run->count), clg__arg_int(run->own),
                clg__arg_int(run->own == 1 ? (int64_t)items : 1), clg__arg_int(run->repeats));
    }
    return clg__stream_end(&stream, status);
}

/* The shortest of the times. */
static clg_status shortest(struct run *run, double seconds, double *least)
{
    struct clg__times times = {.count = 0};
    CLG__TRY(clg__time(run->peak->ctx, seconds, enqueue_run, run, &times));
    *least = clg__summarise(&times).min;
    return CLG_OK;
}

/* A launch should take so long that what it costs itself does not matter. */
static clg_status find_steps(struct run *run)
{
    static const double long_enough = 4e-3;
    struct clg__times times = {.count = 0};
    for (run->steps = 16;; run->steps *= 2) {
        times.count = 0;
        CLG__TRY(clg__time_once(run->peak->ctx, enqueue_run, run, &times));
        if (times.seconds[0] >= long_enough || run->steps >= 1 << 26)
            return CLG_OK;
    }
}

clg_status clg__peak_fma(struct clg__peak *peak, double seconds, double *flops)
{
    struct run run = {.peak = peak, .kernel = FMA, .launches = 1, .groups = peak->groups};
    double lanes = (double)(peak->groups * peak->group) * peak->lanes, least = 0;
    clg_buffer *y;
    CLG__TRY(clg_buffer_create(peak->ctx, (size_t)lanes * sizeof(float), &y));
    run.to = clg__buffer_mem(y);
    clg_status status = find_steps(&run);
    if (status == CLG_OK)
        status = shortest(&run, seconds, &least);
    clg_buffer_destroy(y);
    if (status == CLG_OK)
        *flops = 2 * lanes * peak->chains * (double)run.steps / least;
    return status;
}

/* Makes the two buffers, of as many vectors as the run's items copy, and measures both kernels. */
static clg_status copy_rate(struct run *run, double seconds, double *rate)
{
    size_t vectors = run->groups * run->peak->group * (size_t)run->count;
    size_t bytes = vectors * (size_t)run->peak->lanes * sizeof(float);
    double moved = 2.0 * (double)bytes * (double)run->repeats * run->launches;
    clg_context *ctx = run->peak->ctx;
    clg_buffer *to = NULL, *from = NULL;
    const float one = 1;
    *rate = 0;
    clg_status status;
    CLG__TRY_GOTO(clg_buffer_create(ctx, bytes, &to));
    CLG__TRY_GOTO(clg_buffer_create(ctx, bytes, &from));
    CLG__TRY_GOTO(clg_buffer_fill(to, 0, bytes, &one, sizeof one, NULL));
    CLG__TRY_GOTO(clg_buffer_fill(from, 0, bytes, &one, sizeof one, NULL));
    run->to = clg__buffer_mem(to);
    run->from = clg__buffer_mem(from);
    for (run->kernel = COPY; run->kernel <= STREAMING_COPY; run->kernel++) {
        double least;
        CLG__TRY_GOTO(shortest(run, seconds / 2, &least));
        *rate = moved / least > *rate ? moved / least : *rate;
    }
fail:
    clg_buffer_destroy(to);
    clg_buffer_destroy(from);
    return status;
}

clg_status clg__peak_copy(struct clg__peak *peak, size_t bytes, int runs, double seconds,
                          double *rate)
{
    struct run run = {
        .peak = peak, .launches = runs, .groups = peak->groups, .repeats = 1, .count = 1};
    size_t vector = (size_t)peak->lanes * sizeof(float);
    size_t vectors = bytes / 2 / vector;
    /* Fewer groups when there is little to copy: one vector an item is no work on a CPU. */
    size_t least = peak->group == 1 ? 64 : 1;
    while (run.groups > 1 && run.groups * peak->group * least > vectors)
        run.groups /= 2;
    size_t items = run.groups * peak->group;
    run.count = (int64_t)(vectors / items > 0 ? vectors / items : 1);
    run.own = peak->group == 1 ? run.count : 1;
    return copy_rate(&run, seconds, rate);
}

clg_status clg__peak_cached_copy(struct clg__peak *peak, double seconds, double *rate)
{
    enum { PART = 64 * 1024, REPEATS = 512, GPU_LAUNCHES = 32 };
    const clg_device_info *device = &peak->ctx->info;
    size_t vector = (size_t)peak->lanes * sizeof(float);
    struct run run = {.peak = peak, .launches = 1};
    if (peak->group == 1) {
        run.groups = 16 * (size_t)device->compute_units;
        run.repeats = REPEATS;
        run.count = run.own = (int64_t)(PART / vector);
        return copy_rate(&run, seconds, rate);
    }
    size_t cache = device->global_cache ? (size_t)device->global_cache : 1024 * 1024;
    size_t items = peak->groups * peak->group;
    run.groups = peak->groups;
    run.launches = GPU_LAUNCHES;
    run.repeats = run.own = 1;
    run.count = (int64_t)(cache / 4 / vector / items);
    run.count = run.count ? run.count : 1;
    return copy_rate(&run, seconds, rate);
}

size_t clg__peak_uncached_bytes(const clg_device_info *device)
{
    uint64_t bytes = 64 * 1024 * 1024;
    if (bytes < 8 * device->global_cache)
        bytes = 8 * device->global_cache;
    uint64_t most = device->global_memory / 4;
    most = most < device->max_allocation ? most : device->max_allocation;
    return (size_t)(bytes < most ? bytes : most);
}
