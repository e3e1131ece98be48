/*
 * Winograd convolution in passes, for GPU-like devices: what its directions share. Both factors of
 * a convolution are transformed to matrices in the workspace, a batch of products (runtime/gemm.h)
 * multiplies them point by point, and the result is transformed back. forward and dx multiply the
 * transformed filter and input; dw those of dy and x.
 */
#ifndef CLG_OPS_CONV2D_WINOGRAD_PASSES_H
#define CLG_OPS_CONV2D_WINOGRAD_PASSES_H

#include "ops/conv2d_winograd.h"

#include "conv2d_winograd_passes_args.clh"
#include "ops/plan.h"
#include "runtime/gemm.h"

struct clg__winograd_passes {
    int tile, points;
    clg_conv2d_direction direction;
    bool input_last, output_last; /* channels of args' input and output */
    struct winograd_passes_args args;
    int tiles, chunk; /* of all images; at a time, so that the matrices stay small */
    /* Bytes in the workspace: the product's own comes first, then the matrices. The factor is the
     * filter's transform, or dy's. */
    size_t factor_at, input_at, product_at, end;
};

/* A factor's transform, the input's, and that of the products to the result. */
enum { CLG__WINOGRAD_FACTOR, CLG__WINOGRAD_INPUT, CLG__WINOGRAD_RESULT };

struct clg__winograd_passes_state {
    struct clg__kernels kernels;
    struct clg__winograd_passes layout;
    struct clg__gemm *full, *rest; /* for a full chunk of tiles and for what is left */
};

/* What CLG__WINOGRAD_FUNCTIONS expects. */
bool clg__winograd_passes_supports(const struct conv2d_args *args, clg_conv2d_direction direction,
                                   int tile, const clg_device_info *device, const char **why_not);
size_t clg__winograd_passes_workspace(const struct conv2d_args *args,
                                      clg_conv2d_direction direction, int tile,
                                      const clg_device_info *device);
double clg__winograd_passes_cost(const struct conv2d_args *args, clg_conv2d_direction direction,
                                 int tile, const clg_device_info *device);
clg_status clg__winograd_passes_prepare(clg_context *ctx, const struct conv2d_args *args,
                                        clg_conv2d_direction direction, int tile, void **state);
void clg__winograd_passes_release(void *state);

/* The product for a chunk of so many tiles. */
static inline struct clg__gemm *
clg__winograd_passes_product(const struct clg__winograd_passes_state *state, int tiles)
{
    return tiles == state->layout.chunk ? state->full : state->rest;
}

/* An item for each channel and tile. */
static inline struct clg__grid clg__winograd_passes_grid(bool channels_last, int channels,
                                                         int tiles)
{
    return channels_last ? clg__grid_2d(channels, tiles) : clg__grid_2d(tiles, channels);
}

#endif
