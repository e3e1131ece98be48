/* The convolution problem that algorithms see, and its checks. */
#ifndef CLG_OPS_CONV2D_PROBLEM_H
#define CLG_OPS_CONV2D_PROBLEM_H

#include "clgrad/conv2d.h"
#include "runtime/algorithm.h"
#include "runtime/prepared.h"

#include "conv2d_args.clh"

/*
 * An algorithm's `problem` is a struct conv2d_args: zero padding, any geometry. Operands:
 *   forward          out y           in x, w, b (b.object is NULL without a bias)
 *                    with args.relu, an algorithm that says fuses_relu gives max(y, 0), a NaN for
 *                    a NaN, and never accumulates; the others ignore it and the frame does it
 *   backward_data    out dx          in dy, w
 *   backward_filter  out dw          in x, dy
 *                    with out db, if its object is not NULL, from an algorithm that says sums_bias;
 *                    never for the others
 */
extern const struct clg__algorithm *const clg__conv2d_forward_algorithms[];
extern const struct clg__algorithm *const clg__conv2d_backward_data_algorithms[];
extern const struct clg__algorithm *const clg__conv2d_backward_filter_algorithms[];

/* The algorithms of each direction, one file each; X(name) in the order of preference, the
 * reference last. */
/* clang-format off */
#define CLG__CONV2D_FORWARD_LIST(X)                                                                \
    X(winograd4)                                                                                   \
    X(winograd2)                                                                                   \
    X(depthwise)                                                                                   \
    X(pointwise)                                                                                   \
    X(rows)                                                                                        \
    X(few)                                                                                         \
    X(grouped)                                                                                     \
    X(tile)                                                                                        \
    X(winograd4_passes)                                                                            \
    X(winograd2_passes)                                                                            \
    X(depthwise_items)                                                                             \
    X(few_rows)                                                                                    \
    X(implicit_gemm)                                                                               \
    X(im2col)                                                                                      \
    X(im2col_clblast)                                                                              \
    X(textbook)                                                                                    \
    X(direct)
#define CLG__CONV2D_BACKWARD_DATA_LIST(X)                                                          \
    X(winograd4)                                                                                   \
    X(winograd2)                                                                                   \
    X(depthwise)                                                                                   \
    X(pointwise)                                                                                   \
    X(rows)                                                                                        \
    X(scatter)                                                                                     \
    X(grouped)                                                                                     \
    X(tile)                                                                                        \
    X(winograd4_passes)                                                                            \
    X(winograd2_passes)                                                                            \
    X(depthwise_items)                                                                             \
    X(few_rows)                                                                                    \
    X(implicit_gemm)                                                                               \
    X(im2col)                                                                                      \
    X(im2col_clblast)                                                                              \
    X(textbook)                                                                                    \
    X(direct)
#define CLG__CONV2D_BACKWARD_FILTER_LIST(X)                                                        \
    X(winograd4)                                                                                   \
    X(winograd2)                                                                                   \
    X(depthwise)                                                                                   \
    X(pointwise)                                                                                   \
    X(rows)                                                                                        \
    X(grouped)                                                                                     \
    X(tile)                                                                                        \
    X(winograd4_passes)                                                                            \
    X(winograd2_passes)                                                                            \
    X(depthwise_items)                                                                             \
    X(implicit_gemm)                                                                               \
    X(im2col)                                                                                      \
    X(im2col_clblast)                                                                              \
    X(textbook)                                                                                    \
    X(direct)
/* clang-format on */

#define CLG__CONV2D_DECLARE_FORWARD(name)                                                          \
    extern const struct clg__algorithm clg__conv2d_forward_##name;
#define CLG__CONV2D_DECLARE_DATA(name)                                                             \
    extern const struct clg__algorithm clg__conv2d_backward_data_##name;
#define CLG__CONV2D_DECLARE_FILTER(name)                                                           \
    extern const struct clg__algorithm clg__conv2d_backward_filter_##name;
CLG__CONV2D_FORWARD_LIST(CLG__CONV2D_DECLARE_FORWARD)
CLG__CONV2D_BACKWARD_DATA_LIST(CLG__CONV2D_DECLARE_DATA)
CLG__CONV2D_BACKWARD_FILTER_LIST(CLG__CONV2D_DECLARE_FILTER)

/*
 * Defines clg__conv2d_<direction>_<name> from a file's functions, which take the direction where it
 * matters: <name>_supports(args, direction, device, &why_not), <name>_workspace(args, direction,
 * device), <name>_cost(args, direction, device), <name>_prepare(ctx, args, direction, &state), and
 * enqueue. What follows are further members of the struct, `.exact = true, .fuses_relu = true`.
 * The state is clg__prepared_create's and owns nothing but kernels.
 */
