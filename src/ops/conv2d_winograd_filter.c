/*
 * Winograd filter gradient for CPU-like devices, channels last; kernels in
 * conv2d_winograd_filter.cl and, for many channels, conv2d_winograd_filter_deep.cl. The names are
 * those of conv2d_winograd.c.
 */
#include "ops/conv2d_winograd.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_winograd_filter_args.clh"
#include "ops/conv2d_cost.h"

/* Channels and vectors of 16 filters of a register tile. */
struct tiling {
    int ct, kv;
};

static const struct tiling wide_tilings[] = {{13, 2}, {11, 2}, {16, 1}};
static const struct tiling narrow_tilings[] = {{6, 1}};

struct layout {
    int tile;
    bool deep; /* conv2d_winograd_filter_deep: a tile is transformed once for all groups */
    struct tiling tiling;
    struct conv2d_winograd_filter_args args;
    int channel_groups, filter_groups, slices;
    int v_plane, d_plane; /* deep: floats of one point, of x's and of dy's transform */
    size_t input_bytes, gradient_bytes, product_bytes, tap_bytes, patch_bytes;
    double seconds; /* by estimate */
};

/* Of the kernel that takes most. */
static size_t local_bytes(const struct layout *l)
{
    size_t transforms = l->input_bytes + l->gradient_bytes + l->patch_bytes;
    size_t sums = l->product_bytes + l->tap_bytes;
    return !l->deep ? transforms + sums : transforms > sums ? transforms : sums;
}

static size_t partial_floats(const struct layout *l)
{
    return (size_t)l->slices * 9 * (size_t)l->args.c * (size_t)l->args.pitch;
}

/* What the groups share. */
static size_t points_floats(const struct layout *l)
{
    const int points = (l->tile + 2) * (l->tile + 2);
    return l->deep ? (size_t)points * ((size_t)l->v_plane + (size_t)l->d_plane) : 0;
}

static void finish_local(struct layout *l)
{
    const struct conv2d_winograd_filter_args *w = &l->args;
    const int planes = 2 * (l->tile + 2), cell = clg__divide_up(w->c, 16), vectors = w->pitch / 16;
    l->v_plane = l->channel_groups * w->channels * w->tiles;
    l->d_plane = w->pitch * w->tiles;
    l->input_bytes = l->deep ? clg__winograd_bytes(planes, cell > vectors ? cell : vectors)
                             : clg__winograd_bytes(planes, w->block * w->channels / 16);
    l->gradient_bytes = l->deep ? 0 : clg__winograd_bytes(planes, w->block * w->vectors);
    l->product_bytes = clg__winograd_bytes(planes, w->channels * w->vectors);
    l->tap_bytes = clg__winograd_bytes(9, w->channels * w->vectors);
    l->patch_bytes = clg__winograd_bytes(1, (l->tile + 2) * (l->tile + 2));
}

/* Slices such that the transforms of one, which all shares read one after the other, stay in half
 * of the cache. */
static int cached_slices(const struct layout *l, const clg_device_info *device)
{
    size_t half = (size_t)device->global_cache / 2 + 1;
    return (int)(sizeof(float) * points_floats(l) / half) + 1;
}

/* Fills in what follows from the geometry, the shares of a group and its tiles at a time. The
 * estimate is that of measurements: products at 0.85 of the peak; a point of the transforms as long
 * as 32 operations, for each channel and filter of a tile, again in every group that shares the
 * tile; and the sums' way to the taps as long as 16 a point. */
