/* flip2d on plain memory, inside other operations. */
#ifndef CLG_OPS_FLIP2D_H
#define CLG_OPS_FLIP2D_H

#include "ops/planes.h"

/* y is like x; enqueue with clg__planes_map_enqueue. */
clg_status clg__flip2d_create(clg_context *ctx, const struct clg__planes *x,
                              struct clg__planes_map **map);

#endif
