/*
 * 1x1 convolution for CPU-like devices, channels last, as a matrix product that reads the input
 * where it lies; kernels in conv2d_pointwise.cl.
 *
 * The gradient of the input is the same product with the transposed filter. With a stride it
 * writes zeros to the pixels that no window saw, and multiplies none of them.
 */
#include "ops/conv2d_pointwise.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "ops/conv2d_cost.h"

struct tiling {
    int px, kv; /* pixels and vectors of 16 outputs of a register tile */
};

struct layout {
    struct tiling tiling;
    struct conv2d_pointwise_args args;
    int output_stride, term_stride; /* of the filter */
    int pixel_groups, block_groups;
    int64_t packed_count; /* floats */
};

/* 24 of the 32 vector registers of AVX-512 hold sums (fewer where there are few outputs: each pixel
 * also takes a pointer's register); narrower devices have 16 registers of half a vector. */
static const struct tiling tilings[] = {{6, 4}, {8, 3}, {12, 2}, {12, 1}};
static const struct tiling narrow_tiling = {6, 1};

/* Multiply-adds for one pixel and one term, those of the padding included, weighted by the loads
 * that a tiling needs: px broadcasts and kv vectors for px x kv multiply-adds. */
static double tiling_cost(struct tiling t, int outputs)
{
    double lanes = clg__divide_up(outputs, 16 * t.kv) * 16.0 * t.kv;
    double loads = (double)(t.px + t.kv) / (t.px * t.kv);
    return lanes * (0.9 + 0.25 * loads);
}

static struct tiling choose_tiling(const clg_device_info *device, int outputs)
{
    if (device->vector_width_float < 16)
        return narrow_tiling;
    struct tiling best = tilings[0];
    for (size_t i = 1; i < sizeof tilings / sizeof tilings[0]; i++)
        if (tiling_cost(tilings[i], outputs) < tiling_cost(best, outputs))
            best = tilings[i];
    return best;
}

/* Cuts pixels and outputs into enough groups to keep the device evenly busy, such that little is
 * read again: each group of pixels reads its filter, each group of outputs its pixels. The filter
 * of a group should stay in the second-level cache. */
static void choose_groups(struct layout *l, const clg_device_info *device)
{
    enum { GROUPS_A_UNIT = 24, CACHED_FILTER = 128 * 1024 };
    struct conv2d_pointwise_args *t = &l->args;
    const int tiles = clg__divide_up(t->pixels.count, l->tiling.px), lanes = 16 * l->tiling.kv;
    const int blocks = clg__divide_up(t->outputs, lanes);
    const double wanted = (double)GROUPS_A_UNIT * device->compute_units;
    double least = INFINITY;
    t->blocks_per_group = t->pixels_per_group = 1;
    for (int block_groups = 1; block_groups <= blocks; block_groups++) {
        int per_group = clg__divide_up(blocks, block_groups);
        double pixel_groups = fmin(ceil(wanted / block_groups), tiles);
        double read = (double)block_groups * t->pixels.count + pixel_groups * t->outputs;
        read *= pow((double)per_group * block_groups / blocks, 4); /* groups of even size */
        if (per_group > 1 && (double)per_group * lanes * t->terms > CACHED_FILTER)
            continue;
        if (pixel_groups * block_groups < wanted)
            read *= wanted / (pixel_groups * block_groups);
        if (read < least) {
            least = read;
            t->blocks_per_group = per_group;
            t->pixels_per_group = clg__divide_up(tiles, (int)pixel_groups) * l->tiling.px;
        }
    }
    l->pixel_groups = clg__divide_up(t->pixels.count, t->pixels_per_group);
    l->block_groups = clg__divide_up(blocks, t->blocks_per_group);
}

static struct layout lay_out(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    enum { CHUNK = 48, CACHED_PIXELS = 48 * 1024 };
    bool forward = direction == CLG_CONV2D_FORWARD;
    struct layout l = {
        .args = {.pixels = clg__pointwise_pixels(a),
                 .terms = forward ? a->c : a->k,
                 .outputs = forward ? a->k : a->c,
                 .strided_in = forward,
                 .relu = forward && a->relu,
                 .clear = !forward && a->p * a->q < a->h * a->w},
        .output_stride = forward ? a->c : 1,
        .term_stride = forward ? 1 : a->c,
    };
    struct conv2d_pointwise_args *t = &l.args;
    l.tiling = choose_tiling(device, t->outputs);
    int lanes = 16 * l.tiling.kv;
    l.packed_count = (int64_t)clg__divide_up(t->outputs, lanes) * lanes * t->terms;
    int chunk = CACHED_PIXELS / t->terms < CHUNK ? CACHED_PIXELS / t->terms : CHUNK;
    t->chunk = clg__divide_up(chunk > 0 ? chunk : 1, l.tiling.px) * l.tiling.px;
    int64_t result = forward ? clg__conv2d_y_count(a) : clg__conv2d_x_count(a);
    t->stream = sizeof(float) * (uint64_t)result > device->global_cache / 2;
    choose_groups(&l, device);
    return l;
}

