/*
 * Convolution of few input channels for CPU-like devices, channels last; kernel in conv2d_few.cl.
 *
 * One loop over all taps of all channels, where `tile` has one for each row of taps or even each
 * tap: with few channels those are over before they have begun. The filter is packed by each group
 * for itself, so that a call is a single launch.
 */
#include "ops/conv2d_problem.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_few_args.clh"
#include "ops/conv2d_cost.h"

/* A register tile: rows and columns of outputs, vectors of 16 of them, and how many taps of a row
 * go with one load of a pixel. With `pair` columns are pairs that share a vector, and taps those of
 * both. */
struct tiling {
    int pr, px, kv, taps;
    bool pair;
};

/* With the vectors of TAPS taps the sums fill up to 29 of the 32 vector registers of AVX-512.
 * Narrower devices have 16 registers of half a vector. */
static const struct tiling tilings[] = {
    {2, 10, 1, 5, 0}, {1, 16, 1, 5, 0}, {3, 7, 1, 5, 0},  {2, 12, 1, 3, 0}, {2, 10, 1, 3, 0},
    {3, 8, 1, 3, 0},  {3, 7, 1, 3, 0},  {1, 16, 1, 3, 0}, {1, 10, 2, 3, 0}, {1, 9, 2, 3, 0},
    {1, 8, 2, 3, 0},  {2, 10, 1, 7, 0}, {1, 16, 1, 7, 0}, {1, 28, 1, 1, 0}, {1, 14, 2, 1, 0},
    {1, 10, 2, 1, 0}, {1, 8, 3, 1, 0},  {1, 7, 4, 1, 0},  {2, 7, 1, 6, 1},  {2, 8, 1, 6, 1},
    {2, 7, 1, 4, 1},  {2, 8, 1, 4, 1}};
static const struct tiling narrow_tiling = {1, 6, 1, 1, 0};

struct layout {
    struct tiling tiling;
    struct conv2d_few_args args;
    int bands, image_groups;
    size_t patch, taps, bias, places; /* floats of local memory */
};

/* Vector operations that take as long as a tiling's multiply-adds on an image. As many loads as
 * multiply-adds are nearly free. Each sum is started and stored, parts of vectors by a call. */
static double tiling_cost(struct tiling t, const struct conv2d_args *a)
{
    enum { PER_SUM = 3, PER_PART = 60, PER_TILE = 40 };
    const int columns = t.pair ? 2 : 1;
    const double places = t.pr * t.px, sums = places * t.kv;
    const double terms = (double)a->c * a->r * (t.pair ? t.taps : a->s);
    const double pixels = t.taps > 1 ? (t.px - 1) * columns * a->stride_w + t.taps : t.px;
    const double loads = (t.pr * pixels + t.taps * t.kv) / (sums * t.taps);
    const double latency = 8 / sums, stall = loads > latency ? loads : latency;
    const double blocks = clg__divide_up(a->k, 16 * t.kv);
    const double tiles = (double)clg__divide_up(a->p, t.pr) * clg__divide_up(a->q, columns * t.px);
    const double parts = a->k % 16 && !t.pair ? places * PER_PART : 0;
    return tiles *
           (blocks * (sums * (terms * (stall > 0.9 ? stall + 0.1 : 1) + PER_SUM) + PER_TILE) +
            parts);
}

static bool takes(struct tiling t, const struct conv2d_args *a)
{
    if (t.pair)
        return t.taps == a->s + a->stride_w && a->dilation_w == 1 && a->k >= 5 && a->k <= 8;
    return t.taps == 1 || (t.taps == a->s && a->dilation_w == 1);
}

static struct tiling choose_tiling(const clg_device_info *device, const struct conv2d_args *a)
{
    if (device->vector_width_float < 16)
        return narrow_tiling;
    struct tiling best = {1, 28, 1, 1, 0};
    for (size_t i = 0; i < sizeof tilings / sizeof tilings[0]; i++)
        if (takes(tilings[i], a) && tiling_cost(tilings[i], a) < tiling_cost(best, a))
            best = tilings[i];
    return best;
}

/* As many rows in a group as leave the input in the first-level cache, all of them if there are
 * images enough for all groups, and then some images. */
static void divide(struct layout *l, const clg_device_info *device)
{
    enum { PATCH_FLOATS = 6144, GROUPS_A_UNIT = 16 };
    struct conv2d_few_args *t = &l->args;
    const struct tiling tile = l->tiling;
    const int wanted = GROUPS_A_UNIT * clg__at_least((int)device->compute_units, 1);
    const int window = (t->r - 1) * t->dilation_h + 1;
    const int row = t->columns * t->c;
    const int fit = clg__at_least((PATCH_FLOATS / row - window) / t->stride_h + 1, tile.pr);
    const int shared = clg__divide_up(t->p, clg__divide_up(wanted, t->n));
    const int bands = clg__divide_up(t->p, clg__at_least(clg__at_most(fit, shared), tile.pr));
    t->rows = clg__round_up(clg__divide_up(t->p, bands), tile.pr);
    t->patch_rows = (t->rows - 1) * t->stride_h + window;
    l->bands = clg__divide_up(t->p, t->rows);
    t->images = clg__at_least(t->n * l->bands / wanted, 1);
    l->image_groups = clg__divide_up(t->n, t->images);
}

