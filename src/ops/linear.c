#include "clgrad/linear.h"

#include <stdlib.h>

#include "base/error.h"
#include "ops/activation.h"
#include "ops/channel_sum.h"
#include "ops/plan.h"
#include "runtime/gemm.h"
#include "runtime/tensor.h"

enum { NUM_DIRECTIONS = 3 };

struct clg_linear {
    clg_context *ctx;
    clg_tensor_desc x, y, w, b;
    struct clg__gemm *products[NUM_DIRECTIONS]; /* NULL: not served */
    struct clg__channel_sum *column_sums;       /* of dy */
    bool relu;
    clg_activation *activation; /* where the product does not do it */
};

size_t clg_linear_algorithms(const char **names, size_t capacity)
{
    return clg__algorithm_names(clg__gemm_algorithms, names, capacity);
}

static clg_status check_desc(const clg_linear_desc *desc, clg_linear *plan)
{
    static const char call[] = "clg_linear_create";
    int64_t count;
    if (desc->directions >> NUM_DIRECTIONS)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: directions 0x%x are unknown", call,
                         desc->directions);
    if ((unsigned)desc->epilogue >= CLG_EPILOGUE_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: epilogue %d is unknown", call,
                         (int)desc->epilogue);
    plan->relu = desc->epilogue == CLG_EPILOGUE_RELU;
    CLG__TRY(clg__check_float_2d(call, "x", &desc->x));
    plan->x = desc->x;
    plan->y = clg_desc_2d(desc->x.dims[0], desc->out);
    plan->w = clg_desc_2d(desc->out, desc->x.dims[1]);
    plan->b = clg_desc_1d(desc->out);
    CLG__TRY(clg__check_float(call, "y", &plan->y, &count));
    return clg__check_float(call, "w", &plan->w, &count);
}

/* With m, n and k as dy or y, w and x have them: every matrix is stored without gaps. */
static struct clg__gemm_problem product_of(const clg_linear *plan, clg_linear_direction direction)
{
    int n = (int)plan->x.dims[0], in = (int)plan->x.dims[1], out = (int)plan->y.dims[1];
    if (direction == CLG_LINEAR_BACKWARD_DATA)
        return clg__gemm_dense(n, in, out, false, false);
    if (direction == CLG_LINEAR_BACKWARD_WEIGHT)
        return clg__gemm_dense(out, in, n, true, false);
    struct clg__gemm_problem forward = clg__gemm_dense(n, out, in, false, true);
    forward.bias = CLG__GEMM_BIAS_COLUMNS;
    forward.relu = plan->relu;
    return forward;
}

/* The pass over y that applies relu where the product does not. */
static clg_status create_activation(clg_linear *plan)
{
    const struct clg__gemm *forward = plan->products[CLG_LINEAR_FORWARD];
    if (!plan->relu || !forward || clg__gemm_fuses_relu(forward))
        return CLG_OK;
    const clg_activation_desc relu = {CLG_ACTIVATION_RELU, 0, plan->y};
    return clg_activation_create(plan->ctx, &relu, &plan->activation);
}

static clg_status create_products(clg_linear *plan, const clg_linear_desc *desc)
{
    static const char *const names[] = {"forward", "backward_data", "backward_weight"};
    unsigned wanted = desc->directions ? desc->directions : (1u << NUM_DIRECTIONS) - 1;
    for (int i = 0; i < NUM_DIRECTIONS; i++) {
        if (!(wanted & (1u << i)))
            continue;
        struct clg__gemm_problem problem = product_of(plan, (clg_linear_direction)i);
        clg_status status = clg__gemm_create(plan->ctx, &problem, desc->algorithm[i],
                                             desc->workspace_limit, &plan->products[i]);
        if (status != CLG_OK)
            return clg__fail_in(status, "clg_linear_create: linear %s", names[i]);
    }
    CLG__TRY(create_activation(plan));
    if (!plan->products[CLG_LINEAR_BACKWARD_WEIGHT])
        return CLG_OK;
    /* The columns of a matrix are the channels of one image with a row for each pixel. */
    clg_tensor_desc image = clg_desc_4d(1, plan->y.dims[1], plan->y.dims[0], 1);
    image.layout = CLG_NHWC;
    CLG__TRY(clg__channel_sum_create(plan->ctx, &image, &plan->column_sums));
    return clg__scratch_reserve(plan->ctx, clg__channel_sum_workspace(plan->column_sums));
}

