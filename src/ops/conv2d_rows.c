/*
 * Convolution over rows of planes for CPU-like devices and few channels of the result; kernel in
 * conv2d_rows.cl. The gradient of the input is the same kernel, each phase of the stride a dense
 * convolution of dy.
 */
#include "ops/conv2d_rows.h"
#include "ops/conv2d_phase.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "ops/conv2d_cost.h"

/* A register tile: channels of the result, rows, vectors of 16 columns. */
struct tiling {
    int kb, vr, vc;
};

/* Up to 24 sums of the 32 vector registers of AVX-512. */
static const struct tiling tilings[] = {
    {1, 2, 7}, {1, 7, 2}, {1, 4, 3}, {1, 12, 1}, {2, 1, 7}, {2, 3, 4}, {2, 6, 2}, {2, 6, 1},
    {3, 1, 7}, {3, 2, 4}, {3, 4, 2}, {3, 7, 1},  {4, 1, 6}, {4, 3, 2}, {4, 6, 1}, {5, 1, 4},
    {5, 2, 2}, {5, 4, 1}, {6, 1, 4}, {6, 2, 2},  {6, 4, 1}, {6, 2, 1}, {8, 1, 3}, {8, 3, 1},
};

struct layout {
    struct tiling tiling;
    struct conv2d_rows_args args;
    int row_groups, image_groups;
    size_t patch, taps, places, sums; /* floats of local memory */
};

static void lay_out_backward_data(const struct conv2d_args *a, struct conv2d_rows_args *t)
{
    *t = (struct conv2d_rows_args){
        .n = a->n,
        .c = a->k,
        .h = a->p,
        .w = a->q,
        .k = a->c,
        .in_n = a->y_n,
        .in_c = a->y_k,
        .in_h = a->y_p,
        .in_w = a->y_q,
        .out_n = a->x_n,
        .out_k = a->x_c,
        .out_h = a->x_h,
        .out_w = a->x_w,
        .filter_k = a->r * a->s,
        .filter_c = a->c * a->r * a->s,
        .filter_r = a->s,
        .step_h = 1,
        .step_w = 1,
        .phases_h = a->stride_h,
        .phases_w = a->stride_w,
    };
    for (int i = 0; i < a->stride_h; i++)
        t->rows[i] = clg__conv2d_phase(i, a->h, a->r, a->pad_top, a->dilation_h, a->stride_h);
    for (int i = 0; i < a->stride_w; i++)
        t->columns[i] = clg__conv2d_phase(i, a->w, a->s, a->pad_left, a->dilation_w, a->stride_w);
}

/* Rows times tap rows that tiles of `vr` rows go through: those that meet nothing are left out. */
static double row_taps(const struct conv2d_rows_args *t, int vr)
{
    enum { COUNTED = 4096 };
    double total = 0;
    for (int i = 0; i < t->phases_h; i++) {
        const struct conv2d_phase *v = &t->rows[i];
        if (v->outputs > COUNTED) {
            total += (double)clg__round_up(v->outputs, vr) * v->taps;
            continue;
        }
        for (int r = 0; r < v->outputs; r += vr) {
            const int top = v->first_in + r * t->step_h;
            const int bottom = top + (clg__at_most(vr, v->outputs - r) - 1) * t->step_h;
            const int first = bottom < 0 ? clg__divide_up(-bottom, v->in_step) : 0;
            const int end = t->h > top ? (t->h - 1 - top) / v->in_step + 1 : 0;
            total += vr * clg__at_least(clg__at_most(end, v->taps) - first, 0);
        }
    }
    return total;
}

/* Vectors times tap columns that rows go through. */
static double column_taps(const struct conv2d_rows_args *t, int vc)
{
    double total = 0;
    for (int i = 0; i < t->phases_w; i++)
        total += (double)clg__divide_up(t->columns[i].outputs, 16 * vc) * vc * t->columns[i].taps;
    return total;
}

/* Multiply-adds of vectors that a tiling spends on an image and an input channel, weighted by its
 * loads: a vector of pixels is seldom aligned and counts twice. */
static double tiling_cost(const struct conv2d_rows_args *t, struct tiling tile)
{
    double sums = tile.kb * tile.vr * tile.vc;
    double loads = (2 * tile.vr * tile.vc + tile.kb + 1) / sums, latency = 8 / sums;
    double stall = loads > latency ? loads : latency;
    /* Starting and ending the loop over the taps costs more the less there is to a tap. */
    return row_taps(t, tile.vr) * column_taps(t, tile.vc) * clg__round_up(t->k, tile.kb) *
           ((stall > 1 ? stall : 1) + 1 / sums);
}

