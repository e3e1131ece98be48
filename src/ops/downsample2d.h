/* downsample2d on plain memory, inside other operations. */
#ifndef CLG_OPS_DOWNSAMPLE2D_H
#define CLG_OPS_DOWNSAMPLE2D_H

#include "ops/planes.h"

/* ceil(size / stride) */
int64_t clg__downsample2d_size(int64_t size, int64_t stride);

/* y is y_h x y_w: at most clg__downsample2d_size, what is more of x is left out. Enqueue with
 * clg__planes_map_enqueue. */
clg_status clg__downsample2d_create(clg_context *ctx, const struct clg__planes *x,
                                    const int64_t stride[2], int64_t y_h, int64_t y_w,
                                    struct clg__planes_map **map);

#endif
