/* The tiles that matrix products are cut into on GPU-like devices, and the choice among them. The
 * kernels: those that include kernels_cl/gpu_tile.clh. */
#ifndef CLG_RUNTIME_GPU_TILES_H
#define CLG_RUNTIME_GPU_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clgrad/device.h"

/* Products of one size, as tiles see them. */
struct clg__gpu_products {
    int64_t count;   /* that take as long as the longest one */
    int64_t results; /* matrices that they give, empty products' too */
    int64_t rows, columns, depth;
    int64_t longest_span; /* of a slice of the sum, for its rounding; 0: any */
    bool whole;           /* not in slices */
};

struct clg__gpu_tiling {
    int tile_m, tile_n, micro_m, micro_n, depth, items;
    int slices, span;
    double seconds; /* by estimate, the joining of the slices included */
};

/* The tile and the slices of the sum that take the least time. */
struct clg__gpu_tiling clg__gpu_tiling(const struct clg__gpu_products *products,
                                       const clg_device_info *device);

/* Whether the device runs all of the tiles, with so many bytes of local memory beside them. */
bool clg__gpu_tiles_fit(const clg_device_info *device, size_t more_local);

/* -D options of a tile. limits_registers: for kernels that want a few more than leave room for
 * another group; they honour ANY_GROUP. */
enum { CLG__GPU_TILE_OPTIONS = 160 };
void clg__gpu_tile_options(const struct clg__gpu_tiling *tiling, bool limits_registers,
                           const clg_device_info *device, char text[CLG__GPU_TILE_OPTIONS]);

#endif