static struct tiling choose_tiling(const struct conv2d_rows_args *t)
{
    struct tiling best = tilings[0];
    double least = tiling_cost(t, best);
    for (size_t i = 1; i < sizeof tilings / sizeof tilings[0]; i++) {
        double cost = tiling_cost(t, tilings[i]);
        if (cost < least) {
            best = tilings[i];
            least = cost;
        }
    }
    return best;
}

static size_t local_floats(const struct layout *l)
{
    return l->patch + l->taps + l->places + l->sums;
}

/* For at least so many groups of so many rows (or a few more) and at most so many floats of input:
 * the chunk of channels, the images of a group, and what local memory they need. */
static void divide(struct layout *l, int rows, int patch_floats, int groups,
                   const struct conv2d_args *a, const struct clg__reach *v,
                   const struct clg__reach *u)
{
    enum { TAP_FLOATS = 4096, KEPT_FLOATS = 8192, SCRATCH_FLOATS = 64 };
    struct conv2d_rows_args *t = &l->args;
    const int taps = a->r * a->s, kb = l->tiling.kb;
    l->row_groups = clg__divide_up(v->outputs, clg__round_up(rows, l->tiling.vr));
    t->group_rows = clg__round_up(clg__divide_up(v->outputs, l->row_groups), l->tiling.vr);
    t->patch_rows = (t->group_rows - 1) * t->step_h + v->last - v->first + 1;
    t->width = clg__round_up(u->outputs, 16 * l->tiling.vc);
    t->pitch = (u->last - u->first) / t->step_w + t->width;
    const int64_t channel_floats = (int64_t)t->patch_rows * t->step_w * t->pitch;
    const int chunk = clg__at_most((int)(patch_floats / channel_floats), TAP_FLOATS / (taps * kb));
    t->chunk = chunk < 1 ? 1 : clg__at_most(chunk, t->c);
    l->patch = ((size_t)t->chunk * (size_t)channel_floats + 15) / 16 * 16;
    t->patch_floats = (int)l->patch; /* a problem for which that is too much is refused */
    l->patch += SCRATCH_FLOATS;
    l->taps = (size_t)t->chunk * (size_t)taps * (size_t)kb;
    /* With all of the filter in local memory a group makes several images. */
    const int blocks = clg__divide_up(t->k, kb);
    const bool kept = t->chunk == t->c && l->taps * (size_t)blocks <= KEPT_FLOATS;
    t->kept_floats = kept ? (int)l->taps : 0;
    t->images = kept ? clg__at_least(t->n * l->row_groups / groups, 1) : 1;
    l->image_groups = clg__divide_up(t->n, t->images);
    l->taps *= kept ? (size_t)blocks : 1;
    l->places = (size_t)taps;
    l->sums = (size_t)clg__round_up(t->k, kb) * (size_t)t->phases_h * (size_t)t->phases_w *
              (size_t)t->group_rows * (size_t)t->width;
}

/* As many rows in a group as leave room for some channels in the first-level cache, and give each
 * core some groups. */
static int choose_rows(const struct layout *l, int patch_floats, int groups,
                       const struct clg__reach *v, const struct clg__reach *u)
{
    enum { MOST_AT_ONCE = 4 };
    const struct conv2d_rows_args *t = &l->args;
    const int64_t width = t->step_w * (u->outputs + 16LL + (u->last - u->first) / t->step_w);
    const int fit = (int)(patch_floats / (clg__at_most(t->c, MOST_AT_ONCE) * width));
    const int rows = (fit - (v->last - v->first + 1)) / t->step_h + 1;
    const int shared = clg__divide_up(v->outputs, clg__divide_up(groups, t->n));
    return rows < 1 ? 1 : clg__at_most(rows, shared);
}

static size_t local_limit(const clg_device_info *device)
{
    return (size_t)device->local_memory / 2 / sizeof(float);
}

static struct layout lay_out(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    enum { PATCH_FLOATS = 7168, GROUPS_A_UNIT = 16 };
    const int groups = GROUPS_A_UNIT * clg__at_least((int)device->compute_units, 1);
    struct layout l = {.row_groups = 1};
    struct conv2d_rows_args *t = &l.args;
    if (direction == CLG_CONV2D_FORWARD)
        clg__rows_forward(a, t);
    else
        lay_out_backward_data(a, t);
    const struct clg__reach v = clg__reach_of(t->rows, t->phases_h),
                            u = clg__reach_of(t->columns, t->phases_w);
    t->first_h = v.first;
    t->first_w = u.first;
    l.tiling = choose_tiling(t);
    int rows = choose_rows(&l, PATCH_FLOATS, groups, &v, &u), floats = PATCH_FLOATS;
    divide(&l, rows, floats, groups, a, &v, &u);
    while (local_floats(&l) > local_limit(device) && (rows > 1 || l.args.chunk > 1)) {
        rows = clg__divide_up(rows, 2);
        floats /= 2;
        divide(&l, rows, floats, groups, a, &v, &u);
    }
    return l;
}

