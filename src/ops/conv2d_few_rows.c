/*
 * Convolution for GPU-like devices where the result has few channels in a group: forward with few
 * filters, and the gradient of an input of few channels, all phases of the stride in one launch.
 * Any geometry and layouts. Kernel: kernels_cl/conv2d_few_rows.cl.
 */
#include "ops/conv2d_implicit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/conv2d_cost.h"

enum {
    MAX_ROWS = 16,
    ITEMS = 128, /* in conv2d_few_rows.cl, too */
    FILTERS = 2048,
    GROUPS_A_UNIT = 8 /* that it takes to keep a unit busy */
};

static int rows_of(const struct conv2d_args *a, bool forward)
{
    return (forward ? a->k : a->c) / a->groups;
}

/* Rows and pixels of an item. */
struct item {
    int rows, pixels;
};

/* As many sums as registers can hold, if that leaves enough groups for the device. */
static struct item item_of(const struct conv2d_args *a, bool forward, const clg_device_info *device)
{
    const int rows = rows_of(a, forward);
    struct item item = {.rows = rows <= 4 ? 4 : rows <= 8 ? 8 : 16};
    const int64_t elements = forward ? clg__conv2d_y_count(a) : clg__conv2d_x_count(a);
    const int64_t pixels = elements / rows; /* of all phases and groups */
    item.pixels = item.rows <= 8 ? 4 : 2;
    while (item.pixels > 1 &&
           pixels < (int64_t)ITEMS * item.pixels * GROUPS_A_UNIT * (int64_t)device->compute_units)
        item.pixels /= 2;
    return item;
}

static bool few_rows_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                              const clg_device_info *device, const char **why_not)
{
    const bool forward = direction == CLG_CONV2D_FORWARD;
    if (!clg__conv2d_meets(a, device, CLG__ON_GPU, why_not))
        return false;
    *why_not = "more than 16 channels in a group of the result";
    if (rows_of(a, forward) > MAX_ROWS)
        return false;
    *why_not = "several groups of fewer than 4 channels of the result";
    if (a->groups > 1 && rows_of(a, forward) < 4)
        return false;
    *why_not = "the device's work-groups or its local memory are too small";
    if (device->max_work_group_size < ITEMS || device->max_work_item_sizes[0] < ITEMS ||
        device->local_memory < FILTERS * sizeof(float))
        return false;
    return clg__implicit_table_fits(a, forward, device, why_not);
}

static size_t few_rows_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 const clg_device_info *device)
{
    (void)a, (void)direction, (void)device;
    return 0;
}

/* For each element that an item gathers it issues about four instructions, and one a row. With
 * groups of few channels an element meets so few others that moving it counts, too. */
static double few_rows_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                            const clg_device_info *device)
{
    const bool forward = direction == CLG_CONV2D_FORWARD;
    struct clg__implicit_axes axes[CLG__IMPLICIT_PHASES];
    const int count = clg__implicit_phases(a, forward, axes);
    const struct item item = item_of(a, forward, device);
    double gathered = 0, columns = 0;
    for (int i = 0; i < count; i++) {
        double own = (double)a->n * axes[i].rows.outputs * axes[i].columns.outputs * a->groups;
        columns += own;
        gathered += own * axes[i].rows.taps * axes[i].columns.taps;
    }
    gathered *= (forward ? a->c : a->k) / a->groups;
    /* Neighbouring items read elements that lie apart. */
    if (forward ? a->x_channels_last : a->y_channels_last)
        gathered *= 2;
    double busy = columns / ((double)ITEMS * item.pixels * GROUPS_A_UNIT * device->compute_units);
    double bytes = sizeof(float) * (double)(clg__conv2d_x_count(a) + clg__conv2d_y_count(a));
    return clg__conv2d_seconds(device, 2 * gathered * (item.rows + 4),
                               0.35 * (busy < 1 ? 0.3 + 0.7 * busy : 1), 1) +
           (a->groups > 1 ? bytes / clg__device_bandwidth(device) : 0);
}