/* Every window lies inside of x. */
static bool is_inside(int outputs, int stride, int pad, int size)
{
    return pad <= 0 && (int64_t)(outputs - 1) * stride - pad < size;
}

bool clg__pointwise_supports(const struct conv2d_args *a, const clg_device_info *device,
                             const char **why_not)
{
    return clg__conv2d_meets(a, device,
                             CLG__ON_CPU | CLG__WINDOW_1X1 | CLG__NHWC_ONLY | CLG__ONE_GROUP,
                             why_not) &&
           CLG__ACCEPTS(why_not, {!is_inside(a->p, a->stride_h, a->pad_top, a->h) ||
                                      !is_inside(a->q, a->stride_w, a->pad_left, a->w),
                                  "no padding"});
}

struct conv2d_pixels clg__pointwise_pixels(const struct conv2d_args *a)
{
    return (struct conv2d_pixels){
        .count = a->n * a->p * a->q,
        .p = a->p,
        .q = a->q,
        .h = a->h,
        .w = a->w,
        .stride_h = a->stride_h,
        .stride_w = a->stride_w,
        .top = -a->pad_top,
        .left = -a->pad_left,
        .dense = a->p == a->h && a->q == a->w && a->pad_top == 0 && a->pad_left == 0,
    };
}

static bool pointwise_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                               const clg_device_info *device, const char **why_not)
{
    if (!clg__pointwise_supports(a, device, why_not))
        return false;
    *why_not = "the packed filter has 2^31 elements or more";
    return lay_out(a, direction, device).packed_count <= INT32_MAX;
}

static size_t pointwise_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                  const clg_device_info *device)
{
    return (size_t)lay_out(a, direction, device).packed_count * sizeof(float);
}

static double pointwise_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    struct layout l = lay_out(a, direction, device);
    double floats = (double)clg__conv2d_y_count(a);
    floats += direction == CLG_CONV2D_FORWARD ? (double)l.args.pixels.count * l.args.terms
                                              : (double)clg__conv2d_x_count(a);
    /* To begin and end a tile takes as long as some terms. */
    double terms = l.args.terms + 5.0;
    double flop = 2 * tiling_cost(l.tiling, l.args.outputs) * terms * l.args.pixels.count;
    double computing = clg__conv2d_seconds(device, flop, 0.97, 2);
    double moving = floats * sizeof(float) / clg__device_bandwidth(device);
    return fmax(computing, moving) + 8.0 * (double)l.packed_count / clg__device_bandwidth(device);
}

enum { PRODUCT, PACK };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status pointwise_prepare(clg_context *ctx, const struct conv2d_args *a,
                                    clg_conv2d_direction direction, void **state)
{
    const struct layout l = lay_out(a, direction, &ctx->info);
    char options[48];
    snprintf(options, sizeof options, "-DPX=%d -DKV=%d", l.tiling.px, l.tiling.kv);
    const struct clg__kernel_spec kernels[] = {
        [PRODUCT] = {"conv2d_pointwise", "conv2d_pointwise", options},
        [PACK] = {"conv2d_pointwise", "conv2d_pointwise_pack", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

/* in[0] is x or dy; in[2] the bias or nothing. */
static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    size_t blocks = (size_t)clg__divide_up(l->args.outputs, 16 * l->tiling.kv);
    const struct clg__grid packing = {
        2, {(size_t)clg__divide_up(l->args.terms, 64), blocks}, {1, 1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[PACK], packing, clg__arg_mem(op->workspace),
                         clg__arg_mem(op->in[1]), clg__arg_int(l->args.terms),
                         clg__arg_int(l->args.outputs), clg__arg_int(l->output_stride),
                         clg__arg_int(l->term_stride)));
    const struct clg__grid grid = {2, {(size_t)l->pixel_groups, (size_t)l->block_groups}, {1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[PRODUCT], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->in[0]), clg__arg_mem(op->workspace),
                       clg__arg_mem(op->in[2]), clg__arg_struct(&l->args, sizeof l->args),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(pointwise, forward, CLG_CONV2D_FORWARD, .exact = true, .fuses_relu = true);
CLG__CONV2D_ALGORITHM(pointwise, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
