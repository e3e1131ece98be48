/* What the Winograd algorithms share: each file makes two algorithms, for tiles of 4 x 4 and of
 * 2 x 2 outputs. */
#ifndef CLG_OPS_CONV2D_WINOGRAD_H
#define CLG_OPS_CONV2D_WINOGRAD_H

#include "ops/conv2d_problem.h"

/* Bytes of so many planes of vectors of 16 floats; a vector more sets the planes apart in the
 * cache. */
static inline size_t clg__winograd_bytes(int planes, int vectors)
{
    return 16 * sizeof(float) * (size_t)planes * ((size_t)vectors + 1);
}

/* The functions that CLG__CONV2D_ALGORITHM expects, from <all>_supports, <all>_workspace,
 * <all>_cost and <all>_prepare, which take the tile behind the direction. */
#define CLG__WINOGRAD_FUNCTIONS(all, name, tile)                                                   \
    static bool name##_supports(const struct conv2d_args *a, clg_conv2d_direction direction,       \
                                const clg_device_info *device, const char **why_not)               \
    {                                                                                              \
        return all##_supports(a, direction, tile, device, why_not);                                \
    }                                                                                              \
    static size_t name##_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,    \
                                   const clg_device_info *device)                                  \
    {                                                                                              \
        return all##_workspace(a, direction, tile, device);                                        \
    }                                                                                              \
    static double name##_cost(const struct conv2d_args *a, clg_conv2d_direction direction,         \
                              const clg_device_info *device)                                       \
    {                                                                                              \
        return all##_cost(a, direction, tile, device);                                             \
    }                                                                                              \
    static clg_status name##_prepare(clg_context *ctx, const struct conv2d_args *a,                \
                                     clg_conv2d_direction direction, void **state)                 \
    {                                                                                              \
        return all##_prepare(ctx, a, direction, tile, state);                                      \
    }

#endif
