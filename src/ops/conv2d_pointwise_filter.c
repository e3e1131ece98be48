/* Filter gradient of the 1x1 convolution, for CPU-like devices, channels last; kernels in
 * conv2d_pointwise_filter.cl. */
#include "ops/conv2d_pointwise.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "ops/conv2d_cost.h"

/* Rows and vectors of 16 lanes of a register tile. */
struct tiling {
    int ct, kv;
};

static const struct tiling tilings[] = {{6, 4}, {12, 2}, {24, 1}};
static const struct tiling narrow_tiling = {6, 1};

struct layout {
    struct tiling tiling;
    bool x_in_lanes;
    struct conv2d_pointwise_filter_args args;
    int blocks, row_groups, slices;
    bool direct;   /* the kernel writes dw itself */
    double cycles; /* by estimate, of one core */
};

/* Fills in what follows from tiling, sides and the number of row groups, and what that takes. */
static void finish(struct layout *l, int row_groups, const clg_device_info *device)
{
    enum { CHUNK = 128, GROUPS_A_UNIT = 16 };
    struct conv2d_pointwise_filter_args *t = &l->args;
    const struct tiling tiling = l->tiling;
    const int units = (int)device->compute_units, pixels = t->pixels.count;
    int row_tiles = clg__divide_up(t->rows, tiling.ct);
    t->rows_per_group = clg__divide_up(row_tiles, row_groups) * tiling.ct;
    l->row_groups = clg__divide_up(t->rows, t->rows_per_group);
    l->blocks = clg__divide_up(t->lanes, 16 * tiling.kv);
    t->lane_pitch = l->blocks * 16 * tiling.kv;
    t->chunk = clg__divide_up(pixels, clg__divide_up(pixels, CHUNK));
    int chunks = clg__divide_up(pixels, t->chunk);
    int slices = clg__divide_up(GROUPS_A_UNIT * units, l->blocks * l->row_groups);
    int per_slice = clg__divide_up(chunks, slices < chunks ? slices : chunks);
    t->pixels_per_slice = per_slice * t->chunk;
    l->slices = clg__divide_up(chunks, per_slice);
    l->direct = l->x_in_lanes && l->slices == 1 && t->lane_pitch == t->lanes;
    double tile = fmax(tiling.ct * tiling.kv, tiling.ct + tiling.kv) / 2.0;
    double product = (double)pixels * l->blocks * row_tiles * (tile + 1);
    double packing = (double)pixels * l->blocks * l->row_groups * (2 * tiling.kv + 8);
    double joining = l->direct ? 0 : (double)l->slices * t->rows * t->lane_pitch / 16 * 6;
    double groups = (double)l->blocks * l->row_groups * l->slices;
    double uneven = (double)per_slice * l->slices / chunks;
    l->cycles = (product + packing + joining) * uneven * (1 + 0.25 * units / groups);
}

static struct layout lay_out(const struct conv2d_args *a, const clg_device_info *device)
{
    const bool narrow = device->vector_width_float < 16;
    const struct tiling *choices = narrow ? &narrow_tiling : tilings;
    const int num_choices = narrow ? 1 : sizeof tilings / sizeof tilings[0];
    struct layout best = {.cycles = INFINITY};
    for (int choice = 0; choice < num_choices; choice++)
        for (int x_in_lanes = 0; x_in_lanes < 2; x_in_lanes++) {
            struct layout l = {
                .tiling = choices[choice],
                .x_in_lanes = x_in_lanes,
                .args = {.pixels = clg__pointwise_pixels(a),
                         .x_in_lanes = x_in_lanes,
                         .lanes = x_in_lanes ? a->c : a->k,
                         .rows = x_in_lanes ? a->k : a->c},
            };
            for (int groups = 1; groups <= 16 && l.args.rows >= l.tiling.ct * groups; groups++) {
                finish(&l, groups, device);
                if (l.cycles < best.cycles)
                    best = l;
            }
        }
    return best;
}

static size_t partial_floats(const struct layout *l)
{
    return l->direct ? 0 : (size_t)l->slices * (size_t)l->args.rows * (size_t)l->args.lane_pitch;
}

static size_t bias_floats(const struct layout *l)
{
    int filters = l->x_in_lanes ? l->args.rows : l->args.lanes;
    return l->direct ? 0 : (size_t)l->slices * (size_t)filters;
}

static bool pointwise_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                               const clg_device_info *device, const char **why_not)
{
    (void)direction;
    if (!clg__pointwise_supports(a, device, why_not))
        return false;
    struct layout l = lay_out(a, device);
    *why_not = "few channels and few filters";
    if (isinf(l.cycles))
        return false;
    *why_not = "the filter has 2^31 elements or more";
    return (int64_t)l.args.rows * l.args.lane_pitch <= INT32_MAX;
}

static size_t pointwise_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                  const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a, device);
    return (partial_floats(&l) + bias_floats(&l)) * sizeof(float);
}

static double pointwise_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a, device);
    const struct conv2d_pixels *pixels = &l.args.pixels;
    double floats = (double)pixels->count * (l.args.rows + l.args.lanes);
    double moving = floats * sizeof(float) / clg__device_bandwidth(device);
    double computing = clg__conv2d_seconds(device, l.cycles * 64, 0.97, 2);
    return fmax(computing, moving);
}

enum { PRODUCT, JOIN };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status pointwise_prepare(clg_context *ctx, const struct conv2d_args *a,
                                    clg_conv2d_direction direction, void **state)
{
    (void)direction;
    const struct layout l = lay_out(a, &ctx->info);
    char options[48];
    snprintf(options, sizeof options, "-DCT=%d -DKV=%d", l.tiling.ct, l.tiling.kv);
    const struct clg__kernel_spec kernels[] = {
        [PRODUCT] = {"conv2d_pointwise_filter", "conv2d_pointwise_filter", options},
        [JOIN] = {"conv2d_pointwise_filter", "conv2d_pointwise_join", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct conv2d_pointwise_filter_args *t = &l->args;
    const bool wants_bias = op->out[1].object != NULL;
    struct clg__mem partial = l->direct ? op->out[0] : op->workspace, bias = op->out[1];
    if (wants_bias && !l->direct)
        bias = clg__mem_at(op->workspace, partial_floats(l) * sizeof(float));
    const struct clg__grid grid = {
        3, {(size_t)l->blocks, (size_t)l->row_groups, (size_t)l->slices}, {1, 1, 1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[PRODUCT], grid, clg__arg_mem(partial),
                         clg__arg_mem(bias), clg__arg_mem(op->in[l->x_in_lanes ? 0 : 1]),
                         clg__arg_mem(op->in[l->x_in_lanes ? 1 : 0]), clg__arg_struct(t, sizeof *t),
                         clg__arg_int(wants_bias), clg__arg_int(l->direct && op->accumulate)));
    if (l->direct)
        return CLG_OK;
    const struct clg__grid blocks = {
        2,
        {(size_t)clg__divide_up(t->lanes, 16), (size_t)clg__divide_up(t->rows, 16) + wants_bias},
        {1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[JOIN], blocks, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->out[1]), clg__arg_mem(op->workspace), clg__arg_mem(bias),
                       clg__arg_int(t->rows), clg__arg_int(t->lanes), clg__arg_int(t->lane_pitch),
                       clg__arg_int(l->slices), clg__arg_int(!l->x_in_lanes),
                       clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(pointwise, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true,
                      .sums_bias = true);
