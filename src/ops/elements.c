#include "ops/elements.h"

/* An item of a CPU-like device takes 16 KiB of a tensor, enough that starting it costs little, and
 * more when there would be more items than keep all units evenly busy. */
enum { LANES = 16, LEAST_OWN = 4096, ITEMS_PER_UNIT = 32 };
/* One of a GPU-like device takes a vector. */
enum { GPU_LANES = 4 };

int clg__elements_lanes(const clg_context *ctx)
{
    return ctx->info.family == CLG_FAMILY_GPU ? GPU_LANES : LANES;
}

const char *clg__elements_options(const clg_context *ctx)
{
    return ctx->info.family == CLG_FAMILY_GPU ? "-DLANES=4" : "-DLANES=16";
}

struct clg__elements clg__elements_of(const clg_context *ctx, int64_t count, int tensors)
{
    if (ctx->info.family == CLG_FAMILY_GPU)
        return (struct clg__elements){
            .arg = {(cl_int)count, GPU_LANES, 0},
            .grid = clg__grid_many(&ctx->info, (count + GPU_LANES - 1) / GPU_LANES)};
    int64_t own = count / (ITEMS_PER_UNIT * (int64_t)ctx->info.compute_units) / LANES * LANES;
    own = own < LEAST_OWN ? LEAST_OWN : own;
    uint64_t bytes = (uint64_t)count * (uint64_t)tensors * sizeof(float);
    return (struct clg__elements){
        .arg = {(cl_int)count, (cl_int)own, bytes > ctx->info.global_cache},
        .grid = {1, {(size_t)((count + own - 1) / own)}, {1}}};
}
