/*
 * Winograd convolution for GPU-like devices: three kernels around a batch of matrix products, one
 * product for each point of a tile (kernels_cl/conv2d_winograd_passes.cl). The gradient of the
 * input is the same with dy and the rotated filter. Source: Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", 2016.
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

enum { FILTER, INPUT, OUTPUT };

struct state {
    struct clg__kernels kernels;
    struct clg__winograd_passes layout;
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

static clg_status prepare(clg_context *ctx, const struct conv2d_args *a,
                          clg_conv2d_direction direction, int tile, void **out)
{
    static const char source[] = "conv2d_winograd_passes";
    const struct clg__winograd_passes l = clg__winograd_passes(a, direction, tile, &ctx->info);
    const bool forward = direction == CLG_CONV2D_FORWARD;
    const int rest = l.tiles % l.chunk;
    char options[64];
    snprintf(options, sizeof options, "-DTILE=%d -DCHANNELS_LAST=%d", l.tile, l.input_last);
    const struct clg__kernel_spec kernels[] = {
        [FILTER] = {source, "winograd_passes_filter", options},
        [INPUT] = {source, "winograd_passes_input", options},
        [OUTPUT] = {source, "winograd_passes_output", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 3, out));
    struct state *state = *out;
    state->layout = l;
    state->filter_output = forward ? a->c * 9 : 9;
    state->filter_term = forward ? 9 : a->c * 9;
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

static clg_status run_chunk(const struct state *state, struct clg__stream *stream,
                            const struct clg__operands *op, struct winograd_passes_args args)
{
    const struct clg__winograd_passes *l = &state->layout;
    const struct clg__mem filter = clg__mem_at(op->workspace, l->factor_at);
    const struct clg__mem input = clg__mem_at(op->workspace, l->input_at);
    const struct clg__mem products = clg__mem_at(op->workspace, l->product_at);
    const struct clg__operands gemm = {
        .out = {products},
        .in = {l->input_last ? input : filter, l->input_last ? filter : input},
        .workspace = op->workspace,
    };
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[INPUT],
                         clg__winograd_passes_grid(l->input_last, args.c, args.tiles),
                         clg__arg_mem(input), clg__arg_mem(op->in[0]),
                         clg__arg_struct(&args, sizeof args)));
    CLG__TRY(clg__gemm_enqueue(args.tiles == l->chunk ? state->full : state->rest, stream, &gemm));
    return CLG__LAUNCH(stream, state->kernels.at[OUTPUT],
                       clg__winograd_passes_grid(l->input_last, args.k, args.tiles),
                       clg__arg_mem(op->out[0]), clg__arg_mem(products), clg__arg_mem(op->in[2]),
                       clg__arg_struct(&args, sizeof args), clg__arg_int(op->in[2].object != NULL));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct clg__winograd_passes *l = &state->layout;
    struct winograd_passes_args args = l->args;
    args.accumulate = op->accumulate;
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[FILTER],
                         clg__winograd_passes_grid(!l->input_last, args.c, args.k),
                         clg__arg_mem(clg__mem_at(op->workspace, l->factor_at)),
                         clg__arg_mem(op->in[1]), clg__arg_int(args.k), clg__arg_int(args.c),
                         clg__arg_int(state->filter_output), clg__arg_int(state->filter_term),
                         clg__arg_int(l->direction == CLG_CONV2D_BACKWARD_DATA)));
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
