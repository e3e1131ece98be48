/* Convolution from its definition, one work-item for each element of the result. */
#include "ops/conv2d_problem.h"

#include "base/error.h"
#include "ops/conv2d_cost.h"
#include "runtime/loops.h"

/* Takes everything, unless the driver ends a loop over `terms` windows of h x w early. */
static bool fits(double terms, double h, double w, const clg_device_info *device,
                 const char **why_not)
{
    *why_not = CLG__LOOPS_END_EARLY;
    return clg__loops_fit(device, clg__loops_nested(terms, h, w));
}

static bool supports_forward(const void *problem, const clg_device_info *device,
                             const char **why_not)
{
    const struct conv2d_args *a = problem;
    return fits(a->c / a->groups, a->r, a->s, device, why_not);
}

static bool supports_backward_data(const void *problem, const clg_device_info *device,
                                   const char **why_not)
{
    const struct conv2d_args *a = problem;
    return fits(a->k / a->groups, a->r, a->s, device, why_not);
}

static bool supports_backward_filter(const void *problem, const clg_device_info *device,
                                     const char **why_not)
{
    const struct conv2d_args *a = problem;
    return fits(a->n, a->p, a->q, device, why_not);
}

/* Every term reads two values from memory, and a CPU driver does not vectorise the sum: about one
 * term a clock and unit on CPUs. On GPUs the caches serve a small part of the peak, if there are
 * enough elements for all lanes; dx asks every filter tap of every element, also those that the
 * stride leaves out. Fractions are of measurements. */
static double cost(const struct conv2d_args *a, int64_t elements, double terms, double fraction,
                   const clg_device_info *device)
{
    const double items_a_unit = 1024;
    if (device->family == CLG_FAMILY_CPU)
        return clg__conv2d_seconds(device, clg__conv2d_flop(a), 0.02, 1);
    double busy = (double)elements / (items_a_unit * device->compute_units);
    double moved = sizeof(float) * (double)(clg__conv2d_x_count(a) + clg__conv2d_y_count(a));
    return clg__conv2d_seconds(device, 2 * terms, fraction * (busy < 1 ? busy : 1), 1) +
           moved / clg__device_bandwidth(device);
}

static double cost_forward(const void *problem, const clg_device_info *device)
{
    return cost(problem, clg__conv2d_y_count(problem), clg__conv2d_flop(problem) / 2, 0.03, device);
}

static double cost_backward_data(const void *problem, const clg_device_info *device)
{
    const struct conv2d_args *a = problem;
    const int64_t elements = clg__conv2d_x_count(a);
    const double taps = (double)(a->k / a->groups) * a->r * a->s;
    return cost(a, elements, (double)elements * taps, 0.01, device);
}

static double cost_backward_filter(const void *problem, const clg_device_info *device)
{
    return cost(problem, clg__conv2d_w_count(problem), clg__conv2d_flop(problem) / 2, 0.03, device);
}

struct state {
    struct clg__kernels kernels; /* one */
    const struct conv2d_args *args;
};

static clg_status prepare(clg_context *ctx, const void *problem, const char *name, void **state)
{
    const struct clg__kernel_spec kernel = {"conv2d_direct", name, ""};
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), &kernel, 1, state));
    ((struct state *)*state)->args = problem;
    return CLG_OK;
}

static clg_status prepare_forward(clg_context *ctx, const void *problem, void **state)
{
    return prepare(ctx, problem, "conv2d_direct_forward", state);
}

static clg_status prepare_backward_data(clg_context *ctx, const void *problem, void **state)
{
    return prepare(ctx, problem, "conv2d_direct_backward_data", state);
}

static clg_status prepare_backward_filter(clg_context *ctx, const void *problem, void **state)
{
    return prepare(ctx, problem, "conv2d_direct_backward_filter", state);
}

static clg_status forward(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    const struct state *state = pointer;
    return CLG__LAUNCH(stream, state->kernels.at[0],
                       clg__grid_many(&stream->ctx->info, clg__conv2d_y_count(state->args)),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                       clg__arg_mem(op->in[2]), clg__arg_struct(state->args, sizeof *state->args),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate));
}

/* The gradients take the same parameters; only the size of the result differs. */
static clg_status gradient(const struct state *state, int64_t count, struct clg__stream *stream,
                           const struct clg__operands *op)
{
    return CLG__LAUNCH(stream, state->kernels.at[0], clg__grid_many(&stream->ctx->info, count),
                       clg__arg_mem(op->out[0]), clg__arg_mem(op->in[0]), clg__arg_mem(op->in[1]),
                       clg__arg_struct(state->args, sizeof *state->args),
                       clg__arg_int(op->accumulate));
}

static clg_status backward_data(void *pointer, struct clg__stream *stream,
                                const struct clg__operands *op)
{
    const struct state *state = pointer;
    return gradient(state, clg__conv2d_x_count(state->args), stream, op);
}

static clg_status backward_filter(void *pointer, struct clg__stream *stream,
                                  const struct clg__operands *op)
{
    const struct state *state = pointer;
    return gradient(state, clg__conv2d_w_count(state->args), stream, op);
}

#define ALGORITHM(direction)                                                                       \
    const struct clg__algorithm clg__conv2d_##direction##_direct = {                               \
        .name = "direct",                                                                          \
        .exact = true,                                                                             \
        .supports = supports_##direction,                                                          \
        .cost = cost_##direction,                                                                  \
        .prepare = prepare_##direction,                                                            \
        .enqueue = direction,                                                                      \
        .release = clg__prepared_release,                                                          \
    }

ALGORITHM(forward);
ALGORITHM(backward_data);
ALGORITHM(backward_filter);
