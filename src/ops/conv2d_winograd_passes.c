/*
 * Winograd convolution for GPU-like devices: three kernels around a batch of matrix products, one
 * product for each point of a tile (kernels_cl/conv2d_winograd_passes.cl). Works on a number of
 * tiles at a time, so that the matrices stay small. The gradient of the input is the same with dy
 * and the rotated filter. Source: Lavin and Gray, "Fast algorithms for convolutional neural
 * networks", 2016.
 */
#include "ops/conv2d_winograd.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_winograd_passes_args.clh"
#include "ops/conv2d_cost.h"
#include "ops/plan.h"
#include "runtime/gemm.h"

enum { MATRIX_FLOATS = 32 * 1024 * 1024 };

struct layout {
    int tile, points;
    bool channels_last; /* of the input: what lies side by side in the matrices */
    bool forward;
    struct winograd_passes_args args;
    int tiles, chunk; /* of all images; at a time */
    /* Bytes in the workspace: the product's own comes first. */
    size_t filter_at, input_at, product_at, end;
};

static struct clg__gemm_problem product(const struct layout *l, int tiles)
{
    const int c = l->args.c, k = l->args.k;
    struct clg__gemm_problem p = l->channels_last ? clg__gemm_dense(tiles, k, c, false, false)
                                                  : clg__gemm_dense(k, tiles, c, false, false);
    p.batch = l->points;
    p.stride_a = l->channels_last ? (int64_t)tiles * c : (int64_t)k * c;
    p.stride_b = l->channels_last ? (int64_t)c * k : (int64_t)c * tiles;
    p.stride_c = (int64_t)k * tiles;
    return p;
}

static size_t aligned(double floats)
{
    return ((size_t)floats * sizeof(float) + 255) / 256 * 256;
}

static void place(struct layout *l, const clg_device_info *device)
{
    const double points = l->points, c = l->args.c, k = l->args.k;
    const struct clg__gemm_problem p = product(l, l->chunk);
    size_t bytes;
    clg__gemm_cost(&p, device, NULL, &bytes);
    l->filter_at = (bytes + 255) / 256 * 256;
    l->input_at = l->filter_at + aligned(points * c * k);
    l->product_at = l->input_at + aligned(points * c * l->chunk);
    l->end = l->product_at + aligned(points * k * l->chunk);
}

static struct layout lay_out(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                             const clg_device_info *device)
{
    const bool forward = direction == CLG_CONV2D_FORWARD;
    struct layout l = {.tile = tile, .points = (tile + 2) * (tile + 2), .forward = forward};
    struct winograd_passes_args *w = &l.args;
    const struct winograd_passes_args x_to_y = {
        .c = a->c,
        .h = a->h,
        .w = a->w,
        .k = a->k,
        .p = a->p,
        .q = a->q,
        .first_h = -a->pad_top,
        .first_w = -a->pad_left,
        .in_n = a->x_n,
        .in_c = a->x_c,
        .in_h = a->x_h,
        .in_w = a->x_w,
        .out_n = a->y_n,
        .out_k = a->y_k,
        .out_p = a->y_p,
        .out_q = a->y_q,
        .relu = a->relu,
    };
    const struct winograd_passes_args dy_to_dx = {
        .c = a->k,
        .h = a->p,
        .w = a->q,
        .k = a->c,
        .p = a->h,
        .q = a->w,
        .first_h = a->pad_top - 2,
        .first_w = a->pad_left - 2,
        .in_n = a->y_n,
        .in_c = a->y_k,
        .in_h = a->y_p,
        .in_w = a->y_q,
        .out_n = a->x_n,
        .out_k = a->x_c,
        .out_p = a->x_h,
        .out_q = a->x_w,
    };
    *w = forward ? x_to_y : dy_to_dx;
    l.channels_last = forward ? a->x_channels_last : a->y_channels_last;
    w->tiles_h = clg__divide_up(w->p, tile);
    w->tiles_w = clg__divide_up(w->q, tile);
    l.tiles = a->n * w->tiles_h * w->tiles_w;
    int64_t fits = MATRIX_FLOATS / ((int64_t)l.points * (w->c + w->k));
    l.chunk = fits < 1 ? 1 : fits < l.tiles ? (int)fits : l.tiles;
    place(&l, device);
    return l;
}

static bool supports(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                     const clg_device_info *device, const char **why_not)
{
    if (!clg__conv2d_meets(a, device, CLG__ON_GPU | CLG__ONE_GROUP | CLG__DENSE_3X3, why_not))
        return false;
    const struct layout l = lay_out(a, direction, tile, device);
    *why_not = "a matrix of 2^31 elements or more";
    return (int64_t)l.args.c * l.args.k <= INT32_MAX &&
           (int64_t)(l.args.c > l.args.k ? l.args.c : l.args.k) * l.chunk <= INT32_MAX;
}

static size_t workspace(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                        const clg_device_info *device)
{
    return lay_out(a, direction, tile, device).end;
}

/* The products, and what the passes move: every matrix once each way, every tensor once, tiles of
 * the input with their overlap. */
