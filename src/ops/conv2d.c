#include "clgrad/conv2d.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/conv2d_frame.h"
#include "ops/plan.h"

enum { NUM_DIRECTIONS = 3 };

struct clg_conv2d {
    clg_context *ctx;
    clg_tensor_desc x, y, w, b;
    struct clg__conv2d_variants forward, backward; /* the epilogue is of the former only */
    struct clg__conv2d_road *roads[NUM_DIRECTIONS];
    struct clg__channel_sum *on_x, *on_y; /* accumulate dx; db, accumulate y */
};

#define FORWARD_ROW(name) &clg__conv2d_forward_##name,
#define BACKWARD_DATA_ROW(name) &clg__conv2d_backward_data_##name,
#define BACKWARD_FILTER_ROW(name) &clg__conv2d_backward_filter_##name,

const struct clg__algorithm *const clg__conv2d_forward_algorithms[] = {
    CLG__CONV2D_FORWARD_LIST(FORWARD_ROW) NULL};
const struct clg__algorithm *const clg__conv2d_backward_data_algorithms[] = {
    CLG__CONV2D_BACKWARD_DATA_LIST(BACKWARD_DATA_ROW) NULL};
const struct clg__algorithm *const clg__conv2d_backward_filter_algorithms[] = {
    CLG__CONV2D_BACKWARD_FILTER_LIST(BACKWARD_FILTER_ROW) NULL};

static const struct clg__algorithm *const *const tables[] = {
    clg__conv2d_forward_algorithms, clg__conv2d_backward_data_algorithms,
    clg__conv2d_backward_filter_algorithms};

size_t clg_conv2d_algorithms(clg_conv2d_direction direction, const char **names, size_t capacity)
{
    if ((unsigned)direction >= NUM_DIRECTIONS)
        return 0;
    return clg__algorithm_names(tables[direction], names, capacity);
}

bool clg_conv2d_algorithm_exact(clg_conv2d_direction direction, const char *name)
{
    if ((unsigned)direction >= NUM_DIRECTIONS || !name)
        return false;
    for (size_t i = 0; tables[direction][i]; i++)
        if (strcmp(tables[direction][i]->name, name) == 0)
            return tables[direction][i]->exact;
    return false;
}

static clg_status check_directions(const char *call, const clg_conv2d_desc *desc)
{
    if (desc->directions >> NUM_DIRECTIONS)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: directions 0x%x are unknown", call,
                         desc->directions);
    return CLG_OK;
}

/* As bits. */
static unsigned directions_of(const clg_conv2d_desc *desc)
{
    return desc->directions ? desc->directions : (1u << NUM_DIRECTIONS) - 1;
}

/* The forms of the problem for a direction. */
static struct clg__conv2d_variants variants_of(struct conv2d_args args,
                                               clg_conv2d_direction direction)
{
    if (direction != CLG_CONV2D_FORWARD)
        args.relu = 0;
    return clg__conv2d_variants(&args);
}

/* The time of the wanted directions with x and y in one layout; measured: 0 unless all are. */
static clg_status forecast(clg_context *ctx, const clg_conv2d_desc *asked, clg_layout layout,
                           struct clg__forecast *sum)
{
    clg_conv2d_desc desc = *asked;
    struct conv2d_args args;
    desc.x.layout = desc.y_layout = layout;
    CLG__TRY(clg__conv2d_problem_init(&desc, &args));
    bool all_measured = true;
    *sum = (struct clg__forecast){0, 0};
    for (int i = 0; i < NUM_DIRECTIONS; i++) {
        if (!(directions_of(&desc) & (1u << i)))
            continue;
        const struct clg__conv2d_variants variants = variants_of(args, (clg_conv2d_direction)i);
        const struct clg__conv2d_road_desc road = {(clg_conv2d_direction)i, &desc, &variants, NULL};
        struct clg__forecast one;
        CLG__TRY(clg__conv2d_road_forecast(ctx, &road, &one));
        all_measured = all_measured && one.measured > 0;
        sum->estimate += one.estimate;
        sum->measured += one.measured;
    }
    if (!all_measured)
        sum->measured = 0;
    return CLG_OK;
}

clg_status clg_conv2d_preferred_layout(clg_context *ctx, const clg_conv2d_desc *desc,
                                       clg_layout *layout)
{
    static const char call[] = "clg_conv2d_preferred_layout";
    if (!layout)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: layout is NULL", call);
    CLG__TRY(clg__check_create(call, ctx, desc, layout));
    CLG__TRY(check_directions(call, desc));
    clg_layout other = desc->x.layout == CLG_NHWC ? CLG_NCHW : CLG_NHWC;
    struct clg__forecast in_x, in_other;
    CLG__TRY(forecast(ctx, desc, desc->x.layout, &in_x));
    CLG__TRY(forecast(ctx, desc, other, &in_other));
    bool measured = in_x.measured > 0 && in_other.measured > 0;
    bool better = measured ? in_other.measured < in_x.measured : in_other.estimate < in_x.estimate;
    *layout = better ? other : desc->x.layout;
    return CLG_OK;
}

