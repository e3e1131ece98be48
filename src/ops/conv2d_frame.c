#include "ops/conv2d_frame.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/activation.h"
#include "ops/conv2d_cost.h"
#include "ops/conv2d_subject.h"
#include "ops/pad2d.h"
#include "ops/reorder.h"

struct clg__conv2d_road {
    clg_conv2d_direction direction;
    struct clg__instance instance;
    struct clg__planes_map *pad;    /* of x, or the fold of dx; NULL with mode zeros */
    struct clg__reorder *reorder_x; /* into the algorithm's layout, or out of it for dx */
    struct clg__reorder *reorder_y; /* of y out of the algorithm's layout, of dy into it */
    struct clg__channel_sum *accumulate;
    clg_activation *relu; /* of y, where the algorithm does not fuse it; else NULL */
    /* Byte offsets in the workspace of the padded x, the reordered x and y, a dx to be added. */
    size_t padded_at, x_at, y_at, sum_at;
};

static const struct {
    const char *what;
    const struct clg__algorithm *const *table;
} directions[] = {
    {"conv2d forward", clg__conv2d_forward_algorithms},
    {"conv2d backward_data", clg__conv2d_backward_data_algorithms},
    {"conv2d backward_filter", clg__conv2d_backward_filter_algorithms},
};

struct clg__conv2d_variants clg__conv2d_variants(const struct conv2d_args *args)
{
    struct clg__conv2d_variants variants = {1, {*args}};
    for (int layout = 0; layout < 2; layout++)
        if (args->x_channels_last != layout || args->y_channels_last != layout)
            variants.args[variants.count++] =
                clg__conv2d_with_layouts(*args, (clg_layout)layout, (clg_layout)layout);
    return variants;
}

/* Claims `count` floats of workspace, aligned for vectors and cache lines; returns their start. */
static size_t claim(size_t *used, int64_t count)
{
    size_t at = *used;
    *used += ((size_t)count * sizeof(float) + 255) / 256 * 256;
    return at;
}

static bool is_padded(const clg_conv2d_desc *desc)
{
    return desc->pad_mode != CLG_PAD_ZEROS;
}

/* Which tensors have their elements in another order in another variant. One channel, or one pixel,
 * lies the same way in both layouts. */
struct changes {
    bool x, y;
};

static struct changes changes_between(const struct conv2d_args *from, const struct conv2d_args *to)
{
    return (struct changes){
        .x = from->x_channels_last != to->x_channels_last && from->c > 1 && from->h * from->w > 1,
        .y = from->y_channels_last != to->y_channels_last && from->k > 1 && from->p * from->q > 1,
    };
}

/* Lays out what a variant needs behind the algorithm's own bytes: that comes first, because CLBlast
 * is served best from the start of an object. Returns the end. */
static size_t plan_workspace(struct clg__conv2d_road *road, const clg_conv2d_desc *desc,
                             const struct conv2d_args *from, const struct conv2d_args *to,
                             size_t algorithm_bytes)
{
    const struct changes changes = changes_between(from, to);
    size_t used = (algorithm_bytes + 255) / 256 * 256;
    if (is_padded(desc))
        road->padded_at = claim(&used, clg__conv2d_x_count(from));
    if (changes.x)
        road->x_at = claim(&used, clg__conv2d_x_count(from));
    if (changes.y)
        road->y_at = claim(&used, clg__conv2d_y_count(from));
    if (road->direction == CLG_CONV2D_BACKWARD_DATA && (is_padded(desc) || changes.x))
        road->sum_at = claim(&used, clg__conv2d_x_count(from));
    if (road->direction == CLG_CONV2D_FORWARD && changes.y)
        road->sum_at = claim(&used, clg__conv2d_y_count(from));
    return used;
}

/* What a variant moves more than the caller's own layouts: each step reads and writes. */
static double extra_seconds(const clg_context *ctx, const struct conv2d_args *from,
                            const struct conv2d_args *to)
{
    const struct changes changes = changes_between(from, to);
    double bytes = 0;
    if (changes.x)
        bytes += 8.0 * (double)clg__conv2d_x_count(from);
    if (changes.y)
        bytes += 8.0 * (double)clg__conv2d_y_count(from);
    return bytes / clg__device_bandwidth(&ctx->info);
}

/* A pass over y that an algorithm may do while it stores. */
static double unfused_seconds(const clg_context *ctx, clg_conv2d_direction direction,
                              const struct conv2d_args *args)
{
    if (direction != CLG_CONV2D_FORWARD || !args->relu)
        return 0;
    double bytes = 8.0 * (double)clg__conv2d_y_count(args);
    return CLG__LAUNCH_SECONDS + bytes / clg__device_bandwidth(&ctx->info);
}

