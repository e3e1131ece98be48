#include "ops/conv2d_implicit.h"

#include <stdio.h>

#include "base/error.h"
#include "ops/plan.h"

size_t clg__implicit_parts(const struct clg__gpu_products *size,
                           const struct clg__gpu_tiling *tiling)
{
    return tiling->slices > 1 ? (size_t)tiling->slices * (size_t)size->results *
                                    (size_t)size->rows * (size_t)size->columns * sizeof(float)
                              : 0;
}

bool clg__implicit_supports(const struct conv2d_args *args, const clg_device_info *device,
                            const char **why_not)
{
    enum { TAPS = IMPLICIT_MAX_TAPS * sizeof(struct implicit_tap) }; /* in local memory, at most */
    if (!clg__conv2d_meets(args, device, CLG__ON_GPU, why_not))
        return false;
    *why_not = "the device's work-groups or its local memory are too small";
    return clg__gpu_tiles_fit(device, TAPS);
}

void clg__implicit_options(const struct clg__gpu_tiling *tiling, bool limits_registers,
                           const clg_device_info *device, bool channels_last,
                           char text[CLG__IMPLICIT_OPTIONS])
{
    char tile[CLG__GPU_TILE_OPTIONS];
    clg__gpu_tile_options(tiling, limits_registers, device, tile);
    snprintf(text, CLG__IMPLICIT_OPTIONS, "%s -DCHANNELS_LAST=%d", tile, channels_last);
}

struct clg__grid clg__implicit_grid(const struct clg__gpu_products *size,
                                    const struct clg__gpu_tiling *tiling)
{
    size_t items = (size_t)tiling->items;
    size_t across = ((size_t)size->columns + (size_t)tiling->tile_n - 1) / (size_t)tiling->tile_n;
    size_t down = ((size_t)size->rows + (size_t)tiling->tile_m - 1) / (size_t)tiling->tile_m;
    return (struct clg__grid){
        3, {across * items, down, (size_t)size->results * (size_t)tiling->slices}, {items, 1, 1}};
}

struct clg__grid clg__implicit_join_grid(const struct clg__gpu_products *size)
{
    struct clg__grid grid = clg__grid_2d(size->columns, size->rows);
    grid.dims = 3;
    grid.global[2] = (size_t)size->results;
    grid.local[2] = 1;
    return grid;
}

clg_status clg__implicit_table(clg_context *ctx, const struct implicit_tap *taps, size_t count,
                               clg_buffer **table)
{
    CLG__TRY(clg_buffer_create(ctx, count * sizeof *taps, table));
    return clg_buffer_upload(*table, 0, count * sizeof *taps, taps, NULL);
}