static clg_status create_roads(clg_conv2d *plan, const clg_conv2d_desc *desc)
{
    unsigned wanted = directions_of(desc);
    CLG__TRY(clg__channel_sum_create(plan->ctx, &plan->x, &plan->on_x));
    CLG__TRY(clg__channel_sum_create(plan->ctx, &plan->y, &plan->on_y));
    for (int i = 0; i < NUM_DIRECTIONS; i++) {
        if (!(wanted & (1u << i)))
            continue;
        bool forward = i == CLG_CONV2D_FORWARD;
        struct clg__conv2d_road_desc road = {(clg_conv2d_direction)i, desc,
                                             forward ? &plan->forward : &plan->backward,
                                             forward ? plan->on_y : plan->on_x};
        CLG__TRY(clg__conv2d_road_create(plan->ctx, &road, &plan->roads[i]));
    }
    if (wanted & (1u << CLG_CONV2D_BACKWARD_FILTER))
        CLG__TRY(clg__scratch_reserve(plan->ctx, clg__channel_sum_workspace(plan->on_y)));
    return CLG_OK;
}

clg_status clg_conv2d_create(clg_context *ctx, const clg_conv2d_desc *desc, clg_conv2d **out)
{
    CLG__TRY(clg__check_create("clg_conv2d_create", ctx, desc, out));
    *out = NULL;
    CLG__TRY(check_directions("clg_conv2d_create", desc));
    struct conv2d_args args;
    CLG__TRY(clg__conv2d_problem_init(desc, &args));
    clg_conv2d *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a convolution plan");
    plan->ctx = clg__context_retain(ctx);
    plan->x = desc->x;
    plan->b = clg_desc_1d(desc->filters);
    plan->forward = variants_of(args, CLG_CONV2D_FORWARD);
    plan->backward = variants_of(args, CLG_CONV2D_BACKWARD_DATA);
    clg_status status = clg_conv2d_output_size(desc, &plan->y, &plan->w);
    if (status == CLG_OK)
        status = create_roads(plan, desc);
    if (status != CLG_OK) {
        clg_conv2d_destroy(plan);
        return status;
    }
    *out = plan;
    return CLG_OK;
}

void clg_conv2d_destroy(clg_conv2d *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < NUM_DIRECTIONS; i++)
        clg__conv2d_road_destroy(plan->roads[i]);
    clg__channel_sum_destroy(plan->on_x);
    clg__channel_sum_destroy(plan->on_y);
    clg_context_destroy(plan->ctx);
    free(plan);
}

const clg_tensor_desc *clg_conv2d_x_desc(const clg_conv2d *plan)
{
    return &plan->x;
}

const clg_tensor_desc *clg_conv2d_y_desc(const clg_conv2d *plan)
{
    return &plan->y;
}

const clg_tensor_desc *clg_conv2d_w_desc(const clg_conv2d *plan)
{
    return &plan->w;
}

static bool serves(const clg_conv2d *plan, clg_conv2d_direction direction)
{
    return (unsigned)direction < NUM_DIRECTIONS && plan->roads[direction];
}

const char *clg_conv2d_algorithm(const clg_conv2d *plan, clg_conv2d_direction direction)
{
    return serves(plan, direction) ? clg__conv2d_road_algorithm(plan->roads[direction]) : "none";
}

size_t clg_conv2d_workspace_size(const clg_conv2d *plan, clg_conv2d_direction direction)
{
    if (!serves(plan, direction))
        return 0;
    size_t bytes = clg__conv2d_road_workspace(plan->roads[direction]);
    size_t bias =
        direction == CLG_CONV2D_BACKWARD_FILTER ? clg__channel_sum_workspace(plan->on_y) : 0;
    return bytes > bias ? bytes : bias; /* one after the other in the same memory */
}

double clg_conv2d_estimate(const clg_conv2d *plan, clg_conv2d_direction direction)
{
    return serves(plan, direction) ? clg__conv2d_road_seconds(plan->roads[direction]).estimate : 0;
}

double clg_conv2d_measured(const clg_conv2d *plan, clg_conv2d_direction direction)
{
    return serves(plan, direction) ? clg__conv2d_road_seconds(plan->roads[direction]).measured : 0;
}