static double cost(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                   const clg_device_info *device)
{
    const struct layout l = lay_out(a, direction, tile, device);
    const struct clg__gemm_problem p = product(&l, l.chunk);
    const double chunks = (double)l.tiles / l.chunk, points = l.points;
    const double c = l.args.c, k = l.args.k, outputs = (double)tile * tile;
    size_t bytes;
    double moved = sizeof(float) *
                   (2 * points * c * k + l.tiles * (c * (2 * points) + k * (points + outputs)));
    return chunks * (clg__gemm_cost(&p, device, NULL, &bytes) + 2 * CLG__LAUNCH_SECONDS) +
           CLG__LAUNCH_SECONDS + moved / clg__device_bandwidth(device);
}

enum { FILTER, INPUT, OUTPUT };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
    struct clg__gemm *full, *rest;  /* for a full chunk of tiles and for what is left */
    int filter_output, filter_term; /* element strides of w */
};

static void release(void *pointer)
{
    struct state *state = pointer;
    clg__gemm_destroy(state->full);
    clg__gemm_destroy(state->rest);
    clg__prepared_release(state);
}

static clg_status create_product(clg_context *ctx, const struct layout *l, int tiles,
                                 struct clg__gemm **gemm)
{
    const struct clg__gemm_problem p = product(l, tiles);
    return clg__gemm_create(ctx, &p, NULL, l->filter_at ? l->filter_at : CLG__GEMM_NO_WORKSPACE,
                            gemm);
}

static clg_status prepare(clg_context *ctx, const struct conv2d_args *a,
                          clg_conv2d_direction direction, int tile, void **out)
{
    static const char source[] = "conv2d_winograd_passes";
    const struct layout l = lay_out(a, direction, tile, &ctx->info);
    const int rest = l.tiles % l.chunk;
    char options[64];
    snprintf(options, sizeof options, "-DTILE=%d -DCHANNELS_LAST=%d", l.tile, l.channels_last);
    const struct clg__kernel_spec kernels[] = {
        [FILTER] = {source, "winograd_passes_filter", options},
        [INPUT] = {source, "winograd_passes_input", options},
        [OUTPUT] = {source, "winograd_passes_output", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 3, out));
    struct state *state = *out;
    state->layout = l;
    state->filter_output = l.forward ? a->c * 9 : 9;
    state->filter_term = l.forward ? 9 : a->c * 9;
    clg_status status;
    CLG__TRY_GOTO(create_product(ctx, &l, l.chunk, &state->full));
    if (rest > 0)
        CLG__TRY_GOTO(create_product(ctx, &l, rest, &state->rest));
    return CLG_OK;
fail:
    release(state);
    *out = NULL;
    return status;
}

/* An item for each channel and tile. */
static struct clg__grid grid_of(const struct layout *l, int channels, int tiles)
{
    return l->channels_last ? clg__grid_2d(channels, tiles) : clg__grid_2d(tiles, channels);
}

static clg_status run_chunk(const struct state *state, struct clg__stream *stream,
                            const struct clg__operands *op, struct winograd_passes_args args)
{
    const struct layout *l = &state->layout;
    const struct clg__mem filter = clg__mem_at(op->workspace, l->filter_at);
    const struct clg__mem input = clg__mem_at(op->workspace, l->input_at);
    const struct clg__mem products = clg__mem_at(op->workspace, l->product_at);
    const struct clg__operands gemm = {
        .out = {products},
        .in = {l->channels_last ? input : filter, l->channels_last ? filter : input},
        .workspace = op->workspace,
    };
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[INPUT], grid_of(l, args.c, args.tiles),
                         clg__arg_mem(input), clg__arg_mem(op->in[0]),
                         clg__arg_struct(&args, sizeof args)));
    CLG__TRY(clg__gemm_enqueue(args.tiles == l->chunk ? state->full : state->rest, stream, &gemm));
    return CLG__LAUNCH(stream, state->kernels.at[OUTPUT], grid_of(l, args.k, args.tiles),
                       clg__arg_mem(op->out[0]), clg__arg_mem(products), clg__arg_mem(op->in[2]),
                       clg__arg_struct(&args, sizeof args), clg__arg_int(op->in[2].object != NULL));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    struct winograd_passes_args args = l->args;
    args.accumulate = op->accumulate;
    CLG__TRY(
        CLG__LAUNCH(stream, state->kernels.at[FILTER],
                    l->channels_last ? clg__grid_2d(args.k, args.c) : clg__grid_2d(args.c, args.k),
                    clg__arg_mem(clg__mem_at(op->workspace, l->filter_at)), clg__arg_mem(op->in[1]),
                    clg__arg_int(args.k), clg__arg_int(args.c), clg__arg_int(state->filter_output),
                    clg__arg_int(state->filter_term), clg__arg_int(!l->forward)));
    for (args.first = 0; args.first < l->tiles; args.first += l->chunk) {
        int left = l->tiles - args.first;
        args.tiles = left < l->chunk ? left : l->chunk;
        CLG__TRY(run_chunk(state, stream, op, args));
    }
    return CLG_OK;
}

/* The algorithms of one tile size, for the tables. */
#define WINOGRAD(name, tile)                                                                       \
    CLG__WINOGRAD_FUNCTIONS(name, tile)                                                            \
    CLG__CONV2D_ALGORITHM_OWNING(name, forward, CLG_CONV2D_FORWARD, .exact = false,                \
                                 .fuses_relu = true);                                              \
    CLG__CONV2D_ALGORITHM_OWNING(name, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = false)

WINOGRAD(winograd4_passes, 4);
WINOGRAD(winograd2_passes, 2);
