/* Filter gradient of grouped convolution for CPU-like devices, channels last; kernels in
 * conv2d_grouped_filter.cl. */
#include "ops/conv2d_grouped.h"

#include "base/error.h"
#include "base/ints.h"
#include "ops/conv2d_cost.h"

struct layout {
    struct conv2d_grouped_filter_args args;
    int ct; /* factors of x in a register tile */
    int slices;
    size_t patch_bytes;
};

/* Even parts of the factors of a row of taps, of which the sums stay in registers. */
static int choose_factors(int span, const struct conv2d_grouped_blocks *blocks,
                          const clg_device_info *device)
{
    int registers = device->vector_width_float < 16 ? 6 : 24;
    int most = clg__at_least(registers / (blocks->lanes / 16), 1);
    return clg__divide_up(span, clg__divide_up(span, most));
}

static struct layout lay_out(const struct conv2d_args *a, const clg_device_info *device)
{
    enum { PATCH_BYTES = 64 * 1024, GROUPS_A_UNIT = 16 };
    struct layout l = {.args = {
                           .n = a->n,
                           .h = a->h,
                           .w = a->w,
                           .p = a->p,
                           .q = a->q,
                           .r = a->r,
                           .s = a->s,
                           .stride_h = a->stride_h,
                           .stride_w = a->stride_w,
                           .dilation_h = a->dilation_h,
                           .dilation_w = a->dilation_w,
                           .pad_top = a->pad_top,
                           .pad_left = a->pad_left,
                           .columns = (a->q - 1) * a->stride_w + clg__conv2d_window_w(a),
                           .taps_at_once = a->dilation_w == 1 ? a->s : 1,
                       }};
    struct conv2d_grouped_filter_args *t = &l.args;
    t->blocks = clg__conv2d_grouped_blocks(a->groups, a->c / a->groups, a->k / a->groups, device);
    l.ct = choose_factors(t->taps_at_once * t->blocks.inputs, &t->blocks, device);
    size_t row = (size_t)t->columns * (size_t)clg__conv2d_grouped_cell(&t->blocks) * sizeof(float);
    int fit = (int)(PATCH_BYTES / row), window = clg__conv2d_window_h(a);
    t->rows = clg__at_most(clg__at_least((fit - window) / a->stride_h + 1, 1), a->p);
    t->chunks_per_image = clg__divide_up(a->p, t->rows);
    int chunks = a->n * t->chunks_per_image;
    int slices = clg__divide_up(GROUPS_A_UNIT * (int)device->compute_units, t->blocks.count);
    t->chunks_per_slice = clg__divide_up(chunks, clg__at_most(slices, chunks));
    l.slices = clg__divide_up(chunks, t->chunks_per_slice);
    l.patch_bytes = row * (size_t)((t->rows - 1) * a->stride_h + window);
    return l;
}

static size_t partial_floats(const struct layout *l)
{
    const struct conv2d_grouped_blocks *b = &l->args.blocks;
    return (size_t)l->slices * (size_t)b->count * (size_t)b->inputs * (size_t)b->lanes *
           (size_t)l->args.r * (size_t)l->args.s;
}

static bool grouped_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device, const char **why_not)
{
    (void)direction;
    if (!clg__conv2d_grouped_supports(a, device, why_not))
        return false;
    struct layout l = lay_out(a, device);
    *why_not = "the rows of one chunk do not fit into local memory";
    return l.patch_bytes <= device->local_memory / 2;
}

static size_t grouped_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a, device);
    return partial_floats(&l) * sizeof(float);
}

/* As in the other directions: one load for each multiply-add, and what is copied and joined. */
static double grouped_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                           const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a, device);
    const struct conv2d_grouped_blocks *b = &l.args.blocks;
    double span = l.args.taps_at_once * b->inputs;
    double waste = clg__round_up((int)span, l.ct) / span;
    double terms = (double)b->count * b->lanes * b->inputs * waste;
    double flop = 2 * terms * a->n * a->p * a->q * a->r * a->s;
    double copies = (double)b->count * a->n * l.args.chunks_per_image * (double)l.patch_bytes;
    return clg__conv2d_seconds(device, flop, 0.5, 2) +
           (0.25 * copies + 8.0 * (double)partial_floats(&l)) / clg__device_bandwidth(device);
}

enum { TILE, JOIN };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status grouped_prepare(clg_context *ctx, const struct conv2d_args *a,
                                  clg_conv2d_direction direction, void **state)
{
    (void)direction;
    const struct layout l = lay_out(a, &ctx->info);
    char options[128];
    clg__conv2d_grouped_options(&l.args.blocks, "CT", l.ct, options, sizeof options);
    const struct clg__kernel_spec kernels[] = {
        [TILE] = {"conv2d_grouped_filter", "conv2d_grouped_filter", options},
        [JOIN] = {"conv2d_grouped_filter", "conv2d_grouped_join", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct conv2d_grouped_filter_args *t = &l->args;
    const struct conv2d_grouped_blocks *b = &t->blocks;
    const struct clg__grid grid = {2, {(size_t)b->count, (size_t)l->slices}, {1, 1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[TILE], grid, clg__arg_mem(op->workspace),
                         clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                         clg__arg_struct(t, sizeof *t), clg__arg_local(l->patch_bytes)));
    const int64_t count = (int64_t)b->groups * b->outputs * b->inputs * t->r * t->s;
    return CLG__LAUNCH(stream, state->kernels.at[JOIN], clg__grid_1d(count),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->workspace),
                       clg__arg_struct(b, sizeof *b), clg__arg_int((int64_t)t->r * t->s),
                       clg__arg_int(l->slices), clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(grouped, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true);
