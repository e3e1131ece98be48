/* Register-tiled filter gradient for CPU-like devices, channels last; kernels in
 * conv2d_filter_tile.cl. */
#include "ops/conv2d_problem.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_filter_tile_args.clh"
#include "ops/conv2d_cost.h"

/* Channels (or taps times channels) and vectors of 16 filters of a register tile. */
struct tiling {
    int ct, kv;
};

/* Up to 28 of the 32 vector registers of AVX-512 hold sums. */
static const struct tiling tilings[] = {{13, 2}, {14, 2}, {12, 2}, {11, 2}, {10, 2}, {8, 2},
                                        {7, 4},  {6, 4},  {5, 4},  {4, 4},  {3, 4},  {2, 4},
                                        {1, 4},  {25, 1}, {16, 1}, {15, 1}, {12, 1}, {10, 1},
                                        {9, 1},  {5, 1},  {3, 1},  {2, 1},  {1, 1}};

/* Floats from one column of the copy of x to the next, where taps are not joined. */
enum { CELL = 16 };

struct layout {
    struct tiling tiling;
    struct conv2d_filter_tile_args args;
    int filter_groups, channel_groups, slices;
    size_t patch_bytes, gradient_bytes, band_bytes;
    size_t sum_floats, bias_floats; /* of one group */
};

/* Work of a tiling for runs of `span` floats and k filters: multiply-adds with the tiles' waste,
 * weighted by loads a multiply-add, and by how many sums there are to hide a multiply-add's
 * latency of four cycles at two a cycle. */
static double tiling_cost(struct tiling t, int span, int k)
{
    double terms =
        (double)clg__divide_up(span, t.ct) * t.ct * clg__divide_up(k, 16 * t.kv) * 16 * t.kv;
    double loads = (double)(t.ct + t.kv) / (t.ct * t.kv);
    double latency = t.ct * t.kv < 8 ? 8.0 / (t.ct * t.kv) : 1;
    double stall = loads > latency ? loads : latency;
    return terms * ((stall > 1 ? stall : 1) + 0.4 / t.ct);
}

/* Narrower devices than those of AVX-512 have 16 registers of half a vector. */
static struct tiling choose_tiling(const clg_device_info *device, int span, int k, bool joined)
{
    struct tiling best = {1, 1};
    const int sums = device->vector_width_float < 16 ? 6 : 28;
    for (size_t i = 0; i < sizeof tilings / sizeof tilings[0]; i++) {
        struct tiling t = tilings[i];
        if (t.ct <= span && t.ct * t.kv <= sums && (joined || t.ct <= CELL) &&
            tiling_cost(t, span, k) < tiling_cost(best, span, k))
            best = t;
    }
    return best;
}

/* Bands and chunks: enough pixels that loading and storing the sums in between does not count, few
 * enough that a group's copies stay in the second-level cache, one tile's x in the first. */
static void choose_chunk(struct layout *l)
{
    enum { PIXELS = 448, TILE_FLOATS = 10 * 1024, PATCH_FLOATS = 64 * 1024 };
    struct conv2d_filter_tile_args *t = &l->args;
    t->period = t->dilation_h / clg__greatest_divisor(t->stride_h, t->dilation_h);
    t->jump = t->period * t->stride_h / t->dilation_h;
    int rows = clg__divide_up(t->p, t->period);
    t->columns = (t->q - 1) * t->stride_w + (t->s - 1) * t->dilation_w + 1;
    const int fit = (TILE_FLOATS / clg__at_least(t->columns * t->cell, 1) - t->r) / t->jump + 1;
    t->rows = clg__at_least(clg__at_most(clg__at_most(PIXELS / t->q, fit), rows), 1);
    t->rows = clg__divide_up(rows, clg__divide_up(rows, t->rows));
    t->bands = clg__divide_up(rows, t->rows) * t->period;
    t->patch_rows = (t->rows - 1) * t->jump + t->r;
    /* Of several bands the x of about 64 channels should fit. */
    const int patch = t->patch_rows * t->columns * t->cell * (t->taps_at_once > 1 ? 1 : 5);
    int chunk = clg__at_most(PIXELS / (t->rows * t->q), PATCH_FLOATS / clg__at_least(patch, 1));
    t->chunk = clg__at_least(clg__at_most(chunk, t->n * t->bands), 1);
}

/* Gives a group `blocks` of filters and `channels`, and as many slices as there must be for all
 * groups to keep the device evenly busy. */
