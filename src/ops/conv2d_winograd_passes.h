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

struct clg__winograd_passes clg__winograd_passes(const struct conv2d_args *args,
                                                 clg_conv2d_direction direction, int tile,
                                                 const clg_device_info *device);

bool clg__winograd_passes_supports(const struct conv2d_args *args, clg_conv2d_direction direction,
                                   int tile, const clg_device_info *device, const char **why_not);

/* Seconds: the products, and what the passes move, every matrix once each way. */
double clg__winograd_passes_cost(const struct clg__winograd_passes *passes,
                                 const clg_device_info *device);

/* The product for so many tiles. */
clg_status clg__winograd_passes_product(clg_context *ctx, const struct clg__winograd_passes *passes,
                                        int tiles, struct clg__gemm **gemm);

/* An item for each channel and tile. */
static inline struct clg__grid clg__winograd_passes_grid(bool channels_last, int channels,
                                                         int tiles)
{
    return channels_last ? clg__grid_2d(channels, tiles) : clg__grid_2d(tiles, channels);
}

#endif
