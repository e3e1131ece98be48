/*
 * Convolution as a matrix product whose matrix is gathered while it is multiplied, for GPU-like
 * devices: forward, and the gradient of the input phase by phase. Any geometry, groups and layouts.
 */
#include "ops/conv2d_implicit.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/conv2d_cost.h"
#include "ops/conv2d_phase.h"

enum { MAX_PHASES = 64, MAX_TABLE = 1 << 22, MAX_DEPTH = 16 };

/* A product for y, or for one phase of dx: the axes of its pixels and taps. */
struct product {
    struct conv2d_phase rows, columns;
    struct clg__implicit_size size;
};

struct products {
    int count;
    struct product items[MAX_PHASES];
};

/* Forward in the words of phases: there is one. */
static struct conv2d_phase forward_axis(int outputs, int taps, int dilation)
{
    return (struct conv2d_phase){
        .outputs = outputs, .taps = taps, .first_tap = 0, .tap_step = 1, .in_step = dilation};
}

static void set_size(const struct conv2d_args *a, bool forward, struct product *p)
{
    int64_t taps = (int64_t)p->rows.taps * p->columns.taps;
    p->size = (struct clg__implicit_size){
        .groups = a->groups,
        .rows = (forward ? a->k : a->c) / a->groups,
        .columns = a->n * p->rows.outputs * p->columns.outputs,
        .depth = (forward ? a->c : a->k) / a->groups * taps,
    };
}

/* Phases without an element of dx are left out. */
static struct products products_of(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    struct products all = {.count = 0};
    if (direction == CLG_CONV2D_FORWARD) {
        all.count = 1;
        all.items[0].rows = forward_axis(a->p, a->r, a->dilation_h);
        all.items[0].columns = forward_axis(a->q, a->s, a->dilation_w);
        set_size(a, true, &all.items[0]);
        return all;
    }
    for (int h = 0; h < a->stride_h && h < a->h; h++)
        for (int w = 0; w < a->stride_w && w < a->w && all.count < MAX_PHASES; w++) {
            struct product *p = &all.items[all.count++];
            p->rows = clg__conv2d_phase(h, a->h, a->r, a->pad_top, a->dilation_h, a->stride_h);
            p->columns = clg__conv2d_phase(w, a->w, a->s, a->pad_left, a->dilation_w, a->stride_w);
            set_size(a, false, p);
        }
    return all;
}

static int64_t num_phases(const struct conv2d_args *a)
{
    int64_t down = a->stride_h < a->h ? a->stride_h : a->h;
    int64_t across = a->stride_w < a->w ? a->stride_w : a->w;
    return down * across;
}

static bool implicit_gemm_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                                   const clg_device_info *device, const char **why_not)
{
    bool forward = direction == CLG_CONV2D_FORWARD;
    if (!clg__implicit_supports(a, device, why_not))
        return false;
    *why_not = "more than 64 phases of the stride";
    if (!forward && num_phases(a) > MAX_PHASES)
        return false;
    *why_not = "more than 2^22 products in a sum";
    return (int64_t)(forward ? a->c : a->k) / a->groups * a->r * a->s <= MAX_TABLE;
}

