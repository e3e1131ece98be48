/* Depthwise convolution for GPU-like devices, work-items for strips of columns; kernels in
 * conv2d_depthwise_items.cl. */
#include "ops/conv2d_problem.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "ops/channel_sum.h"
#include "ops/conv2d_cost.h"
#include "ops/planes.h"

/* Of conv2d_depthwise_items.cl. */
enum { ITEMS = 256, LANES = 32, MOST_TAPS = 64 };

/* `struct depthwise_items` of the kernels. */
struct depthwise_items {
    struct clg__divisor columns, strips, channels, filters, phases, stride_h, stride_w;
    cl_int lift_h, lift_w, step_h, step_w, in_h, in_w, span;
};

/* What a kernel is built for: see there. */
struct shape {
    int taps_r, taps_s;
    bool dense, uneven;
};

/* ---- What items make ---- */

/* Of a strip: long ones read less twice, small tensors are cut into more. */
static int rows_of(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    enum { FEW = 4, MANY = 8, ENOUGH = 1 << 21 };
    const int64_t elements =
        direction == CLG_CONV2D_BACKWARD_DATA ? clg__conv2d_x_count(a) : clg__conv2d_y_count(a);
    return elements >= ENOUGH ? MANY : FEW;
}

static int strips_of(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    const int rows = rows_of(a, direction);
    if (direction != CLG_CONV2D_BACKWARD_DATA)
        return clg__divide_up(a->p, rows);
    const int all = clg__divide_up(a->h, a->stride_h); /* of a phase */
    return clg__divide_up(all, rows) * clg__at_most(a->stride_h, a->h);
}

/* Sites of a channel. */
static int64_t sites_of(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    const int columns = direction == CLG_CONV2D_BACKWARD_DATA ? a->w : a->q;
    return (int64_t)a->n * strips_of(a, direction) * columns;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Groups next to each other, for blocks of channels. */
static int blocks_of(const struct conv2d_args *a, int channels)
{
    return a->x_channels_last ? clg__divide_up(channels, LANES) : channels;
}

/* Sites of a slice of the filter gradient's sum: enough slices for the device, and not so few sites
 * that items have none. */
static int span_of(const struct conv2d_args *a)
{
    enum { GROUPS = 2048, MOST_SLICES = 256 };
    const int64_t sites = sites_of(a, CLG_CONV2D_BACKWARD_FILTER);
    const int64_t of_group = a->x_channels_last ? ITEMS / LANES : ITEMS;
    int64_t slices = clg__at_most(clg__divide_up(GROUPS, blocks_of(a, a->k)), MOST_SLICES);
    const int64_t most = divide_up(sites, of_group);
    return (int)divide_up(sites, slices < most ? slices : most);
}

static int slices_of(const struct conv2d_args *a)
{
    return (int)divide_up(sites_of(a, CLG_CONV2D_BACKWARD_FILTER), span_of(a));
}

/* Strides that are at least as much as any tap that is asked for is before the first of dy. */
static int lift_of(int taps, int dilation, int pad, int stride)
{
    const int searched = clg__at_least(taps, stride) - 1;
    return clg__divide_up(clg__at_least(searched * dilation - pad, 0), stride);
}

/* Backward, an element of dx meets every stride / gcd(stride, dilation)th tap. */
static struct depthwise_items items_of(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    const bool data = direction == CLG_CONV2D_BACKWARD_DATA;
    const int common_h = clg__greatest_divisor(a->stride_h, a->dilation_h);
    const int common_w = clg__greatest_divisor(a->stride_w, a->dilation_w);
    return (struct depthwise_items){
        .columns = clg__divisor_of(data ? a->w : a->q),
        .strips = clg__divisor_of(strips_of(a, direction)),
        .channels = clg__divisor_of(data ? a->c : a->k),
        .filters = clg__divisor_of(a->k / a->c),
        .phases = clg__divisor_of(clg__at_most(a->stride_h, a->h)),
        .stride_h = clg__divisor_of(a->stride_h),
        .stride_w = clg__divisor_of(a->stride_w),
        .lift_h = lift_of(a->r, a->dilation_h, a->pad_top, a->stride_h),
        .lift_w = lift_of(a->s, a->dilation_w, a->pad_left, a->stride_w),
        .step_h = data ? a->stride_h / common_h : 1,
        .step_w = data ? a->stride_w / common_w : 1,
        .in_h = data ? a->dilation_h / common_h : a->dilation_h,
        .in_w = data ? a->dilation_w / common_w : a->dilation_w,
        .span = direction == CLG_CONV2D_BACKWARD_FILTER ? span_of(a) : 0,
    };
}

static struct shape shape_of(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    if (direction != CLG_CONV2D_BACKWARD_DATA)
        return (struct shape){a->r, a->s, a->stride_h == 1 && a->dilation_h == 1, false};
    const struct depthwise_items d = items_of(a, direction);
    return (struct shape){clg__divide_up(a->r, d.step_h), clg__divide_up(a->s, d.step_w),
                          d.in_h == 1,
                          d.step_h != a->stride_h || d.step_w != a->stride_w ||
                              a->r % d.step_h != 0 || a->s % d.step_w != 0};
}

static bool depthwise_items_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                                     const clg_device_info *device, const char **why_not)
{
    /* Channels last, taps of all filters of a channel are in local memory. */
    const bool all = direction == CLG_CONV2D_BACKWARD_DATA && a->x_channels_last;
    const int each = all ? a->k / a->groups : 1;
    return clg__conv2d_meets(a, device, CLG__ON_GPU, why_not) &&
           CLG__ACCEPTS(why_not, {a->groups != a->c, "for one channel a group"},
                        {(a->x_channels_last != 0) != (a->y_channels_last != 0),
                         "x and y in one layout only"},
                        {(int64_t)a->r * a->s * each > MOST_TAPS, "more than 64 taps of a channel"},
                        {sites_of(a, direction) * (a->x_channels_last ? 1 : a->k) > INT32_MAX / 2,
                         "too many elements for one launch"},
                        {device->max_work_group_size < ITEMS ||
                             device->max_work_item_sizes[0] < ITEMS ||
                             device->local_memory < LANES * MOST_TAPS * sizeof(float),
                         "the device's work-groups or its local memory are too small"});
}

