/* dilate2d on plain memory, inside other operations. */
#ifndef CLG_OPS_DILATE2D_H
#define CLG_OPS_DILATE2D_H

#include "ops/planes.h"

/* (size - 1) stride + 1 */
int64_t clg__dilate2d_size(int64_t size, int64_t stride);

/* y is y_h x y_w: at least clg__dilate2d_size, what is more is zeros at the end. Enqueue with
 * clg__planes_map_enqueue. */
clg_status clg__dilate2d_create(clg_context *ctx, const struct clg__planes *x,
                                const int64_t stride[2], int64_t y_h, int64_t y_w,
                                struct clg__planes_map **map);

#endif