static size_t implicit_gemm_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                      const clg_device_info *device)
{
    const struct products all = products_of(a, direction);
    size_t most = 0;
    for (int i = 0; i < all.count; i++) {
        struct clg__implicit_tiling tiling = clg__implicit_tiling(&all.items[i].size, device);
        size_t bytes = clg__implicit_parts(&all.items[i].size, &tiling);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static double implicit_gemm_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 const clg_device_info *device)
{
    const struct products all = products_of(a, direction);
    double seconds = 0;
    for (int i = 0; i < all.count; i++)
        seconds += clg__implicit_tiling(&all.items[i].size, device).seconds;
    return seconds;
}

/* ---- Tables ---- */

/* The tap number (i, j) of channel c of the gathered tensor. */
static struct implicit_tap tap_of(const struct conv2d_args *a, bool forward,
                                  const struct product *p, int c, int i, int j)
{
    int row = p->rows.first_in + i * p->rows.in_step;
    int column = p->columns.first_in + j * p->columns.in_step;
    int in_channel = forward ? a->x_c : a->y_k, in_row = forward ? a->x_h : a->y_p;
    int in_column = forward ? a->x_w : a->y_q;
    int window = a->r * a->s;
    int filter = (p->rows.first_tap + i * p->rows.tap_step) * a->s + p->columns.first_tap +
                 j * p->columns.tap_step;
    /* Far outside of the tensor the offset may wrap around: it is not read then. */
    uint32_t offset = (uint32_t)c * (uint32_t)in_channel + (uint32_t)row * (uint32_t)in_row +
                      (uint32_t)column * (uint32_t)in_column;
    return (struct implicit_tap){(int)offset, row, column,
                                 c * (forward ? window : a->c / a->groups * window) + filter};
}

/* The taps in the order in which the gathered tensor has them side by side. */
static void fill_taps(const struct conv2d_args *a, bool forward, const struct product *p,
                      struct implicit_tap *taps)
{
    int channels = (forward ? a->c : a->k) / a->groups;
    bool last = forward ? a->x_channels_last : a->y_channels_last;
    int window = p->rows.taps * p->columns.taps, across = p->columns.taps;
    int at = 0;
    for (int outer = 0; outer < (last ? window : channels); outer++)
        for (int inner = 0; inner < (last ? channels : window); inner++) {
            int tap = last ? outer : inner, c = last ? inner : outer;
            taps[at++] = tap_of(a, forward, p, c, tap / across, tap % across);
        }
    for (int i = 0; i < MAX_DEPTH; i++)
        taps[at++] = clg__implicit_no_tap();
}

/* ---- State ---- */

struct step {
    struct clg__implicit_size size;
    struct clg__implicit_tiling tiling;
    struct implicit_args args;
    struct clg__kernel *kernel;
};

struct state {
    int count;
    struct step steps[MAX_PHASES];
    struct clg__kernel *join;
    clg_buffer *table;
};

static void release(void *pointer)
{
    struct state *s = pointer;
    for (int i = 0; i < s->count; i++)
        clg__kernel_destroy(s->steps[i].kernel);
    clg__kernel_destroy(s->join);
    clg_buffer_destroy(s->table);
    free(s);
}

static void set_forward(const struct conv2d_args *a, struct implicit_args *g)
{
    g->step_row = a->stride_h;
    g->step_column = a->stride_w;
    g->start_row = -a->pad_top;
    g->start_column = -a->pad_left;
    g->in_rows = a->h;
    g->in_columns = a->w;
    g->in_image = a->x_n;
    g->in_row = a->x_h;
    g->in_column = a->x_w;
    g->in_group = a->c / a->groups * a->x_c;
    g->out_image = a->y_n;
    g->out_row = a->y_p;
    g->out_column = a->y_q;
    g->out_channel = a->y_k;
    g->filter_row = a->c / a->groups * a->r * a->s;
    g->relu = a->relu;
}

static void set_backward_data(const struct conv2d_args *a, int phase, struct implicit_args *g)
{
    int across = a->stride_w < a->w ? a->stride_w : a->w;
    g->step_row = g->step_column = 1;
    g->in_rows = a->p;
    g->in_columns = a->q;
    g->in_image = a->y_n;
    g->in_row = a->y_p;
    g->in_column = a->y_q;
    g->in_group = a->k / a->groups * a->y_k;
    g->out_first = phase / across * a->x_h + phase % across * a->x_w;
    g->out_image = a->x_n;
    g->out_row = a->stride_h * a->x_h;
    g->out_column = a->stride_w * a->x_w;
    g->out_channel = a->x_c;
    g->filter_row = a->r * a->s;
}

static clg_status make_step(clg_context *ctx, const struct conv2d_args *a, bool forward,
                            const struct product *p, int first_tap, int phase, struct step *step)
{
    char options[CLG__IMPLICIT_OPTIONS];
    step->size = p->size;
    step->tiling = clg__implicit_tiling(&p->size, &ctx->info);
    step->args = (struct implicit_args){
        .rows = p->size.rows,
        .columns = p->size.columns,
        .depth = clg__implicit_up(p->size.depth, step->tiling.depth),
        .slices = step->tiling.slices,
        .span = step->tiling.span,
        .first_tap = first_tap,
        .pixel_rows = p->rows.outputs,
        .pixel_columns = p->columns.outputs,
        .filter_group = a->k / a->groups * (a->c / a->groups) * a->r * a->s,
    };
    if (forward)
        set_forward(a, &step->args);
    else
        set_backward_data(a, phase, &step->args);
    clg__implicit_options(&step->tiling, forward ? a->x_channels_last : a->y_channels_last,
                          options);
    return clg__kernel_create(ctx, "conv2d_implicit_gemm", "conv2d_implicit_gemm", options,
                              &step->kernel);
}

static clg_status make_steps(clg_context *ctx, const struct conv2d_args *a, bool forward,
                             struct state *s)
{
    const struct products all =
        products_of(a, forward ? CLG_CONV2D_FORWARD : CLG_CONV2D_BACKWARD_DATA);
    size_t entries = 0;
    bool sliced = false;
    for (int i = 0; i < all.count; i++)
        entries += (size_t)all.items[i].size.depth + MAX_DEPTH;
    struct implicit_tap *taps = calloc(entries > 0 ? entries : 1, sizeof *taps);
    if (!taps)
        return clg__fail_alloc("a table of taps");
    clg_status status = CLG_OK;
    size_t at = 0;
    for (int i = 0; i < all.count && status == CLG_OK; i++) {
        fill_taps(a, forward, &all.items[i], taps + at);
        status = make_step(ctx, a, forward, &all.items[i], (int)at, i, &s->steps[s->count++]);
        at += (size_t)all.items[i].size.depth + MAX_DEPTH;
        sliced = sliced || s->steps[i].tiling.slices > 1;
    }
    if (status == CLG_OK)
        status = clg__implicit_table(ctx, taps, entries, &s->table);
    if (status == CLG_OK && sliced)
        status =
            clg__kernel_create(ctx, "conv2d_implicit_gemm", "conv2d_implicit_join", "", &s->join);
    free(taps);
    return status;
}

static clg_status implicit_gemm_prepare(clg_context *ctx, const struct conv2d_args *a,
                                        clg_conv2d_direction direction, void **out)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return clg__fail_alloc("an implicit matrix product");
    clg_status status = make_steps(ctx, a, direction == CLG_CONV2D_FORWARD, s);
    if (status != CLG_OK) {
        release(s);
        return status;
    }
    *out = s;
    return CLG_OK;
}