static void finish(struct layout *l, const clg_device_info *device)
{
    enum { GROUPS_A_UNIT = 8 };
    struct conv2d_winograd_filter_args *w = &l->args;
    const int points = (l->tile + 2) * (l->tile + 2);
    const int shares = l->channel_groups * l->filter_groups, units = (int)device->compute_units;
    const int blocks = clg__divide_up(w->tiles, w->block);
    int slices = clg__divide_up(GROUPS_A_UNIT * units, shares);
    finish_local(l);
    slices = slices > cached_slices(l, device) ? slices : cached_slices(l, device);
    w->blocks_per_slice = clg__divide_up(blocks, slices < blocks ? slices : blocks);
    l->slices = clg__divide_up(blocks, w->blocks_per_slice);
    const double channels = w->channels, filters = 16.0 * w->vectors;
    double transforms = l->deep ? 0 : 32 * (channels + filters);
    double block_flop =
        w->block * (2 * channels * filters / 0.85 + transforms) + 16 * channels * filters;
    double flop =
        clg__divide_up(shares * l->slices, units) * units * w->blocks_per_slice * block_flop;
    if (l->deep)
        flop += 48.0 * w->tiles * (w->c + w->pitch);
    /* Vectors of which only some channels exist come through a copy of the window. */
    flop += 960.0 * w->tiles * ((w->c % 16 != 0) + (w->k % 16 != 0));
    const double bytes = 8.0 * (double)partial_floats(l) + 12.0 * (double)points_floats(l);
    l->seconds = clg__conv2d_seconds(device, points * flop, 0.9, l->deep ? 3 : 2) +
                 bytes / clg__device_bandwidth(device);
}

static struct tiling choose_tiling(const struct conv2d_args *a, const clg_device_info *device)
{
    if (device->vector_width_float < 16)
        return narrow_tilings[0];
    return wide_tilings[a->k <= 16 ? 2 : a->c <= 48 ? 1 : 0];
}

/* The kernel and the tiles at a time that take least, of those that fit into half of the local
 * memory; fits nothing, the fewest. Transforms in the workspace grow with the batch: they have a
 * bound.
 */
static void choose_block(struct layout *l, const clg_device_info *device)
{
    enum { STEP = 8, MOST = 128 };
    struct layout best = {.seconds = INFINITY};
    const int tiles = l->args.tiles;
    for (int deep = 0; deep < 2; deep++)
        for (int block = STEP; block <= MOST && block < tiles + STEP; block += STEP) {
            l->deep = deep;
            l->args.block = block < tiles ? block : tiles;
            finish(l, device);
            bool fits = local_bytes(l) <= device->local_memory / 2 &&
                        sizeof(float) * points_floats(l) <= device->global_cache;
            if (best.seconds == INFINITY || (fits && l->seconds < best.seconds))
                best = *l;
        }
    *l = best;
}

static struct layout lay_out(const struct conv2d_args *a, int tile, const clg_device_info *device)
{
    enum { CHANNELS = 64, VECTORS = 4 };
    struct layout l = {
        .tile = tile,
        .tiling = choose_tiling(a, device),
        .args = {.c = a->c,
                 .h = a->h,
                 .w = a->w,
                 .k = a->k,
                 .p = a->p,
                 .q = a->q,
                 .pad_top = a->pad_top,
                 .pad_left = a->pad_left},
    };
    struct conv2d_winograd_filter_args *w = &l.args;
    w->tiles_h = clg__divide_up(w->p, tile);
    w->tiles_w = clg__divide_up(w->q, tile);
    w->tiles = a->n * w->tiles_h * w->tiles_w;
    const int kv = l.tiling.kv, filter_blocks = clg__divide_up(w->k, 16 * kv);
    w->pitch = filter_blocks * 16 * kv;
    w->channels = clg__divide_up(clg__divide_up(w->c, 16), clg__divide_up(w->c, CHANNELS)) * 16;
    w->vectors = clg__divide_up(filter_blocks, clg__divide_up(filter_blocks * kv, VECTORS)) * kv;
    l.channel_groups = clg__divide_up(w->c, w->channels);
    l.filter_groups = clg__divide_up(filter_blocks * kv, w->vectors);
    choose_block(&l, device);
    return l;
}

static bool winograd_supports(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                              const clg_device_info *device, const char **why_not)
{
    (void)direction;
    if (!clg__conv2d_meets(a, device,
                           CLG__ON_CPU | CLG__NHWC_ONLY | CLG__ONE_GROUP | CLG__DENSE_3X3, why_not))
        return false;
    struct layout l = lay_out(a, tile, device);
    *why_not = "the transformed tiles do not fit into local memory";
    return local_bytes(&l) <= device->local_memory / 2;
}

