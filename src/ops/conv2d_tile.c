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

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_pack_args.clh"
#include "conv2d_tile_args.clh"
#include "ops/conv2d_cost.h"

/* One dense convolution; the forward direction is one, the input gradient one a phase. */
struct launch {
    struct conv2d_tile_args args;
    struct conv2d_pack_args pack;
    int bands, image_groups, chunks; /* groups along each axis */
    size_t packed_at, packed_count;  /* floats in the workspace */
    size_t patch_bytes, rest_bytes;
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

/* Register tiles: 24 to 28 of the 32 vector registers of AVX-512 hold sums, or fewer where a row
 * or the channels are short. Narrower devices have 16 registers of half a vector. */
static const struct tiling tilings[] = {{14, 2}, {7, 4}, {6, 4},  {12, 2},
                                        {10, 2}, {9, 3}, {16, 1}, {28, 1}};
static const struct tiling narrow_tiling = {6, 1};

/* Multiply-adds that a tiling spends on q pixels and k outputs, weighted by what a tile's own loads
 * cost: px broadcasts and kv vectors for px x kv multiply-adds. */
static double tiling_cost(struct tiling t, int q, int k)
{
    double tiles = (double)((q + t.px - 1) / t.px), lanes = 16.0 * t.kv;
    double blocks = (double)((k + 16 * t.kv - 1) / (16 * t.kv));
    double loads = (double)(t.px + t.kv) / (t.px * t.kv);
    return tiles * t.px * blocks * lanes * (loads > 1 ? loads + 0.1 : 1);
}

static struct tiling choose_tiling(const clg_device_info *device, int q, int k)
{
    if (device->vector_width_float < 16)
        return narrow_tiling;
    struct tiling best = tilings[0];
    for (size_t i = 1; i < sizeof tilings / sizeof tilings[0]; i++)
        if (tiling_cost(tilings[i], q, k) < tiling_cost(best, q, k))
            best = tilings[i];
    return best;
}

/* Floats from one patch column to the next. Many channels get an odd number of vectors, so that
 * the pixels of a tile lie in different sets of the cache. */
static int cell_of(int c)
{
    if (c < 64)
        return c;
    int vectors = clg__divide_up(c, 16);
    return 16 * (vectors | 1);
}

/* Channels of one pass: all of them if a block's filter stays in the second-level cache along with
 * the patch, otherwise parts of which one does. */
static int choose_part(int c, int taps, int lanes)
{
    enum { WHOLE = 80 * 1024, PART = 40 * 1024 };
    if (taps * c <= WHOLE / lanes)
        return c;
    int most = clg__at_least(PART / (taps * lanes), 16);
    return clg__round_up(clg__divide_up(c, clg__divide_up(c, most)), 16);
}

static size_t row_bytes(const struct conv2d_tile_args *t, int px, int span)
{
    int columns = (clg__at_least(span, px) - 1) * t->step_w + (t->taps_w - 1) * t->tap_w + 1;
    return (size_t)clg__at_least(columns, 0) * (size_t)t->cell * sizeof(float);
}

/* Cuts the outputs into groups: `chunks` along k, the rest along images, rows and columns. */
static void cut(struct launch *l, int px, int chunks, size_t patch_bytes, int wanted)
{
    struct conv2d_tile_args *t = &l->args;
    int blocks = clg__divide_up(t->k, l->pack.lanes),
        rows_of_period = clg__divide_up(t->p, t->period);
    t->blocks_per_group = clg__divide_up(blocks, chunks);
    l->chunks = clg__divide_up(blocks, t->blocks_per_group);
    wanted = clg__divide_up(wanted, l->chunks);
    t->span = clg__round_up(t->q, px);
    while (t->span > px && row_bytes(t, px, t->span) * (size_t)t->taps_h > patch_bytes)
        t->span -= px;
    t->spans = clg__divide_up(t->q, t->span);
    size_t row = row_bytes(t, px, t->span);
    int fit = row ? (int)(patch_bytes / row) : t->p;
    int most = clg__at_least((fit - t->taps_h) / t->jump + 1, 1);
    int bands = clg__at_least(clg__divide_up(wanted, t->n * t->period * t->spans),
                              clg__divide_up(rows_of_period, most));
    t->rows = clg__divide_up(rows_of_period, clg__at_most(bands, rows_of_period));
    bands = clg__divide_up(rows_of_period, t->rows);
    l->bands = bands * t->period * t->spans;
    t->patch_rows = t->taps_h ? (t->rows - 1) * t->jump + t->taps_h : 0;
    t->images = 1;
    if (bands == 1 && t->patch_rows > 0)
        t->images =
            clg__at_most(fit / t->patch_rows, t->n * l->bands / clg__at_least(wanted, l->bands));
    t->images = clg__at_least(t->images, 1);
    l->image_groups = clg__divide_up(t->n, t->images);
    t->columns = (int)(row / sizeof(float)) / t->cell;
    l->patch_bytes = row * (size_t)t->patch_rows * (size_t)t->images;
    l->rest_bytes = t->part < t->c ? (size_t)t->images * (size_t)t->rows * (size_t)t->span *
                                         (size_t)l->pack.lanes * sizeof(float)
                                   : 0;
}

/* Bytes that all groups move before they multiply: each position reads the filter of its chunk,
 * each chunk copies the patches. */
static double moved(const struct launch *l)
{
    double positions = (double)l->bands * l->image_groups;
    return positions * (double)l->packed_count * sizeof(float) +
           2 * positions * l->chunks * (double)l->patch_bytes;
}

/* Fills in what follows from the geometry: cells, groups, sizes, the place in the workspace. */
static void finish(struct launches *all, struct launch *l, const clg_device_info *device)
{
    enum { PATCH_BYTES = 256 * 1024, GROUPS_A_UNIT = 16 };
    const int px = all->tiling.px, lanes = 16 * all->tiling.kv;
    struct conv2d_tile_args *t = &l->args;
    const int blocks = clg__divide_up(t->k, lanes), taps = t->taps_h * t->taps_w;
    if (t->taps_h < 2)
        t->tap_h = t->step_h;
    t->period = t->tap_h / clg__greatest_divisor(t->step_h, t->tap_h);
    t->jump = t->period * t->step_h / t->tap_h;
    t->cell = cell_of(t->c);
    t->stream = t->out_column % 16 == 0 && t->out_row % 16 == 0 && t->out_image % 16 == 0 &&
                sizeof(float) * (uint64_t)t->n * (uint64_t)t->out_image > device->global_cache / 2;
    t->part = choose_part(t->c, taps, lanes);
    const bool side_by_side = t->tap_w == 1 && t->cell == t->c && t->part == t->c;
    t->taps_at_once = side_by_side ? clg__at_least(t->taps_w, 1) : 1; /* a phase may have none */
    l->pack.lanes = lanes;
    l->pack.part = t->part;
    l->packed_count = (size_t)blocks * (size_t)lanes * (size_t)t->c * (size_t)taps;
    l->packed_at = all->packed_count;
    all->packed_count += (l->packed_count + 63) / 64 * 64;
    size_t patch_bytes = device->local_memory / 3;
    if (patch_bytes > PATCH_BYTES)
        patch_bytes = PATCH_BYTES;
    struct launch best = *l;
    for (int chunks = 1; chunks <= blocks; chunks++) {
        cut(l, px, chunks, patch_bytes, GROUPS_A_UNIT * (int)device->compute_units);
        if (chunks == 1 || moved(l) < moved(&best))
            best = *l;
    }
    *l = best;
}

static void lay_out_forward(const struct conv2d_args *a, const clg_device_info *device,
                            struct launches *all)
{
    all->tiling = choose_tiling(device, a->q, a->k);
    all->count = 1;
    struct launch *l = &all->items[0];
    l->args = (struct conv2d_tile_args){
        .n = a->n,
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
        .r = a->r,
        .s = a->s,
    };
    finish(all, l, device);
}

static void lay_out_phase(const struct conv2d_args *a, const clg_device_info *device,
                          struct launches *all, int at_h, int at_w)
{
    const struct conv2d_phase h =
        clg__conv2d_phase(at_h, a->h, a->r, a->pad_top, a->dilation_h, a->stride_h);
    const struct conv2d_phase w =
        clg__conv2d_phase(at_w, a->w, a->s, a->pad_left, a->dilation_w, a->stride_w);
    if (h.outputs == 0 || w.outputs == 0)
        return;
    struct launch *l = &all->items[all->count++];
    l->args = (struct conv2d_tile_args){
        .n = a->n,
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
        .r = a->r,
        .s = a->s,
    };
    finish(all, l, device);
}

static void lay_out_backward_data(const struct conv2d_args *a, const clg_device_info *device,
                                  struct launches *all)
{
    all->tiling = choose_tiling(device, clg__divide_up(a->w, a->stride_w), a->c);
    for (int h = 0; h < a->stride_h; h++)
        for (int w = 0; w < a->stride_w; w++)
            lay_out_phase(a, device, all, h, w);
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

static bool tile_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device, const char **why_not)
{
    if (!clg__conv2d_meets(a, device, CLG__ON_CPU | CLG__NHWC_ONLY | CLG__ONE_GROUP, why_not) ||
        !CLG__ACCEPTS(why_not, {direction == CLG_CONV2D_BACKWARD_DATA &&
                                    a->stride_h * a->stride_w > MAX_PHASES,
                                "at most 16 phases of the stride"}))
        return false;
    struct launches all = lay_out(a, direction, device);
    *why_not = "the windows of one tile do not fit into local memory";
    for (int i = 0; i < all.count; i++)
        if (all.items[i].patch_bytes + all.items[i].rest_bytes > device->local_memory / 2)
            return false;
    *why_not = "the packed filter has 2^31 elements or more";
    return all.packed_count <= INT32_MAX;
}

static size_t tile_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    return lay_out(a, direction, device).packed_count * sizeof(float);
}

