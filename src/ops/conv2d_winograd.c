/*
 * Winograd convolution for CPU-like devices, channels last; kernels in conv2d_winograd.cl and
 * conv2d_winograd_pack.cl, for many channels conv2d_winograd_deep.cl. winograd4 makes tiles of
 * 4 x 4 outputs from 36 products in place of 144, winograd2 tiles of 2 x 2 from 16 in place of 36.
 *
 * The gradient of the input is the same kernel: dx is a convolution of dy with the rotated filter.
 */
#include "ops/conv2d_winograd.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_winograd_args.clh"
#include "ops/conv2d_cost.h"

/* Tiles and vectors of 16 outputs of a register tile. */
struct tiling {
    int px, kv;
};

/* Up to 24 of the 32 vector registers of AVX-512 hold sums; narrower devices have 16 registers of
 * half a vector. */
static const struct tiling wide_tilings[] = {{6, 4}, {12, 2}, {24, 1}, {8, 2}};
static const struct tiling narrow_tilings[] = {{6, 1}};

/* Channels at a time of conv2d_winograd_deep. */
enum { DEPTH = 32 };

struct layout {
    int tile;
    bool deep; /* conv2d_winograd_deep: transforms the filter in every group */
    struct tiling tiling;
    struct conv2d_winograd_args args;
    int output_stride, term_stride; /* of the filter */
    bool rotate;                    /* its taps */
    int groups, output_groups;
    size_t workspace_floats; /* the transformed filter, or input */
    size_t input_bytes, filter_bytes, product_bytes, patch_bytes; /* of local memory */
    double seconds;                                               /* by estimate */
};

static size_t local_bytes(const struct layout *l)
{
    return l->input_bytes + l->filter_bytes + l->product_bytes + l->patch_bytes;
}

/* Fills in what follows from the geometry, the tiling and the tiles of a group. The estimates are
 * those of measurements: products at 0.85 of the peak, and each point of the transforms as long as
 * 16 operations, for each channel and output of a tile and for each pair of the filter. */
static void finish_flat(struct layout *l, const clg_device_info *device)
{
    const struct conv2d_winograd_args *w = &l->args;
    const int points = (l->tile + 2) * (l->tile + 2), lanes = 16 * l->tiling.kv;
    const int cell = clg__divide_up(w->c, 16), outputs = clg__divide_up(w->k, lanes) * lanes;
    l->groups = clg__divide_up(w->tiles, w->block);
    l->workspace_floats =
        (size_t)(outputs / lanes) * (size_t)points * ((size_t)w->c * (size_t)lanes + 16);
    l->input_bytes = clg__winograd_bytes(points, w->block * cell);
    l->filter_bytes = 0;
    l->product_bytes = clg__winograd_bytes(points, w->block * l->tiling.kv);
    const int units = (int)device->compute_units;
    double tiles = (double)(w->block < w->tiles ? w->block : w->tiles) + 0.5;
    /* Vectors of which only some channels exist come through a copy of the window. */
    double parts = w->c % 16 ? 960 : 0;
    double tile_flop = 2.0 * w->c * outputs / 0.85 + 16.0 * (16 * cell + outputs) + parts;
    double filter_flop = 16.0 * w->c * outputs;
    double flop =
        points * (tiles * clg__divide_up(l->groups, units) * units * tile_flop + filter_flop);
    /* Each group reads the whole transformed filter: from memory where it leaves no room for
     * anything else in the last cache. */
    double filter = sizeof(float) * (double)l->workspace_floats;
    double readings = filter > 0.75 * (double)device->global_cache ? l->groups : 0;
    l->seconds = clg__conv2d_seconds(device, flop, 0.9, 2) +
                 (2 + readings) * filter / clg__device_bandwidth(device);
}

