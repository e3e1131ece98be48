/*
 * Convolution as a matrix product whose matrix is gathered while it is multiplied, for GPU-like
 * devices: forward, and the gradient of the input phase by phase. Any geometry, groups and layouts.
 */
#include "ops/conv2d_implicit.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/conv2d_cost.h"
#include "ops/plan.h"

enum { MAX_DEPTH = 16, VECTOR = CLG__IMPLICIT_VECTOR, ALIGNMENT = VECTOR * sizeof(float) };

/* The product for y, or those for the phases of dx, in one launch. */
struct products {
    int count; /* of phases */
    struct clg__implicit_axes axes[CLG__IMPLICIT_PHASES];
    struct implicit_phase phases[CLG__IMPLICIT_PHASES];
    struct implicit_args args;
    struct implicit_pack_args pack; /* group_rows 0: nothing is packed */
    struct clg__gpu_products size;
    struct clg__gpu_tiling tiling;
    bool blocks; /* the channels come in blocks and the filters are packed */
};

static bool gathers_channels_last(const struct conv2d_args *a, bool forward)
{
    return forward ? a->x_channels_last : a->y_channels_last;
}

/* Entries of the table that a phase takes. */
static int entries_of(const struct products *all, const struct implicit_phase *phase)
{
    return all->blocks ? phase->taps : phase->depth + MAX_DEPTH;
}

/* Where the taps and packed filters of the phases are, and their slices. */
static void place_phases(struct products *all)
{
    const int step = all->tiling.depth;
    int entries = 0;
    for (int i = 0; i < all->count; i++) {
        struct implicit_phase *phase = &all->phases[i];
        phase->first_tap = entries;
        phase->first_row = all->pack.group_rows;
        entries += entries_of(all, phase);
        if (all->blocks) {
            all->pack.group_rows += phase->depth;
            all->pack.taps += phase->taps;
        }
        phase->depth = clg__implicit_up(phase->depth, step);
        phase->span =
            clg__implicit_up((phase->depth + all->tiling.slices - 1) / all->tiling.slices, step);
    }
}

static bool takes_vectors(const struct products *all)
{
    if (all->args.slices > 1)
        return all->args.columns % VECTOR == 0;
    bool all_vectors = true;
    for (int i = 0; i < all->count; i++)
        all_vectors = all_vectors && clg__implicit_has_vectors(&all->args, &all->phases[i]);
    return all_vectors;
}

static struct products products_of(const struct conv2d_args *a, clg_conv2d_direction direction,
                                   const clg_device_info *device)
{
    const bool forward = direction == CLG_CONV2D_FORWARD;
    struct products all = {.pack = clg__implicit_filters(a, forward)};
    int64_t depth = 0; /* of all together */
    int most_taps = 0;
    all.count = clg__implicit_phases(a, forward, all.axes);
    for (int i = 0; i < all.count; i++) {
        all.phases[i] = clg__implicit_phase(a, forward, &all.axes[i], i);
        depth += all.phases[i].depth;
        most_taps = all.phases[i].taps > most_taps ? all.phases[i].taps : most_taps;
    }
    all.args = clg__implicit_args(a, forward, all.phases, all.count);
    const int64_t longest = (int64_t)all.pack.channels * most_taps;
    const int64_t full = longest > 0 ? (depth + longest - 1) / longest : 1;
    all.size = (struct clg__gpu_products){
        .count = a->groups * (full > 0 ? full : 1),
        .results = (int64_t)a->groups * all.count,
        .rows = all.args.rows,
        .columns = all.args.columns,
        .depth = longest,
    };
    all.tiling = clg__gpu_tiling(&all.size, device);
    all.blocks = !gathers_channels_last(a, forward) && most_taps <= IMPLICIT_MAX_TAPS &&
                 all.pack.channels % all.tiling.depth == 0;
    place_phases(&all);
    all.args.slices = all.tiling.slices;
    all.args.vectors = takes_vectors(&all);
    if (all.blocks)
        all.args.filter_group = all.pack.group_rows * all.pack.pitch;
    return all;
}

/* Bytes of the packed filters. */
static size_t packed_bytes(const struct conv2d_args *a, const struct products *all)
{
    return (size_t)a->groups * (size_t)all->pack.group_rows * (size_t)all->pack.pitch *
           sizeof(float);
}

static bool implicit_gemm_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                                   const clg_device_info *device, const char **why_not)
{
    bool forward = direction == CLG_CONV2D_FORWARD;
    if (!clg__implicit_supports(a, device, why_not))
        return false;
    return clg__implicit_table_fits(a, forward, device, why_not);
}