static const struct clg__frame trial_frame;

/* What there is to choose from. A selection points to the choice that it is of. */
struct choice {
    struct clg__variant variants[CLG__CONV2D_VARIANTS];
    struct clg__conv2d_text text;
    struct clg__subject subject;
};

static struct clg__selection selection_of(const clg_context *ctx, struct clg__conv2d_road *road,
                                          const struct clg__conv2d_road_desc *desc,
                                          struct choice *choice)
{
    const struct conv2d_args *args = desc->variants->args;
    choice->subject = clg__conv2d_subject(args, road->direction, &choice->text);
    choice->subject.tune = desc->desc->tune;
    choice->subject.frame = &trial_frame;
    choice->subject.frame_problem = desc;
    for (size_t i = 0; i < desc->variants->count; i++) {
        /* One byte stands for an algorithm with any: the rounding behind it counts, too. */
        size_t end = plan_workspace(road, desc->desc, &args[0], &args[i], 1);
        size_t extra = end > 256 ? end - 1 : 0;
        choice->variants[i] =
            (struct clg__variant){&args[i], extra_seconds(ctx, &args[0], &args[i]), extra,
                                  clg__conv2d_layout_label(&args[i])};
    }
    return (struct clg__selection){
        .what = directions[road->direction].what,
        .table = directions[road->direction].table,
        .variants = choice->variants,
        .num_variants = desc->variants->count,
        .name = desc->desc->algorithm[road->direction],
        .workspace_limit = desc->desc->workspace_limit,
        .unfused_seconds = unfused_seconds(ctx, road->direction, args),
        .subject = &choice->subject,
    };
}

/* Where the steps around the instance have their memory. */
static void place_steps(struct clg__conv2d_road *road, const struct clg__conv2d_road_desc *desc,
                        size_t extra_workspace)
{
    const struct conv2d_args *args = desc->variants->args;
    plan_workspace(road, desc->desc, &args[0], &args[road->instance.variant],
                   road->instance.workspace - extra_workspace);
}

static clg_status select_algorithm(clg_context *ctx, struct clg__conv2d_road *road,
                                   const struct clg__conv2d_road_desc *desc)
{
    struct choice choice;
    const struct clg__selection selection = selection_of(ctx, road, desc, &choice);
    CLG__TRY(clg__select(ctx, &selection, &road->instance));
    place_steps(road, desc, choice.variants[road->instance.variant].extra_workspace);
    return CLG_OK;
}

clg_status clg__conv2d_road_forecast(clg_context *ctx, const struct clg__conv2d_road_desc *desc,
                                     struct clg__forecast *forecast)
{
    struct clg__conv2d_road road = {.direction = desc->direction};
    struct choice choice;
    const struct clg__selection selection = selection_of(ctx, &road, desc, &choice);
    return clg__select_forecast(ctx, &selection, forecast);
}

static clg_layout layout_of(int channels_last)
{
    return channels_last ? CLG_NHWC : CLG_NCHW;
}

static clg_status create_padding(clg_context *ctx, struct clg__conv2d_road *road,
                                 const clg_conv2d_desc *desc)
{
    if (!is_padded(desc))
        return CLG_OK;
    const int64_t *padding = desc->padding;
    const struct clg__pad2d pad = {
        clg__planes_of(&desc->x),
        {padding[0], padding[1], padding[2], padding[3]},
        desc->pad_mode,
        desc->pad_value,
    };
    return road->direction == CLG_CONV2D_BACKWARD_DATA
               ? clg__pad2d_backward_create(ctx, &pad, &road->pad)
               : clg__pad2d_forward_create(ctx, &pad, &road->pad);
}

