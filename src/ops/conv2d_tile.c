/*
 * Register-tiled convolution for CPU-like devices, channels last; kernels in conv2d_tile.cl.
 *
 * The gradient of the input is the same kernel: dx is a convolution of dy with the rotated filter.
 * With a stride each of the stride_h x stride_w phases of dx is a dense convolution of its own with
 * the taps that meet it ("polyphase"), so that no zero of the dilated dy is ever multiplied.
 */
#include "ops/conv2d_phase.h"
#include "ops/conv2d_problem.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "conv2d_pack_args.clh"
#include "conv2d_tile_args.clh"
#include "ops/conv2d_cost.h"

/* One dense convolution; the forward direction is one, the input gradient one a phase. */
struct launch {
    struct conv2d_tile_args args;
    struct conv2d_pack_args pack;
    int images, chunks;             /* groups along the second and third axis */
    size_t packed_at, packed_count; /* floats in the workspace */
    size_t patch_bytes;
};

enum { MAX_PHASES = 16 };

struct tiling {
    int px, kv; /* pixels and vectors of 16 outputs of a register tile */
};

struct launches {
    struct tiling tiling;
    int count;
    struct launch items[MAX_PHASES];
    size_t packed_count;
};

/* Register tiles: 28 to 30 of the 32 vector registers of AVX-512 hold sums, or fewer where a row
 * or the channels are short. */
static const struct tiling tilings[] = {{14, 2}, {7, 4},  {6, 4}, {12, 2},
                                        {10, 2}, {16, 1}, {28, 1}};

/* Multiply-adds that a tiling spends on q pixels and k outputs, weighted by what a tile's own loads
 * cost: px broadcasts and kv vectors for px x kv multiply-adds. */
static double tiling_cost(struct tiling t, int q, int k)
{
    double tiles = (double)((q + t.px - 1) / t.px), lanes = 16.0 * t.kv;
    double blocks = (double)((k + 16 * t.kv - 1) / (16 * t.kv));
    double loads = (double)(t.px + t.kv) / (t.px * t.kv);
    return tiles * t.px * blocks * lanes * (loads > 1 ? loads : 1);
}

static struct tiling choose_tiling(int q, int k)
{
    struct tiling best = tilings[0];
    for (size_t i = 1; i < sizeof tilings / sizeof tilings[0]; i++)
        if (tiling_cost(tilings[i], q, k) < tiling_cost(best, q, k))
            best = tilings[i];
    return best;
}

static int round_up(int value, int to)
{
    return (value + to - 1) / to * to;
}

/* Floats from one patch column to the next. Many channels get an odd number of vectors, so that
 * the pixels of a tile lie in different sets of the cache. */
static int cell_of(int c)
{
    if (c < 64)
        return c;
    int vectors = round_up(c, 16) / 16;
    return 16 * (vectors | 1);
}

/* Fills in what follows from the geometry: cells, chunks, sizes, the place in the workspace. */
static void finish(struct launches *all, struct launch *l)
{
    enum { CACHED_FILTER = 512 * 1024, MIN_GROUPS = 64 };
    const int lanes = 16 * all->tiling.kv;
    const int blocks = round_up(l->args.k, lanes) / lanes;
    size_t block =
        (size_t)l->args.taps_h * (size_t)l->args.taps_w * (size_t)l->args.c * (size_t)lanes;
    int chunk = block ? (int)(CACHED_FILTER / (block * sizeof(float))) : blocks;
    chunk = chunk < 1 ? 1 : chunk > blocks ? blocks : chunk;
    while (chunk > 1 && l->args.p * l->images * ((blocks + chunk - 1) / chunk) < MIN_GROUPS)
        chunk--;
    l->args.blocks_per_group = chunk;
    l->chunks = (blocks + chunk - 1) / chunk;
    l->args.cell = cell_of(l->args.c);
    int columns = (all->tiling.px - 1) * l->args.step_w + (l->args.taps_w - 1) * l->args.tap_w + 1;
    l->patch_bytes = (size_t)l->args.taps_h * (size_t)(columns > 0 ? columns : 0) *
                     (size_t)l->args.cell * sizeof(float);
    l->pack.lanes = lanes;
    l->packed_count = (size_t)blocks * block;
    l->packed_at = all->packed_count;
    all->packed_count += (l->packed_count + 63) / 64 * 64;
}