clg_status clg_linear_create(clg_context *ctx, const clg_linear_desc *desc, clg_linear **out)
{
    CLG__TRY(clg__check_create("clg_linear_create", ctx, desc, out));
    *out = NULL;
    clg_linear *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a linear plan");
    plan->ctx = clg__context_retain(ctx);
    clg_status status = check_desc(desc, plan);
    if (status == CLG_OK)
        status = create_products(plan, desc);
    if (status != CLG_OK) {
        clg_linear_destroy(plan);
        return status;
    }
    *out = plan;
    return CLG_OK;
}

void clg_linear_destroy(clg_linear *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < NUM_DIRECTIONS; i++)
        clg__gemm_destroy(plan->products[i]);
    clg__channel_sum_destroy(plan->column_sums);
    clg_activation_destroy(plan->activation);
    clg_context_destroy(plan->ctx);
    free(plan);
}

const clg_tensor_desc *clg_linear_x_desc(const clg_linear *plan)
{
    return &plan->x;
}

const clg_tensor_desc *clg_linear_y_desc(const clg_linear *plan)
{
    return &plan->y;
}

const clg_tensor_desc *clg_linear_w_desc(const clg_linear *plan)
{
    return &plan->w;
}

const clg_tensor_desc *clg_linear_b_desc(const clg_linear *plan)
{
    return &plan->b;
}

static bool serves(const clg_linear *plan, clg_linear_direction direction)
{
    return (unsigned)direction < NUM_DIRECTIONS && plan->products[direction];
}

const char *clg_linear_algorithm(const clg_linear *plan, clg_linear_direction direction)
{
    return serves(plan, direction) ? clg__gemm_algorithm(plan->products[direction]) : "none";
}

size_t clg_linear_workspace_size(const clg_linear *plan, clg_linear_direction direction)
{
    if (!serves(plan, direction))
        return 0;
    size_t bytes = clg__gemm_workspace(plan->products[direction]);
    if (direction != CLG_LINEAR_BACKWARD_WEIGHT)
        return bytes;
    size_t sums = clg__channel_sum_workspace(plan->column_sums);
    return bytes > sums ? bytes : sums; /* one after the other in the same memory */
}

/* ---- Runs ---- */

static clg_status check_run(const char *call, const clg_linear *plan,
                            clg_linear_direction direction)
{
    CLG__TRY(clg__check_plan(call, plan));
    if (!serves(plan, direction))
        return clg__fail(CLG_INVALID_STATE, "%s: the plan was made for directions without this one",
                         call);
    return CLG_OK;
}

static clg_status multiply(clg_linear *plan, clg_linear_direction direction,
                           struct clg__stream *stream, clg_tensor *out, const clg_tensor *left,
                           const clg_tensor *right, const clg_tensor *bias)
{
    const struct clg__operands operands = {
        .out = {clg__tensor_mem(out)},
        .in = {clg__tensor_mem(left), clg__tensor_mem(right), clg__tensor_mem(bias)},
        .workspace = stream->workspace,
        .accumulate = stream->accumulate,
    };
    return clg__gemm_enqueue(plan->products[direction], stream, &operands);
}

static clg_status begin(struct clg__stream *stream, clg_linear *plan,
                        clg_linear_direction direction, const clg_run *run)
{
    return clg__stream_begin(stream, plan->ctx, run, clg_linear_workspace_size(plan, direction));
}

