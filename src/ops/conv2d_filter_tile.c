/* Register-tiled filter gradient for CPU-like devices, channels last; kernels in
 * conv2d_filter_tile.cl. */
#include "ops/conv2d_problem.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "conv2d_filter_tile_args.clh"
#include "ops/conv2d_cost.h"

/* Channels (or taps times channels) and vectors of 16 filters of a register tile. */
struct tiling {
    int ct, kv;
};

/* Up to 28 of the 32 vector registers of AVX-512 hold sums. */
static const struct tiling tilings[] = {
    {13, 2}, {14, 2}, {12, 2}, {11, 2}, {10, 2}, {8, 2}, {7, 4}, {6, 4}, {5, 4}, {4, 4},
    {3, 4},  {2, 4},  {1, 4},  {25, 1}, {16, 1}, {9, 1}, {5, 1}, {3, 1}, {2, 1}, {1, 1}};

struct layout {
    struct tiling tiling;
    struct conv2d_filter_tile_args args;
    int filter_blocks, filter_groups, slices;
    size_t patch_bytes, gradient_bytes;
};

static int divide_up(int value, int by)
{
    return (value + by - 1) / by;
}

/* Work of a tiling for runs of `span` floats and k filters: multiply-adds with the tiles' waste,
 * weighted by loads a multiply-add, and by how many sums there are to hide a multiply-add's
 * latency of four cycles at two a cycle. */
static double tiling_cost(struct tiling t, int span, int k)
{
    double terms = (double)divide_up(span, t.ct) * t.ct * divide_up(k, 16 * t.kv) * 16 * t.kv;
    double loads = (double)(t.ct + t.kv) / (t.ct * t.kv);
    double latency = t.ct * t.kv < 8 ? 8.0 / (t.ct * t.kv) : 1;
    double stall = loads > latency ? loads : latency;
    return terms * (stall > 1 ? stall : 1);
}

static struct tiling choose_tiling(int span, int k)
{
    struct tiling best = {1, 1};
    for (size_t i = 0; i < sizeof tilings / sizeof tilings[0]; i++)
        if (tilings[i].ct <= span && tiling_cost(tilings[i], span, k) < tiling_cost(best, span, k))
            best = tilings[i];
    return best;
}

/* Channels of a block: even parts of at most 64, fewer where the patch would leave the cache. */
static int choose_block(const struct conv2d_args *a, int columns, int patch_rows)
{
    enum { PATCH_FLOATS = 24 * 1024, MOST = 64, LEAST = 16 };
    int fits = PATCH_FLOATS / (columns * patch_rows);
    int most = fits > MOST ? MOST : fits < LEAST ? LEAST : fits;
    return divide_up(a->c, divide_up(a->c, most));
}

static struct layout lay_out(const struct conv2d_args *a)
{
    enum {
        GRADIENT_FLOATS = 4096,
        CACHED_FLOATS = 64 * 1024,
        FEW_CHANNELS = 16,
        MIN_GROUPS = 16,
    };
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
                           .dilation_h = a->dilation_h,
                           .dilation_w = a->dilation_w,
                           .pad_top = a->pad_top,
                           .pad_left = a->pad_left,
                       }};
    struct conv2d_filter_tile_args *t = &l.args;
    int columns = (a->q - 1) * a->stride_w + clg__conv2d_window_w(a);
    t->taps_at_once = a->c <= FEW_CHANNELS && a->dilation_w == 1 ? a->s : 1;
    /* The rows of a chunk do not depend on the tiling: 32 filters stand for its lanes. */
    int rows = GRADIENT_FLOATS / (32 * a->q);
    t->rows = rows < 1 ? 1 : rows > a->p ? a->p : rows;
    int patch_rows = (t->rows - 1) * a->stride_h + clg__conv2d_window_h(a);
    t->block = t->taps_at_once > 1 ? a->c : choose_block(a, columns, patch_rows);
    int smallest = a->c - (divide_up(a->c, t->block) - 1) * t->block;
    l.tiling = choose_tiling(t->taps_at_once * smallest, a->k);
    l.filter_blocks = divide_up(a->k, 16 * l.tiling.kv);
    t->chunks_per_image = divide_up(a->p, t->rows);
    int chunks = a->n * t->chunks_per_image;
    /* A group copies x once for all its filters; their dy and sums should stay in the cache. */
    int lanes = 16 * l.tiling.kv;
    int pixels = t->rows * a->q;
    int blocks = CACHED_FLOATS / (lanes * (pixels + t->block * a->r * a->s));
    t->blocks_per_group = blocks < 1 ? 1 : blocks > l.filter_blocks ? l.filter_blocks : blocks;
    l.filter_groups = divide_up(l.filter_blocks, t->blocks_per_group);
    int slices = divide_up(MIN_GROUPS, l.filter_groups);
    t->chunks_per_slice = divide_up(chunks, slices < chunks ? slices : chunks);
    l.slices = divide_up(chunks, t->chunks_per_slice);
    l.patch_bytes = (size_t)patch_rows * (size_t)columns * (size_t)t->block * sizeof(float);
    l.gradient_bytes = (size_t)t->rows * (size_t)a->q * 16 * (size_t)l.tiling.kv * sizeof(float);
    return l;
}

