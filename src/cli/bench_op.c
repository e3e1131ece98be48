#include "cli/bench_op.h"

#include "base/error.h"
#include "cli/bench.h"

/* Activations of the networks that others are measured with: small, in the caches, beyond them. */
static const struct bench_op_shape features[] = {
    {.name = "lenet:conv1", .dims = {64, 6, 28, 28}},
    {.name = "resnet20:stage1", .dims = {64, 16, 32, 32}},
    {.name = "resnet50:res2", .dims = {8, 64, 56, 56}},
    {.name = "resnet50:res2_up", .dims = {8, 256, 56, 56}},
    {.name = "resnet50:res4", .dims = {8, 256, 14, 14}},
    {.name = NULL},
};

static const struct bench_op_shape max_pools[] = {
    {.name = "lenet:2x2s2", .dims = {64, 6, 28, 28}, .window = 2, .stride = 2},
    {.name = "resnet50:3x3s2", .dims = {8, 64, 112, 112}, .window = 3, .stride = 2, .pad = 1},
    {.name = NULL},
};

static const struct bench_op_shape average_pools[] = {
    {.name = "resnet50:global", .dims = {8, 2048, 7, 7}},
    {.name = "densenet:2x2s2", .dims = {8, 128, 56, 56}, .window = 2, .stride = 2},
    {.name = NULL},
};

static const struct bench_op_shape parameters[] = {
    {.name = "lenet5", .dims = {61706, 1, 1, 1}},
    {.name = "resnet20", .dims = {272474, 1, 1, 1}},
    {.name = "resnet18", .dims = {11689512, 1, 1, 1}},
    {.name = NULL},
};

/* The next `count` tensors, like x or y, random. */
static clg_status add_tensors(struct bench_op_run *run, const clg_tensor_desc *desc, int count)
{
    int at = 0;
    while (run->tensors[at])
        at++;
    for (int i = 0; i < count; i++)
        CLG__TRY(bench_tensor(run->ctx, desc, (uint64_t)(at + i + 1), &run->tensors[at + i]));
    return CLG_OK;
}

/* ---- activation: forward moves x, y; backward dy, x, dx ---- */

static clg_status make_activation(struct bench_op_run *run)
{
    const clg_activation_desc desc = {.kind = CLG_ACTIVATION_RELU, .x = run->x};
    clg_activation *plan;
    CLG__TRY(clg_activation_create(run->ctx, &desc, &plan));
    run->plan = plan;
    return add_tensors(run, &run->x, run->op->x_tensors);
}

static clg_status run_activation_forward(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_activation_forward(run->plan, run->tensors[0], run->tensors[1], NULL);
}

static clg_status run_activation_backward(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_activation_backward(run->plan, run->tensors[0], run->tensors[1], run->tensors[2],
                                   NULL);
}

static void release_activation(void *plan)
{
    clg_activation_destroy(plan);
}

/* ---- add: moves a, b, y ---- */

static clg_status make_add(struct bench_op_run *run)
{
    const clg_add_desc desc = {.x = run->x};
    clg_add *plan;
    CLG__TRY(clg_add_create(run->ctx, &desc, &plan));
    run->plan = plan;
    return add_tensors(run, &run->x, 3);
}

static clg_status run_add(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_add_forward(run->plan, run->tensors[0], run->tensors[1], run->tensors[2], NULL);
}

static void release_add(void *plan)
{
    clg_add_destroy(plan);
}

/* ---- batch_norm: forward moves x for the statistics, and again for y; backward dy and x for the
 * sums, and again for dx ---- */

enum { GAMMA, BETA, SAVED, DGAMMA, DBETA };

static clg_batch_norm_tensors batch_norm_tensors(const struct bench_op_run *run)
{
    return (clg_batch_norm_tensors){.gamma = run->parameters[GAMMA],
                                    .beta = run->parameters[BETA],
                                    .saved = run->parameters[SAVED]};
}

static clg_status run_batch_norm_forward(void *subject)
{
    const struct bench_op_run *run = subject;
    const clg_batch_norm_tensors tensors = batch_norm_tensors(run);
    return clg_batch_norm_forward_train(run->plan, run->tensors[0], run->tensors[1], &tensors,
                                        NULL);
}