/* The steps that depend on the algorithm. */
static clg_status create_steps(clg_context *ctx, struct clg__conv2d_road *road,
                               const struct clg__conv2d_road_desc *desc)
{
    const struct conv2d_args *from = &desc->variants->args[0];
    const struct conv2d_args *to = &desc->variants->args[road->instance.variant];
    clg_layout x = layout_of(from->x_channels_last), x_inside = layout_of(to->x_channels_last);
    clg_layout y = layout_of(from->y_channels_last), y_inside = layout_of(to->y_channels_last);
    const struct changes changes = changes_between(from, to);
    bool gives_x = road->direction == CLG_CONV2D_BACKWARD_DATA;
    bool gives_y = road->direction == CLG_CONV2D_FORWARD;
    if (changes.x)
        CLG__TRY(clg__reorder_create(ctx, from->n, from->c, from->h, from->w,
                                     gives_x ? x_inside : x, gives_x ? x : x_inside,
                                     &road->reorder_x));
    if (changes.y)
        CLG__TRY(clg__reorder_create(ctx, from->n, from->k, from->p, from->q,
                                     gives_y ? y_inside : y, gives_y ? y : y_inside,
                                     &road->reorder_y));
    if (!gives_y || !from->relu || road->instance.algorithm->fuses_relu)
        return CLG_OK;
    const clg_activation_desc relu = {CLG_ACTIVATION_RELU, 0,
                                      clg_desc_4d(from->n, from->k, from->p, from->q)};
    return clg_activation_create(ctx, &relu, &road->relu);
}

clg_status clg__conv2d_road_create(clg_context *ctx, const struct clg__conv2d_road_desc *desc,
                                   struct clg__conv2d_road **out)
{
    *out = NULL;
    struct clg__conv2d_road *road = calloc(1, sizeof *road);
    if (!road)
        return clg__fail_alloc("a convolution");
    road->direction = desc->direction;
    road->accumulate = desc->accumulate;
    clg_status status = select_algorithm(ctx, road, desc);
    if (status == CLG_OK)
        status = create_padding(ctx, road, desc->desc);
    if (status == CLG_OK)
        status = create_steps(ctx, road, desc);
    if (status != CLG_OK) {
        clg__conv2d_road_destroy(road);
        return status;
    }
    *out = road;
    return CLG_OK;
}

void clg__conv2d_road_destroy(struct clg__conv2d_road *road)
{
    if (!road)
        return;
    clg__instance_release(&road->instance);
    clg__planes_map_destroy(road->pad);
    clg__reorder_destroy(road->reorder_x);
    clg__reorder_destroy(road->reorder_y);
    clg_activation_destroy(road->relu);
    free(road);
}

const char *clg__conv2d_road_algorithm(const struct clg__conv2d_road *road)
{
    return road->instance.algorithm->name;
}

bool clg__conv2d_road_sums_bias(const struct clg__conv2d_road *road)
{
    return road->instance.algorithm->sums_bias;
}

size_t clg__conv2d_road_workspace(const struct clg__conv2d_road *road)
{
    return road->instance.workspace;
}

struct clg__forecast clg__conv2d_road_seconds(const struct clg__conv2d_road *road)
{
    return (struct clg__forecast){road->instance.estimate, road->instance.measured};
}

/* Replaces *mem by its copy in `at` of the workspace, in the layout that the algorithm wants. */
static clg_status bring_in(struct clg__reorder *reorder, struct clg__stream *stream,
                           struct clg__mem workspace, size_t at, struct clg__mem *mem)
{
    if (!reorder)
        return CLG_OK;
    struct clg__mem copy = clg__mem_at(workspace, at);
    CLG__TRY(clg__reorder_enqueue(reorder, stream, copy, *mem));
    *mem = copy;
    return CLG_OK;
}

static clg_status bring_in_x(const struct clg__conv2d_road *road, struct clg__stream *stream,
                             struct clg__mem workspace, struct clg__mem *x)
{
    if (road->pad) {
        struct clg__mem padded = clg__mem_at(workspace, road->padded_at);
        CLG__TRY(clg__planes_map_enqueue(road->pad, stream, padded, *x));
        *x = padded;
    }
    return bring_in(road->reorder_x, stream, workspace, road->x_at, x);
}

static clg_status run_algorithm(struct clg__conv2d_road *road, struct clg__stream *stream,
                                struct clg__operands *inside)
{
    return road->instance.algorithm->enqueue(road->instance.state, stream, inside);
}

/* The end of a direction whose last step gave `sum` instead of the result, to be added to it. */
static clg_status add_sum(const struct clg__conv2d_road *road, struct clg__stream *stream,
                          const struct clg__operands *op, struct clg__mem sum)
{
    return op->accumulate ? clg__accumulate_enqueue(road->accumulate, stream, op->out[0], sum)
                          : CLG_OK;
}

