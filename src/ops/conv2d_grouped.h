/* What the directions of the grouped algorithm for CPU-like devices share: how groups form blocks.
 */
#ifndef CLG_OPS_CONV2D_GROUPED_H
#define CLG_OPS_CONV2D_GROUPED_H

#include "conv2d_grouped_args.clh"
#include "ops/conv2d_problem.h"

/* `inputs` and `outputs` are those of a group. */
struct conv2d_grouped_blocks clg__conv2d_grouped_blocks(int groups, int inputs, int outputs,
                                                        const clg_device_info *device);

/* Floats from one pixel to the next in the copy of the input. */
int clg__conv2d_grouped_cell(const struct conv2d_grouped_blocks *blocks);

/* The definitions that the kernels need, behind one another. */
void clg__conv2d_grouped_options(const struct conv2d_grouped_blocks *blocks, const char *name,
                                 int value, char *options, size_t size);

/* What no direction does. */
bool clg__conv2d_grouped_supports(const struct conv2d_args *args, const clg_device_info *device,
                                  const char **why_not);

#endif
