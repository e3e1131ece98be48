/*
 * Winograd convolution for GPU-like devices: three kernels around a batch of matrix products, one
 * product for each point of a tile (kernels_cl/conv2d_winograd_passes.cl). The gradient of the
 * input is the same with dy and the rotated filter. Source: Lavin and Gray, "Fast algorithms for
 * convolutional neural networks", 2016.
 */
#include "ops/conv2d_winograd_passes.h"

#include "base/error.h"

static clg_status run_chunk(const struct clg__winograd_passes_state *state,
                            struct clg__stream *stream, const struct clg__operands *op,
                            struct winograd_passes_args args)
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
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[CLG__WINOGRAD_INPUT],
                         clg__winograd_passes_grid(l->input_last, args.c, args.tiles),
                         clg__arg_mem(input), clg__arg_mem(op->in[0]),
                         clg__arg_struct(&args, sizeof args)));
    CLG__TRY(clg__gemm_enqueue(clg__winograd_passes_product(state, args.tiles), stream, &gemm));
    return CLG__LAUNCH(stream, state->kernels.at[CLG__WINOGRAD_RESULT],
                       clg__winograd_passes_grid(l->input_last, args.k, args.tiles),
                       clg__arg_mem(op->out[0]), clg__arg_mem(products), clg__arg_mem(op->in[2]),
                       clg__arg_struct(&args, sizeof args), clg__arg_int(op->in[2].object != NULL));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct clg__winograd_passes_state *state = pointer;
    const struct clg__winograd_passes *l = &state->layout;
    struct winograd_passes_args args = l->args;
    const bool data = l->direction == CLG_CONV2D_BACKWARD_DATA;
    const int output_stride = data ? 9 : 9 * args.c, term_stride = data ? 9 * args.k : 9;
    args.accumulate = op->accumulate;
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[CLG__WINOGRAD_FACTOR],
                         clg__winograd_passes_grid(!l->input_last, args.c, args.k),
                         clg__arg_mem(clg__mem_at(op->workspace, l->factor_at)),
                         clg__arg_mem(op->in[1]), clg__arg_int(args.k), clg__arg_int(args.c),
                         clg__arg_int(output_stride), clg__arg_int(term_stride),
                         clg__arg_int(data)));
    for (args.first = 0; args.first < l->tiles; args.first += l->chunk) {
        int left = l->tiles - args.first;
        args.tiles = left < l->chunk ? left : l->chunk;
        CLG__TRY(run_chunk(state, stream, op, args));
    }
    return CLG_OK;
}

/* The algorithms of one tile size, for the tables. */
#define WINOGRAD(name, tile)                                                                       \
    CLG__WINOGRAD_FUNCTIONS(clg__winograd_passes, name, tile)                                      \
    CLG__CONV2D_ALGORITHM_WITH(clg__winograd_passes_release, name, forward, CLG_CONV2D_FORWARD,    \
                               .exact = false, .fuses_relu = true);                                \
    CLG__CONV2D_ALGORITHM_WITH(clg__winograd_passes_release, name, backward_data,                  \
                               CLG_CONV2D_BACKWARD_DATA, .exact = false)

WINOGRAD(winograd4_passes, 4);
WINOGRAD(winograd2_passes, 2);