/* Without a relu that the algorithm does not fuse. */
static clg_status run_linear(struct clg__conv2d_road *road, struct clg__stream *stream,
                             const struct clg__operands *op)
{
    struct clg__operands inside = *op;
    CLG__TRY(bring_in_x(road, stream, op->workspace, &inside.in[0]));
    if (!road->reorder_y)
        return run_algorithm(road, stream, &inside);
    struct clg__mem y = clg__mem_at(op->workspace, road->y_at);
    struct clg__mem sum = clg__mem_at(op->workspace, road->sum_at);
    inside.out[0] = y;
    inside.accumulate = false;
    CLG__TRY(run_algorithm(road, stream, &inside));
    CLG__TRY(clg__reorder_enqueue(road->reorder_y, stream, op->accumulate ? sum : op->out[0], y));
    return add_sum(road, stream, op, sum);
}

static clg_status run_forward(struct clg__conv2d_road *road, struct clg__stream *stream,
                              const struct clg__operands *op)
{
    CLG__TRY(run_linear(road, stream, op));
    return road->relu ? clg__activation_enqueue(road->relu, stream, op->out[0], op->out[0])
                      : CLG_OK;
}

/* From the algorithm's result (reordered, padded) back to dx, adding to it when asked to. */
static clg_status bring_out_dx(struct clg__conv2d_road *road, struct clg__stream *stream,
                               const struct clg__operands *op, struct clg__mem inside)
{
    struct clg__mem sum = clg__mem_at(op->workspace, road->sum_at);
    struct clg__mem target = op->accumulate ? sum : op->out[0];
    if (road->reorder_x) {
        struct clg__mem out = road->pad ? clg__mem_at(op->workspace, road->padded_at) : target;
        CLG__TRY(clg__reorder_enqueue(road->reorder_x, stream, out, inside));
        inside = out;
    }
    if (road->pad)
        CLG__TRY(clg__planes_map_enqueue(road->pad, stream, target, inside));
    return add_sum(road, stream, op, sum);
}

static clg_status run_backward_data(struct clg__conv2d_road *road, struct clg__stream *stream,
                                    const struct clg__operands *op)
{
    struct clg__operands inside = *op;
    CLG__TRY(bring_in(road->reorder_y, stream, op->workspace, road->y_at, &inside.in[0]));
    if (!road->pad && !road->reorder_x)
        return run_algorithm(road, stream, &inside);
    inside.accumulate = false;
    inside.out[0] = clg__mem_at(op->workspace, road->reorder_x ? road->x_at : road->padded_at);
    struct clg__mem dx = inside.out[0];
    CLG__TRY(run_algorithm(road, stream, &inside));
    return bring_out_dx(road, stream, op, dx);
}

static clg_status run_backward_filter(struct clg__conv2d_road *road, struct clg__stream *stream,
                                      const struct clg__operands *op)
{
    struct clg__operands inside = *op;
    CLG__TRY(bring_in_x(road, stream, op->workspace, &inside.in[0]));
    CLG__TRY(bring_in(road->reorder_y, stream, op->workspace, road->y_at, &inside.in[1]));
    return run_algorithm(road, stream, &inside);
}

clg_status clg__conv2d_road_run(struct clg__conv2d_road *road, struct clg__stream *stream,
                                const struct clg__operands *operands)
{
    static clg_status (*const run[])(struct clg__conv2d_road *, struct clg__stream *,
                                     const struct clg__operands *) = {
        run_forward, run_backward_data, run_backward_filter};
    return run[road->direction](road, stream, operands);
}

/* ---- Measuring: a road around an instance that is not its own ---- */

/* Padding is the same whatever the algorithm: a trial begins with the padded x, or ends with it. */
static clg_status trial_create(clg_context *ctx, const void *problem,
                               const struct clg__instance *instance, void **trial)
{
    const struct clg__conv2d_road_desc *desc = problem;
    struct clg__conv2d_road *road = calloc(1, sizeof *road);
    struct choice choice;
    if (!road)
        return clg__fail_alloc("a convolution to be measured");
    road->direction = desc->direction;
    road->instance = *instance;
    *trial = road;
    selection_of(ctx, road, desc, &choice);
    place_steps(road, desc, choice.variants[instance->variant].extra_workspace);
    return create_steps(ctx, road, desc);
}

static clg_status trial_enqueue(void *trial, struct clg__stream *stream,
                                const struct clg__operands *operands)
{
    return clg__conv2d_road_run(trial, stream, operands);
}

static void trial_destroy(void *trial)
{
    struct clg__conv2d_road *road = trial;
    road->instance = (struct clg__instance){.algorithm = NULL};
    clg__conv2d_road_destroy(road);
}

static const struct clg__frame trial_frame = {trial_create, trial_enqueue, trial_destroy};
