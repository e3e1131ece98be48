/* The algorithms of the matrix product, one file each. */
#ifndef CLG_RUNTIME_GEMM_ALGORITHMS_H
#define CLG_RUNTIME_GEMM_ALGORITHMS_H

#include "gemm.clh"
#include "runtime/gemm.h"
#include "runtime/gpu_tiles.h"

_Static_assert((int)CLG__GEMM_BIAS_COLUMNS == GEMM_BIAS_COLUMNS &&
                   (int)CLG__GEMM_BIAS_ROWS == GEMM_BIAS_ROWS,
               "host and kernels agree on the kinds of bias");

/* CLBlast: for GPU-like devices; on CPU-like ones it runs too, many times slower. */
extern const struct clg__algorithm clg__gemm_clblast;
/* Our kernels, one work-group for each block of C. Takes everything, needs no workspace. */
extern const struct clg__algorithm clg__gemm_tiled;
/* The same kernels with the sums over k cut into slices, for a C of too few blocks to keep the
 * device busy. */
extern const struct clg__algorithm clg__gemm_tiled_split;

/* ---- The kernel that tiled and tiled_split share ---- */

/* How C is cut up for a device. */
struct clg__gemm_tiling {
    int tile_rows, tile_columns; /* what one pass over k computes */
    int rows_per_group;
    int vectors;                /* CPU-like: of 16 columns */
    int depth;                  /* CPU-like: rows of a packed block */
    int row_blocks, panels;     /* groups down and across */
    double cycles;              /* CPU-like: by estimate */
    struct clg__gpu_tiling gpu; /* GPU-like */
};

/* split: for a product in slices. */
struct clg__gemm_tiling clg__gemm_tiling(const struct clg__gemm_problem *problem,
                                         const clg_device_info *device, bool split);

/* False with a reason when the device cannot run the kernels. */
bool clg__gemm_tiled_supports(const struct clg__gemm_problem *problem, int slices,
                              const clg_device_info *device, const char **why_not);

/* How many slices `k` really falls into when `slices` are asked for: none is empty. */
int clg__gemm_slices(int k, int slices);

/* CPU-like devices: estimated seconds of the product, cut into `slices`, without the joining. */
double clg__gemm_cpu_seconds(const struct clg__gemm_problem *problem, const clg_device_info *device,
                             int slices);

struct clg__gemm_tiles;

clg_status clg__gemm_tiles_create(clg_context *ctx, const struct clg__gemm_problem *problem,
                                  bool split, struct clg__gemm_tiles **tiles);
void clg__gemm_tiles_destroy(struct clg__gemm_tiles *tiles); /* NULL is allowed */

/* The products, or with more than one slice its parts: dense matrices of m rows and n columns, the
 * slices of the first product, then those of the second, and so on, without alpha and bias. */
clg_status clg__gemm_tiles_enqueue(struct clg__gemm_tiles *tiles, struct clg__stream *stream,
                                   const struct clg__operands *operands, int slices);

/* ---- The kernel that ends a product made in parts: gemm_finish.cl ---- */

clg_status clg__gemm_finish_create(clg_context *ctx, struct clg__kernel **kernel);

/* C = (C with accumulate) + bias + alpha (sum of `slices` parts), with relu the larger of that and
 * 0; see gemm_finish.cl. */
clg_status clg__gemm_finish_enqueue(struct clg__kernel *kernel, struct clg__stream *stream,
                                    const struct clg__gemm_problem *problem,
                                    const struct clg__operands *operands, struct clg__mem parts,
                                    int slices, bool relu);

#endif
