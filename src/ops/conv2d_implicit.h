/* What the directions of implicit_gemm share: its kernels, slices of the sum, tables of taps.
 * The tiles: src/runtime/gpu_tiles.h. */
#ifndef CLG_OPS_CONV2D_IMPLICIT_H
#define CLG_OPS_CONV2D_IMPLICIT_H

#include "clgrad/buffer.h"
#include "ops/conv2d_phase.h"
#include "ops/conv2d_problem.h"
#include "runtime/gpu_tiles.h"

#include "conv2d_implicit_args.clh"

/* Bytes of the slices' matrices; 0 with one slice. */
size_t clg__implicit_parts(const struct clg__gpu_products *size,
                           const struct clg__gpu_tiling *tiling);

/* False with a reason on devices that cannot run the kernels. */
bool clg__implicit_supports(const struct conv2d_args *args, const clg_device_info *device,
                            const char **why_not);

/* -D options of a tile; see clg__gpu_tile_options. */
enum { CLG__IMPLICIT_OPTIONS = CLG__GPU_TILE_OPTIONS + 32 };
void clg__implicit_options(const struct clg__gpu_tiling *tiling, bool limits_registers,
                           const clg_device_info *device, bool channels_last,
                           char text[CLG__IMPLICIT_OPTIONS]);

/* A group of items for each tile, slice and group of channels. */
struct clg__grid clg__implicit_grid(const struct clg__gpu_products *size,
                                    const struct clg__gpu_tiling *tiling);
/* An item for each element of the result. */
struct clg__grid clg__implicit_join_grid(const struct clg__gpu_products *size);

/* Uploads the table. Blocks. */
clg_status clg__implicit_table(clg_context *ctx, const struct implicit_tap *taps, size_t count,
                               clg_buffer **table);

/* ---- Forward and the phases of the input gradient ---- */

enum { CLG__IMPLICIT_PHASES = 64, CLG__IMPLICIT_VECTOR = 4 };

/* The axes of the pixels and taps of y, or of one phase of dx. */
struct clg__implicit_axes {
    struct conv2d_phase rows, columns;
};

/* Forward has one phase, the gradient one for each place in the stride that dx has. */
int clg__implicit_phases(const struct conv2d_args *a, bool forward,
                         struct clg__implicit_axes axes[CLG__IMPLICIT_PHASES]);

/* False with a reason when there are too many phases, or taps of channels for a table or for the
 * device's loops. */
bool clg__implicit_table_fits(const struct conv2d_args *a, bool forward,
                              const clg_device_info *device, const char **why_not);

/* Sizes and strides of the filters of one group; nothing packed yet. */
struct implicit_pack_args clg__implicit_filters(const struct conv2d_args *a, bool forward);

/* The tap number (i, j) of channel c of the gathered tensor. */
struct implicit_tap clg__implicit_tap(const struct conv2d_args *a, bool forward,
                                      const struct clg__implicit_axes *axes, int c, int i, int j);

/* A phase but for the places of its taps and packed filters; one slice. */
struct implicit_phase clg__implicit_phase(const struct conv2d_args *a, bool forward,
                                          const struct clg__implicit_axes *axes, int index);

/* What all phases have in common; one slice, nothing packed, elements. */
struct implicit_args clg__implicit_args(const struct conv2d_args *a, bool forward,
                                        const struct implicit_phase *phases, int count);

/* Whether CLG__IMPLICIT_VECTOR columns from a multiple of it on are a vector in the result. */
bool clg__implicit_has_vectors(const struct implicit_args *g, const struct implicit_phase *f);

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
