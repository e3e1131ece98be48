/* The gradient of the filter as a matrix product whose matrix is gathered while it is multiplied,
 * for GPU-like devices. Any geometry, groups and layouts. */
#include "ops/conv2d_implicit.h"

#include <stdlib.h>

#include "base/error.h"
#include "runtime/loops.h"

enum { MAX_COLUMNS = 1 << 22, LONGEST_SPAN = 8192 };

static struct clg__gpu_products size_of(const struct conv2d_args *a)
{
    return (struct clg__gpu_products){
        .count = a->groups,
        .results = a->groups,
        .rows = a->k / a->groups,
        .columns = a->c / a->groups * a->r * a->s,
        .depth = (int64_t)a->n * a->p * a->q,
        .longest_span = LONGEST_SPAN,
    };
}

static bool implicit_gemm_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                                   const clg_device_info *device, const char **why_not)
{
    (void)direction;
    if (!clg__implicit_supports(a, device, why_not))
        return false;
    const struct clg__gpu_products size = size_of(a);
    const int64_t span = clg__gpu_tiling(&size, device).span;
    return CLG__ACCEPTS(
        why_not,
        {(int64_t)a->c / a->groups * a->r * a->s > MAX_COLUMNS,
         "more than 2^22 elements in a filter"},
        {!clg__loops_fit(device, CLG__GEMM_LOOPS * (double)span), CLG__LOOPS_END_EARLY});
}

static size_t implicit_gemm_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                      const clg_device_info *device)
{
    (void)direction;
    const struct clg__gpu_products size = size_of(a);
    struct clg__gpu_tiling tiling = clg__gpu_tiling(&size, device);
    return clg__implicit_parts(&size, &tiling);
}

static double implicit_gemm_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 const clg_device_info *device)
{
    (void)direction;
    const struct clg__gpu_products size = size_of(a);
    return clg__gpu_tiling(&size, device).seconds;
}

enum { SUMS, JOIN };

struct state {
    struct clg__kernels kernels; /* JOIN: with several slices */
    struct clg__gpu_products size;
    struct clg__gpu_tiling tiling;
    struct implicit_args args;
    struct implicit_phase phase;
    clg_buffer *table;
};

static void release(void *pointer)
{
    struct state *s = pointer;
    clg_buffer_destroy(s->table);
    clg__prepared_release(s);
}

/* The columns in the order in which x has them side by side. */
static clg_status make_table(clg_context *ctx, const struct conv2d_args *a, clg_buffer **table)
{
    int channels = a->c / a->groups, window = a->r * a->s;
    bool last = a->x_channels_last;
    struct implicit_tap *taps = calloc((size_t)channels * (size_t)window, sizeof *taps);
    if (!taps)
        return clg__fail_alloc("a table of taps");
    size_t at = 0;
    for (int outer = 0; outer < (last ? window : channels); outer++)
        for (int inner = 0; inner < (last ? channels : window); inner++) {
            int tap = last ? outer : inner, c = last ? inner : outer;
            int row = tap / a->s * a->dilation_h, column = tap % a->s * a->dilation_w;
            /* Far outside of x the offset may wrap around: it is not read then. */
            uint32_t offset = (uint32_t)c * (uint32_t)a->x_c + (uint32_t)row * (uint32_t)a->x_h +
                              (uint32_t)column * (uint32_t)a->x_w;
            taps[at++] = (struct implicit_tap){(int)offset, row, column, c * window + tap};
        }
    clg_status status = clg__implicit_table(ctx, taps, at, table);
    free(taps);
    return status;
}

static struct implicit_args args_of(const struct conv2d_args *a, const struct state *s)
{
    return (struct implicit_args){
        .rows = (int)s->size.rows,
        .columns = (int)s->size.columns,
        .slices = s->tiling.slices,
        .phases = 1,
        .step_row = a->stride_h,
        .step_column = a->stride_w,
        .start_row = -a->pad_top,
        .start_column = -a->pad_left,
        .in_rows = a->h,
        .in_columns = a->w,
        .in_image = a->x_n,
        .in_row = a->x_h,
        .in_column = a->x_w,
        .in_group = a->c / a->groups * a->x_c,
        .out_image = a->y_n,
        .out_row = a->y_p,
        .out_column = a->y_q,
        .out_channel = a->y_k,
        .filter_row = (int)s->size.columns,
        .filter_group = (int)(s->size.rows * s->size.columns),
    };
}

static struct implicit_phase phase_of(const struct conv2d_args *a, const struct state *s)
{
    return (struct implicit_phase){
        .columns = (int)s->size.columns,
        .depth = (int)s->size.depth,
        .span = s->tiling.span,
        .pixel_rows = a->p,
        .pixel_columns = a->q,
    };
}

static clg_status implicit_gemm_prepare(clg_context *ctx, const struct conv2d_args *a,
                                        clg_conv2d_direction direction, void **out)
{
    static const char source[] = "conv2d_implicit_filter";
    (void)direction;
    const struct clg__gpu_products size = size_of(a);
    const struct clg__gpu_tiling tiling = clg__gpu_tiling(&size, &ctx->info);
    char options[CLG__IMPLICIT_OPTIONS];
    clg__implicit_options(&tiling, false, &ctx->info, a->x_channels_last, options);
    const struct clg__kernel_spec kernels[] = {
        [SUMS] = {source, "conv2d_implicit_filter", options},
        [JOIN] = {source, tiling.slices > 1 ? "conv2d_implicit_filter_join" : NULL, ""},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, out));
    struct state *s = *out;
    s->size = size;
    s->tiling = tiling;
    s->args = args_of(a, s);
    s->phase = phase_of(a, s);
    clg_status status = make_table(ctx, a, &s->table);
    if (status != CLG_OK) {
        release(s);
        *out = NULL;
    }
    return status;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *s = pointer;
    struct implicit_args args = s->args;
    args.accumulate = op->accumulate;
    const struct clg__arg table = clg__arg_mem(clg__buffer_mem(s->table));
    CLG__TRY(CLG__LAUNCH(stream, s->kernels.at[SUMS], clg__implicit_grid(&s->size, &s->tiling),
                         clg__arg_mem(s->kernels.at[JOIN] ? op->workspace : op->out[0]),
                         clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]), table,
                         clg__arg_struct(&args, sizeof args),
                         clg__arg_struct(&s->phase, sizeof s->phase)));
    if (!s->kernels.at[JOIN])
        return CLG_OK;
    return CLG__LAUNCH(stream, s->kernels.at[JOIN], clg__implicit_join_grid(&s->size),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->workspace), table,
                       clg__arg_struct(&args, sizeof args));
}

CLG__CONV2D_ALGORITHM_OWNING(implicit_gemm, backward_filter, CLG_CONV2D_BACKWARD_FILTER,
                             .exact = true);
