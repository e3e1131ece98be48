#include "clgrad/pad2d.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/pad2d.h"
#include "ops/plan.h"

struct clg_pad2d {
    struct clg__planes_plan base;
};

/* One axis of the padding; `axis` 0 is h. */
struct side {
    const char *name;
    int64_t size, before, after;
};

static struct side side_of(const struct clg__pad2d *p, int axis)
{
    return (struct side){axis == 0 ? "height" : "width", axis == 0 ? p->x.h : p->x.w, p->pad[axis],
                         p->pad[axis + 2]};
}

/* How much is cut off: the part of negative padding. */
static int64_t crop_of(int64_t pad)
{
    return pad < 0 ? -pad : 0;
}

static int64_t larger_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static clg_status check_side(const char *call, clg_pad_mode mode, const struct side *s)
{
    int64_t size = s->size, largest = larger_of(s->before, s->after);
    if (largest > INT32_MAX - size || s->before < -INT32_MAX || s->after < -INT32_MAX)
        return clg__fail(CLG_TOO_LARGE, "%s: %s %lld padded by %lld and %lld, more than %d", call,
                         s->name, (long long)size, (long long)s->before, (long long)s->after,
                         INT32_MAX);
    if (s->before + size + s->after < 1)
        return clg__fail(CLG_INVALID_SHAPE,
                         "%s: nothing is left of %s %lld padded by %lld and %lld", call, s->name,
                         (long long)size, (long long)s->before, (long long)s->after);
    if (mode == CLG_PAD_REFLECT && largest >= size)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: reflect padding %lld, %lld of %s %lld: it must be less than the size",
                         call, (long long)s->before, (long long)s->after, s->name, (long long)size);
    int64_t left = size - crop_of(s->before) - crop_of(s->after);
    if (mode == CLG_PAD_CIRCULAR && largest > left)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "%s: circular padding %lld, %lld of %s %lld: it must be at most what is "
                         "left after cropping, %lld",
                         call, (long long)s->before, (long long)s->after, s->name, (long long)size,
                         (long long)left);
    return CLG_OK;
}

/* The padding fits the mode and x. `call` for messages. */
static clg_status check_padding(const char *call, const struct clg__pad2d *p)
{
    if ((unsigned)p->mode >= CLG_PAD_MODE_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: padding mode %d is unknown", call,
                         (int)p->mode);
    for (int axis = 0; axis < 2; axis++) {
        struct side side = side_of(p, axis);
        CLG__TRY(check_side(call, p->mode, &side));
    }
    return CLG_OK;
}

/* `struct padding` of kernels_cl/pad2d.cl. */
struct padding {
    struct axis {
        cl_int before, size, origin;
    } h, w;
    cl_float value;
};

static struct axis axis_of(clg_pad_mode mode, struct side s)
{
    if (mode != CLG_PAD_CIRCULAR)
        return (struct axis){(cl_int)s.before, (cl_int)s.size, 0};
    return (struct axis){(cl_int)larger_of(s.before, 0),
                         (cl_int)(s.size - crop_of(s.before) - crop_of(s.after)),
                         (cl_int)crop_of(s.before)};
}

static clg_status create_map(clg_context *ctx, const struct clg__pad2d *p, const char *name,
                             const struct clg__planes *to, const struct clg__planes *from,
                             struct clg__planes_map **map)
{
    char options[32];
    clg_pad_mode mode = p->mode == CLG_PAD_CONSTANT ? CLG_PAD_ZEROS : p->mode; /* one program */
    snprintf(options, sizeof options, "-DMODE=%d", (int)mode);
    const struct padding padding = {axis_of(p->mode, side_of(p, 0)),
                                    axis_of(p->mode, side_of(p, 1)),
                                    p->mode == CLG_PAD_CONSTANT ? p->value : 0.0f};
    return clg__planes_map_create(ctx, "pad2d", name, options, to, from, &padding, sizeof padding,
                                  map);
}

static struct clg__planes padded(const struct clg__pad2d *p)
{
    return clg__planes_resized(&p->x, p->pad[0] + p->x.h + p->pad[2],
                               p->pad[1] + p->x.w + p->pad[3]);
}