static size_t partial_floats(const struct layout *l)
{
    const struct conv2d_filter_tile_args *t = &l->args;
    return (size_t)l->slices * (size_t)t->r * (size_t)t->s * (size_t)t->c *
           (size_t)l->filter_blocks * 16 * (size_t)l->tiling.kv;
}

static bool tile_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device, const char **why_not)
{
    (void)direction;
    const struct {
        bool refused;
        const char *why;
    } reasons[] = {
        {device->family != CLG_FAMILY_CPU, "for CPU-like devices"},
        {!a->x_channels_last || !a->y_channels_last, "works on NHWC only"},
        {a->groups != 1, "one group only"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].refused) {
            *why_not = reasons[i].why;
            return false;
        }
    struct layout l = lay_out(a);
    *why_not = "the rows of one chunk do not fit into local memory";
    return l.patch_bytes + l.gradient_bytes <= device->local_memory / 2;
}

static size_t tile_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    (void)device;
    (void)direction;
    struct layout l = lay_out(a);
    return partial_floats(&l) * sizeof(float);
}

static double tile_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                        const clg_device_info *device)
{
    (void)direction;
    struct layout l = lay_out(a);
    int span = l.args.taps_at_once * l.args.block;
    double tiles = tiling_cost(l.tiling, span, a->k) / ((double)span * a->k);
    return clg__conv2d_seconds(device, tiles * clg__conv2d_flop(a), 0.6, 2) +
           8.0 * (double)partial_floats(&l) / clg__device_bandwidth(device);
}

struct state {
    struct layout layout;
    struct clg__kernel *tile, *join;
};

static void release(void *pointer)
{
    struct state *state = pointer;
    if (!state)
        return;
    clg__kernel_destroy(state->tile);
    clg__kernel_destroy(state->join);
    free(state);
}

static clg_status tile_prepare(clg_context *ctx, const struct conv2d_args *a,
                               clg_conv2d_direction direction, void **out)
{
    (void)direction;
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return clg__fail_alloc("a tiled filter gradient");
    state->layout = lay_out(a);
    char options[48];
    snprintf(options, sizeof options, "-DCT=%d -DKV=%d", state->layout.tiling.ct,
             state->layout.tiling.kv);
    clg_status status =
        clg__kernel_create(ctx, "conv2d_filter_tile", "conv2d_filter_tile", options, &state->tile);
    if (status == CLG_OK)
        status = clg__kernel_create(ctx, "conv2d_filter_tile", "conv2d_filter_join", options,
                                    &state->join);
    if (status != CLG_OK) {
        release(state);
        return status;
    }
    *out = state;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct conv2d_filter_tile_args *t = &l->args;
    const struct clg__grid grid = {2, {(size_t)l->filter_groups, (size_t)l->slices}, {1, 1}};
    CLG__TRY(CLG__LAUNCH(stream, state->tile, grid, clg__arg_mem(op->workspace),
                         clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                         clg__arg_struct(t, sizeof *t), clg__arg_local(l->patch_bytes),
                         clg__arg_local(l->gradient_bytes)));
    const int64_t count = (int64_t)t->k * t->c * t->r * t->s;
    return CLG__LAUNCH(stream, state->join, clg__grid_1d(count), clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->workspace), clg__arg_int(t->k), clg__arg_int(t->c),
                       clg__arg_int((int64_t)t->r * t->s),
                       clg__arg_int((int64_t)l->filter_blocks * 16 * l->tiling.kv),
                       clg__arg_int(l->slices), clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(tile, backward_filter, CLG_CONV2D_BACKWARD_FILTER, true);
