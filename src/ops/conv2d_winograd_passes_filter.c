/*
 * The filter gradient of Winograd convolution for GPU-like devices, in passes
 * (kernels_cl/conv2d_winograd_passes_filter.cl): the products of the points sum over the tiles, of
 * which a number is transformed at a time. The names are those of conv2d_winograd_passes.c.
 */
#include "ops/conv2d_winograd_passes.h"

#include <stdio.h>

#include "base/error.h"

static bool supports(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                     const clg_device_info *device, const char **why_not)
{
    return clg__winograd_passes_supports(a, direction, tile, device, why_not);
}

static size_t workspace(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                        const clg_device_info *device)
{
    return clg__winograd_passes(a, direction, tile, device).end;
}

static double cost(const struct conv2d_args *a, clg_conv2d_direction direction, int tile,
                   const clg_device_info *device)
{
    const struct clg__winograd_passes l = clg__winograd_passes(a, direction, tile, device);
    return clg__winograd_passes_cost(&l, device);
}

enum { INPUT, GRADIENT, TAPS };

struct state {
    struct clg__kernels kernels;
    struct clg__winograd_passes layout;
    struct clg__gemm *full, *rest; /* for a full chunk of tiles and for what is left */
};

static void release(void *pointer)
{
    struct state *state = pointer;
    clg__gemm_destroy(state->full);
    clg__gemm_destroy(state->rest);
    clg__prepared_release(state);
}

static clg_status prepare(clg_context *ctx, const struct conv2d_args *a,
                          clg_conv2d_direction direction, int tile, void **out)
{
    static const char source[] = "conv2d_winograd_passes_filter";
    const struct clg__winograd_passes l = clg__winograd_passes(a, direction, tile, &ctx->info);
    const int rest = l.tiles % l.chunk;
    char input[64], output[64];
    snprintf(input, sizeof input, "-DTILE=%d -DCHANNELS_LAST=%d", l.tile, l.input_last);
    snprintf(output, sizeof output, "-DTILE=%d -DCHANNELS_LAST=%d", l.tile, l.output_last);
    const struct clg__kernel_spec kernels[] = {
        [INPUT] = {"conv2d_winograd_passes", "winograd_passes_input", input},
        [GRADIENT] = {source, "winograd_passes_gradient", output},
        [TAPS] = {source, "winograd_passes_taps", output},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 3, out));
    struct state *state = *out;
    state->layout = l;
    clg_status status;
    CLG__TRY_GOTO(clg__winograd_passes_product(ctx, &l, l.chunk, &state->full));
    if (rest > 0)
        CLG__TRY_GOTO(clg__winograd_passes_product(ctx, &l, rest, &state->rest));
    return CLG_OK;
fail:
    release(state);
    *out = NULL;
    return status;
}

/* Adds the tiles of one chunk to the products; the first chunk overwrites. */
static clg_status run_chunk(const struct state *state, struct clg__stream *stream,
                            const struct clg__operands *op, struct winograd_passes_args args)
{
    const struct clg__winograd_passes *l = &state->layout;
    const struct clg__mem gradient = clg__mem_at(op->workspace, l->factor_at);
    const struct clg__mem input = clg__mem_at(op->workspace, l->input_at);
    const struct clg__operands gemm = {
        .out = {clg__mem_at(op->workspace, l->product_at)},
        .in = {gradient, input},
        .workspace = op->workspace,
        .accumulate = args.first > 0,
    };
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[INPUT],
                         clg__winograd_passes_grid(l->input_last, args.c, args.tiles),
                         clg__arg_mem(input), clg__arg_mem(op->in[0]),
                         clg__arg_struct(&args, sizeof args)));
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[GRADIENT],
                         clg__winograd_passes_grid(l->output_last, args.k, args.tiles),
                         clg__arg_mem(gradient), clg__arg_mem(op->in[1]),
                         clg__arg_struct(&args, sizeof args)));
    return clg__gemm_enqueue(args.tiles == l->chunk ? state->full : state->rest, stream, &gemm);
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct clg__winograd_passes *l = &state->layout;
    struct winograd_passes_args args = l->args;
    for (args.first = 0; args.first < l->tiles; args.first += l->chunk) {
        int left = l->tiles - args.first;
        args.tiles = left < l->chunk ? left : l->chunk;
        CLG__TRY(run_chunk(state, stream, op, args));
    }
    return CLG__LAUNCH(stream, state->kernels.at[TAPS], clg__grid_2d(args.c, args.k),
                       clg__arg_mem(op->out[0]),
                       clg__arg_mem(clg__mem_at(op->workspace, l->product_at)),
                       clg__arg_int(args.k), clg__arg_int(args.c), clg__arg_int(op->accumulate));
}

/* The algorithm of one tile size, for the table. */
#define WINOGRAD(name, tile)                                                                       \
    CLG__WINOGRAD_FUNCTIONS(name, tile)                                                            \
    CLG__CONV2D_ALGORITHM_OWNING(name, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = false)

WINOGRAD(winograd4_passes, 4);
WINOGRAD(winograd2_passes, 2);
