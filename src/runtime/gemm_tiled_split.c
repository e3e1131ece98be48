#include <stdlib.h>

#include "base/error.h"
#include "runtime/estimate.h"
#include "runtime/gemm_algorithms.h"

enum { MIN_SPAN = 256, MAX_SLICES = 64 };

/* Slices along k, each of at least MIN_SPAN, that give the device enough groups; 1: not worth it.
 */
static int slices_of(const struct clg__gemm_problem *p, const clg_device_info *device)
{
    struct clg__gemm_tiling t = clg__gemm_tiling(p, device, true);
    if (device->family == CLG_FAMILY_GPU)
        return t.gpu.slices;
    int64_t groups = (int64_t)t.row_blocks * t.panels * p->batch;
    int64_t wanted = 2 * (int64_t)device->compute_units;
    int64_t slices = (wanted + groups - 1) / groups;
    if (slices > p->k / MIN_SPAN)
        slices = p->k / MIN_SPAN;
    slices = slices > MAX_SLICES ? MAX_SLICES : slices;
    return slices > 1 ? clg__gemm_slices(p->k, (int)slices) : 1;
}

static size_t parts_bytes(const struct clg__gemm_problem *p, int slices)
{
    return (size_t)p->m * (size_t)p->n * (size_t)p->batch * (size_t)slices * sizeof(float);
}

static bool supports(const void *problem, const clg_device_info *device, const char **why_not)
{
    if (slices_of(problem, device) == 1) {
        *why_not =
            "the result has enough blocks for the device, or its sums are too short to be cut";
        return false;
    }
    return clg__gemm_tiled_supports(problem, slices_of(problem, device), device, why_not);
}

static size_t workspace(const void *problem, const clg_device_info *device)
{
    return parts_bytes(problem, slices_of(problem, device));
}

static double cost(const void *problem, const clg_device_info *device)
{
    if (device->family == CLG_FAMILY_GPU)
        return clg__gemm_tiling(problem, device, true).gpu.seconds;
    int slices = slices_of(problem, device);
    /* The parts are written once and read once. */
    double bytes = 2 * (double)parts_bytes(problem, slices);
    return clg__gemm_cpu_seconds(problem, device, slices) + bytes / clg__device_bandwidth(device) +
           CLG__LAUNCH_SECONDS;
}

struct state {
    const struct clg__gemm_problem *problem;
    int slices;
    struct clg__gemm_tiles *tiles;
    struct clg__kernel *finish;
};

static void release(void *opaque)
{
    struct state *state = opaque;
    clg__gemm_tiles_destroy(state->tiles);
    clg__kernel_destroy(state->finish);
    free(state);
}

static clg_status prepare(clg_context *ctx, const void *problem, void **out)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return clg__fail_alloc("a matrix product in slices");
    state->problem = problem;
    state->slices = slices_of(problem, &ctx->info);
    clg_status status = clg__gemm_tiles_create(ctx, problem, true, &state->tiles);
    if (status == CLG_OK)
        status = clg__gemm_finish_create(ctx, &state->finish);
    if (status != CLG_OK) {
        release(state);
        return status;
    }
    *out = state;
    return CLG_OK;
}

static clg_status enqueue(void *opaque, struct clg__stream *stream,
                          const struct clg__operands *operands)
{
    struct state *state = opaque;
    struct clg__operands parts = *operands;
    parts.out[0] = operands->workspace;
    CLG__TRY(clg__gemm_tiles_enqueue(state->tiles, stream, &parts, state->slices));
    return clg__gemm_finish_enqueue(state->finish, stream, state->problem, operands,
                                    operands->workspace, state->slices, state->problem->relu);
}

const struct clg__algorithm clg__gemm_tiled_split = {
    .name = "tiled_split",
    .exact = true,
    .fuses_relu = true,
    .supports = supports,
    .workspace = workspace,
    .cost = cost,
    .prepare = prepare,
    .enqueue = enqueue,
    .release = release,
};
