/* Filter gradient over rows of planes for CPU-like devices and small filters; kernels in
 * conv2d_rows_filter.cl. */
#include "ops/conv2d_rows.h"

#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "ops/conv2d_cost.h"

/* Filters and terms, that is taps of channels, of a register tile. */
struct tiling {
    int kb, tb;
};

static const struct tiling tilings[] = {{1, 12}, {1, 25}, {2, 12}, {2, 13}, {3, 8},
                                        {3, 9},  {4, 5},  {4, 6},  {5, 5},  {6, 4}};

struct layout {
    struct tiling tiling;
    struct conv2d_rows_filter_args args;
    int slices;
    size_t patch, gradient, places, rests; /* floats of local memory */
};

/* Multiply-adds of vectors that a tiling spends on k filters and so many terms, weighted by its
 * loads: those of x are seldom aligned and count twice. */
static double tiling_cost(struct tiling t, int k, int terms)
{
    double loads = (double)(2 * t.tb + t.kb) / (t.kb * t.tb);
    double tiles = (double)clg__divide_up(k, t.kb) * clg__divide_up(terms, t.tb);
    return tiles * t.kb * t.tb * (loads > 1 ? loads : 1);
}

static struct tiling choose_tiling(int k, int terms)
{
    struct tiling best = tilings[0];
    for (size_t i = 1; i < sizeof tilings / sizeof tilings[0]; i++)
        if (tiling_cost(tilings[i], k, terms) < tiling_cost(best, k, terms))
            best = tilings[i];
    return best;
}

/* Chunks of so many rows and channels, and what local memory they need. */
static void divide(struct layout *l, int rows, int channels, const struct clg__reach *v,
                   const struct clg__reach *u)
{
    struct conv2d_rows_filter_args *f = &l->args;
    struct conv2d_rows_args *t = &f->rows;
    const int taps = t->rows[0].taps * t->columns[0].taps;
    const int filters = clg__round_up(t->k, l->tiling.kb);
    f->joined = t->step_h * t->step_w == 1;
    t->width = clg__round_up(u->outputs, 16);
    t->pitch = (u->last - u->first) / t->step_w + (f->joined ? u->outputs : t->width);
    f->chunks_per_image = clg__divide_up(v->outputs, rows);
    t->group_rows = clg__divide_up(v->outputs, f->chunks_per_image);
    t->chunk = channels;
    t->patch_rows = (t->group_rows - 1) * t->step_h + v->last - v->first + 1;
    f->tiles = clg__divide_up(t->chunk * taps, l->tiling.tb);
    f->all_tiles = clg__divide_up(t->c, t->chunk) * f->tiles;
    /* A vector more: the last one of the rows may go on behind them. */
    l->patch = (size_t)t->chunk * (size_t)t->patch_rows * (size_t)t->step_w * (size_t)t->pitch;
    l->patch = (l->patch + 16 + 15) / 16 * 16;
    size_t plane = (size_t)t->group_rows * (size_t)t->step_h * (size_t)t->step_w * (size_t)t->pitch;
    plane = (plane + 16 + 15) / 16 * 16;
    t->patch_floats = (int)l->patch; /* a problem for which these are too many is refused */
    f->gradient_floats = (int)plane;
    l->gradient = (size_t)filters * plane;
    l->places = (size_t)f->tiles * (size_t)l->tiling.tb;
    l->rests = 16 * ((size_t)t->k + (size_t)filters * (size_t)f->all_tiles * (size_t)l->tiling.tb);
}

static size_t local_floats(const struct layout *l)
{
    return l->patch + l->gradient + l->places + l->rests;
}

static size_t local_limit(const clg_device_info *device)
{
    return (size_t)device->local_memory / 2 / sizeof(float);
}

static struct layout lay_out(const struct conv2d_args *a, const clg_device_info *device)
{
    enum { CACHED_FLOATS = 8192, GROUPS_A_UNIT = 8 };
    struct layout l = {.slices = 1};
    struct conv2d_rows_filter_args *f = &l.args;
    clg__rows_forward(a, &f->rows);
    const struct clg__reach v = clg__reach_of(f->rows.rows, 1);
    const struct clg__reach u = clg__reach_of(f->rows.columns, 1);
    f->rows.first_h = v.first;
    f->rows.first_w = u.first;
    l.tiling = choose_tiling(a->k, a->c * a->r * a->s);
    /* As many rows as leave dy and x in the first-level cache, and fewer channels of x at a time
     * rather than fewer than 8 rows. */
    int rows = a->p, channels = a->c;
    divide(&l, rows, channels, &v, &u);
    while (l.patch + l.gradient > CACHED_FLOATS && (rows > 1 || channels > 1)) {
        if (channels > 1 && (rows <= 8 || l.patch > l.gradient))
            channels = clg__divide_up(channels, 2);
        else if (rows > 1)
            rows = clg__divide_up(rows, 2);
        divide(&l, rows, channels, &v, &u);
    }
    while (local_floats(&l) > local_limit(device) && (rows > 1 || channels > 1)) {
        rows = clg__divide_up(rows, 2);
        channels = clg__divide_up(channels, 2);
        divide(&l, rows, channels, &v, &u);
    }
    f->chunks = a->n * f->chunks_per_image;
    const int wanted = GROUPS_A_UNIT * clg__at_least((int)device->compute_units, 1);
    f->chunks_per_slice = clg__divide_up(f->chunks, clg__at_most(wanted, f->chunks));
    l.slices = clg__divide_up(f->chunks, f->chunks_per_slice);
    return l;
}