/* Two columns become one of twice the filters: a window for both with twice the stride. */
static void pair_columns(struct conv2d_few_args *t)
{
    t->k *= 2;
    t->s += t->stride_w;
    t->q = clg__divide_up(t->q, 2);
    t->stride_w *= 2;
    t->out_column *= 2;
}

static struct layout lay_out(const struct conv2d_args *a, const clg_device_info *device)
{
    struct layout l = {.tiling = choose_tiling(device, a)};
    l.args = (struct conv2d_few_args){
        .n = a->n,
        .c = a->c,
        .h = a->h,
        .w = a->w,
        .k = a->k,
        .r = a->r,
        .s = a->s,
        .p = a->p,
        .q = a->q,
        .in_image = a->x_n,
        .out_image = a->y_n,
        .out_row = a->y_p,
        .out_column = a->y_q,
        .stride_h = a->stride_h,
        .stride_w = a->stride_w,
        .dilation_h = a->dilation_h,
        .dilation_w = a->dilation_w,
        .first_h = -a->pad_top,
        .first_w = -a->pad_left,
        .relu = a->relu,
        .row_floats = a->q * a->y_q,
        .filters = a->k,
        .taps = a->s,
        .shift = a->stride_w,
    };
    struct conv2d_few_args *t = &l.args;
    if (l.tiling.pair)
        pair_columns(t);
    const int reach = (t->s - 1) * t->dilation_w + 1;
    t->columns = (clg__at_least(t->q, l.tiling.px) - 1) * t->stride_w + reach;
    divide(&l, device);
    const int k = clg__round_up(t->k, 16 * l.tiling.kv);
    l.patch = (size_t)t->patch_rows * (size_t)t->columns * (size_t)t->c;
    l.places = (size_t)t->c * (size_t)t->r * (size_t)t->s;
    l.taps = l.places * (size_t)k;
    l.bias = (size_t)k;
    return l;
}

static bool few_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                         const clg_device_info *device, const char **why_not)
{
    enum { MOST_CHANNELS = 16, MOST_TAPS = 32 * 1024 };
    (void)direction;
    if (!clg__conv2d_meets(a, device, CLG__ON_CPU | CLG__NHWC_ONLY | CLG__ONE_GROUP, why_not) ||
        !CLG__ACCEPTS(why_not, {a->c > MOST_CHANNELS, "at most 16 input channels"},
                      {(int64_t)clg__round_up(a->k, 64) * a->c * a->r * a->s > MOST_TAPS,
                       "at most 32768 elements of the filter"}))
        return false;
    const struct layout l = lay_out(a, device);
    *why_not = "some rows and the filter do not fit into local memory";
    return (l.patch + l.taps + l.bias + l.places) * sizeof(float) <= device->local_memory / 2;
}

static size_t few_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                            const clg_device_info *device)
{
    (void)a;
    (void)direction;
    (void)device;
    return 0;
}

/* Each group packs the filter, and copies its input from cache to cache. */
static double few_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                       const clg_device_info *device)
{
    (void)direction;
    const struct layout l = lay_out(a, device);
    const double groups = (double)l.bands * l.image_groups;
    const double flop = 32.0 * a->n * tiling_cost(l.tiling, a);
    const double bytes =
        sizeof(float) * (2.0 * groups * (double)l.taps + 0.5 * a->n * l.bands * (double)l.patch);
    return clg__conv2d_seconds(device, flop, 0.95, 1) + bytes / clg__device_bandwidth(device);
}

enum { KERNEL };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status few_prepare(clg_context *ctx, const struct conv2d_args *a,
                              clg_conv2d_direction direction, void **state)
{
    (void)direction;
    const struct layout l = lay_out(a, &ctx->info);
    char options[112];
    snprintf(options, sizeof options,
             "-DPR=%d -DPX=%d -DKV=%d -DPAIR=%d -DTAPS=%d -DSTEP=%d -DCOLUMN=%d", l.tiling.pr,
             l.tiling.px, l.tiling.kv, l.tiling.pair, l.tiling.taps, l.args.stride_w, a->c);
    const struct clg__kernel_spec kernels[] = {
        [KERNEL] = {"conv2d_few", "conv2d_few", options},
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
    return CLG__LAUNCH(
        stream, state->kernels.at[KERNEL], grid, clg__arg_mem(op->out[0]), clg__arg_mem(op->in[0]),
        clg__arg_mem(op->in[1]), clg__arg_mem(op->in[2]), clg__arg_struct(&l->args, sizeof l->args),
        clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
        clg__arg_local(l->patch * sizeof(float)), clg__arg_local(l->taps * sizeof(float)),
        clg__arg_local(l->bias * sizeof(float)), clg__arg_local(l->places * sizeof(int)));
}

CLG__CONV2D_ALGORITHM(few, forward, CLG_CONV2D_FORWARD, .exact = true, .fuses_relu = true);