/* Starts of a loop over terms, in all rows of tiles: one for each tap, or for each row of taps
 * where a tile knows no borders. */
static double loops_of(const struct launch *l, struct tiling tiling)
{
    const struct conv2d_tile_args *t = &l->args;
    const int reach = (tiling.px - 1) * t->step_w + (t->taps_w - 1) * t->tap_w;
    double loops = 0;
    for (int done = 0; done < t->q; done += tiling.px) {
        const int q = clg__at_least(clg__at_most(done, t->q - tiling.px), 0);
        const int column = t->first_w + q * t->step_w;
        const bool inside = column >= 0 && column + reach < t->w;
        loops += inside ? clg__divide_up(t->taps_w, t->taps_at_once) : t->taps_w;
    }
    const double passes =
        (double)clg__divide_up(t->k, l->pack.lanes) * clg__divide_up(t->c, t->part);
    return loops * t->taps_h * passes * t->p * t->n;
}

/* Full tiles reach 0.95 of the peak, taps that meet padding only are left out; padding of pixels
 * and outputs to tiles is lost, as is what copying the input and packing the filter take, and, with
 * few channels, the time to start loops over them. */
static double tile_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                        const clg_device_info *device)
{
    enum { LOOP_FLOP = 36 * 32 };
    struct launches all = lay_out(a, direction, device);
    double seconds = 0;
    for (int i = 0; i < all.count; i++) {
        const struct launch *l = &all.items[i];
        const struct conv2d_tile_args *t = &l->args;
        double terms = tiling_cost(all.tiling, t->q, t->k) * t->p * t->n;
        terms *= clg__conv2d_inside(t->p, t->taps_h, t->step_h, t->tap_h, t->first_h, t->h);
        terms *= clg__conv2d_inside(t->q, t->taps_w, t->step_w, t->tap_w, t->first_w, t->w);
        double flop =
            2 * terms * t->taps_h * t->taps_w * t->c + LOOP_FLOP * loops_of(l, all.tiling);
        double copies = (double)l->bands * l->image_groups * l->chunks * (double)l->patch_bytes;
        double bytes = 8.0 * (double)l->packed_count + 2 * copies;
        seconds += clg__conv2d_seconds(device, flop, 0.95, 2);
        seconds += bytes / clg__device_bandwidth(device);
    }
    return seconds;
}

