/* pad2d on plain memory, inside other operations. */
#ifndef CLG_OPS_PAD2D_H
#define CLG_OPS_PAD2D_H

#include "clgrad/pad_mode.h"
#include "ops/planes.h"

struct clg__pad2d {
    struct clg__planes x;
    int64_t pad[4]; /* top, left, bottom, right; negative crops */
    clg_pad_mode mode;
    float value; /* of CLG_PAD_CONSTANT */
};

/* y (or dy) is [planes, top + h + bottom, left + w + right, inner]; both directions are enqueued
 * with clg__planes_map_enqueue. Checked padding only. */
clg_status clg__pad2d_forward_create(clg_context *ctx, const struct clg__pad2d *p,
                                     struct clg__planes_map **map);
clg_status clg__pad2d_backward_create(clg_context *ctx, const struct clg__pad2d *p,
                                      struct clg__planes_map **map);

#endif
