#include "clgrad/pool2d.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/activation.h"
#include "ops/plan.h"
#include "ops/planes.h"
#include "runtime/loops.h"

struct clg_pool2d {
    struct clg__planes_plan base;
    clg_pool_kind kind;
    struct clg__planes_map *winners; /* of windows that overlap, on GPU-like devices */
    size_t workspace;                /* for them, bytes */
    clg_activation *relu;            /* of the gradient, where the kernel does not do it */
};

static const char *const names[] = {"max", "avg"};
enum { NUM_KINDS = 2 };

const char *clg_pool_kind_name(clg_pool_kind kind)
{
    return (unsigned)kind < NUM_KINDS ? names[kind] : "unknown";
}

clg_status clg_pool_kind_from_name(const char *name, clg_pool_kind *kind)
{
    if (!name || !kind)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_pool_kind_from_name: name or kind is NULL");
    for (int i = 0; i < NUM_KINDS; i++)
        if (strcmp(names[i], name) == 0) {
            *kind = (clg_pool_kind)i;
            return CLG_OK;
        }
    return clg__fail(CLG_INVALID_ARGUMENT, "no kind of pooling \"%s\"; there are: max, avg", name);
}

/* The description with `global` resolved. */
static clg_pool2d_desc resolved(const clg_pool2d_desc *desc)
{
    clg_pool2d_desc d = *desc;
    if (d.global)
        for (int axis = 0; axis < 2; axis++) {
            d.size[axis] = d.stride[axis] = d.x.dims[2 + axis];
            d.pad[axis] = 0;
            d.dilation[axis] = 1;
        }
    return d;
}

/* Points that a window spans along an axis. */
static int64_t span_of(const clg_pool2d_desc *d, int axis)
{
    return (d->size[axis] - 1) * d->dilation[axis] + 1;
}

static clg_status check_axis(const char *call, const clg_pool2d_desc *d, int axis)
{
    int64_t size = d->x.dims[2 + axis], pad = d->pad[axis], span = span_of(d, axis);
    const char *name = axis == 0 ? "height" : "width";
    if (pad < 0 || pad > span / 2)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: padding %lld of the %s, it must be 0 to %lld, half of the window of "
                         "%lld (size %lld, dilation %lld)",
                         call, (long long)pad, name, (long long)(span / 2), (long long)span,
                         (long long)d->size[axis], (long long)d->dilation[axis]);
    if (size + 2 * pad > INT32_MAX)
        return clg__fail(CLG_TOO_LARGE, "%s: %s %lld padded by %lld on both sides, more than %d",
                         call, name, (long long)size, (long long)pad, INT32_MAX);
    if (span > size + 2 * pad)
        return clg__fail(CLG_INVALID_SHAPE,
                         "%s: a window of %lld (size %lld, dilation %lld) is larger than the %s "
                         "%lld with padding %lld on both sides",
                         call, (long long)span, (long long)d->size[axis],
                         (long long)d->dilation[axis], name, (long long)size, (long long)pad);
    return CLG_OK;
}

static clg_status check_desc(const char *call, const clg_pool2d_desc *desc, clg_tensor_desc *y)
{
    CLG__TRY(clg__check_float_4d(call, "x", &desc->x));
    if ((unsigned)desc->kind >= NUM_KINDS)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: kind %d is unknown", call, (int)desc->kind);
    const clg_pool2d_desc d = resolved(desc);
    CLG__TRY(clg__check_steps(call, "size", d.size));
    CLG__TRY(clg__check_steps(call, "stride", d.stride));
    CLG__TRY(clg__check_steps(call, "dilation", d.dilation));
    if (d.kind == CLG_POOL_AVG && (d.dilation[0] != 1 || d.dilation[1] != 1))
        return clg__fail(CLG_UNSUPPORTED, "%s: average pooling with dilation %lld, %lld", call,
                         (long long)d.dilation[0], (long long)d.dilation[1]);
    int64_t out[2];
    for (int axis = 0; axis < 2; axis++) {
        CLG__TRY(check_axis(call, &d, axis));
        int64_t room = d.x.dims[2 + axis] + 2 * d.pad[axis] - span_of(&d, axis);
        out[axis] = room / d.stride[axis] + 1;
    }
    *y = clg__desc_resized(&d.x, out[0], out[1]);
    return clg__check_output(call, y);
}

/* An item makes an element of y from a window, or one of dx from all windows that it is in, which
 * for maxima are searched again. */
