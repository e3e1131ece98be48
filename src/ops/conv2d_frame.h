/*
 * What a convolution plan does around an algorithm: padding other than zeros becomes a padded copy
 * of x and zero padding; a layout that the algorithm does not speak is changed on the way in and
 * out. So an algorithm sees zero padding and a layout of its choice, and each caller's layout and
 * padding mode works with every algorithm.
 */
#ifndef CLG_OPS_CONV2D_FRAME_H
#define CLG_OPS_CONV2D_FRAME_H

#include "ops/channel_sum.h"
#include "ops/conv2d_problem.h"

enum { CLG__CONV2D_VARIANTS = 3 };

/* The forms of one problem: the caller's layouts, all NCHW, all NHWC; `count` different ones. */
struct clg__conv2d_variants {
    size_t count;
    struct conv2d_args args[CLG__CONV2D_VARIANTS];
};

struct clg__conv2d_variants clg__conv2d_variants(const struct conv2d_args *args);

/* One direction, ready to run. */
struct clg__conv2d_road;

struct clg__conv2d_road_desc {
    clg_conv2d_direction direction;
    const clg_conv2d_desc *desc;
    const struct clg__conv2d_variants *variants; /* outlives the road */
    struct clg__channel_sum *accumulate;         /* of the result's shape; unused for filters */
};

/* What the chosen algorithm would take, layout changes included. desc->accumulate is not used.
 * Errors: those of clg__select_forecast. */
clg_status clg__conv2d_road_forecast(clg_context *ctx, const struct clg__conv2d_road_desc *desc,
                                     struct clg__forecast *forecast);

clg_status clg__conv2d_road_create(clg_context *ctx, const struct clg__conv2d_road_desc *desc,
                                   struct clg__conv2d_road **road);
void clg__conv2d_road_destroy(struct clg__conv2d_road *road); /* NULL is allowed */

const char *clg__conv2d_road_algorithm(const struct clg__conv2d_road *road);
size_t clg__conv2d_road_workspace(const struct clg__conv2d_road *road); /* bytes */
struct clg__forecast clg__conv2d_road_seconds(const struct clg__conv2d_road *road);
/* Whether a filter gradient takes db as out[1], too. */
bool clg__conv2d_road_sums_bias(const struct clg__conv2d_road *road);

/* Operands as in conv2d_problem.h, in the caller's layouts, unpadded; the workspace holds the
 * road's bytes. */
clg_status clg__conv2d_road_run(struct clg__conv2d_road *road, struct clg__stream *stream,
                                const struct clg__operands *operands);

#endif
