#include "ops/conv2d_implicit.h"

#include <stdio.h>

#include "base/error.h"
#include "ops/conv2d_cost.h"
#include "ops/plan.h"

enum {
    MAX_SLICES = 128,
    LEAST_SPAN = 128,  /* so that a slice pays for its matrix */
    GROUPS_A_UNIT = 2, /* to keep a unit busy while a group waits at its barrier */
    PAD = 4            /* of a row in local memory: PITCH in gpu_tile.clh */
};

/* Larger tiles read less memory for each product; smaller ones fit small results. The fractions of
 * the peak are those of a typical GPU. */
static const struct tile {
    int m, n, micro, depth;
    double fraction;
} tiles[] = {
    {128, 128, 8, 8, 0.65},
    {64, 64, 4, 16, 0.45},
    {32, 128, 4, 16, 0.45},
};

enum { TILES = sizeof tiles / sizeof tiles[0] };

static int items_of(const struct tile *tile)
{
    return tile->m / tile->micro * (tile->n / tile->micro);
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static struct clg__implicit_tiling tiling_with(const struct clg__implicit_size *size,
                                               const clg_device_info *device, int index)
{
    const struct tile *tile = &tiles[index];
    struct clg__implicit_tiling t = {.tile = index,
                                     .tile_m = tile->m,
                                     .tile_n = tile->n,
                                     .depth = tile->depth,
                                     .items = items_of(tile)};
    int64_t count =
        divide_up(size->rows, tile->m) * divide_up(size->columns, tile->n) * (int64_t)size->groups;
    int64_t units = device->compute_units > 0 ? device->compute_units : 1;
    int64_t slices = divide_up(GROUPS_A_UNIT * units, count);
    if (slices > size->depth / LEAST_SPAN)
        slices = size->depth / LEAST_SPAN;
    if (size->longest_span > 0 && slices < size->depth / size->longest_span)
        slices = divide_up(size->depth, size->longest_span);
    slices = slices < 1 ? 1 : slices > MAX_SLICES ? MAX_SLICES : slices;
    t.span = clg__implicit_up(divide_up(size->depth, slices), tile->depth);
    t.slices = size->depth > 0 ? (int)divide_up(size->depth, t.span) : 1;
    double busy = (double)(count * t.slices) / (double)units;
    double flop = 2.0 * (double)count * tile->m * tile->n * (double)size->depth;
    t.seconds = clg__conv2d_seconds(device, flop, tile->fraction * (busy < 1 ? busy : 1), 1);
    if (t.slices > 1)
        t.seconds += CLG__LAUNCH_SECONDS +
                     2 * (double)clg__implicit_parts(size, &t) / clg__device_bandwidth(device);
    return t;
}

struct clg__implicit_tiling clg__implicit_tiling(const struct clg__implicit_size *size,
                                                 const clg_device_info *device)
{
    struct clg__implicit_tiling best = tiling_with(size, device, 0);
    for (int i = 1; i < TILES; i++) {
        struct clg__implicit_tiling other = tiling_with(size, device, i);
        if (other.seconds < best.seconds)
            best = other;
    }
    return best;
}

size_t clg__implicit_parts(const struct clg__implicit_size *size,
                           const struct clg__implicit_tiling *tiling)
{
    return tiling->slices > 1 ? (size_t)tiling->slices * (size_t)size->groups * (size_t)size->rows *
                                    (size_t)size->columns * sizeof(float)
                              : 0;
}

bool clg__implicit_supports(const struct conv2d_args *args, const clg_device_info *device,
                            const char **why_not)
{
    if (!clg__conv2d_meets(args, device, CLG__ON_GPU, why_not))
        return false;
    for (int i = 0; i < TILES; i++) {
        const struct tile *tile = &tiles[i];
        size_t items = (size_t)items_of(tile);
        size_t local = 2 * sizeof(float) * (size_t)(tile->depth * (tile->m + tile->n + 2 * PAD));
        *why_not = "the device's work-groups or its local memory are too small";
        if (items > device->max_work_group_size || items > device->max_work_item_sizes[0] ||
            local > device->local_memory)
            return false;
    }
    return true;
}

void clg__implicit_options(const struct clg__implicit_tiling *tiling, int channels_last,
                           char text[CLG__IMPLICIT_OPTIONS])
{
    snprintf(text, CLG__IMPLICIT_OPTIONS,
             "-DTILE_M=%d -DTILE_N=%d -DMICRO=%d -DDEPTH=%d -DCHANNELS_LAST=%d", tiling->tile_m,
             tiling->tile_n, tiles[tiling->tile].micro, tiling->depth, channels_last != 0);
}

struct clg__grid clg__implicit_grid(const struct clg__implicit_size *size,
                                    const struct clg__implicit_tiling *tiling)
{
    size_t items = (size_t)tiling->items;
    return (struct clg__grid){3,
                              {(size_t)divide_up(size->columns, tiling->tile_n) * items,
                               (size_t)divide_up(size->rows, tiling->tile_m),
                               (size_t)size->groups * (size_t)tiling->slices},
                              {items, 1, 1}};
}

struct clg__grid clg__implicit_join_grid(const struct clg__implicit_size *size)
{
    struct clg__grid grid = clg__grid_2d(size->columns, size->rows);
    grid.dims = 3;
    grid.global[2] = (size_t)size->groups;
    grid.local[2] = 1;
    return grid;
}

clg_status clg__implicit_table(clg_context *ctx, const struct implicit_tap *taps, size_t count,
                               clg_buffer **table)
{
    CLG__TRY(clg_buffer_create(ctx, count * sizeof *taps, table));
    return clg_buffer_upload(*table, 0, count * sizeof *taps, taps, NULL);
}
