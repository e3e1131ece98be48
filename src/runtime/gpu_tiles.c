#include "runtime/gpu_tiles.h"

#include <stdio.h>
#include <string.h>

#include "runtime/estimate.h"

enum {
    MAX_SLICES = 256,
    LEAST_SPAN = 64,     /* so that a slice pays for its matrix */
    FULL_UNIT = 512,     /* items that keep a unit busy */
    START_PRODUCTS = 16, /* of a sum, what its start and end cost */
    PAD = 4              /* of a row in local memory: PITCH in gpu_tile.clh */
};

#define SLICE_SECONDS 4e-8 /* for an element of the result to wait for one more */

/* Larger tiles read less memory for each product; smaller ones fit small results. `fraction` is
 * that of the peak with units full of items. */
static const struct tile {
    int m, n, micro_m, micro_n, depth;
    double fraction;
} tiles[] = {
    {128, 128, 8, 8, 8, 0.62}, {128, 64, 8, 8, 8, 0.58}, {64, 128, 8, 8, 8, 0.58},
    {64, 64, 8, 8, 8, 0.5},    {32, 128, 4, 8, 16, 0.4},
};

enum { TILES = sizeof tiles / sizeof tiles[0] };

static int items_of(const struct tile *tile)
{
    return tile->m / tile->micro_m * (tile->n / tile->micro_n);
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Seconds of a product in `slices` slices of `span`. */
static double seconds_of(const struct clg__gpu_products *p, const struct tile *tile,
                         const clg_device_info *device, int64_t slices, int64_t span)
{
    const int64_t units = device->compute_units > 0 ? device->compute_units : 1;
    const int64_t groups =
        divide_up(p->rows, tile->m) * divide_up(p->columns, tile->n) * p->count * slices;
    const int64_t busiest = divide_up(groups, units); /* groups of a unit */
    const double peak = clg__device_peak_flops(device) / (double)units;
    /* Few items leave a unit waiting for memory and at barriers. */
    const double full = (double)busiest * items_of(tile) / FULL_UNIT;
    const double fraction = tile->fraction * (full < 1 ? 0.5 + full / 2 : 1);
    double flop = 2.0 * tile->m * tile->n * (double)(span + START_PRODUCTS);
    double seconds = (double)busiest * flop / (peak * fraction) + CLG__LAUNCH_SECONDS;
    if (slices > 1) {
        double bytes = 8.0 * (double)(p->rows * p->columns * p->count * slices);
        seconds += CLG__LAUNCH_SECONDS + (double)slices * SLICE_SECONDS +
                   bytes / clg__device_bandwidth(device);
    }
    return seconds;
}

static struct clg__gpu_tiling tiling_with(const struct clg__gpu_products *p,
                                          const struct tile *tile, const clg_device_info *device)
{
    struct clg__gpu_tiling best = {.tile_m = tile->m,
                                   .tile_n = tile->n,
                                   .micro_m = tile->micro_m,
                                   .micro_n = tile->micro_n,
                                   .depth = tile->depth,
                                   .items = items_of(tile)};
    int64_t most = p->whole ? 1 : p->depth / LEAST_SPAN;
    int64_t least = p->longest_span > 0 ? divide_up(p->depth, p->longest_span) : 1;
    most = most > MAX_SLICES ? MAX_SLICES : most;
    least = least < 1 ? 1 : least > MAX_SLICES ? MAX_SLICES : least;
    for (int64_t slices = least; slices == least || slices <= most; slices++) {
        int64_t span = divide_up(divide_up(p->depth, slices), tile->depth) * tile->depth;
        int64_t real = p->depth > 0 ? divide_up(p->depth, span) : 1;
        double seconds = seconds_of(p, tile, device, real, span);
        if (best.slices == 0 || seconds < best.seconds) {
            best.slices = (int)real;
            best.span = (int)span;
            best.seconds = seconds;
        }
    }
    return best;
}

struct clg__gpu_tiling clg__gpu_tiling(const struct clg__gpu_products *products,
                                       const clg_device_info *device)
{
    struct clg__gpu_tiling best = tiling_with(products, &tiles[0], device);
    for (int i = 1; i < TILES; i++) {
        struct clg__gpu_tiling other = tiling_with(products, &tiles[i], device);
        if (other.seconds < best.seconds)
            best = other;
    }
    return best;
}

bool clg__gpu_tiles_fit(const clg_device_info *device, size_t more_local)
{
    for (int i = 0; i < TILES; i++) {
        const struct tile *tile = &tiles[i];
        size_t items = (size_t)items_of(tile);
        size_t local = 2 * sizeof(float) * (size_t)(tile->depth * (tile->m + tile->n + 2 * PAD));
        if (items > device->max_work_group_size || items > device->max_work_item_sizes[0] ||
            local + more_local > device->local_memory)
            return false;
    }
    return true;
}

void clg__gpu_tile_options(const struct clg__gpu_tiling *tiling, const clg_device_info *device,
                           char text[CLG__GPU_TILE_OPTIONS])
{
    /* Its compiler takes a few registers more than leave room for a second group. */
    const char *more = strstr(device->vendor, "NVIDIA") ? " -cl-nv-maxrregcount=128" : "";
    snprintf(text, CLG__GPU_TILE_OPTIONS,
             "-DTILE_M=%d -DTILE_N=%d -DMICRO_M=%d -DMICRO_N=%d -DDEPTH=%d%s", tiling->tile_m,
             tiling->tile_n, tiling->micro_m, tiling->micro_n, tiling->depth, more);
}