static void lay_out_forward(const struct conv2d_args *a, struct launches *all)
{
    all->tiling = choose_tiling(a->q, a->k);
    all->count = 1;
    struct launch *l = &all->items[0];
    l->images = a->n;
    l->args = (struct conv2d_tile_args){
        .c = a->c,
        .h = a->h,
        .w = a->w,
        .p = a->p,
        .q = a->q,
        .k = a->k,
        .taps_h = a->r,
        .taps_w = a->s,
        .in_image = a->x_n,
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
    l->pack = (struct conv2d_pack_args){
        .outputs = a->k,
        .terms = a->c,
        .taps_h = a->r,
        .taps_w = a->s,
        .step_h = 1,
        .step_w = 1,
        .output_stride = a->c * a->r * a->s,
        .term_stride = a->r * a->s,
        .row_stride = a->s,
    };
    finish(all, l);
}

static void lay_out_phase(const struct conv2d_args *a, struct launches *all, int at_h, int at_w)
{
    const struct conv2d_phase h =
        clg__conv2d_phase(at_h, a->h, a->r, a->pad_top, a->dilation_h, a->stride_h);
    const struct conv2d_phase w =
        clg__conv2d_phase(at_w, a->w, a->s, a->pad_left, a->dilation_w, a->stride_w);
    if (h.outputs == 0 || w.outputs == 0)
        return;
    struct launch *l = &all->items[all->count++];
    l->images = a->n;
    l->args = (struct conv2d_tile_args){
        .c = a->k,
        .h = a->p,
        .w = a->q,
        .p = h.outputs,
        .q = w.outputs,
        .k = a->c,
        .taps_h = w.taps ? h.taps : 0,
        .taps_w = w.taps,
        .in_image = a->y_n,
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
    l->pack = (struct conv2d_pack_args){
        .outputs = a->c,
        .terms = a->k,
        .taps_h = l->args.taps_h,
        .taps_w = l->args.taps_w,
        .first_h = h.first_tap,
        .first_w = w.first_tap,
        .step_h = h.tap_step,
        .step_w = w.tap_step,
        .output_stride = a->r * a->s,
        .term_stride = a->c * a->r * a->s,
        .row_stride = a->s,
    };
    finish(all, l);
}

static void lay_out_backward_data(const struct conv2d_args *a, struct launches *all)
{
    all->tiling = choose_tiling((a->w + a->stride_w - 1) / a->stride_w, a->c);
    for (int h = 0; h < a->stride_h; h++)
        for (int w = 0; w < a->stride_w; w++)
            lay_out_phase(a, all, h, w);
}

static struct launches lay_out(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    struct launches all = {.count = 0};
    if (direction == CLG_CONV2D_FORWARD)
        lay_out_forward(a, &all);
    else
        lay_out_backward_data(a, &all);
    return all;
}

static bool tile_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device, const char **why_not)
{
    const struct {
        bool refused;
        const char *why;
    } reasons[] = {
        {device->family != CLG_FAMILY_CPU, "for CPU-like devices"},
        {!a->x_channels_last || !a->y_channels_last, "works on NHWC only"},
        {a->groups != 1, "one group only"},
        {direction == CLG_CONV2D_BACKWARD_DATA && a->stride_h * a->stride_w > MAX_PHASES,
         "at most 16 phases of the stride"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].refused) {
            *why_not = reasons[i].why;
            return false;
        }
    struct launches all = lay_out(a, direction);
    *why_not = "the windows of one tile do not fit into local memory";
    for (int i = 0; i < all.count; i++)
        if (all.items[i].patch_bytes > device->local_memory / 2)
            return false;
    *why_not = "the packed filter has 2^31 elements or more";
    return all.packed_count <= INT32_MAX;
}

static size_t tile_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    (void)device;
    return lay_out(a, direction).packed_count * sizeof(float);
}

/* About 0.8 of the peak on full tiles; padding of pixels and outputs to tiles is lost. */
static double tile_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                        const clg_device_info *device)
{
    struct launches all = lay_out(a, direction);
    double seconds = 0;
    for (int i = 0; i < all.count; i++) {
        const struct conv2d_tile_args *t = &all.items[i].args;
        double terms = tiling_cost(all.tiling, t->q, t->k) * t->p * all.items[i].images;
        double flop = 2 * terms * t->taps_h * t->taps_w * t->c;
        seconds += clg__conv2d_seconds(device, flop, 0.7, 2);
        seconds += 8.0 * (double)all.items[i].packed_count / clg__device_bandwidth(device);
    }
    return seconds;
}

struct state {
    struct launches launches;
    struct clg__kernel *tile, *pack;
};

static void release(void *pointer)
{
    struct state *state = pointer;
    if (!state)
        return;
    clg__kernel_destroy(state->tile);
    clg__kernel_destroy(state->pack);
    free(state);
}

static clg_status tile_prepare(clg_context *ctx, const struct conv2d_args *a,
                               clg_conv2d_direction direction, void **out)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return clg__fail_alloc("a tiled convolution");
    state->launches = lay_out(a, direction);
    char options[48];
    snprintf(options, sizeof options, "-DPX=%d -DKV=%d", state->launches.tiling.px,
             state->launches.tiling.kv);
    clg_status status =
        clg__kernel_create(ctx, "conv2d_tile", "conv2d_tile", options, &state->tile);
    if (status == CLG_OK)
        status = clg__kernel_create(ctx, "conv2d_pack", "conv2d_pack", "", &state->pack);
    if (status != CLG_OK) {
        release(state);
        return status;
    }
    *out = state;
    return CLG_OK;
}

/* in[0] is the input of the dense convolution, x or dy; in[2] the bias or nothing. */
static clg_status enqueue_one(struct state *state, const struct launch *l,
                              struct clg__stream *stream, const struct clg__operands *op)
{
    struct clg__mem packed = clg__mem_at(op->workspace, l->packed_at * sizeof(float));
    if (l->packed_count > 0)
        CLG__TRY(CLG__LAUNCH(stream, state->pack, clg__grid_1d((int64_t)l->packed_count),
                             clg__arg_mem(packed), clg__arg_mem(op->in[1]),
                             clg__arg_struct(&l->pack, sizeof l->pack)));
    const struct clg__grid grid = {
        3, {(size_t)l->args.p, (size_t)l->images, (size_t)l->chunks}, {1, 1, 1}};
    return CLG__LAUNCH(stream, state->tile, grid, clg__arg_mem(op->out[0]), clg__arg_mem(op->in[0]),
                       clg__arg_mem(packed), clg__arg_mem(op->in[2]),
                       clg__arg_struct(&l->args, sizeof l->args),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
                       clg__arg_local(l->patch_bytes ? l->patch_bytes : sizeof(float)));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    struct state *state = pointer;
    for (int i = 0; i < state->launches.count; i++)
        CLG__TRY(enqueue_one(state, &state->launches.items[i], stream, op));
    return CLG_OK;
}

CLG__CONV2D_ALGORITHM_FUSING(tile, forward, CLG_CONV2D_FORWARD, true, true);
CLG__CONV2D_ALGORITHM(tile, backward_data, CLG_CONV2D_BACKWARD_DATA, true);