enum { TILE, PACK };

struct state {
    struct clg__kernels kernels;
    struct launches launches;
};

static clg_status tile_prepare(clg_context *ctx, const struct conv2d_args *a,
                               clg_conv2d_direction direction, void **state)
{
    const struct launches all = lay_out(a, direction, &ctx->info);
    char options[48];
    snprintf(options, sizeof options, "-DPX=%d -DKV=%d", all.tiling.px, all.tiling.kv);
    const struct clg__kernel_spec kernels[] = {
        [TILE] = {"conv2d_tile", "conv2d_tile", options},
        [PACK] = {"conv2d_pack", "conv2d_pack", ""},
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
    if (l->packed_count > 0) {
        const int vectors = clg__round_up(l->pack.outputs, l->pack.lanes) / 16;
        const struct clg__grid items = {
            1, {(size_t)vectors * (size_t)clg__divide_up(l->pack.terms, PACK_TERMS)}, {1}};
        CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[PACK], items, clg__arg_mem(packed),
                             clg__arg_mem(op->in[1]), clg__arg_struct(&l->pack, sizeof l->pack),
                             clg__arg_local((size_t)(l->pack.r * l->pack.s) * sizeof(int))));
    }
    const struct clg__grid grid = {
        3, {(size_t)l->bands, (size_t)l->image_groups, (size_t)l->chunks}, {1, 1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[TILE], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->in[0]), clg__arg_mem(packed), clg__arg_mem(op->in[2]),
                       clg__arg_struct(&l->args, sizeof l->args),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
                       clg__arg_local(l->patch_bytes ? l->patch_bytes : sizeof(float)),
                       clg__arg_local(l->rest_bytes ? l->rest_bytes : sizeof(float)));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    struct state *state = pointer;
    for (int i = 0; i < state->launches.count; i++)
        CLG__TRY(enqueue_one(state, &state->launches.items[i], stream, op));
    return CLG_OK;
}

CLG__CONV2D_ALGORITHM(tile, forward, CLG_CONV2D_FORWARD, .exact = true, .fuses_relu = true);
CLG__CONV2D_ALGORITHM(tile, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
