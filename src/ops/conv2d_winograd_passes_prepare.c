#include "ops/conv2d_winograd_passes.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "ops/conv2d_cost.h"

enum {
    MATRIX_FLOATS = 32 * 1024 * 1024,
    MOST_TILES = 65535 /* groups that some GPUs launch along a dimension other than the first */
};

static struct clg__gemm_problem product(const struct clg__winograd_passes *l, int tiles)
{
    const int c = l->args.c, k = l->args.k;
    const int64_t factor = (int64_t)k * c, input = (int64_t)c * tiles, output = (int64_t)k * tiles;
    struct clg__gemm_problem p;
    if (l->direction == CLG_CONV2D_BACKWARD_FILTER) { /* output is dy's transform here */
        p = clg__gemm_dense(k, c, tiles, l->output_last, !l->input_last);
        p.stride_a = output;
        p.stride_b = input;
        p.stride_c = factor;
    } else {
        p = l->input_last ? clg__gemm_dense(tiles, k, c, false, false)
                          : clg__gemm_dense(k, tiles, c, false, false);
        p.stride_a = l->input_last ? input : factor;
        p.stride_b = l->input_last ? factor : input;
        p.stride_c = output;
    }
    p.batch = l->points;
    return p;
}

static size_t aligned(double floats)
{
    return ((size_t)floats * sizeof(float) + 255) / 256 * 256;
}

static void place(struct clg__winograd_passes *l, const clg_device_info *device)
{
    const bool filter = l->direction == CLG_CONV2D_BACKWARD_FILTER;
    const double points = l->points, c = l->args.c, k = l->args.k;
    const double weights = points * c * k, output = points * k * l->chunk;
    const struct clg__gemm_problem p = product(l, l->chunk);
    size_t bytes;
    clg__gemm_cost(&p, device, NULL, &bytes);
    l->factor_at = (bytes + 255) / 256 * 256;
    l->input_at = l->factor_at + aligned(filter ? output : weights);
    l->product_at = l->input_at + aligned(points * c * l->chunk);
    l->end = l->product_at + aligned(filter ? weights : output);
}

static struct clg__winograd_passes lay_out(const struct conv2d_args *a,
                                           clg_conv2d_direction direction, int tile,
                                           const clg_device_info *device)
{
    const bool data = direction == CLG_CONV2D_BACKWARD_DATA;
    struct clg__winograd_passes l = {
        .tile = tile,
        .points = (tile + 2) * (tile + 2),
        .direction = direction,
        .input_last = data ? a->y_channels_last : a->x_channels_last,
        .output_last = data ? a->x_channels_last : a->y_channels_last,
    };
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
    *w = data ? dy_to_dx : x_to_y;
    w->tiles_h = clg__divide_up(w->p, tile);
    w->tiles_w = clg__divide_up(w->q, tile);
    l.tiles = a->n * w->tiles_h * w->tiles_w;
    int64_t fits = MATRIX_FLOATS / ((int64_t)l.points * (w->c + w->k));
    fits = fits < 1 ? 1 : fits > MOST_TILES ? MOST_TILES : fits;
    l.chunk = fits < l.tiles ? (int)fits : l.tiles;
    place(&l, device);
    return l;
}

bool clg__winograd_passes_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                                   int tile, const clg_device_info *device, const char **why_not)
{
    if (!clg__conv2d_meets(a, device, CLG__ON_GPU | CLG__ONE_GROUP | CLG__DENSE_3X3, why_not))
        return false;
    const struct clg__winograd_passes l = lay_out(a, direction, tile, device);
    *why_not = "a matrix of 2^31 elements or more";
    return (int64_t)l.args.c * l.args.k <= INT32_MAX &&
           (int64_t)(l.args.c > l.args.k ? l.args.c : l.args.k) * l.chunk <= INT32_MAX;
}

size_t clg__winograd_passes_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                      int tile, const clg_device_info *device)
{
    return lay_out(a, direction, tile, device).end;
}

/* The products, and what the passes move: every matrix once each way, every tensor once, tiles of
 * the input with their overlap. */
double clg__winograd_passes_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 int tile, const clg_device_info *device)
{
    const struct clg__winograd_passes l = lay_out(a, direction, tile, device);
    const struct clg__gemm_problem p = product(&l, l.chunk);
    const double chunks = (double)l.tiles / l.chunk, points = l.points;
    const double c = l.args.c, k = l.args.k, outputs = (double)tile * tile;
    size_t bytes;
    double moved = sizeof(float) *
                   (2 * points * c * k + l.tiles * (c * (2 * points) + k * (points + outputs)));
    return chunks * (clg__gemm_cost(&p, device, NULL, &bytes) + 2 * CLG__LAUNCH_SECONDS) +
           CLG__LAUNCH_SECONDS + moved / clg__device_bandwidth(device);
}

void clg__winograd_passes_release(void *pointer)
{
    struct clg__winograd_passes_state *state = pointer;
    clg__gemm_destroy(state->full);
    clg__gemm_destroy(state->rest);
    clg__prepared_release(state);
}

static clg_status create_product(clg_context *ctx, const struct clg__winograd_passes *l, int tiles,
                                 struct clg__gemm **gemm)
{
    const struct clg__gemm_problem p = product(l, tiles);
    return clg__gemm_create(ctx, &p, NULL, l->factor_at ? l->factor_at : CLG__GEMM_NO_WORKSPACE,
                            gemm);
}

clg_status clg__winograd_passes_prepare(clg_context *ctx, const struct conv2d_args *a,
                                        clg_conv2d_direction direction, int tile, void **out)
{
    static const char source[] = "conv2d_winograd_passes";
    static const char filter_source[] = "conv2d_winograd_passes_filter";
    const struct clg__winograd_passes l = lay_out(a, direction, tile, &ctx->info);
    const bool filter = direction == CLG_CONV2D_BACKWARD_FILTER;
    const int rest = l.tiles % l.chunk;
    char input[64], output[64];
    snprintf(input, sizeof input, "-DTILE=%d -DCHANNELS_LAST=%d", tile, l.input_last);
    snprintf(output, sizeof output, "-DTILE=%d -DCHANNELS_LAST=%d", tile, l.output_last);
    const struct clg__kernel_spec kernels[] = {
        [CLG__WINOGRAD_FACTOR] = {source, "winograd_passes_filter", input},
        [CLG__WINOGRAD_INPUT] = {source, "winograd_passes_input", input},
        [CLG__WINOGRAD_RESULT] = {source, "winograd_passes_output", input},
    };
    const struct clg__kernel_spec filter_kernels[] = {
        [CLG__WINOGRAD_FACTOR] = {filter_source, "winograd_passes_gradient", output},
        [CLG__WINOGRAD_INPUT] = {source, "winograd_passes_input", input},
        [CLG__WINOGRAD_RESULT] = {filter_source, "winograd_passes_taps", output},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct clg__winograd_passes_state),
                                  filter ? filter_kernels : kernels, 3, out));
    struct clg__winograd_passes_state *state = *out;
    state->layout = l;
    clg_status status;
    CLG__TRY_GOTO(create_product(ctx, &l, l.chunk, &state->full));
    if (rest > 0)
        CLG__TRY_GOTO(create_product(ctx, &l, rest, &state->rest));
    return CLG_OK;
fail:
    clg__winograd_passes_release(state);
    *out = NULL;
    return status;
}