static void finish_deep(struct layout *l, const clg_device_info *device)
{
    const struct conv2d_winograd_args *w = &l->args;
    const int points = (l->tile + 2) * (l->tile + 2), lanes = 16 * l->tiling.kv;
    const int cell = clg__divide_up(w->c, 16), px = l->tiling.px;
    l->groups = clg__divide_up(w->tiles, w->block);
    l->output_groups = clg__divide_up(w->k, lanes);
    l->workspace_floats = (size_t)points * (size_t)l->groups * (size_t)w->block * (size_t)cell * 16;
    l->input_bytes = clg__winograd_bytes(points, cell);
    l->filter_bytes = clg__winograd_bytes(points, DEPTH * l->tiling.kv);
    l->product_bytes = clg__winograd_bytes(points, w->block * l->tiling.kv);
    const int units = (int)device->compute_units, all = l->groups * l->output_groups;
    const int block = w->block < w->tiles ? w->block : w->tiles;
    double products = 2.0 * w->c * lanes / 0.75 * clg__divide_up(block, px) * px;
    double transforms = 16.0 * w->c * lanes + 16.0 * block * lanes;
    double flop = points * (clg__divide_up(all, units) * units * (products + transforms) +
                            24.0 * w->tiles * cell * 16);
    l->seconds = clg__conv2d_seconds(device, flop, 0.9, 2) +
                 8.0 * (double)l->workspace_floats / clg__device_bandwidth(device);
}

/* The kernel, the tiling and the tiles of a group that take least, of those that fit into half of
 * the local memory; fits nothing, that of the least tiles. */
static void choose(struct layout *l, const clg_device_info *device)
{
    enum { MOST = 48 };
    const bool wide = device->vector_width_float >= 16;
    const struct tiling *tilings = wide ? wide_tilings : narrow_tilings;
    const size_t count = wide ? sizeof wide_tilings / sizeof wide_tilings[0] : 1;
    struct layout best = {.seconds = INFINITY};
    for (int deep = 0; deep < 2; deep++)
        for (size_t i = 0; i < count; i++)
            for (int block = tilings[i].px; block <= MOST; block += tilings[i].px) {
                l->deep = deep;
                l->tiling = tilings[i];
                l->args.block = block;
                if (deep)
                    finish_deep(l, device);
                else
                    finish_flat(l, device);
                bool fits = local_bytes(l) <= device->local_memory / 2;
                if (best.seconds == INFINITY || (fits && l->seconds < best.seconds))
                    best = *l;
            }
    *l = best;
}

static struct layout lay_out(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                             const clg_device_info *device)
{
    const bool forward = direction == CLG_CONV2D_FORWARD;
    const int taps = a->r * a->s;
    struct layout l = {
        .tile = tile,
        .output_stride = forward ? a->c * taps : taps,
        .term_stride = forward ? taps : a->c * taps,
        .rotate = !forward,
        .args =
            {
                .c = forward ? a->c : a->k,
                .h = forward ? a->h : a->p,
                .w = forward ? a->w : a->q,
                .k = forward ? a->k : a->c,
                .p = forward ? a->p : a->h,
                .q = forward ? a->q : a->w,
                .first_h = forward ? -a->pad_top : a->pad_top - 2,
                .first_w = forward ? -a->pad_left : a->pad_left - 2,
                .relu = a->relu,
            },
    };
    struct conv2d_winograd_args *w = &l.args;
    w->tiles_h = clg__divide_up(w->p, tile);
    w->tiles_w = clg__divide_up(w->q, tile);
    w->tiles = a->n * w->tiles_h * w->tiles_w;
    l.patch_bytes = clg__winograd_bytes(1, (tile + 2) * (tile + 2));
    choose(&l, device);
    return l;
}

static bool winograd_supports(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                              const clg_device_info *device, const char **why_not)
{
    if (!clg__conv2d_meets(a, device,
                           CLG__ON_CPU | CLG__NHWC_ONLY | CLG__ONE_GROUP | CLG__DENSE_3X3, why_not))
        return false;
    struct layout l = lay_out(a, direction, tile, device);
    *why_not = "the transformed tiles do not fit into local memory";
    return local_bytes(&l) <= device->local_memory / 2;
}

static size_t winograd_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 int tile, const clg_device_info *device)
{
    return lay_out(a, direction, tile, device).workspace_floats * sizeof(float);
}