static bool rows_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device, const char **why_not)
{
    const bool gradient = direction == CLG_CONV2D_BACKWARD_DATA;
    if (!clg__conv2d_meets(a, device, CLG__ON_CPU | CLG__ONE_GROUP, why_not) ||
        !CLG__ACCEPTS(why_not, {(gradient ? a->c : a->k) > 16, "at most 16 channels of the result"},
                      {gradient && (a->stride_h > ROWS_PHASES || a->stride_w > ROWS_PHASES),
                       "strides of the gradient up to 4"}))
        return false;
    const struct layout l = lay_out(a, direction, device);
    *why_not = "some rows and the filter do not fit into local memory";
    return local_floats(&l) <= local_limit(device);
}

static size_t rows_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    (void)a;
    (void)direction;
    (void)device;
    return 0;
}

/* How many loops over the taps of a channel the tiles of an image need. */
static double loops_of(const struct layout *l)
{
    const struct conv2d_rows_args *t = &l->args;
    const struct tiling tile = l->tiling;
    double loops = 0;
    for (int i = 0; i < t->phases_h * t->phases_w; i++) {
        const struct conv2d_phase *v = &t->rows[i / t->phases_w], *u = &t->columns[i % t->phases_w];
        loops +=
            (double)clg__divide_up(v->outputs, tile.vr) * clg__divide_up(u->outputs, 16 * tile.vc);
    }
    return loops * clg__divide_up(t->k, tile.kb) * t->c;
}

/* Cycles of one core, in which it could make 64 operations: the sums, and what goes on around them.
 * What is no part of a row of the tensor costs more to move. Half of the tensors comes
 * from a cache. */
static double rows_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                        const clg_device_info *device)
{
    enum { FLOP_PER_CYCLE = 64, PER_LOOP = 8, PER_GROUP = 600 };
    const struct layout l = lay_out(a, direction, device);
    const struct conv2d_rows_args *t = &l.args;
    const bool plain_in = t->in_w * t->step_w == 1, plain_out = t->out_w * t->phases_w == 1;
    const double groups = (double)l.image_groups * l.row_groups;
    const double in = (double)t->n * l.row_groups * t->c * t->patch_rows * t->step_w * t->pitch;
    const double out = direction == CLG_CONV2D_FORWARD ? (double)clg__conv2d_y_count(a)
                                                       : (double)clg__conv2d_x_count(a);
    /* Phases of a stride have short rows, and each adds to the same cache lines again. */
    const double phases = t->phases_w > 1 ? 1.3 : 1;
    const double cycles =
        phases * t->n * (0.5 * t->c * tiling_cost(t, l.tiling) + PER_LOOP * loops_of(&l)) +
        (plain_in ? 0.2 : 0.5) * in + (plain_out ? 0.2 : 0.5) * out + PER_GROUP * groups;
    const double bytes = 2.0 * ((double)clg__conv2d_x_count(a) + (double)clg__conv2d_y_count(a));
    return clg__conv2d_seconds(device, FLOP_PER_CYCLE * cycles, 1, 1) +
           bytes / clg__device_bandwidth(device);
}

enum { KERNEL };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status rows_prepare(clg_context *ctx, const struct conv2d_args *a,
                               clg_conv2d_direction direction, void **state)
{
    const struct layout l = lay_out(a, direction, &ctx->info);
    char options[48];
    snprintf(options, sizeof options, "-DKB=%d -DVR=%d -DVC=%d", l.tiling.kb, l.tiling.vr,
             l.tiling.vc);
    const struct clg__kernel_spec kernels[] = {
        [KERNEL] = {"conv2d_rows", "conv2d_rows", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 1, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct clg__grid grid = {2, {(size_t)l->row_groups, (size_t)l->image_groups}, {1, 1}};
    return CLG__LAUNCH(
        stream, state->kernels.at[KERNEL], grid, clg__arg_mem(op->out[0]), clg__arg_mem(op->in[0]),
        clg__arg_mem(op->in[1]), clg__arg_mem(op->in[2]), clg__arg_struct(&l->args, sizeof l->args),
        clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
        clg__arg_local(l->patch * sizeof(float)), clg__arg_local(l->taps * sizeof(float)),
        clg__arg_local(l->places * sizeof(int)), clg__arg_local(l->sums * sizeof(float)));
}

CLG__CONV2D_ALGORITHM(rows, forward, CLG_CONV2D_FORWARD, .exact = true, .fuses_relu = true);
CLG__CONV2D_ALGORITHM(rows, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
