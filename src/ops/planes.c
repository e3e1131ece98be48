#include "ops/planes.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/plan.h"

struct clg__planes clg__planes_of(const clg_tensor_desc *desc)
{
    const int64_t *dims = desc->dims;
    if (desc->layout == CLG_NHWC)
        return (struct clg__planes){dims[0], dims[2], dims[3], dims[1]};
    return (struct clg__planes){dims[0] * dims[1], dims[2], dims[3], 1};
}

int64_t clg__planes_count(const struct clg__planes *planes)
{
    return planes->planes * planes->h * planes->w * planes->inner;
}

struct clg__planes clg__planes_resized(const struct clg__planes *planes, int64_t h, int64_t w)
{
    return (struct clg__planes){planes->planes, h, w, planes->inner};
}

/* With 2^(l-1) < by <= 2^l the multiplier m = floor(2^(31+l) / by) + 1 fits 32 bits, and
 * m by - 2^(31+l) <= by <= 2^l, so that i m / 2^(31+l) is above i / by by less than 1 / by for all
 * i < 2^31: the same whole number. */
struct clg__divisor clg__divisor_of(int64_t by)
{
    cl_uint l = 0;
    while (((int64_t)1 << l) < by)
        l++;
    return (struct clg__divisor){(cl_uint)by,
                                 (cl_uint)(((uint64_t)1 << (31 + l)) / (uint64_t)by + 1), 31 + l};
}

struct clg__planes_arg clg__planes_arg_of(const struct clg__planes *planes)
{
    return (struct clg__planes_arg){clg__divisor_of(planes->h), clg__divisor_of(planes->w),
                                    clg__divisor_of(planes->inner)};
}

clg_tensor_desc clg__desc_resized(const clg_tensor_desc *x, int64_t h, int64_t w)
{
    clg_tensor_desc y = *x;
    y.dims[2] = h;
    y.dims[3] = w;
    return y;
}

clg_status clg__check_output(const char *call, const clg_tensor_desc *y)
{
    int64_t count;
    clg_status status = clg_tensor_desc_count(y, &count);
    return status == CLG_OK ? CLG_OK : clg__fail_in(status, "%s: y", call);
}

clg_status clg__check_steps(const char *call, const char *what, const int64_t steps[2])
{
    if (steps[0] < 1 || steps[1] < 1)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is %lld, %lld, at least 1 is needed", call,
                         what, (long long)steps[0], (long long)steps[1]);
    if (steps[0] > INT32_MAX || steps[1] > INT32_MAX)
        return clg__fail(CLG_TOO_LARGE, "%s: %s is %lld, %lld, at most %d is possible", call, what,
                         (long long)steps[0], (long long)steps[1], INT32_MAX);
    return CLG_OK;
}

struct clg__planes_map {
    struct clg__kernel *kernel;
    int64_t count; /* elements of y */
    struct clg__planes_arg to, from;
    struct clg__grid grid;
    cl_int parameters[CLG__MAP_PARAMETERS];
    size_t parameters_size; /* bytes */
};

clg_status clg__planes_map_create(clg_context *ctx, const char *source, const char *name,
                                  const char *options, const struct clg__planes *to,
                                  const struct clg__planes *from, const void *parameters,
                                  size_t parameters_size, struct clg__planes_map **out)
{
    *out = NULL;
    struct clg__planes_map *map = calloc(1, sizeof *map);
    if (!map)
        return clg__fail_alloc(name);
    map->count = clg__planes_count(to);
    map->grid = clg__grid_many(&ctx->info, map->count);
    map->to = clg__planes_arg_of(to);
    map->from = clg__planes_arg_of(from);
    map->parameters_size = parameters_size;
    if (parameters_size > 0)
        memcpy(map->parameters, parameters, parameters_size);
    clg_status status = clg__kernel_create(ctx, source, name, options, &map->kernel);
    if (status == CLG_OK)
        *out = map;
    else
        free(map);
    return status;
}

void clg__planes_map_set_grid(struct clg__planes_map *map, struct clg__grid grid)
{
    map->grid = grid;
}

void clg__planes_map_destroy(struct clg__planes_map *map)
{
    if (!map)
        return;
    clg__kernel_destroy(map->kernel);
    free(map);
}

clg_status clg__planes_map_enqueue_all(struct clg__planes_map *map, struct clg__stream *stream,
                                       struct clg__mem y, const struct clg__mem *in, size_t num_in)
{
    struct clg__arg args[CLG__MAP_INPUTS + 5];
    size_t count = 0;
    args[count++] = clg__arg_mem(y);
    for (size_t i = 0; i < num_in; i++)
        args[count++] = clg__arg_mem(in[i]);
    args[count++] = clg__arg_int(map->count);
    args[count++] = clg__arg_struct(&map->to, sizeof map->to);
    args[count++] = clg__arg_struct(&map->from, sizeof map->from);
    if (map->parameters_size > 0)
        args[count++] = clg__arg_struct(map->parameters, map->parameters_size);
    return clg__launch(stream, map->kernel, map->grid, args, count);
}

clg_status clg__planes_map_enqueue(struct clg__planes_map *map, struct clg__stream *stream,
                                   struct clg__mem y, struct clg__mem x)
{
    return clg__planes_map_enqueue_all(map, stream, y, &x, 1);
}

void clg__planes_plan_release(struct clg__planes_plan *plan)
{
    clg__planes_map_destroy(plan->forward);
    clg__planes_map_destroy(plan->backward);
    clg_context_destroy(plan->ctx);
}

static clg_status run_map(clg_context *ctx, struct clg__planes_map *map, clg_tensor *to,
                          const clg_tensor *from, const clg_run *run)
{
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, ctx, run, 0));
    clg_status status =
        clg__planes_map_enqueue(map, &stream, clg__tensor_mem(to), clg__tensor_mem(from));
    return clg__stream_end(&stream, status);
}

clg_status clg__planes_plan_forward(const char *call, const struct clg__planes_plan *plan,
                                    clg_tensor *y, const clg_tensor *x, const clg_run *run)
{
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    return run_map(plan->ctx, plan->forward, y, x, run);
}

clg_status clg__planes_plan_backward(const char *call, const struct clg__planes_plan *plan,
                                     clg_tensor *dx, const clg_tensor *dy, const clg_run *run)
{
    CLG__TRY(clg__refuse_accumulate(call, run));
    CLG__TRY(clg__expect_tensor(call, "dx", plan->ctx, dx, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    return run_map(plan->ctx, plan->backward, dx, dy, run);
}
