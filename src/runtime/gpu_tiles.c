#include "runtime/gpu_tiles.h"

#include <math.h>
#include <stdio.h>

#include "runtime/estimate.h"

enum {
    MAX_SLICES = 256,
    LEAST_SPAN = 64,     /* so that a slice pays for its matrix */
    FULL_UNIT = 384,     /* items that keep a unit busy */
    START_PRODUCTS = 24, /* of a sum, what its start and end cost */
    APART = 3,           /* what it takes more to write a phase's elements */
    PAD = 4              /* of a row in local memory: PITCH in gpu_tile.clh */
};

#define SLICE_SECONDS 4e-8 /* for an element of the result to wait for one more */

/* Larger tiles read less memory for each product; smaller ones fit small results. `resident`:
 * groups that a unit has registers for. `fraction`: of the peak, with units full of items. */
static const struct tile {
    int m, n, micro_m, micro_n, depth, resident;
    double fraction;
} tiles[] = {
    {128, 128, 8, 8, 8, 1, 0.55},
    {128, 64, 8, 8, 8, 3, 0.53},
    {64, 128, 8, 8, 8, 3, 0.53},
    {32, 128, 4, 8, 16, 5, 0.5},
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

static int64_t units_of(const clg_device_info *device)
{
    return device->compute_units > 0 ? device->compute_units : 1;
}

/* Seconds that a unit takes for `groups` of its groups at a time. Few items leave it waiting for
 * memory and at barriers. */
static double together(const struct tile *tile, int64_t groups, int64_t span,
                       const clg_device_info *device)
{
    const double peak = clg__device_peak_flops(device) / (double)units_of(device);
    const double full = (double)groups * items_of(tile) / FULL_UNIT;
    const double flop = 2.0 * tile->m * tile->n * (double)(span + START_PRODUCTS);
    return groups == 0
               ? 0
               : (double)groups * flop / (peak * tile->fraction * (full < 1 ? sqrt(full) : 1));
}

/* Seconds of products in `slices` slices of `span`. */
static double seconds_of(const struct clg__gpu_products *p, const struct tile *tile,
                         const clg_device_info *device, int64_t slices, int64_t span)
{
    const int64_t groups =
        divide_up(p->rows, tile->m) * divide_up(p->columns, tile->n) * p->count * slices;
    const int64_t busiest = divide_up(groups, units_of(device)); /* groups of a unit */
    const int64_t resident = tile->resident;
    const double matrix = sizeof(float) * (double)(p->rows * p->columns);
    double seconds =
        CLG__LAUNCH_SECONDS +
        (double)(busiest / resident) * together(tile, resident, span, device) +
        together(tile, busiest % resident, span, device) +
        APART * matrix * (double)(p->results - p->count) / clg__device_bandwidth(device);
    if (slices > 1)
        seconds += 2 * CLG__LAUNCH_SECONDS + (double)slices * SLICE_SECONDS +
                   2 * matrix * (double)(p->results * slices) / clg__device_bandwidth(device);
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

void clg__gpu_tile_options(const struct clg__gpu_tiling *tiling, bool limits_registers,
                           const clg_device_info *device, char text[CLG__GPU_TILE_OPTIONS])
{
    /* A few registers less leave room for another group. */
    bool limit = limits_registers && device->nv_compiler_options;
    snprintf(text, CLG__GPU_TILE_OPTIONS,
             "-DTILE_M=%d -DTILE_N=%d -DMICRO_M=%d -DMICRO_N=%d -DDEPTH=%d%s", tiling->tile_m,
             tiling->tile_n, tiling->micro_m, tiling->micro_n, tiling->depth,
             limit ? " -DANY_GROUP -cl-nv-maxrregcount=128" : "");
}