static size_t implicit_gemm_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                      const clg_device_info *device)
{
    const struct products all = products_of(a, direction, device);
    size_t bytes = packed_bytes(a, &all) + clg__implicit_parts(&all.size, &all.tiling);
    return bytes > 0 ? bytes + ALIGNMENT : 0;
}

static double implicit_gemm_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 const clg_device_info *device)
{
    const struct products all = products_of(a, direction, device);
    return all.tiling.seconds + (all.blocks ? CLG__LAUNCH_SECONDS : 0);
}

/* ---- Tables ---- */

/* With blocks of channels: the taps of channel 0, and how their filters are packed. */
static void fill_window(const struct conv2d_args *a, bool forward, const struct products *all,
                        int phase, struct implicit_tap *taps, struct implicit_pack_tap *pack)
{
    const struct implicit_phase *p = &all->phases[phase];
    const int across = all->axes[phase].columns.taps, depth = all->tiling.depth;
    for (int i = 0; i < p->taps; i++) {
        taps[i] = clg__implicit_tap(a, forward, &all->axes[phase], 0, i / across, i % across);
        pack[i] =
            (struct implicit_pack_tap){taps[i].filter, p->first_row + i * depth, p->taps, depth};
    }
}

/* The taps in the order in which the gathered tensor has them side by side. */
static void fill_taps(const struct conv2d_args *a, bool forward, const struct products *all,
                      int phase, struct implicit_tap *taps)
{
    const bool last = gathers_channels_last(a, forward);
    const int channels = all->pack.channels, window = all->phases[phase].taps;
    const int across = all->axes[phase].columns.taps;
    int at = 0;
    for (int outer = 0; outer < (last ? window : channels); outer++)
        for (int inner = 0; inner < (last ? channels : window); inner++) {
            int tap = last ? outer : inner, c = last ? inner : outer;
            taps[at++] =
                clg__implicit_tap(a, forward, &all->axes[phase], c, tap / across, tap % across);
        }
    for (int i = 0; i < MAX_DEPTH; i++)
        taps[at++] = clg__implicit_no_tap();
}

/* ---- State ---- */

struct state {
    struct clg__gpu_products size;
    struct clg__gpu_tiling tiling;
    struct implicit_args args;
    struct implicit_phase phase; /* the first one */
    struct implicit_pack_args pack_args;
    int groups;
    struct clg__kernel *product, *join, *pack; /* NULL: not needed */
    clg_buffer *table;                         /* taps, those for packing, phases */
    size_t pack_at, phases_at;                 /* bytes, in the table */
    size_t parts_at;                           /* bytes, in the workspace */
};

static void release(void *pointer)
{
    struct state *s = pointer;
    clg__kernel_destroy(s->product);
    clg__kernel_destroy(s->join);
    clg__kernel_destroy(s->pack);
    clg_buffer_destroy(s->table);
    free(s);
}

_Static_assert(sizeof(struct implicit_tap) == sizeof(struct implicit_pack_tap),
               "they are entries of one table");

static clg_status make_table(clg_context *ctx, const struct conv2d_args *a, bool forward,
                             const struct products *all, struct state *s)
{
    const size_t unit = sizeof(struct implicit_tap);
    const struct implicit_phase *last = &all->phases[all->count - 1];
    const size_t taps_bytes = (size_t)(last->first_tap + entries_of(all, last)) * unit;
    const size_t pack_bytes = (size_t)all->pack.taps * unit;
    const size_t phase_bytes = (size_t)all->count * sizeof *all->phases;
    char *table = calloc(1, taps_bytes + pack_bytes + phase_bytes);
    if (!table)
        return clg__fail_alloc("a table of taps");
    struct implicit_tap *taps = (struct implicit_tap *)(void *)table;
    struct implicit_pack_tap *pack = (struct implicit_pack_tap *)(void *)(table + taps_bytes);
    for (int i = 0; i < all->count; i++) {
        const struct implicit_phase *phase = &all->phases[i];
        if (all->blocks) {
            fill_window(a, forward, all, i, taps + phase->first_tap, pack);
            pack += phase->taps;
        } else {
            fill_taps(a, forward, all, i, taps + phase->first_tap);
        }
    }
    s->pack_at = taps_bytes;
    s->phases_at = taps_bytes + pack_bytes;
    memcpy(table + s->phases_at, all->phases, phase_bytes);
    clg_status status = clg_buffer_create(ctx, s->phases_at + phase_bytes, &s->table);
    if (status == CLG_OK)
        status = clg_buffer_upload(s->table, 0, s->phases_at + phase_bytes, table, NULL);
    free(table);
    return status;
}