struct state {
    struct clg__kernels kernels; /* one */
    clg_buffer *table;           /* the phases' arguments, then their taps */
    size_t taps_at;              /* bytes */
    int groups, pixels;
    struct implicit_args args;
    struct implicit_pack_args filters;
};

static void release(void *pointer)
{
    struct state *s = pointer;
    clg_buffer_destroy(s->table);
    clg__prepared_release(s);
}

/* Fills the phases and their taps, which are at most r s together. */
static clg_status make_table(clg_context *ctx, const struct conv2d_args *a, bool forward,
                             struct state *s)
{
    struct clg__implicit_axes axes[CLG__IMPLICIT_PHASES];
    struct implicit_phase phases[CLG__IMPLICIT_PHASES];
    struct implicit_tap *taps = calloc((size_t)a->r * (size_t)a->s, sizeof *taps);
    if (!taps)
        return clg__fail_alloc("a table of taps");
    const int count = clg__implicit_phases(a, forward, axes);
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        phases[i] = clg__implicit_phase(a, forward, &axes[i], i);
        phases[i].first_tap = (int)at;
        const int across = axes[i].columns.taps;
        for (int j = 0; j < phases[i].taps; j++)
            taps[at++] = clg__implicit_tap(a, forward, &axes[i], 0, j / across, j % across);
    }
    s->args = clg__implicit_args(a, forward, phases, count);
    const size_t unit = sizeof *taps, bytes = (size_t)count * sizeof *phases;
    s->taps_at = (bytes + unit - 1) / unit * unit;
    clg_status status = clg_buffer_create(ctx, s->taps_at + (at > 0 ? at : 1) * unit, &s->table);
    if (status == CLG_OK)
        status = clg_buffer_upload(s->table, 0, bytes, phases, NULL);
    if (status == CLG_OK && at > 0)
        status = clg_buffer_upload(s->table, s->taps_at, at * unit, taps, NULL);
    free(taps);
    return status;
}

static clg_status few_rows_prepare(clg_context *ctx, const struct conv2d_args *a,
                                   clg_conv2d_direction direction, void **out)
{
    const bool forward = direction == CLG_CONV2D_FORWARD;
    const struct item item = item_of(a, forward, &ctx->info);
    char options[64];
    snprintf(options, sizeof options, "-DROWS=%d -DPIXELS=%d", item.rows, item.pixels);
    const struct clg__kernel_spec kernel = {"conv2d_few_rows", "conv2d_few_rows", options};
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), &kernel, 1, out));
    struct state *s = *out;
    s->groups = a->groups;
    s->pixels = item.pixels;
    s->filters = clg__implicit_filters(a, forward);
    clg_status status = make_table(ctx, a, forward, s);
    if (status != CLG_OK) {
        release(s);
        *out = NULL;
    }
    return status;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *s = pointer;
    struct implicit_args args = s->args;
    const int64_t a_group = (int64_t)ITEMS * s->pixels;
    const size_t across = (size_t)((args.columns + a_group - 1) / a_group);
    const struct clg__grid grid = {
        3, {across * ITEMS, (size_t)args.phases, (size_t)s->groups}, {ITEMS, 1, 1}};
    const struct clg__mem table = clg__buffer_mem(s->table);
    args.accumulate = op->accumulate;
    return CLG__LAUNCH(stream, s->kernels.at[0], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]), clg__arg_mem(op->in[2]),
                       clg__arg_mem(table), clg__arg_mem(clg__mem_at(table, s->taps_at)),
                       clg__arg_struct(&args, sizeof args), clg__arg_int(s->filters.channels),
                       clg__arg_int(s->filters.filter_channel),
                       clg__arg_int(op->in[2].object != NULL));
}

CLG__CONV2D_ALGORITHM_OWNING(few_rows, forward, CLG_CONV2D_FORWARD, .exact = true,
                             .fuses_relu = true);
CLG__CONV2D_ALGORITHM_OWNING(few_rows, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