static size_t depthwise_items_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                        const clg_device_info *device)
{
    (void)device;
    return direction == CLG_CONV2D_BACKWARD_FILTER
               ? (size_t)slices_of(a) * (size_t)clg__conv2d_w_count(a) * sizeof(float)
               : 0;
}

/* Both tensors move once; next to that each term takes little. */
static double depthwise_items_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                                   const clg_device_info *device)
{
    double bytes = sizeof(float) * (double)(clg__conv2d_x_count(a) + clg__conv2d_y_count(a));
    double launches = direction == CLG_CONV2D_BACKWARD_FILTER ? 2 : 1;
    return clg__conv2d_seconds(device, clg__conv2d_flop(a), 0.3, launches) +
           bytes / clg__device_bandwidth(device);
}

enum { KERNEL, JOIN };

struct state {
    struct clg__kernels kernels;
    const struct conv2d_args *args;
    clg_conv2d_direction direction;
    struct depthwise_items items;
};

static clg_status depthwise_items_prepare(clg_context *ctx, const struct conv2d_args *a,
                                          clg_conv2d_direction direction, void **out)
{
    static const char *const sources[] = {"conv2d_depthwise_items", "conv2d_depthwise_items",
                                          "conv2d_depthwise_items_filter"};
    static const char *const names[] = {"depthwise_items_forward", "depthwise_items_backward_data",
                                        "depthwise_items_filter"};
    const bool joins = direction == CLG_CONV2D_BACKWARD_FILTER;
    const struct shape shape = shape_of(a, direction);
    char options[128];
    snprintf(options, sizeof options,
             "-DROWS=%d -DCHANNELS_LAST=%d -DTAPS_R=%d -DTAPS_S=%d -DDENSE=%d -DUNEVEN=%d",
             rows_of(a, direction), a->x_channels_last != 0, shape.taps_r, shape.taps_s,
             shape.dense, shape.uneven);
    const struct clg__kernel_spec kernels[] = {
        [KERNEL] = {sources[direction], names[direction], options},
        [JOIN] = {"channel_sum_groups", joins ? "channel_sum_groups" : NULL, ""},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, out));
    struct state *state = *out;
    state->args = a;
    state->direction = direction;
    state->items = items_of(a, direction);
    return CLG_OK;
}

static struct clg__grid grid_of(int64_t groups, int blocks)
{
    return (struct clg__grid){2, {(size_t)groups * ITEMS, (size_t)blocks}, {ITEMS, 1}};
}

/* An item for each site; channels first, those of all channels in a row. */
static struct clg__grid grid_of_sites(const struct state *state, int channels)
{
    const struct conv2d_args *a = state->args;
    const int64_t sites = sites_of(a, state->direction);
    return a->x_channels_last ? grid_of(divide_up(sites, ITEMS / LANES), blocks_of(a, channels))
                              : grid_of(divide_up(sites * channels, ITEMS), 1);
}

static clg_status run_filter(const struct state *state, struct clg__stream *stream,
                             const struct clg__operands *op)
{
    const struct conv2d_args *a = state->args;
    const int slices = slices_of(a);
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[KERNEL], grid_of(slices, blocks_of(a, a->k)),
                         clg__arg_mem(op->workspace), clg__arg_mem(op->in[0]),
                         clg__arg_mem(op->in[1]), clg__arg_struct(a, sizeof *a),
                         clg__arg_struct(&state->items, sizeof state->items)));
    return clg__slices_join_enqueue(stream, state->kernels.at[JOIN], op->out[0], op->workspace,
                                    (int)clg__conv2d_w_count(a), slices, op->accumulate);
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct conv2d_args *a = state->args;
    if (state->direction == CLG_CONV2D_BACKWARD_FILTER)
        return run_filter(state, stream, op);
    if (state->direction == CLG_CONV2D_FORWARD)
        return CLG__LAUNCH(
            stream, state->kernels.at[KERNEL], grid_of_sites(state, a->k), clg__arg_mem(op->out[0]),
            clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]), clg__arg_mem(op->in[2]),
            clg__arg_struct(a, sizeof *a), clg__arg_struct(&state->items, sizeof state->items),
            clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate));
    return CLG__LAUNCH(
        stream, state->kernels.at[KERNEL], grid_of_sites(state, a->c), clg__arg_mem(op->out[0]),
        clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]), clg__arg_struct(a, sizeof *a),
        clg__arg_struct(&state->items, sizeof state->items), clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(depthwise_items, forward, CLG_CONV2D_FORWARD, .exact = true,
                      .fuses_relu = true);
CLG__CONV2D_ALGORITHM(depthwise_items, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
CLG__CONV2D_ALGORITHM(depthwise_items, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true);