static clg_status check_run(const char *call, const clg_conv2d *plan,
                            clg_conv2d_direction direction)
{
    CLG__TRY(clg__check_plan(call, plan));
    if (!plan->roads[direction])
        return clg__fail(CLG_INVALID_STATE, "%s: the plan was made for directions without this one",
                         call);
    return CLG_OK;
}

static clg_status begin(struct clg__stream *stream, clg_conv2d *plan,
                        clg_conv2d_direction direction, const clg_run *run)
{
    return clg__stream_begin(stream, plan->ctx, run, clg_conv2d_workspace_size(plan, direction));
}

clg_status clg_conv2d_forward(clg_conv2d *plan, clg_tensor *y, const clg_tensor *x,
                              const clg_tensor *w, const clg_tensor *b, const clg_run *run)
{
    static const char call[] = "clg_conv2d_forward";
    CLG__TRY(check_run(call, plan, CLG_CONV2D_FORWARD));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "w", plan->ctx, w, &plan->w));
    if (b)
        CLG__TRY(clg__expect_tensor(call, "b", plan->ctx, b, &plan->b));
    if (plan->forward.args[0].relu && run && run->accumulate)
        return clg__fail(CLG_UNSUPPORTED, "%s: accumulate with an epilogue", call);
    struct clg__stream stream;
    CLG__TRY(begin(&stream, plan, CLG_CONV2D_FORWARD, run));
    const struct clg__operands operands = {
        .out = {clg__tensor_mem(y)},
        .in = {clg__tensor_mem(x), clg__tensor_mem(w), clg__tensor_mem(b)},
        .workspace = stream.workspace,
        .accumulate = stream.accumulate,
    };
    return clg__stream_end(
        &stream, clg__conv2d_road_run(plan->roads[CLG_CONV2D_FORWARD], &stream, &operands));
}

clg_status clg_conv2d_backward_data(clg_conv2d *plan, clg_tensor *dx, const clg_tensor *dy,
                                    const clg_tensor *w, const clg_run *run)
{
    static const char call[] = "clg_conv2d_backward_data";
    CLG__TRY(check_run(call, plan, CLG_CONV2D_BACKWARD_DATA));
    CLG__TRY(clg__expect_tensor(call, "dx", plan->ctx, dx, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "w", plan->ctx, w, &plan->w));
    struct clg__stream stream;
    CLG__TRY(begin(&stream, plan, CLG_CONV2D_BACKWARD_DATA, run));
    const struct clg__operands operands = {
        .out = {clg__tensor_mem(dx)},
        .in = {clg__tensor_mem(dy), clg__tensor_mem(w)},
        .workspace = stream.workspace,
        .accumulate = stream.accumulate,
    };
    return clg__stream_end(
        &stream, clg__conv2d_road_run(plan->roads[CLG_CONV2D_BACKWARD_DATA], &stream, &operands));
}

static clg_status run_filter(clg_conv2d *plan, struct clg__stream *stream, clg_tensor *dw,
                             clg_tensor *db, const clg_tensor *x, const clg_tensor *dy)
{
    struct clg__conv2d_road *road = plan->roads[CLG_CONV2D_BACKWARD_FILTER];
    const bool together = dw && clg__conv2d_road_sums_bias(road);
    const struct clg__operands operands = {
        .out = {clg__tensor_mem(dw), clg__tensor_mem(together ? db : NULL)},
        .in = {clg__tensor_mem(x), clg__tensor_mem(dy)},
        .workspace = stream->workspace,
        .accumulate = stream->accumulate,
    };
    if (dw)
        CLG__TRY(clg__conv2d_road_run(road, stream, &operands));
    if (db && !together)
        CLG__TRY(clg__channel_sum_enqueue(plan->on_y, stream, clg__tensor_mem(db),
                                          clg__tensor_mem(dy), stream->workspace,
                                          stream->accumulate));
    return CLG_OK;
}

clg_status clg_conv2d_backward_filter(clg_conv2d *plan, clg_tensor *dw, clg_tensor *db,
                                      const clg_tensor *x, const clg_tensor *dy, const clg_run *run)
{
    static const char call[] = "clg_conv2d_backward_filter";
    CLG__TRY(check_run(call, plan, CLG_CONV2D_BACKWARD_FILTER));
    if (!dw && !db)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: both dw and db are NULL", call);
    if (dw) {
        CLG__TRY(clg__expect_tensor(call, "dw", plan->ctx, dw, &plan->w));
        CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    }
    if (db)
        CLG__TRY(clg__expect_tensor(call, "db", plan->ctx, db, &plan->b));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    struct clg__stream stream;
    CLG__TRY(begin(&stream, plan, CLG_CONV2D_BACKWARD_FILTER, run));
    return clg__stream_end(&stream, run_filter(plan, &stream, dw, db, x, dy));
}
