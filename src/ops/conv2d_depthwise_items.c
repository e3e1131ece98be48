/* Depthwise convolution for GPU-like devices, a work-item for each element; kernels in
 * conv2d_depthwise_items.cl. */
#include "ops/conv2d_problem.h"

#include <stdio.h>

#include "base/error.h"
#include "ops/conv2d_cost.h"

/* Of conv2d_depthwise_items.cl. */
enum { ITEMS = 256, LANES = 64, MOST_TAPS = 64 };

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static bool depthwise_items_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                                     const clg_device_info *device, const char **why_not)
{
    const int each = direction == CLG_CONV2D_BACKWARD_DATA ? a->k / a->groups : 1;
    return clg__conv2d_meets(a, device, CLG__ON_GPU, why_not) &&
           CLG__ACCEPTS(why_not, {a->groups != a->c, "for one channel a group"},
                        {(a->x_channels_last != 0) != (a->y_channels_last != 0),
                         "x and y in one layout only"},
                        {(int64_t)a->r * a->s * each > MOST_TAPS, "more than 64 taps of a channel"},
                        {device->max_work_group_size < ITEMS ||
                             device->max_work_item_sizes[0] < ITEMS ||
                             device->local_memory < LANES * MOST_TAPS * sizeof(float),
                         "the device's work-groups or its local memory are too small"});
}

/* Pixels of a slice of the filter gradient's sum: enough slices for the device, and not so few
 * pixels that an item has none. */
static int span_of(const struct conv2d_args *a)
{
    enum { LEAST = 2048, MOST_SLICES = 64 };
    int64_t pixels = (int64_t)a->n * a->p * a->q;
    int64_t slices = divide_up(pixels, LEAST);
    return (int)divide_up(pixels, slices > MOST_SLICES ? MOST_SLICES : slices);
}

static int slices_of(const struct conv2d_args *a)
{
    return (int)divide_up((int64_t)a->n * a->p * a->q, span_of(a));
}

static size_t depthwise_items_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                        const clg_device_info *device)
{
    (void)device;
    return direction == CLG_CONV2D_BACKWARD_FILTER
               ? (size_t)slices_of(a) * (size_t)clg__conv2d_w_count(a) * sizeof(float)
               : 0;
}

/* Both tensors move once; each term takes two loads, from the caches. */
static double depthwise_items_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                                   const clg_device_info *device)
{
    double bytes = sizeof(float) * (double)(clg__conv2d_x_count(a) + clg__conv2d_y_count(a));
    double launches = direction == CLG_CONV2D_BACKWARD_FILTER ? 2 : 1;
    return clg__conv2d_seconds(device, clg__conv2d_flop(a), 0.2, launches) +
           bytes / clg__device_bandwidth(device);
}

enum { KERNEL, JOIN };

struct state {
    struct clg__kernels kernels;
    const struct conv2d_args *args;
    clg_conv2d_direction direction;
};

static clg_status depthwise_items_prepare(clg_context *ctx, const struct conv2d_args *a,
                                          clg_conv2d_direction direction, void **out)
{
    static const char source[] = "conv2d_depthwise_items";
    static const char *const names[] = {"depthwise_items_forward", "depthwise_items_backward_data",
                                        "depthwise_items_filter"};
    const bool joins = direction == CLG_CONV2D_BACKWARD_FILTER;
    char options[32];
    snprintf(options, sizeof options, "-DCHANNELS_LAST=%d", a->x_channels_last != 0);
    const struct clg__kernel_spec kernels[] = {
        [KERNEL] = {source, names[direction], options},
        [JOIN] = {source, joins ? "depthwise_items_join" : NULL, options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, out));
    struct state *state = *out;
    state->args = a;
    state->direction = direction;
    return CLG_OK;
}

/* Groups for so many pixels, or slices of them, channels and taps. */
static struct clg__grid grid_of(const struct conv2d_args *a, int64_t groups, int channels, int taps)
{
    int lanes = a->x_channels_last ? LANES : 1;
    return (struct clg__grid){
        3,
        {(size_t)groups * ITEMS, (size_t)divide_up(channels, lanes), (size_t)taps},
        {ITEMS, 1, 1}};
}

static int64_t pixel_groups(const struct conv2d_args *a, int64_t pixels)
{
    return divide_up(pixels, a->x_channels_last ? ITEMS / LANES : ITEMS);
}

static clg_status run_filter(const struct state *state, struct clg__stream *stream,
                             const struct clg__operands *op)
{
    const struct conv2d_args *a = state->args;
    const int64_t count = clg__conv2d_w_count(a);
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[KERNEL],
                         grid_of(a, slices_of(a), a->k, a->r * a->s), clg__arg_mem(op->workspace),
                         clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                         clg__arg_struct(a, sizeof *a), clg__arg_int(span_of(a))));
    return CLG__LAUNCH(stream, state->kernels.at[JOIN], clg__grid_1d(count),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->workspace), clg__arg_int(count),
                       clg__arg_int(slices_of(a)), clg__arg_int(op->accumulate));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct conv2d_args *a = state->args;
    if (state->direction == CLG_CONV2D_BACKWARD_FILTER)
        return run_filter(state, stream, op);
    if (state->direction == CLG_CONV2D_FORWARD)
        return CLG__LAUNCH(stream, state->kernels.at[KERNEL],
                           grid_of(a, pixel_groups(a, (int64_t)a->n * a->p * a->q), a->k, 1),
                           clg__arg_mem(op->out[0]), clg__arg_mem(op->in[0]),
                           clg__arg_mem(op->in[1]), clg__arg_mem(op->in[2]),
                           clg__arg_struct(a, sizeof *a), clg__arg_int(op->in[2].object != NULL),
                           clg__arg_int(op->accumulate));
    return CLG__LAUNCH(stream, state->kernels.at[KERNEL],
                       grid_of(a, pixel_groups(a, (int64_t)a->n * a->h * a->w), a->c, 1),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                       clg__arg_struct(a, sizeof *a), clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(depthwise_items, forward, CLG_CONV2D_FORWARD, .exact = true,
                      .fuses_relu = true);
CLG__CONV2D_ALGORITHM(depthwise_items, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
CLG__CONV2D_ALGORITHM(depthwise_items, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true);