static clg_status run_batch_norm_backward(void *subject)
{
    const struct bench_op_run *run = subject;
    const clg_batch_norm_tensors tensors = batch_norm_tensors(run);
    const clg_norm_gradients gradients = {
        .dx = run->tensors[0], .dgamma = run->parameters[DGAMMA], .dbeta = run->parameters[DBETA]};
    return clg_batch_norm_backward(run->plan, &gradients, run->tensors[2], run->tensors[1],
                                   &tensors, NULL);
}

static clg_status make_batch_norm(struct bench_op_run *run)
{
    const clg_batch_norm_desc desc = {.x = run->x, .eps = 1e-5f, .momentum = 0.1f};
    clg_batch_norm *plan;
    CLG__TRY(clg_batch_norm_create(run->ctx, &desc, &plan));
    run->plan = plan;
    CLG__TRY(add_tensors(run, &run->x, run->op->x_tensors));
    for (int i = 0; i < BENCH_OP_PARAMETERS; i++) {
        const clg_tensor_desc channels = clg_desc_1d(run->x.dims[1]);
        const clg_tensor_desc parameter = i == SAVED ? clg_batch_norm_saved_desc(plan) : channels;
        CLG__TRY(bench_tensor(run->ctx, &parameter, (uint64_t)i + 9, &run->parameters[i]));
    }
    return run_batch_norm_forward(run); /* the backward pass reads what it saves */
}

static void release_batch_norm(void *plan)
{
    clg_batch_norm_destroy(plan);
}

/* ---- pool2d: forward moves x, y; backward of max x, y, dy, dx; of average dy, dx ---- */

static clg_status make_pool(struct bench_op_run *run, clg_pool_kind kind)
{
    const struct bench_op_shape *shape = run->shape;
    const clg_pool2d_desc desc = {.x = run->x,
                                  .kind = kind,
                                  .global = shape->window == 0,
                                  .size = {shape->window, shape->window},
                                  .stride = {shape->stride, shape->stride},
                                  .pad = {shape->pad, shape->pad},
                                  .dilation = {1, 1}};
    clg_pool2d *plan;
    CLG__TRY(clg_pool2d_output_size(&desc, &run->y.dims[2], &run->y.dims[3]));
    CLG__TRY(clg_pool2d_create(run->ctx, &desc, &plan));
    run->plan = plan;
    CLG__TRY(add_tensors(run, &run->y, run->op->y_tensors));
    CLG__TRY(add_tensors(run, &run->x, run->op->x_tensors));
    clg_tensor *x = run->tensors[run->op->y_tensors];
    return clg_pool2d_forward(plan, run->tensors[0], x, NULL); /* backward reads y */
}

static clg_status make_max_pool(struct bench_op_run *run)
{
    return make_pool(run, CLG_POOL_MAX);
}

static clg_status make_average_pool(struct bench_op_run *run)
{
    return make_pool(run, CLG_POOL_AVG);
}

static clg_status run_pool_forward(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_pool2d_forward(run->plan, run->tensors[0], run->tensors[1], NULL);
}

static clg_status run_max_pool_backward(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_pool2d_backward(run->plan, run->tensors[3], run->tensors[1], run->tensors[2],
                               run->tensors[0], NULL);
}

static clg_status run_average_pool_backward(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_pool2d_backward(run->plan, run->tensors[1], run->tensors[0], NULL, NULL, NULL);
}

static void release_pool(void *plan)
{
    clg_pool2d_destroy(plan);
}

/* ---- optimizer: sgd reads w, dw and the momentum, writes w and the momentum; adam reads w, dw, m,
 * v, writes w, m, v. The state is the plan's. ---- */

static clg_status make_optimizer(struct bench_op_run *run, clg_optimizer_kind kind)
{
    run->x = clg_desc_1d(run->x.dims[0]);
    clg_optimizer_desc desc = clg_optimizer_defaults(kind, &run->x);
    desc.momentum = 0.9;
    clg_optimizer *plan;
    CLG__TRY(clg_optimizer_create(run->ctx, &desc, &plan));
    run->plan = plan;
    return add_tensors(run, &run->x, 2);
}

static clg_status make_sgd(struct bench_op_run *run)
{
    return make_optimizer(run, CLG_OPTIMIZER_SGD);
}

static clg_status make_adam(struct bench_op_run *run)
{
    return make_optimizer(run, CLG_OPTIMIZER_ADAM);
}