clg_status clg__pad2d_forward_create(clg_context *ctx, const struct clg__pad2d *p,
                                     struct clg__planes_map **map)
{
    struct clg__planes y = padded(p);
    return create_map(ctx, p, "pad2d_forward", &y, &p->x, map);
}

clg_status clg__pad2d_backward_create(clg_context *ctx, const struct clg__pad2d *p,
                                      struct clg__planes_map **map)
{
    struct clg__planes dy = padded(p);
    if (p->mode == CLG_PAD_ZEROS || p->mode == CLG_PAD_CONSTANT) {
        /* Each element was copied once or not at all: padding by as much less. */
        const struct clg__pad2d back = {
            dy, {-p->pad[0], -p->pad[1], -p->pad[2], -p->pad[3]}, CLG_PAD_ZEROS, 0};
        return create_map(ctx, &back, "pad2d_forward", &p->x, &dy, map);
    }
    return create_map(ctx, p, "pad2d_backward", &p->x, &dy, map);
}

static struct clg__pad2d problem_of(const clg_pad2d_desc *desc)
{
    const int64_t *pad = desc->pad;
    return (struct clg__pad2d){
        clg__planes_of(&desc->x), {pad[0], pad[1], pad[2], pad[3]}, desc->mode, desc->value};
}

static clg_status check_desc(const char *call, const clg_pad2d_desc *desc, clg_tensor_desc *y)
{
    CLG__TRY(clg__check_float_4d(call, "x", &desc->x));
    struct clg__pad2d problem = problem_of(desc);
    CLG__TRY(check_padding(call, &problem));
    struct clg__planes planes = padded(&problem);
    *y = clg__desc_resized(&desc->x, planes.h, planes.w);
    return clg__check_output(call, y);
}

clg_status clg_pad2d_output_size(const clg_pad2d_desc *desc, int64_t *p, int64_t *q)
{
    static const char call[] = "clg_pad2d_output_size";
    if (!desc || !p || !q)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: desc, p or q is NULL", call);
    clg_tensor_desc y;
    CLG__TRY(check_desc(call, desc, &y));
    *p = y.dims[2];
    *q = y.dims[3];
    return CLG_OK;
}

clg_status clg_pad2d_create(clg_context *ctx, const clg_pad2d_desc *desc, clg_pad2d **out)
{
    static const char call[] = "clg_pad2d_create";
    CLG__TRY(clg__check_create(call, ctx, desc, out));
    *out = NULL;
    clg_tensor_desc y;
    CLG__TRY(check_desc(call, desc, &y));
    clg_pad2d *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a pad2d plan");
    plan->base = (struct clg__planes_plan){.ctx = clg__context_retain(ctx), .x = desc->x, .y = y};
    struct clg__pad2d problem = problem_of(desc);
    clg_status status;
    CLG__TRY_GOTO(clg__pad2d_forward_create(ctx, &problem, &plan->base.forward));
    CLG__TRY_GOTO(clg__pad2d_backward_create(ctx, &problem, &plan->base.backward));
    *out = plan;
    return CLG_OK;
fail:
    clg_pad2d_destroy(plan);
    return status;
}

void clg_pad2d_destroy(clg_pad2d *plan)
{
    if (!plan)
        return;
    clg__planes_plan_release(&plan->base);
    free(plan);
}

clg_status clg_pad2d_forward(clg_pad2d *plan, clg_tensor *y, const clg_tensor *x,
                             const clg_run *run)
{
    static const char call[] = "clg_pad2d_forward";
    CLG__TRY(clg__check_plan(call, plan));
    return clg__planes_plan_forward(call, &plan->base, y, x, run);
}

clg_status clg_pad2d_backward(clg_pad2d *plan, clg_tensor *dx, const clg_tensor *dy,
                              const clg_run *run)
{
    static const char call[] = "clg_pad2d_backward";
    CLG__TRY(clg__check_plan(call, plan));
    return clg__planes_plan_backward(call, &plan->base, dx, dy, run);
}