static clg_status check_loops(const char *call, const clg_pool2d_desc *desc,
                              const clg_device_info *device)
{
    const clg_pool2d_desc d = resolved(desc);
    double loops = clg__loops_nested(1, (double)d.size[0], (double)d.size[1]);
    if (d.kind == CLG_POOL_MAX)
        for (int axis = 0; axis < 2; axis++)
            loops *= (double)((d.size[axis] + d.stride[axis] - 1) / d.stride[axis]);
    if (clg__loops_fit(device, loops))
        return CLG_OK;
    return clg__fail(CLG_UNSUPPORTED,
                     "%s: windows of %lld x %lld need about %.0f iterations of loops; the driver "
                     "of %s ends them after %u",
                     call, (long long)d.size[0], (long long)d.size[1], loops, device->name,
                     (unsigned)device->longest_loop);
}

clg_status clg_pool2d_output_size(const clg_pool2d_desc *desc, int64_t *p, int64_t *q)
{
    static const char call[] = "clg_pool2d_output_size";
    if (!desc || !p || !q)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: desc, p or q is NULL", call);
    clg_tensor_desc y;
    CLG__TRY(check_desc(call, desc, &y));
    *p = y.dims[2];
    *q = y.dims[3];
    return CLG_OK;
}

/* `struct window` of kernels_cl/pool2d_window.clh. */
struct window {
    struct axis {
        struct clg__divisor stride, dilation;
        cl_int size, pad;
    } h, w;
    cl_int count_include_pad;
};

/* `struct pooling` of kernels_cl/pool2d_last.clh and pool2d_first.clh: what a work-item makes of a
 * tensor. */
struct pooling {
    struct window window;
    cl_int rows, channels;
};

/* `struct disjoint` of kernels_cl/pool2d_disjoint_backward.cl. */
struct disjoint {
    struct pooling pooling;
    cl_int relu;
};