clg_status clg_linear_forward(clg_linear *plan, clg_tensor *y, const clg_tensor *x,
                              const clg_tensor *w, const clg_tensor *b, const clg_run *run)
{
    static const char call[] = "clg_linear_forward";
    CLG__TRY(check_run(call, plan, CLG_LINEAR_FORWARD));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "w", plan->ctx, w, &plan->w));
    CLG__TRY(clg__expect_optional(call, "b", plan->ctx, b, &plan->b));
    if (plan->relu && run && run->accumulate)
        return clg__fail(CLG_UNSUPPORTED, "%s: accumulate with an epilogue", call);
    struct clg__stream stream;
    CLG__TRY(begin(&stream, plan, CLG_LINEAR_FORWARD, run));
    clg_status status = multiply(plan, CLG_LINEAR_FORWARD, &stream, y, x, w, b);
    if (status == CLG_OK && plan->activation)
        status = clg__activation_enqueue(plan->activation, &stream, clg__tensor_mem(y),
                                         clg__tensor_mem(y));
    return clg__stream_end(&stream, status);
}

clg_status clg_linear_backward_data(clg_linear *plan, clg_tensor *dx, const clg_tensor *dy,
                                    const clg_tensor *w, const clg_run *run)
{
    static const char call[] = "clg_linear_backward_data";
    CLG__TRY(check_run(call, plan, CLG_LINEAR_BACKWARD_DATA));
    CLG__TRY(clg__expect_tensor(call, "dx", plan->ctx, dx, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    CLG__TRY(clg__expect_tensor(call, "w", plan->ctx, w, &plan->w));
    struct clg__stream stream;
    CLG__TRY(begin(&stream, plan, CLG_LINEAR_BACKWARD_DATA, run));
    return clg__stream_end(&stream,
                           multiply(plan, CLG_LINEAR_BACKWARD_DATA, &stream, dx, dy, w, NULL));
}

static clg_status run_weight(clg_linear *plan, struct clg__stream *stream, clg_tensor *dw,
                             clg_tensor *db, const clg_tensor *x, const clg_tensor *dy)
{
    struct clg__gemm *product = plan->products[CLG_LINEAR_BACKWARD_WEIGHT];
    const bool together = dw && clg__gemm_sums_a(product); /* db: the sums of dy^T's rows */
    const struct clg__operands operands = {
        .out = {clg__tensor_mem(dw), clg__tensor_mem(together ? db : NULL)},
        .in = {clg__tensor_mem(dy), clg__tensor_mem(x)},
        .workspace = stream->workspace,
        .accumulate = stream->accumulate,
    };
    if (dw)
        CLG__TRY(clg__gemm_enqueue(product, stream, &operands));
    if (db && !together)
        CLG__TRY(clg__channel_sum_enqueue(plan->column_sums, stream, clg__tensor_mem(db),
                                          clg__tensor_mem(dy), stream->workspace,
                                          stream->accumulate));
    return CLG_OK;
}

clg_status clg_linear_backward_weight(clg_linear *plan, clg_tensor *dw, clg_tensor *db,
                                      const clg_tensor *x, const clg_tensor *dy, const clg_run *run)
{
    static const char call[] = "clg_linear_backward_weight";
    CLG__TRY(check_run(call, plan, CLG_LINEAR_BACKWARD_WEIGHT));
    if (!dw && !db)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: both dw and db are NULL", call);
    CLG__TRY(clg__expect_optional(call, "dw", plan->ctx, dw, &plan->w));
    CLG__TRY(clg__expect_optional(call, "db", plan->ctx, db, &plan->b));
    if (dw)
        CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->x));
    CLG__TRY(clg__expect_tensor(call, "dy", plan->ctx, dy, &plan->y));
    struct clg__stream stream;
    CLG__TRY(begin(&stream, plan, CLG_LINEAR_BACKWARD_WEIGHT, run));
    return clg__stream_end(&stream, run_weight(plan, &stream, dw, db, x, dy));
}