static clg_status run_optimizer(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_optimizer_step(run->plan, run->tensors[0], run->tensors[1], NULL);
}

static void release_optimizer(void *plan)
{
    clg_optimizer_destroy(plan);
}

/* ---- reorder: moves x, y; y has the other layout ---- */

static clg_status make_reorder(struct bench_op_run *run)
{
    run->y.layout = run->x.layout == CLG_NCHW ? CLG_NHWC : CLG_NCHW;
    const clg_reorder_desc desc = {.from = run->x, .to = run->y};
    clg_reorder *plan;
    CLG__TRY(clg_reorder_create(run->ctx, &desc, &plan));
    run->plan = plan;
    CLG__TRY(add_tensors(run, &run->y, 1));
    return add_tensors(run, &run->x, 1);
}

static clg_status run_reorder(void *subject)
{
    const struct bench_op_run *run = subject;
    return clg_reorder_forward(run->plan, run->tensors[0], run->tensors[1], NULL);
}

static void release_reorder(void *plan)
{
    clg_reorder_destroy(plan);
}

/* name, layouts, moved x and y, tensors x and y, shapes, functions */
const struct bench_op bench_op_table[] = {
    {"relu forward", false, 2, 0, 2, 0, features, make_activation, run_activation_forward,
     release_activation},
    {"relu backward", false, 3, 0, 3, 0, features, make_activation, run_activation_backward,
     release_activation},
    {"add", false, 3, 0, 3, 0, features, make_add, run_add, release_add},
    {"batch_norm forward", true, 3, 0, 2, 0, features, make_batch_norm, run_batch_norm_forward,
     release_batch_norm},
    {"batch_norm backward", true, 5, 0, 3, 0, features, make_batch_norm, run_batch_norm_backward,
     release_batch_norm},
    {"max_pool forward", true, 1, 1, 1, 1, max_pools, make_max_pool, run_pool_forward,
     release_pool},
    {"max_pool backward", true, 2, 2, 2, 2, max_pools, make_max_pool, run_max_pool_backward,
     release_pool},
    {"avg_pool forward", true, 1, 1, 1, 1, average_pools, make_average_pool, run_pool_forward,
     release_pool},
    {"avg_pool backward", true, 1, 1, 1, 1, average_pools, make_average_pool,
     run_average_pool_backward, release_pool},
    {"sgd", false, 5, 0, 3, 0, parameters, make_sgd, run_optimizer, release_optimizer},
    {"adam", false, 7, 0, 4, 0, parameters, make_adam, run_optimizer, release_optimizer},
    {"reorder", true, 1, 1, 1, 1, features, make_reorder, run_reorder, release_reorder},
    {.name = NULL},
};

clg_status bench_op_make(clg_context *ctx, const struct bench_op *op,
                         const struct bench_op_shape *shape, clg_layout layout, int64_t batch,
                         struct bench_op_run *made)
{
    *made = (struct bench_op_run){.op = op, .shape = shape, .ctx = ctx};
    const int64_t *dims = shape->dims;
    made->x =
        clg_desc_4d(batch && op->shapes != parameters ? batch : dims[0], dims[1], dims[2], dims[3]);
    made->x.layout = layout;
    made->y = made->x;
    return op->make(made);
}

void bench_op_release(struct bench_op_run *made)
{
    if (made->plan)
        made->op->release(made->plan);
    for (int i = 0; i < BENCH_OP_TENSORS; i++)
        clg_tensor_destroy(made->tensors[i]);
    for (int i = 0; i < BENCH_OP_PARAMETERS; i++)
        clg_tensor_destroy(made->parameters[i]);
}

/* Bytes of `x` tensors like x and `y` tensors like y. */
static double bytes_of(const struct bench_op_run *run, int x, int y)
{
    double x_count = 1, y_count = 1;
    for (int i = 0; i < run->x.ndim; i++)
        x_count *= (double)run->x.dims[i];
    for (int i = 0; i < run->y.ndim; i++)
        y_count *= (double)run->y.dims[i];
    return sizeof(float) * (x * x_count + y * y_count);
}

double bench_op_bytes(const struct bench_op_run *run)
{
    return bytes_of(run, run->op->x_moved, run->op->y_moved);
}

size_t bench_op_footprint(const struct bench_op_run *run)
{
    return (size_t)bytes_of(run, run->op->x_tensors, run->op->y_tensors);
}
