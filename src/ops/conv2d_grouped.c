/*
 * Grouped convolution for CPU-like devices, channels last; kernels in conv2d_grouped.cl. The
 * gradient of the input is the same kernel with the roles of a group's inputs and outputs
 * exchanged, once for each phase of the stride (conv2d_phase.h).
 */
#include "ops/conv2d_grouped.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/ints.h"
#include "ops/conv2d_cost.h"
#include "ops/conv2d_phase.h"

/* One dense convolution; the forward direction is one, the input gradient one a phase. */
struct launch {
    struct conv2d_grouped_args args;
    struct conv2d_grouped_pack_args pack;
    int bands;                   /* work-groups along the first axis */
    size_t packed_at, pack_rows; /* floats; rows of lanes */
    size_t patch_bytes;
};

enum { MAX_PHASES = 16 };

struct launches {
    int px; /* pixels of a register tile */
    int count;
    struct launch items[MAX_PHASES];
    size_t packed_count;
};

/* With up to two vectors of outputs long tiles, with more of them short ones, so that the sums stay
 * in registers: 32 of 16 floats, or on narrower devices 16 of half as many. */
static int choose_pixels(const struct conv2d_grouped_blocks *blocks, int q,
                         const clg_device_info *device)
{
    enum { LONG = 14, SHORT = 7, NARROW = 6 };
    if (device->vector_width_float < 16)
        return NARROW;
    if (blocks->lanes > 32)
        return SHORT;
    return clg__round_up(q, LONG) > clg__round_up(q, SHORT) + SHORT / 2 ? SHORT : LONG;
}

static size_t row_bytes(const struct conv2d_grouped_args *t, int columns)
{
    return (size_t)columns * (size_t)clg__conv2d_grouped_cell(&t->blocks) * sizeof(float);
}

static int columns_of(const struct conv2d_grouped_args *t, int span)
{
    return (span - 1) * t->step_w + clg__at_least(t->taps_w - 1, 0) * t->tap_w + 1;
}

/* Cuts the outputs into work-groups: as much as keeps the copy of the input in the cache. */
static void finish(struct launches *all, struct launch *l, const clg_device_info *device)
{
    enum { PATCH_BYTES = 96 * 1024, GROUPS_A_UNIT = 16 };
    struct conv2d_grouped_args *t = &l->args;
    size_t budget = device->local_memory / 3;
    if (budget > PATCH_BYTES)
        budget = PATCH_BYTES;
    const int window = clg__at_least(t->taps_h - 1, 0) * t->tap_h + 1;
    t->span = clg__round_up(t->q, all->px);
    while (t->span > all->px && row_bytes(t, columns_of(t, t->span)) * (size_t)window > budget)
        t->span -= all->px;
    t->spans = clg__divide_up(t->q, t->span);
    t->columns = columns_of(t, t->span);
    int fit = (int)(budget / row_bytes(t, t->columns));
    int wanted = clg__divide_up(GROUPS_A_UNIT * (int)device->compute_units,
                                t->n * t->blocks.count * t->spans);
    t->rows = clg__at_most(clg__at_least((fit - window) / t->step_h + 1, 1),
                           clg__divide_up(t->p, wanted));
    t->rows = clg__divide_up(t->p, clg__divide_up(t->p, t->rows)); /* even parts */
    l->bands = clg__divide_up(t->p, t->rows) * t->spans;
    l->patch_bytes = row_bytes(t, t->columns) * (size_t)((t->rows - 1) * t->step_h + window);
    l->pack_rows =
        (size_t)t->blocks.count * (size_t)t->blocks.inputs * (size_t)t->taps_h * (size_t)t->taps_w;
    l->packed_at = all->packed_count;
    all->packed_count += (l->pack_rows * (size_t)t->blocks.lanes + 63) / 64 * 64;
    l->pack.blocks = t->blocks;
    l->pack.taps_h = t->taps_h;
    l->pack.taps_w = t->taps_w;
}