static clg_status fill_state(clg_context *ctx, const struct conv2d_args *a, bool forward,
                             struct state *s)
{
    static const char blocks[] = "conv2d_implicit_blocks", gemm[] = "conv2d_implicit_gemm";
    const struct products all =
        products_of(a, forward ? CLG_CONV2D_FORWARD : CLG_CONV2D_BACKWARD_DATA, &ctx->info);
    char options[CLG__IMPLICIT_OPTIONS];
    s->size = all.size;
    s->tiling = all.tiling;
    s->args = all.args;
    s->phase = all.phases[0];
    s->pack_args = all.pack;
    s->groups = a->groups;
    s->parts_at = packed_bytes(a, &all);
    clg__implicit_options(&all.tiling, all.blocks, &ctx->info, gathers_channels_last(a, forward),
                          options);
    CLG__TRY(all.blocks
                 ? clg__kernel_create(ctx, blocks, "conv2d_implicit_blocks", options, &s->product)
                 : clg__kernel_create(ctx, gemm, "conv2d_implicit_gemm", options, &s->product));
    if (all.blocks)
        CLG__TRY(clg__kernel_create(ctx, blocks, "conv2d_implicit_pack", "", &s->pack));
    if (all.args.slices > 1)
        CLG__TRY(clg__kernel_create(ctx, gemm, "conv2d_implicit_join", "", &s->join));
    return make_table(ctx, a, forward, &all, s);
}

static clg_status implicit_gemm_prepare(clg_context *ctx, const struct conv2d_args *a,
                                        clg_conv2d_direction direction, void **out)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return clg__fail_alloc("an implicit matrix product");
    clg_status status = fill_state(ctx, a, direction == CLG_CONV2D_FORWARD, s);
    if (status != CLG_OK) {
        release(s);
        return status;
    }
    *out = s;
    return CLG_OK;
}

static clg_status pack(const struct state *s, struct clg__stream *stream,
                       const struct clg__operands *op)
{
    enum { ACROSS = 32, DOWN = 8 }; /* channels lie side by side in w: a group shares its lines */
    const struct clg__grid grid = {3,
                                   {(size_t)clg__implicit_up(s->pack_args.pitch, ACROSS),
                                    (size_t)clg__implicit_up(s->pack_args.channels, DOWN),
                                    (size_t)s->groups},
                                   {ACROSS, DOWN, 1}};
    return CLG__LAUNCH(stream, s->pack, grid, clg__arg_mem(op->workspace), clg__arg_mem(op->in[1]),
                       clg__arg_mem(clg__mem_at(clg__buffer_mem(s->table), s->pack_at)),
                       clg__arg_struct(&s->pack_args, sizeof s->pack_args));
}

static clg_status enqueue(void *pointer, struct clg__stream *stream,
                          const struct clg__operands *operands)
{
    const struct state *s = pointer;
    struct clg__operands op = *operands;
    op.workspace.offset = (op.workspace.offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const struct clg__mem parts = clg__mem_at(op.workspace, s->parts_at);
    const struct clg__mem table = clg__buffer_mem(s->table);
    const struct clg__arg phases = clg__arg_mem(clg__mem_at(table, s->phases_at));
    struct implicit_args args = s->args;
    const struct clg__mem to = s->join ? parts : op.out[0];
    const bool has_bias = op.in[2].object != NULL;
    args.accumulate = op.accumulate;
    args.vectors = args.vectors && to.offset % ALIGNMENT == 0;
    if (s->pack)
        CLG__TRY(pack(s, stream, &op));
    CLG__TRY(CLG__LAUNCH(stream, s->product, clg__implicit_grid(&s->size, &s->tiling),
                         clg__arg_mem(to), clg__arg_mem(op.in[0]),
                         clg__arg_mem(s->pack ? op.workspace : op.in[1]), clg__arg_mem(op.in[2]),
                         phases, clg__arg_mem(table), clg__arg_struct(&args, sizeof args),
                         clg__arg_struct(&s->phase, sizeof s->phase), clg__arg_int(has_bias)));
    if (!s->join)
        return CLG_OK;
    return CLG__LAUNCH(stream, s->join, clg__implicit_join_grid(&s->size), clg__arg_mem(op.out[0]),
                       clg__arg_mem(parts), clg__arg_mem(op.in[2]), phases,
                       clg__arg_struct(&args, sizeof args),
                       clg__arg_struct(&s->phase, sizeof s->phase), clg__arg_int(has_bias));
}

CLG__CONV2D_ALGORITHM_OWNING(implicit_gemm, forward, CLG_CONV2D_FORWARD, .exact = true,
                             .fuses_relu = true);
CLG__CONV2D_ALGORITHM_OWNING(implicit_gemm, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