static void cut(struct layout *l, int blocks, int channels, int wanted)
{
    struct conv2d_filter_tile_args *t = &l->args;
    const int lanes = 16 * l->tiling.kv;
    const int all_chunks = clg__divide_up(t->n * t->bands, t->chunk);
    t->blocks = blocks;
    t->channels = channels;
    t->tiles = clg__divide_up(channels * t->taps_at_once, l->tiling.ct);
    l->filter_groups = clg__divide_up(t->k, lanes * blocks);
    l->channel_groups = clg__divide_up(t->c, channels);
    int slices =
        clg__at_most(clg__divide_up(wanted, l->filter_groups * l->channel_groups), all_chunks);
    t->chunks_per_slice = clg__divide_up(all_chunks, slices);
    l->slices = clg__divide_up(all_chunks, t->chunks_per_slice);
    size_t pixels = (size_t)t->chunk * (size_t)t->rows * (size_t)t->q;
    size_t places = (size_t)t->chunk * (size_t)t->patch_rows * (size_t)t->columns;
    size_t cells = t->taps_at_once > 1 ? (size_t)t->c : (size_t)t->tiles * CELL;
    l->gradient_bytes = pixels * (size_t)blocks * (size_t)lanes * sizeof(float);
    l->patch_bytes = (places * cells + CELL) * sizeof(float);
    l->bias_floats = (size_t)blocks * (size_t)lanes;
    l->sum_floats = l->bias_floats * (size_t)t->tiles * (size_t)l->tiling.ct * (size_t)t->runs;
    l->band_bytes = 2 * (size_t)t->chunk * sizeof(int);
}

static size_t rest_bytes(const struct layout *l)
{
    return (l->sum_floats + l->bias_floats) * sizeof(float);
}

static size_t local_bytes(const struct layout *l)
{
    return l->patch_bytes + l->gradient_bytes + rest_bytes(l) + l->band_bytes;
}

/* Floats of one slice's sums of all groups. */
static size_t slice_floats(const struct layout *l)
{
    return (size_t)l->filter_groups * (size_t)l->channel_groups * l->sum_floats;
}

static size_t partial_floats(const struct layout *l)
{
    const size_t biases = (size_t)l->filter_groups * l->bias_floats;
    return l->slices > 1 ? (size_t)l->slices * (slice_floats(l) + biases) : 0;
}

/* Bytes that move besides the multiply-adds: copies of x and dy, sums between chunks, slices. */
static double moved(const struct layout *l)
{
    const struct conv2d_filter_tile_args *t = &l->args;
    const double groups = (double)l->filter_groups * l->channel_groups;
    const double chunks = clg__divide_up(t->n * t->bands, t->chunk);
    double copies = 2 * chunks * groups * (double)(l->patch_bytes + l->gradient_bytes);
    double sums = 2 * chunks * (double)slice_floats(l) * sizeof(float);
    return copies + sums + 3 * (double)partial_floats(l) * sizeof(float);
}

/* The share of its time that the busiest of the device's units works. */
static double idle(const struct layout *l, const clg_device_info *device)
{
    const int units = clg__at_least((int)device->compute_units, 1);
    const int groups = l->filter_groups * l->channel_groups * l->slices;
    return (double)clg__divide_up(groups, units) * units / groups;
}

static struct layout lay_out(const struct conv2d_args *a, const clg_device_info *device)
{
    enum { FEW_CHANNELS = 16, GROUPS_A_UNIT = 16, LOCAL_BYTES = 480 * 1024 };
    struct layout l = {.args = {
                           .n = a->n,
                           .c = a->c,
                           .h = a->h,
                           .w = a->w,
                           .k = a->k,
                           .p = a->p,
                           .q = a->q,
                           .r = a->r,
                           .s = a->s,
                           .stride_h = a->stride_h,
                           .stride_w = a->stride_w,
                           .dilation_h = a->r > 1 ? a->dilation_h : a->stride_h,
                           .dilation_w = a->dilation_w,
                           .pad_top = a->pad_top,
                           .pad_left = a->pad_left,
                       }};
    struct conv2d_filter_tile_args *t = &l.args;
    bool joined = a->c <= FEW_CHANNELS && a->dilation_w == 1 && a->s > 1;
    t->taps_at_once = joined ? a->s : 1;
    t->runs = joined ? a->r : a->r * a->s;
    t->cell = joined ? a->c : CELL;
    l.tiling = choose_tiling(device, joined ? a->s * a->c : clg__at_most(a->c, 64), a->k, joined);
    choose_chunk(&l);
    const int blocks = clg__divide_up(a->k, 16 * l.tiling.kv);
    const int wanted = GROUPS_A_UNIT * (int)device->compute_units;
    const size_t most =
        device->local_memory / 2 < LOCAL_BYTES ? device->local_memory / 2 : LOCAL_BYTES;
    struct layout best = l;
    double least = INFINITY;
    for (int b = 1; b <= blocks; b = b < blocks && 2 * b > blocks ? blocks : 2 * b)
        for (int parts = 1; parts <= (joined ? 1 : clg__divide_up(a->c, 16)); parts++) {
            cut(&l, b, clg__divide_up(a->c, parts), wanted);
            double waste = (double)(t->tiles * l.tiling.ct * l.channel_groups) /
                           (t->taps_at_once * a->c) * idle(&l, device);
            double seconds = clg__conv2d_flop(a) * waste / clg__device_peak_flops(device) +
                             moved(&l) / clg__device_bandwidth(device) / 2;
            if (local_bytes(&l) <= most && seconds < least) {
                best = l;
                least = seconds;
            }
        }
    if (least == INFINITY)
        cut(&best, 1, joined ? a->c : clg__at_most(a->c, 16), wanted);
    return best;
}