static size_t winograd_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 int tile, const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a, tile, device);
    return (partial_floats(&l) + points_floats(&l)) * sizeof(float);
}

static double winograd_cost(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                            const clg_device_info *device)
{
    (void)direction;
    return lay_out(a, tile, device).seconds;
}

enum { POINTS, MAIN, JOIN };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status winograd_prepare(clg_context *ctx, const struct conv2d_args *a,
                                   clg_conv2d_direction direction, int tile, void **state)
{
    (void)direction;
    static const char flat[] = "conv2d_winograd_filter", deep[] = "conv2d_winograd_filter_deep";
    const struct layout l = lay_out(a, tile, &ctx->info);
    char options[64];
    snprintf(options, sizeof options, "-DTILE=%d -DCT=%d -DKV=%d", l.tile, l.tiling.ct,
             l.tiling.kv);
    const struct clg__kernel_spec kernels[] = {
        [POINTS] = {deep, l.deep ? "conv2d_winograd_filter_points" : NULL, options},
        [MAIN] = {l.deep ? deep : flat, l.deep ? deep : flat, options},
        [JOIN] = {flat, "conv2d_winograd_join", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 3, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

/* Enqueues what fills the partial sums, at the start of the workspace. */
static clg_status enqueue_sums(const struct state *state, struct clg__stream *stream,
                               const struct clg__operands *op)
{
    const struct layout *l = &state->layout;
    const struct conv2d_winograd_filter_args *w = &l->args;
    const struct clg__arg args = clg__arg_struct(w, sizeof *w);
    const struct clg__grid grid = {
        3, {(size_t)l->channel_groups, (size_t)l->filter_groups, (size_t)l->slices}, {1, 1, 1}};
    if (!l->deep)
        return CLG__LAUNCH(stream, state->kernels.at[MAIN], grid, clg__arg_mem(op->workspace),
                           clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]), args,
                           clg__arg_local(l->input_bytes), clg__arg_local(l->gradient_bytes),
                           clg__arg_local(l->product_bytes), clg__arg_local(l->tap_bytes),
                           clg__arg_local(l->patch_bytes));
    const int points = (l->tile + 2) * (l->tile + 2);
    const struct clg__mem v = clg__mem_at(op->workspace, partial_floats(l) * sizeof(float));
    const struct clg__mem d = clg__mem_at(v, (size_t)points * (size_t)l->v_plane * sizeof(float));
    const struct clg__arg v_plane = clg__arg_int(l->v_plane), d_plane = clg__arg_int(l->d_plane);
    const struct clg__grid tiles = {1, {(size_t)w->tiles}, {1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[POINTS], tiles, clg__arg_mem(v), clg__arg_mem(d),
                         clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]), args, v_plane, d_plane,
                         clg__arg_local(l->input_bytes), clg__arg_local(l->patch_bytes)));
    return CLG__LAUNCH(stream, state->kernels.at[MAIN], grid, clg__arg_mem(op->workspace),
                       clg__arg_mem(v), clg__arg_mem(d), args, v_plane, d_plane,
                       clg__arg_local(l->product_bytes), clg__arg_local(l->tap_bytes));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct conv2d_winograd_filter_args *w = &l->args;
    enum { SPAN = 16 };
    CLG__TRY(enqueue_sums(state, stream, op));
    const struct clg__grid joins = {
        2, {(size_t)clg__divide_up(w->k, 16), (size_t)clg__divide_up(w->c, SPAN)}, {1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[JOIN], joins, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->workspace), clg__arg_int(w->k), clg__arg_int(w->c),
                       clg__arg_int(w->pitch), clg__arg_int(l->slices), clg__arg_int(SPAN),
                       clg__arg_int(op->accumulate));
}

/* The algorithms of one tile size, for the tables. */
#define WINOGRAD(name, tile)                                                                       \
    CLG__WINOGRAD_FUNCTIONS(winograd, name, tile)                                                  \
    CLG__CONV2D_ALGORITHM(name, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = false)

WINOGRAD(winograd4, 4);
WINOGRAD(winograd2, 2);
