/*
 * Input gradient for CPU-like devices and few channels of x, channels last; kernel in
 * conv2d_scatter.cl.
 *
 * Where `tile` and `rows` gather what each element of dx is the sum of, this one makes the windows
 * of dx that the pixels of dy give, and adds them: the lanes of a vector are columns and channels
 * of a window, 30 of 32 for 5 columns of 6 channels.
 */
#include "ops/conv2d_problem.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_scatter_args.clh"
#include "ops/conv2d_cost.h"

enum { MOST_VECTORS = 4 };

struct layout {
    int px, kv; /* windows of a tile, vectors of one */
    struct conv2d_scatter_args args;
    int bands, image_groups;
    size_t lines, taps; /* floats of local memory */
};

/* Vector operations that a row of dy and one tap row and filter take: kv vectors and px pixels are
 * loaded for px kv multiply-adds, and chains of these hide their latency from 8 on. */
static double row_cost(int px, int kv, int q)
{
    const double sums = px * kv, loads = (px + kv) / sums, latency = 8 / sums;
    const double stall = loads > latency ? loads : latency;
    return clg__divide_up(q, px) * sums * (stall > 0.9 ? stall + 0.1 : 1);
}

/* 24 of the 32 vector registers of AVX-512 hold sums at most; others have 16 of half a vector. */
static int choose_px(const clg_device_info *device, int kv, int q)
{
    const int most = clg__at_least((device->vector_width_float >= 16 ? 24 : 6) / kv, 1);
    int best = 1;
    for (int px = 2; px <= most && px <= q; px++)
        if (row_cost(px, kv, q) <= row_cost(best, kv, q))
            best = px;
    return best;
}

static void place_lines(struct layout *l, const struct conv2d_args *a)
{
    struct conv2d_scatter_args *t = &l->args;
    t->lines = clg__divide_up(a->s, a->stride_w);
    t->first_window = clg__at_least(-a->pad_left, 0) * a->c;
    t->first_out = clg__at_least(a->pad_left, 0) * a->c;
    const int windows = t->first_window + (a->q - 1) * a->stride_w * a->c + 16 * l->kv;
    const int outputs = t->first_out + clg__round_up(a->w * a->c, 16);
    t->line_floats = clg__round_up(clg__at_least(windows, outputs), 16);
}

static struct layout lay_out(const struct conv2d_args *a, const clg_device_info *device)
{
    enum { GROUPS_A_UNIT = 8 };
    struct layout l = {.kv = clg__divide_up(a->s * a->c, 16)};
    l.px = choose_px(device, l.kv, a->q);
    struct conv2d_scatter_args *t = &l.args;
    *t = (struct conv2d_scatter_args){
        .n = a->n,
        .c = a->c,
        .h = a->h,
        .w = a->w,
        .k = a->k,
        .p = a->p,
        .q = a->q,
        .r = a->r,
        .s = a->s,
        .in_image = a->y_n,
        .out_image = a->x_n,
        .stride_h = a->stride_h,
        .stride_w = a->stride_w,
        .dilation_h = a->dilation_h,
        .pad_top = a->pad_top,
    };
    place_lines(&l, a);
    const int wanted = GROUPS_A_UNIT * clg__at_least((int)device->compute_units, 1);
    t->rows = clg__divide_up(a->h, clg__at_most(clg__divide_up(wanted, a->n), a->h));
    l.bands = clg__divide_up(a->h, t->rows);
    t->images = clg__at_least(a->n * l.bands / wanted, 1);
    l.image_groups = clg__divide_up(a->n, t->images);
    l.lines = (size_t)t->lines * (size_t)t->line_floats;
    l.taps = (size_t)a->r * (size_t)a->k * 16 * (size_t)l.kv;
    return l;
}

static bool scatter_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device, const char **why_not)
{
    enum { MOST_TAPS = 32 * 1024 };
    (void)direction;
    if (!clg__conv2d_meets(a, device, CLG__ON_CPU | CLG__NHWC_ONLY | CLG__ONE_GROUP, why_not) ||
        !CLG__ACCEPTS(
            why_not, {a->dilation_w > 1 && a->s > 1, "no dilation of columns"},
            {(int64_t)a->s * a->c > 16 * MOST_VECTORS, "windows of at most 64 floats a row"},
            {(int64_t)clg__round_up(a->s * a->c, 16) * a->r * a->k > MOST_TAPS,
             "at most 32768 elements of the filter"}))
        return false;
    const struct layout l = lay_out(a, device);
    *why_not = "rows and the filter do not fit into local memory";
    return (l.lines + l.taps) * sizeof(float) <= device->local_memory / 2;
}

static size_t scatter_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                const clg_device_info *device)
{
    (void)a;
    (void)direction;
    (void)device;
    return 0;
}

/* The products, storing windows and adding lines, and for each group the filter, element by
 * element.
 */
static double scatter_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                           const clg_device_info *device)
{
    enum { PER_WINDOW_VECTOR = 4, PER_LINE_VECTOR = 3, PER_ELEMENT = 4, PER_TAP_ROW = 20 };
    (void)direction;
    const struct layout l = lay_out(a, device);
    const struct conv2d_scatter_args *t = &l.args;
    const double inside =
        clg__conv2d_inside(a->p, a->r, a->stride_h, a->dilation_h, -a->pad_top, a->h);
    const double tiles = clg__divide_up(a->q, l.px), windows = tiles * l.px * l.kv;
    const double vectors = clg__divide_up(a->w * a->c, 16);
    const double products =
        inside * a->p * a->r * (a->k * row_cost(l.px, l.kv, a->q) + PER_TAP_ROW * tiles);
    const double rows =
        a->h * (PER_WINDOW_VECTOR * windows + PER_LINE_VECTOR * vectors * (t->lines + 1));
    const double filters = (double)l.bands * l.image_groups * (double)clg__conv2d_w_count(a);
    const double flop = 32 * (a->n * (products + rows) + PER_ELEMENT * filters);
    return clg__conv2d_seconds(device, flop, 0.95, 1);
}

enum { KERNEL };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status scatter_prepare(clg_context *ctx, const struct conv2d_args *a,
                                  clg_conv2d_direction direction, void **state)
{
    (void)direction;
    const struct layout l = lay_out(a, &ctx->info);
    char options[32];
    snprintf(options, sizeof options, "-DPX=%d -DKV=%d", l.px, l.kv);
    const struct clg__kernel_spec kernels[] = {
        [KERNEL] = {"conv2d_scatter", "conv2d_scatter", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 1, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct clg__grid grid = {2, {(size_t)l->bands, (size_t)l->image_groups}, {1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[KERNEL], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                       clg__arg_struct(&l->args, sizeof l->args), clg__arg_int(op->accumulate),
                       clg__arg_local(l->lines * sizeof(float)),
                       clg__arg_local(l->taps * sizeof(float)));
}

CLG__CONV2D_ALGORITHM(scatter, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