static bool rows_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device, const char **why_not)
{
    enum { MOST_ELEMENTS = 4096, MOST_FILTERS = 16 };
    (void)direction;
    if (!clg__conv2d_meets(a, device, CLG__ON_CPU | CLG__ONE_GROUP, why_not) ||
        !CLG__ACCEPTS(
            why_not, {a->k > MOST_FILTERS, "at most 16 filters"},
            {clg__conv2d_w_count(a) > MOST_ELEMENTS, "at most 4096 elements of the filter"}))
        return false;
    const struct layout l = lay_out(a, device);
    *why_not = "a row, and the sums, do not fit into local memory";
    return local_floats(&l) <= local_limit(device);
}

static size_t rows_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    (void)direction;
    const struct layout l = lay_out(a, device);
    const size_t floats = (size_t)clg__conv2d_w_count(a) + (size_t)a->k;
    return l.slices > 1 ? (size_t)l.slices * floats * sizeof(float) : 0;
}

/* Cycles of one core, in which it could make 64 operations: products, sums on their way to local
 * memory and back, copies, and the lanes added at the end. */
static double rows_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                        const clg_device_info *device)
{
    enum { FLOP_PER_CYCLE = 64 };
    (void)direction;
    const struct layout l = lay_out(a, device);
    const struct conv2d_rows_filter_args *f = &l.args;
    const struct conv2d_rows_args *t = &f->rows;
    const int terms = a->c * a->r * a->s;
    const double row_vectors =
        f->joined ? (t->pitch * t->group_rows + 15) / 16 : t->width / 16 * t->group_rows;
    const double sums = (double)clg__round_up(a->k, l.tiling.kb) * f->all_tiles * l.tiling.tb;
    const double x = (double)f->chunks * t->c * t->patch_rows * t->step_w * t->pitch;
    const double dy = (double)clg__conv2d_y_count(a);
    const double cycles =
        f->chunks * (0.5 * tiling_cost(l.tiling, a->k, terms) * row_vectors + 2 * sums + 300) +
        (t->in_w * t->step_w == 1 ? 0.15 : 0.4) * x + (t->out_w == 1 ? 0.15 : 0.4) * dy +
        l.slices * (8.0 * sums + 600);
    const double bytes = 2.0 * ((double)clg__conv2d_x_count(a) + dy);
    return clg__conv2d_seconds(device, FLOP_PER_CYCLE * cycles, 1, l.slices > 1 ? 2 : 1) +
           bytes / clg__device_bandwidth(device);
}

enum { SUMS, JOIN };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status rows_prepare(clg_context *ctx, const struct conv2d_args *a,
                               clg_conv2d_direction direction, void **state)
{
    (void)direction;
    const struct layout l = lay_out(a, &ctx->info);
    char options[48];
    snprintf(options, sizeof options, "-DKB=%d -DTB=%d", l.tiling.kb, l.tiling.tb);
    const struct clg__kernel_spec kernels[] = {
        [SUMS] = {"conv2d_rows_filter", "conv2d_rows_filter", options},
        [JOIN] = {"conv2d_rows_filter", "conv2d_rows_filter_join", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    const struct layout *l = &state->layout;
    const struct conv2d_rows_args *t = &l->args.rows;
    const bool wants_bias = op->out[1].object != NULL, direct = l->slices == 1;
    const int64_t count = (int64_t)t->k * t->filter_k, filters = wants_bias ? t->k : 0;
    struct clg__mem dw = op->out[0], db = op->out[1];
    if (!direct) {
        dw = op->workspace;
        db = clg__mem_at(dw, (size_t)l->slices * (size_t)count * sizeof(float));
    }
    const struct clg__grid grid = {1, {(size_t)l->slices}, {1}};
    CLG__TRY(CLG__LAUNCH(
        stream, state->kernels.at[SUMS], grid, clg__arg_mem(dw), clg__arg_mem(db),
        clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]), clg__arg_struct(&l->args, sizeof l->args),
        clg__arg_int(wants_bias), clg__arg_int(direct && op->accumulate),
        clg__arg_local(l->patch * sizeof(float)), clg__arg_local(l->gradient * sizeof(float)),
        clg__arg_local(l->places * sizeof(int)), clg__arg_local(l->rests * sizeof(float))));
    if (direct)
        return CLG_OK;
    return CLG__LAUNCH(stream, state->kernels.at[JOIN], clg__grid_1d(count + filters),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->out[1]), clg__arg_mem(dw),
                       clg__arg_mem(db), clg__arg_int(count), clg__arg_int(filters),
                       clg__arg_int(l->slices), clg__arg_int(op->accumulate));
}

CLG__CONV2D_ALGORITHM(rows, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true,
                      .sums_bias = true);