static bool tile_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device, const char **why_not)
{
    (void)direction;
    if (!clg__conv2d_meets(a, device, CLG__ON_CPU | CLG__NHWC_ONLY | CLG__ONE_GROUP, why_not))
        return false;
    struct layout l = lay_out(a, device);
    *why_not = "the rows of one chunk do not fit into local memory";
    return local_bytes(&l) <= device->local_memory / 2;
}

static size_t tile_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a, device);
    return partial_floats(&l) * sizeof(float);
}

/* Full tiles reach 0.95 of the peak without loading and storing their sums. */
static double tile_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                        const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a, device);
    const struct conv2d_filter_tile_args *t = &l.args;
    int span = t->taps_at_once * t->channels;
    double terms = tiling_cost(l.tiling, span, a->k) / ((double)span * a->k);
    terms *= clg__conv2d_inside(a->p, a->r, a->stride_h, a->dilation_h, -a->pad_top, a->h);
    if (t->taps_at_once == 1)
        terms *= clg__conv2d_inside(a->q, a->s, a->stride_w, a->dilation_w, -a->pad_left, a->w);
    /* What few channels copy is in the first-level cache. */
    const double bytes = t->taps_at_once > 1 ? moved(&l) / 2 : moved(&l);
    return clg__conv2d_seconds(device, terms * clg__conv2d_flop(a), 0.95, l.slices > 1 ? 2 : 1) +
           bytes / clg__device_bandwidth(device);
}

enum { TILE, JOIN };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status tile_prepare(clg_context *ctx, const struct conv2d_args *a,
                               clg_conv2d_direction direction, void **state)
{
    (void)direction;
    const struct layout l = lay_out(a, &ctx->info);
    char options[48];
    snprintf(options, sizeof options, "-DCT=%d -DKV=%d", l.tiling.ct, l.tiling.kv);
    const struct clg__kernel_spec kernels[] = {
        [TILE] = {"conv2d_filter_tile", "conv2d_filter_tile", options},
        [JOIN] = {"conv2d_filter_tile", "conv2d_filter_join", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct conv2d_filter_tile_args *t = &l->args;
    const bool has_bias = op->out[1].object != NULL;
    const size_t filters = (size_t)l->filter_groups, channels = (size_t)l->channel_groups;
    const struct clg__grid grid = {3, {filters, channels, (size_t)l->slices}, {1, 1, 1}};
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[TILE], grid,
                         clg__arg_mem(l->slices > 1 ? op->workspace : op->out[0]),
                         clg__arg_mem(op->out[1]), clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                         clg__arg_struct(t, sizeof *t), clg__arg_int(has_bias),
                         clg__arg_int(op->accumulate), clg__arg_local(l->patch_bytes),
                         clg__arg_local(l->gradient_bytes), clg__arg_local(rest_bytes(l)),
                         clg__arg_local(l->band_bytes)));
    if (l->slices == 1)
        return CLG_OK;
    const size_t parts = (size_t)t->blocks * (size_t)l->tiling.kv;
    const struct clg__grid join = {3, {filters, channels, parts}, {1, 1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[JOIN], join, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->out[1]), clg__arg_mem(op->workspace),
                       clg__arg_struct(t, sizeof *t), clg__arg_int(l->slices),
                       clg__arg_int(has_bias), clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(tile, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true,
                      .sums_bias = true);
