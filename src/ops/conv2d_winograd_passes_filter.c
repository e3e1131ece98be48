/*
 * The filter gradient of Winograd convolution for GPU-like devices, in passes
 * (kernels_cl/conv2d_winograd_passes_filter.cl): the products of the points sum over the tiles, of
 * which a number is transformed at a time. The names are those of conv2d_winograd_passes.c.
 */
#include "ops/conv2d_winograd_passes.h"

#include "base/error.h"

/* Adds the tiles of one chunk to the products; the first chunk overwrites. */
static clg_status run_chunk(const struct clg__winograd_passes_state *state,
                            struct clg__stream *stream, const struct clg__operands *op,
                            struct winograd_passes_args args)
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
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[CLG__WINOGRAD_INPUT],
                         clg__winograd_passes_grid(l->input_last, args.c, args.tiles),
                         clg__arg_mem(input), clg__arg_mem(op->in[0]),
                         clg__arg_struct(&args, sizeof args)));
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[CLG__WINOGRAD_FACTOR],
                         clg__winograd_passes_grid(l->output_last, args.k, args.tiles),
                         clg__arg_mem(gradient), clg__arg_mem(op->in[1]),
                         clg__arg_struct(&args, sizeof args)));
    return clg__gemm_enqueue(clg__winograd_passes_product(state, args.tiles), stream, &gemm);
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct clg__winograd_passes_state *state = pointer;
    const struct clg__winograd_passes *l = &state->layout;
    struct winograd_passes_args args = l->args;
    for (args.first = 0; args.first < l->tiles; args.first += l->chunk) {
        int left = l->tiles - args.first;
        args.tiles = left < l->chunk ? left : l->chunk;
        CLG__TRY(run_chunk(state, stream, op, args));
    }
    return CLG__LAUNCH(stream, state->kernels.at[CLG__WINOGRAD_RESULT],
                       clg__grid_2d(args.c, args.k), clg__arg_mem(op->out[0]),
                       clg__arg_mem(clg__mem_at(op->workspace, l->product_at)),
                       clg__arg_int(args.k), clg__arg_int(args.c), clg__arg_int(op->accumulate));
}

/* The algorithm of one tile size, for the table. */
#define WINOGRAD(name, tile)                                                                       \
    CLG__WINOGRAD_FUNCTIONS(clg__winograd_passes, name, tile)                                      \
    CLG__CONV2D_ALGORITHM_WITH(clg__winograd_passes_release, name, backward_filter,                \
                               CLG_CONV2D_BACKWARD_FILTER, .exact = false)

WINOGRAD(winograd4_passes, 4);
WINOGRAD(winograd2_passes, 2);