static double winograd_cost(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                            const clg_device_info *device)
{
    return lay_out(a, direction, tile, device).seconds;
}

enum { FIRST, MAIN };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status winograd_prepare(clg_context *ctx, const struct conv2d_args *a,
                                   clg_conv2d_direction direction, int tile, void **state)
{
    const struct layout l = lay_out(a, direction, tile, &ctx->info);
    char pack[16], options[64];
    snprintf(pack, sizeof pack, "-DTILE=%d", l.tile);
    snprintf(options, sizeof options, "%s -DPX=%d -DKV=%d", pack, l.tiling.px, l.tiling.kv);
    const struct clg__kernel_spec flat[] = {
        [FIRST] = {"conv2d_winograd_pack", "conv2d_winograd_pack", pack},
        [MAIN] = {"conv2d_winograd", "conv2d_winograd", options},
    };
    const struct clg__kernel_spec deep[] = {
        [FIRST] = {"conv2d_winograd_deep", "conv2d_winograd_input", options},
        [MAIN] = {"conv2d_winograd_deep", "conv2d_winograd_deep", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), l.deep ? deep : flat, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue_deep(const struct state *state, struct clg__stream *stream,
                               const struct clg__operands *op)
{
    const struct layout *l = &state->layout;
    const struct conv2d_winograd_args *w = &l->args;
    const struct clg__arg args = clg__arg_struct(w, sizeof *w);
    const struct clg__arg v_tiles = clg__arg_int((int64_t)l->groups * w->block);
    const int px = l->tiling.px;
    const struct clg__grid inputs = {1, {(size_t)clg__divide_up(w->tiles, px) * (size_t)px}, {1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[FIRST], inputs, clg__arg_mem(op->workspace),
                         clg__arg_mem(op->in[0]), args, v_tiles, clg__arg_local(l->input_bytes),
                         clg__arg_local(l->patch_bytes)));
    const struct clg__grid grid = {2, {(size_t)l->output_groups, (size_t)l->groups}, {1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[MAIN], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->workspace), clg__arg_mem(op->in[1]),
                       clg__arg_mem(op->in[2]), args, v_tiles, clg__arg_int(l->output_stride),
                       clg__arg_int(l->term_stride), clg__arg_int(l->rotate),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
                       clg__arg_local(l->filter_bytes), clg__arg_local(l->product_bytes));
}

/* in[0] is the input of the convolution, x or dy; in[2] the bias or nothing. */
static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    if (l->deep)
        return enqueue_deep(state, stream, op);
    const struct conv2d_winograd_args *w = &l->args;
    enum { SPAN = 64 };
    const struct clg__grid filters = {
        2, {(size_t)clg__divide_up(w->k, 16), (size_t)clg__divide_up(w->c, SPAN)}, {1, 1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[FIRST], filters, clg__arg_mem(op->workspace),
                         clg__arg_mem(op->in[1]), clg__arg_int(w->k), clg__arg_int(w->c),
                         clg__arg_int(l->output_stride), clg__arg_int(l->term_stride),
                         clg__arg_int(l->rotate), clg__arg_int(16 * l->tiling.kv),
                         clg__arg_int(SPAN)));
    const struct clg__grid grid = {1, {(size_t)l->groups}, {1}};
    return CLG__LAUNCH(stream, state->kernels.at[MAIN], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->in[0]), clg__arg_mem(op->workspace),
                       clg__arg_mem(op->in[2]), clg__arg_struct(w, sizeof *w),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
                       clg__arg_local(l->input_bytes), clg__arg_local(l->product_bytes),
                       clg__arg_local(l->patch_bytes));
}

/* The algorithms of one tile size, for the tables. */
#define WINOGRAD(name, tile)                                                                       \
    CLG__WINOGRAD_FUNCTIONS(winograd, name, tile)                                                  \
    CLG__CONV2D_ALGORITHM(name, forward, CLG_CONV2D_FORWARD, .exact = false, .fuses_relu = true);  \
    CLG__CONV2D_ALGORITHM(name, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = false)

WINOGRAD(winograd4, 4);
WINOGRAD(winograd2, 2);
