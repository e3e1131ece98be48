/* What the directions of implicit_gemm share: the choice of a tile, its kernels, slices of the sum.
 * The kernels: kernels_cl/gpu_tile.clh and its users. */
#ifndef CLG_OPS_CONV2D_IMPLICIT_H
#define CLG_OPS_CONV2D_IMPLICIT_H

#include "clgrad/buffer.h"
#include "ops/conv2d_problem.h"

#include "conv2d_implicit_args.clh"

/* A product as the tiles see it. */
struct clg__implicit_size {
    int groups, rows, columns;
    int64_t depth;
    int longest_span; /* of a slice of the sum, for its rounding; 0: any */
};

struct clg__implicit_tiling {
    int tile; /* which one */
    int tile_m, tile_n, depth, items;
    int slices, span;
    double seconds; /* by estimate */
};

/* The tile and the slices that take the least time. */
struct clg__implicit_tiling clg__implicit_tiling(const struct clg__implicit_size *size,
                                                 const clg_device_info *device);

/* Bytes of the slices' matrices; 0 with one slice. */
size_t clg__implicit_parts(const struct clg__implicit_size *size,
                           const struct clg__implicit_tiling *tiling);

/* False with a reason on devices that cannot run the kernels. */
bool clg__implicit_supports(const struct conv2d_args *args, const clg_device_info *device,
                            const char **why_not);

/* -D options of a tile. */
enum { CLG__IMPLICIT_OPTIONS = 128 };
void clg__implicit_options(const struct clg__implicit_tiling *tiling, int channels_last,
                           char text[CLG__IMPLICIT_OPTIONS]);

/* A group of items for each tile, slice and group of channels. */
struct clg__grid clg__implicit_grid(const struct clg__implicit_size *size,
                                    const struct clg__implicit_tiling *tiling);
/* An item for each element of the result. */
struct clg__grid clg__implicit_join_grid(const struct clg__implicit_size *size);

/* Uploads the table. Blocks. */
clg_status clg__implicit_table(clg_context *ctx, const struct implicit_tap *taps, size_t count,
                               clg_buffer **table);

/* The entry that fills up a block. */
static inline struct implicit_tap clg__implicit_no_tap(void)
{
    return (struct implicit_tap){0, IMPLICIT_OUTSIDE, 0, -1};
}

static inline int clg__implicit_up(int64_t value, int step)
{
    return (int)((value + step - 1) / step * step);
}

#endif