static struct axis axis_of(const clg_pool2d_desc *d, int axis)
{
    return (struct axis){clg__divisor_of(d->stride[axis]), clg__divisor_of(d->dilation[axis]),
                         (cl_int)d->size[axis], (cl_int)d->pad[axis]};
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/*
 * Shares a tensor out to about `items` work-items: by rows of an image, in steps of `step`, and
 * where these are too few by channels, in runs of four vectors.
 */
static struct clg__grid share_out(const struct clg__planes *shape, int64_t step, int64_t items,
                                  struct pooling *pooling)
{
    enum { LANES = 16, RUN = 4 * LANES };
    int64_t rows = ceil_div(ceil_div(shape->h, ceil_div(items, shape->planes)), step) * step;
    rows = rows < shape->h ? rows : shape->h;
    int64_t row_parts = ceil_div(shape->h, rows), channels = shape->inner;
    int64_t parts = items / (row_parts * shape->planes);
    if (parts > 1 && shape->inner % LANES == 0)
        channels = ceil_div(ceil_div(shape->inner, parts), RUN) * RUN;
    pooling->rows = (cl_int)rows;
    pooling->channels = (cl_int)channels;
    return (struct clg__grid){
        3,
        {(size_t)row_parts, (size_t)ceil_div(shape->inner, channels), (size_t)shape->planes},
        {1, 1, 1}};
}

/* The same for channels first: rows of y, or planes of dx. */
static struct clg__grid share_out_first(const struct clg__planes *shape, bool whole_planes,
                                        int64_t items, struct pooling *pooling)
{
    int64_t rows = whole_planes ? shape->planes : shape->planes * shape->h;
    pooling->rows = (cl_int)ceil_div(rows, items);
    return (struct clg__grid){1, {(size_t)ceil_div(rows, pooling->rows)}, {1}};
}

/* Whether a kernel of its own makes the gradient: windows lie side by side, and channels are whole
 * vectors or a part of one. */
static bool is_disjoint(const clg_context *ctx, const clg_pool2d_desc *d)
{
    enum { LANES = 16 };
    const int64_t channels = d->x.dims[1];
    return ctx->info.family == CLG_FAMILY_CPU && d->x.layout == CLG_NHWC &&
           d->kind == CLG_POOL_MAX && d->size[0] == d->stride[0] && d->size[1] == d->stride[1] &&
           d->pad[0] == 0 && d->pad[1] == 0 && d->dilation[0] == 1 && d->dilation[1] == 1 &&
           (channels < LANES || channels % LANES == 0);
}

static clg_status create_disjoint(clg_context *ctx, struct pooling pooling, bool relu,
                                  const struct clg__planes *to, const struct clg__planes *from,
                                  struct clg__planes_map **map)
{
    const int64_t items = 16 * (int64_t)ctx->info.compute_units;
    struct disjoint disjoint = {pooling, relu};
    struct clg__grid grid = share_out(to, pooling.window.h.size, items, &disjoint.pooling);
    grid.global[1] = 1; /* an item has all channels */
    CLG__TRY(clg__planes_map_create(ctx, "pool2d_disjoint_backward", "max_backward_disjoint", "",
                                    to, from, &disjoint, sizeof disjoint, map));
    clg__planes_map_set_grid(*map, grid);
    return CLG_OK;
}

/* On GPU-like devices: small windows get kernels of their own, items of large tensors several
 * elements. */
static clg_status create_map_of_items(const clg_pool2d_desc *d, clg_context *ctx, const char *name,
                                      const struct clg__planes *to, const struct clg__planes *from,
                                      const struct window *window, struct clg__planes_map **map)
{
    enum { MOST_SIZE = 3, MOST_REACH = 3, MANY = 1 << 20, EACH = 4 };
    const int64_t count = clg__planes_count(to), each = count >= MANY ? EACH : 1;
    const bool own = d->size[0] <= MOST_SIZE && d->size[1] <= MOST_SIZE;
    int64_t reach[2];
    for (int axis = 0; axis < 2; axis++)
        reach[axis] = (span_of(d, axis) - 1) / d->stride[axis] + 1;
    const bool few = reach[0] <= MOST_REACH && reach[1] <= MOST_REACH;
    char options[96];
    snprintf(options, sizeof options, "-DSIZE_H=%d -DSIZE_W=%d -DREACH_H=%d -DREACH_W=%d -DEACH=%d",
             own ? (int)d->size[0] : 0, own ? (int)d->size[1] : 0, few ? (int)reach[0] : 0,
             few ? (int)reach[1] : 0, (int)each);
    CLG__TRY(clg__planes_map_create(ctx, "pool2d", name, options, to, from, window, sizeof *window,
                                    map));
    clg__planes_map_set_grid(*map, clg__grid_many(&ctx->info, ceil_div(count, each)));
    return CLG_OK;
}

static clg_status create_map(const clg_pool2d_desc *d, clg_context *ctx, const char *name,
                             bool backward, const struct clg__planes *to,
                             const struct clg__planes *from, struct clg__planes_map **map)
{
    struct pooling pooling = {.window = {axis_of(d, 0), axis_of(d, 1), d->count_include_pad}};
    if (ctx->info.family == CLG_FAMILY_GPU)
        return create_map_of_items(d, ctx, name, to, from, &pooling.window, map);
    /* The gradient of a maximum searches windows that reach over the end of a part twice. */
    bool searches = backward && d->kind == CLG_POOL_MAX && d->size[0] > d->stride[0];
    static const char *const sources[2][2] = {{"pool2d_first", "pool2d_first_backward"},
                                              {"pool2d_last", "pool2d_last_backward"}};
    int64_t units = ctx->info.compute_units;
    bool last = d->x.layout == CLG_NHWC;
    if (backward && is_disjoint(ctx, d))
        return create_disjoint(ctx, pooling, d->x_is_relu, to, from, map);
    struct clg__grid grid =
        last ? share_out(to, backward ? d->stride[0] : 1, (searches ? 4 : 16) * units, &pooling)
             : share_out_first(to, backward, 16 * units, &pooling);
    CLG__TRY(clg__planes_map_create(ctx, sources[last][backward], name, "", to, from, &pooling,
                                    sizeof pooling, map));
    clg__planes_map_set_grid(*map, grid);
    return CLG_OK;
}

static bool overlaps(const clg_pool2d_desc *d)
{
    return span_of(d, 0) > d->stride[0] || span_of(d, 1) > d->stride[1];
}

static clg_status create_maps(const clg_pool2d_desc *desc, clg_pool2d *pool)
{
    static const char *const forward[] = {"max_forward", "avg_forward"};
    static const char *const backward[] = {"max_backward", "avg_backward"};
    struct clg__planes_plan *plan = &pool->base;
    clg_pool2d_desc d = resolved(desc);
    struct clg__planes x = clg__planes_of(&plan->x), y = clg__planes_of(&plan->y);
    if (plan->ctx->info.family == CLG_FAMILY_CPU && x.inner == 1 && d.size[0] == x.h &&
        d.size[1] == x.w && d.pad[0] == 0 && d.pad[1] == 0 && d.dilation[0] == 1 &&
        d.dilation[1] == 1) { /* the window is a plane: a row of its elements */
        x.w *= x.h;
        x.h = d.size[0] = d.stride[0] = 1;
        d.size[1] = d.stride[1] = x.w;
    }
    if (d.x_is_relu && d.kind == CLG_POOL_MAX && !is_disjoint(plan->ctx, &d)) {
        const clg_activation_desc relu = {CLG_ACTIVATION_RELU, 0, plan->x};
        CLG__TRY(clg_activation_create(plan->ctx, &relu, &pool->relu));
    }
    CLG__TRY(create_map(&d, plan->ctx, forward[d.kind], false, &y, &x, &plan->forward));
    if (plan->ctx->info.family == CLG_FAMILY_GPU && d.kind == CLG_POOL_MAX && overlaps(&d)) {
        pool->workspace = (size_t)clg__planes_count(&y) * sizeof(cl_int);
        CLG__TRY(create_map(&d, plan->ctx, "max_winners", false, &y, &x, &pool->winners));
        CLG__TRY(create_map(&d, plan->ctx, "max_backward_won", true, &x, &y, &plan->backward));
        return clg__scratch_reserve(plan->ctx, pool->workspace);
    }
    return create_map(&d, plan->ctx, backward[d.kind], true, &x, &y, &plan->backward);
}

clg_status clg_pool2d_create(clg_context *ctx, const clg_pool2d_desc *desc, clg_pool2d **out)
{
    static const char call[] = "clg_pool2d_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    clg_tensor_desc y;
    CLG__TRY(check_desc(call, desc, &y));
    CLG__TRY(check_loops(call, desc, clg_context_device(ctx)));
    clg_pool2d *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a pool2d plan");
    plan->base = (struct clg__planes_plan){.ctx = clg__context_retain(ctx), .x = desc->x, .y = y};
    plan->kind = desc->kind;
    clg_status status;
    CLG__TRY_GOTO(create_maps(desc, plan));
    *out = plan;
    return CLG_OK;
fail:
    clg_pool2d_destroy(plan);
    return status;
}

void clg_pool2d_destroy(clg_pool2d *plan)
{
    if (!plan)
        return;
    clg__planes_map_destroy(plan->winners);
    clg_activation_destroy(plan->relu);
    clg__planes_plan_release(&plan->base);
    free(plan);
}

size_t clg_pool2d_workspace_size(const clg_pool2d *plan)
{
    return plan->workspace;
}

clg_status clg_pool2d_forward(clg_pool2d *plan, clg_tensor *y, const clg_tensor *x,
                              const clg_run *run)
{
    static const char call[] = "clg_pool2d_forward";
    CLG__TRY(clg__check_plan(call, plan));
    return clg__planes_plan_forward(call, &plan->base, y, x, run);
}

static clg_status enqueue_won(clg_pool2d *pool, struct clg__stream *stream, struct clg__mem dx,
                              const struct clg__mem in[3])
{
    const struct clg__planes_plan *plan = &pool->base;
    if (!pool->winners)
        return clg__planes_map_enqueue_all(plan->backward, stream, dx, in, 3);
    CLG__TRY(clg__planes_map_enqueue(pool->winners, stream, stream->workspace, in[1]));
    return clg__planes_map_enqueue_all(plan->backward, stream, dx,
                                       (const struct clg__mem[]){in[0], stream->workspace}, 2);
}

static clg_status enqueue_max_backward(clg_pool2d *pool, struct clg__stream *stream,
                                       struct clg__mem dx, const struct clg__mem in[3])
{
    CLG__TRY(enqueue_won(pool, stream, dx, in));
    return pool->relu ? clg__activation_enqueue_backward(pool->relu, stream, dx, dx, in[1])
                      : CLG_OK;
}

static clg_status max_backward(const char *call, clg_pool2d *pool, clg_tensor *dx,
                               const clg_tensor *dy, const clg_tensor *x, const clg_tensor *y,
                               const clg_run *run)
{
    const struct clg__planes_plan *plan = &pool->base;
    CLG__TRY(clg__refuse_accumulate(call, run));
    CLG__TRY(clg__expect_tensor(call, "dx", plan->ctx, dx, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->y));
    const struct clg__mem in[] = {clg__tensor_mem(dy), clg__tensor_mem(x), clg__tensor_mem(y)};
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, pool->workspace));
    return clg__stream_end(&stream, enqueue_max_backward(pool, &stream, clg__tensor_mem(dx), in));
}

clg_status clg_pool2d_backward(clg_pool2d *plan, clg_tensor *dx, const clg_tensor *dy,
                               const clg_tensor *x, const clg_tensor *y, const clg_run *run)
{
    static const char call[] = "clg_pool2d_backward";
    CLG__TRY(clg__check_plan(call, plan));
    if (plan->kind == CLG_POOL_AVG)
        return clg__planes_plan_backward(call, &plan->base, dx, dy, run);
    return max_backward(call, plan, dx, dy, x, y, run);
}