static void lay_out_forward(const struct conv2d_args *a, const clg_device_info *device,
                            struct launches *all)
{
    const struct conv2d_grouped_blocks blocks =
        clg__conv2d_grouped_blocks(a->groups, a->c / a->groups, a->k / a->groups, device);
    all->px = choose_pixels(&blocks, a->q, device);
    struct launch *l = &all->items[all->count++];
    l->args = (struct conv2d_grouped_args){
        .blocks = blocks,
        .n = a->n,
        .h = a->h,
        .w = a->w,
        .p = a->p,
        .q = a->q,
        .taps_h = a->r,
        .taps_w = a->s,
        .step_h = a->stride_h,
        .step_w = a->stride_w,
        .tap_h = a->dilation_h,
        .tap_w = a->dilation_w,
        .first_h = -a->pad_top,
        .first_w = -a->pad_left,
        .out_image = a->y_n,
        .out_row = a->y_p,
        .out_column = a->y_q,
        .relu = a->relu,
    };
    l->pack = (struct conv2d_grouped_pack_args){
        .step_h = 1,
        .step_w = 1,
        .s = a->s,
        .group = blocks.outputs * blocks.inputs * a->r * a->s,
        .output_step = blocks.inputs * a->r * a->s,
        .term_step = a->r * a->s,
    };
    finish(all, l, device);
}

static void lay_out_phase(const struct conv2d_args *a, const clg_device_info *device,
                          const struct conv2d_grouped_blocks *blocks, struct launches *all,
                          int at_h, int at_w)
{
    const struct conv2d_phase h =
        clg__conv2d_phase(at_h, a->h, a->r, a->pad_top, a->dilation_h, a->stride_h);
    const struct conv2d_phase w =
        clg__conv2d_phase(at_w, a->w, a->s, a->pad_left, a->dilation_w, a->stride_w);
    if (h.outputs == 0 || w.outputs == 0)
        return;
    struct launch *l = &all->items[all->count++];
    l->args = (struct conv2d_grouped_args){
        .blocks = *blocks,
        .n = a->n,
        .h = a->p,
        .w = a->q,
        .p = h.outputs,
        .q = w.outputs,
        .taps_h = w.taps ? h.taps : 0,
        .taps_w = w.taps,
        .step_h = 1,
        .step_w = 1,
        .tap_h = h.in_step,
        .tap_w = w.in_step,
        .first_h = h.first_in,
        .first_w = w.first_in,
        .out_image = a->x_n,
        .out_row = a->x_h * a->stride_h,
        .out_column = a->x_w * a->stride_w,
        .out_first = at_h * a->x_h + at_w * a->x_w,
    };
    l->pack = (struct conv2d_grouped_pack_args){
        .first_h = h.first_tap,
        .first_w = w.first_tap,
        .step_h = h.tap_step,
        .step_w = w.tap_step,
        .s = a->s,
        .group = blocks->outputs * blocks->inputs * a->r * a->s,
        .output_step = a->r * a->s,
        .term_step = blocks->outputs * a->r * a->s,
    };
    finish(all, l, device);
}

static void lay_out_backward_data(const struct conv2d_args *a, const clg_device_info *device,
                                  struct launches *all)
{
    const struct conv2d_grouped_blocks blocks =
        clg__conv2d_grouped_blocks(a->groups, a->k / a->groups, a->c / a->groups, device);
    all->px = choose_pixels(&blocks, clg__divide_up(a->w, a->stride_w), device);
    for (int h = 0; h < a->stride_h; h++)
        for (int w = 0; w < a->stride_w; w++)
            lay_out_phase(a, device, &blocks, all, h, w);
}

static struct launches lay_out(const struct conv2d_args *a, clg_conv2d_direction direction,
                               const clg_device_info *device)
{
    struct launches all = {.count = 0};
    if (direction == CLG_CONV2D_FORWARD)
        lay_out_forward(a, device, &all);
    else
        lay_out_backward_data(a, device, &all);
    return all;
}

