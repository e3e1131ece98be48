/* Filter and bias gradient of depthwise convolutions for CPU-like devices, channels last; kernels
 * in conv2d_depthwise_filter.cl. */
#include "ops/conv2d_depthwise.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_depthwise_filter_args.clh"
#include "ops/conv2d_cost.h"

/* Rows and columns of taps whose sums stay in registers. */
struct tiling {
    int tr, ts;
};

static const struct tiling tilings[] = {{3, 3}, {5, 5}, {4, 4}, {1, 8}, {8, 1}};

struct layout {
    struct tiling tiling;
    int step; /* of dense windows that fill tiles, or 0 */
    struct conv2d_depthwise_filter_args args;
    int slices, chunks;
};

/* Multiply-adds for each output of a channel, with those that are not stored; eight sums hide the
 * latency of one. */
static int tiling_cost(struct tiling t, const struct conv2d_args *a)
{
    int taps = clg__round_up(a->r, t.tr) * clg__round_up(a->s, t.ts);
    return taps + taps / (t.tr * t.ts); /* dy is read once a tile */
}

static struct tiling choose_tiling(const struct conv2d_args *a)
{
    struct tiling best = tilings[0];
    for (size_t i = 1; i < sizeof tilings / sizeof tilings[0]; i++)
        if (tiling_cost(tilings[i], a) < tiling_cost(best, a))
            best = tilings[i];
    return best;
}

static size_t local_bytes(const struct layout *l)
{
    const struct conv2d_depthwise_filter_args *t = &l->args;
    return ((size_t)t->r * (size_t)t->s + 1) * (size_t)t->chunk * sizeof(float);
}

static size_t partial_floats(const struct layout *l)
{
    const struct conv2d_depthwise_filter_args *t = &l->args;
    return (size_t)l->slices * ((size_t)t->r * (size_t)t->s + 1) * (size_t)t->c;
}

/* Sums stay in the first-level cache, x and dy of one pass in the second one. */
static void choose_chunks(struct layout *l, int units)
{
    enum {
        SUMS = 4096,
        CACHED = 48 * 1024,
        MOST = 128,
        GROUPS_A_UNIT = 16,
        FEW_ROWS = 4,
        PASS = 4
    };
    struct conv2d_depthwise_filter_args *t = &l->args;
    int chunk = clg__at_most(SUMS / (t->r * t->s + 1), MOST) / 16 * 16;
    t->chunk = clg__at_most(clg__at_least(chunk, 16), clg__round_up(t->c, 16));
    l->chunks = clg__divide_up(t->c, t->chunk);
    int slices = clg__divide_up(GROUPS_A_UNIT * units, l->chunks), rows = t->n * t->p;
    t->rows = clg__at_least(clg__divide_up(rows, slices), FEW_ROWS);
    t->pass = clg__at_least(CACHED / t->chunk / (t->q + t->w * t->stride_h), PASS);
    l->slices = clg__divide_up(rows, t->rows);
}

static struct layout lay_out(const struct conv2d_args *a, const clg_device_info *device)
{
    struct layout l = {
        .tiling = choose_tiling(a),
        .args =
            {
                .n = a->n,
                .c = a->c,
                .h = a->h,
                .w = a->w,
                .p = a->p,
                .q = a->q,
                .r = a->r,
                .s = a->s,
                .stride_h = a->stride_h,
                .stride_w = a->stride_w,
                .dilation_h = a->dilation_h,
                .dilation_w = a->dilation_w,
                .pad_top = a->pad_top,
                .pad_left = a->pad_left,
            },
    };
    bool dense = a->dilation_w == 1 && a->stride_w <= 2 && a->s % l.tiling.ts == 0;
    l.step = dense ? a->stride_w : 0;
    choose_chunks(&l, clg__at_least((int)device->compute_units, 1));
    return l;
}

static bool depthwise_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                               const clg_device_info *device, const char **why_not)
{
    (void)direction;
    if (!clg__depthwise_supports(a, device, why_not))
        return false;
    const struct layout l = lay_out(a, device);
    *why_not = "the sums do not fit into local memory";
    if (local_bytes(&l) > device->local_memory / 2)
        return false;
    *why_not = "the slices' sums are 2^31 elements or more";
    return partial_floats(&l) <= INT32_MAX;
}

static size_t depthwise_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                  const clg_device_info *device)
{
    (void)direction;
    const struct layout l = lay_out(a, device);
    return partial_floats(&l) * sizeof(float);
}

static double depthwise_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    (void)direction;
    const struct layout l = lay_out(a, device);
    double flop = 2.0 * (double)clg__conv2d_y_count(a) * tiling_cost(l.tiling, a);
    double computing = clg__conv2d_seconds(device, flop, 0.5, 0);
    return fmax(computing, clg__depthwise_moving(a, device)) + 2 * CLG__LAUNCH_SECONDS +
           8.0 * (double)partial_floats(&l) / clg__device_bandwidth(device);
}

enum { SUMS, JOIN };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status depthwise_prepare(clg_context *ctx, const struct conv2d_args *a,
                                    clg_conv2d_direction direction, void **state)
{
    (void)direction;
    const struct layout l = lay_out(a, &ctx->info);
    char options[48];
    snprintf(options, sizeof options, "-DTR=%d -DTS=%d -DSTEP=%d", l.tiling.tr, l.tiling.ts,
             l.step);
    const struct clg__kernel_spec kernels[] = {
        [SUMS] = {"conv2d_depthwise_filter", "conv2d_depthwise_filter", options},
        [JOIN] = {"conv2d_depthwise_filter", "conv2d_depthwise_filter_join", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct conv2d_depthwise_filter_args *t = &l->args;
    const struct clg__grid grid = {2, {(size_t)l->slices, (size_t)l->chunks}, {1, 1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[SUMS], grid, clg__arg_mem(op->workspace),
                         clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                         clg__arg_struct(t, sizeof *t), clg__arg_local(local_bytes(l))));
    const int64_t taps = (int64_t)t->r * t->s;
    return CLG__LAUNCH(stream, state->kernels.at[JOIN], clg__grid_1d(t->c),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->out[1]),
                       clg__arg_mem(op->workspace), clg__arg_int(t->c), clg__arg_int(taps),
                       clg__arg_int(l->slices), clg__arg_int(op->out[1].object != NULL),
                       clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(depthwise, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true,
                      .sums_bias = true);