#define CLG__CONV2D_ALGORITHM(name_, direction_, DIRECTION, ...)                                   \
    CLG__CONV2D_ALGORITHM_WITH(clg__prepared_release, name_, direction_, DIRECTION, __VA_ARGS__)

/* A state that owns more, or is made in another way: the file has a `release` for it. */
#define CLG__CONV2D_ALGORITHM_OWNING(name_, direction_, DIRECTION, ...)                            \
    CLG__CONV2D_ALGORITHM_WITH(release, name_, direction_, DIRECTION, __VA_ARGS__)

#define CLG__CONV2D_ALGORITHM_WITH(release_, name_, direction_, DIRECTION, ...)                    \
    static bool name_##_##direction_##_supports(                                                   \
        const void *problem, const clg_device_info *device, const char **why_not)                  \
    {                                                                                              \
        return name_##_supports(problem, DIRECTION, device, why_not);                              \
    }                                                                                              \
    static size_t name_##_##direction_##_workspace(const void *problem,                            \
                                                   const clg_device_info *device)                  \
    {                                                                                              \
        return name_##_workspace(problem, DIRECTION, device);                                      \
    }                                                                                              \
    static double name_##_##direction_##_cost(const void *problem, const clg_device_info *device)  \
    {                                                                                              \
        return name_##_cost(problem, DIRECTION, device);                                           \
    }                                                                                              \
    static clg_status name_##_##direction_##_prepare(clg_context *ctx, const void *problem,        \
                                                     void **state)                                 \
    {                                                                                              \
        return name_##_prepare(ctx, problem, DIRECTION, state);                                    \
    }                                                                                              \
    const struct clg__algorithm clg__conv2d_##direction_##_##name_ = {                             \
        .name = #name_,                                                                            \
        .supports = name_##_##direction_##_supports,                                               \
        .workspace = name_##_##direction_##_workspace,                                             \
        .cost = name_##_##direction_##_cost,                                                       \
        .prepare = name_##_##direction_##_prepare,                                                 \
        .enqueue = enqueue,                                                                        \
        .release = release_,                                                                       \
        __VA_ARGS__,                                                                               \
    }

/* What many algorithms require. */
enum {
    CLG__ON_CPU = 1 << 0,
    CLG__ON_GPU = 1 << 1,
    CLG__WINDOW_1X1 = 1 << 2,
    CLG__NHWC_ONLY = 1 << 3,
    CLG__NCHW_ONLY = 1 << 4,
    CLG__ONE_GROUP = 1 << 5,
    CLG__WINDOW_3X3 = 1 << 6,
    CLG__STRIDE_1 = 1 << 7,
    CLG__NO_DILATION = 1 << 8,
    CLG__DENSE_3X3 = CLG__WINDOW_3X3 | CLG__STRIDE_1 | CLG__NO_DILATION
};

/* Whether all of these `requirements` are met; otherwise *why_not names the first that is not. */
bool clg__conv2d_meets(const struct conv2d_args *args, const clg_device_info *device,
                       unsigned requirements, const char **why_not);

/*
 * Checks the description (the errors are clg_conv2d_output_size's) and fills the geometry with
 * the user's layouts. For a padding mode other than zeros the geometry is that of the padded
 * input, without padding: the plan pads first.
 */
clg_status clg__conv2d_problem_init(const clg_conv2d_desc *desc, struct conv2d_args *args);

/* The same geometry in other layouts. */
struct conv2d_args clg__conv2d_with_layouts(struct conv2d_args args, clg_layout x, clg_layout y);

/* Elements of the three tensors. */
static inline int64_t clg__conv2d_x_count(const struct conv2d_args *a)
{
    return (int64_t)a->n * a->c * a->h * a->w;
}

static inline int64_t clg__conv2d_y_count(const struct conv2d_args *a)
{
    return (int64_t)a->n * a->k * a->p * a->q;
}

static inline int64_t clg__conv2d_w_count(const struct conv2d_args *a)
{
    return (int64_t)a->k * (a->c / a->groups) * a->r * a->s;
}

/* Floating-point operations of one direction: a multiplication and an addition for each term. */
static inline double clg__conv2d_flop(const struct conv2d_args *a)
{
    return 2.0 * (double)clg__conv2d_y_count(a) * (double)(a->c / a->groups) * a->r * a->s;
}

/* Rows and columns of the window with its dilation. */
static inline int clg__conv2d_window_h(const struct conv2d_args *a)
{
    return (a->r - 1) * a->dilation_h + 1;
}

static inline int clg__conv2d_window_w(const struct conv2d_args *a)
{
    return (a->s - 1) * a->dilation_w + 1;
}

#endif