static bool grouped_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device, const char **why_not)
{
    if (!clg__conv2d_grouped_supports(a, device, why_not))
        return false;
    *why_not = "at most 16 phases of the stride";
    if (direction == CLG_CONV2D_BACKWARD_DATA && a->stride_h * a->stride_w > MAX_PHASES)
        return false;
    struct launches all = lay_out(a, direction, device);
    *why_not = "the windows of one tile do not fit into local memory";
    for (int i = 0; i < all.count; i++)
        if (all.items[i].patch_bytes > device->local_memory / 2)
            return false;
    *why_not = "the packed filter has 2^31 elements or more";
    return all.packed_count <= INT32_MAX;
}

static size_t grouped_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                const clg_device_info *device)
{
    return lay_out(a, direction, device).packed_count * sizeof(float);
}

/* The inner loop reaches 0.6 of the peak with one load for each multiply-add, 0.9 with less; lanes
 * and pixels that a tile has too many are lost, and what copying takes, most of it within the
 * caches. */
static double grouped_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                           const clg_device_info *device)
{
    struct launches all = lay_out(a, direction, device);
    double seconds = 0;
    for (int i = 0; i < all.count; i++) {
        const struct launch *l = &all.items[i];
        const struct conv2d_grouped_args *t = &l->args;
        double terms = (double)t->blocks.count * t->blocks.lanes * t->blocks.inputs;
        double flop = 2 * terms * clg__round_up(t->q, all.px) * t->p * t->n * t->taps_h * t->taps_w;
        double copies = (double)l->bands * t->n * t->blocks.count * (double)l->patch_bytes;
        seconds += clg__conv2d_seconds(device, flop, t->blocks.together > 1 ? 0.6 : 0.9, 2);
        seconds += (0.25 * copies + 16.0 * (double)l->pack_rows * t->blocks.lanes) /
                   clg__device_bandwidth(device);
    }
    return seconds;
}

enum { TILE, PACK };

struct state {
    struct clg__kernels kernels;
    struct launches launches;
};

static clg_status grouped_prepare(clg_context *ctx, const struct conv2d_args *a,
                                  clg_conv2d_direction direction, void **state)
{
    const struct launches all = lay_out(a, direction, &ctx->info);
    const struct conv2d_grouped_args *args = &all.items[0].args;
    char options[128];
    clg__conv2d_grouped_options(&args->blocks, "PX", all.px, options, sizeof options);
    size_t used = strlen(options);
    snprintf(options + used, sizeof options - used, " -DSTEP_W=%d", args->step_w);
    const struct clg__kernel_spec kernels[] = {
        [TILE] = {"conv2d_grouped", "conv2d_grouped", options},
        [PACK] = {"conv2d_grouped", "conv2d_grouped_pack", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->launches = all;
    return CLG_OK;
}

/* in[0] is the input of the dense convolution, x or dy; in[2] the bias or nothing. */
static clg_status enqueue_one(struct state *state, const struct launch *l,
                              struct clg__stream *stream, const struct clg__operands *op)
{
    struct clg__mem packed = clg__mem_at(op->workspace, l->packed_at * sizeof(float));
    if (l->pack_rows > 0) {
        const struct clg__grid rows = {1, {l->pack_rows}, {1}};
        CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[PACK], rows, clg__arg_mem(packed),
                             clg__arg_mem(op->in[1]), clg__arg_struct(&l->pack, sizeof l->pack)));
    }
    const struct clg__grid grid = {
        3, {(size_t)l->bands, (size_t)l->args.n, (size_t)l->args.blocks.count}, {1, 1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[TILE], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->in[0]), clg__arg_mem(packed), clg__arg_mem(op->in[2]),
                       clg__arg_struct(&l->args, sizeof l->args),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
                       clg__arg_local(l->patch_bytes));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    struct state *state = pointer;
    for (int i = 0; i < state->launches.count; i++)
        CLG__TRY(enqueue_one(state, &state->launches.items[i], stream, op));
    return CLG_OK;
}

CLG__CONV2D_ALGORITHM(grouped, forward, CLG_CONV2D_FORWARD, .exact = true, .fuses_relu = true);
CLG__CONV2D_ALGORITHM(grouped, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