static clg_status run_step(const struct state *s, const struct step *step,
                           struct clg__stream *stream, const struct clg__operands *op)
{
    struct implicit_args args = step->args;
    bool sliced = args.slices > 1, has_bias = op->in[2].object != NULL;
    args.accumulate = op->accumulate;
    CLG__TRY(CLG__LAUNCH(stream, step->kernel, clg__implicit_grid(&step->size, &step->tiling),
                         clg__arg_mem(sliced ? op->workspace : op->out[0]), clg__arg_mem(op->in[0]),
                         clg__arg_mem(op->in[1]), clg__arg_mem(op->in[2]),
                         clg__arg_mem(clg__buffer_mem(s->table)),
                         clg__arg_struct(&args, sizeof args), clg__arg_int(has_bias)));
    if (!sliced)
        return CLG_OK;
    return CLG__LAUNCH(stream, s->join, clg__implicit_join_grid(&step->size),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->workspace),
                       clg__arg_mem(op->in[2]), clg__arg_struct(&args, sizeof args),
                       clg__arg_int(has_bias));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *s = pointer;
    for (int i = 0; i < s->count; i++)
        CLG__TRY(run_step(s, &s->steps[i], stream, op));
    return CLG_OK;
}

CLG__CONV2D_ALGORITHM_OWNING(implicit_gemm, forward, CLG_CONV2D_FORWARD, .exact = true,
                             .fuses_relu = true);
CLG__CONV2D_ALGORITHM_OWNING(implicit_gemm, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
