#include "clgrad/context.h"

#include <stdio.h>
#include <time.h>

#include "runtime/context.h"
#include "support/caller.h"
#include "support/testing.h"

static void a_context_names_its_device_and_objects(void **state)
{
    (void)state;
    clg_context *ctx;
    OK(clg_context_create(NULL, &ctx));
    clg_device_info best;
    OK(clg_device_find(NULL, &best));
    assert_string_equal(clg_context_device(ctx)->name, best.name);
    assert_non_null(clg_context_cl_context(ctx));
    assert_non_null(clg_context_cl_device(ctx));
    assert_non_null(clg_context_cl_queue(ctx));
    assert_int_equal(clg_context_scratch_bytes(ctx), 0);
    OK(clg_context_finish(ctx));
    clg_context_destroy(ctx);
    clg_context_destroy(NULL);
}

static void missing_pointers_are_refused(void **state)
{
    (void)state;
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_context_create(NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_context_finish(NULL));
}

/* Compiles and runs an operation in the context. */
static void expect_that_it_works(clg_context *ctx)
{
    clg_activation *plan;
    clg_activation_desc desc = {CLG_ACTIVATION_RELU6, 0, clg_desc_1d(2)};
    clg_tensor *x;
    float data[2] = {7, -1};
    OK(clg_activation_create(ctx, &desc, &plan));
    OK(clg_tensor_create(ctx, &desc.x, &x));
    OK(clg_tensor_upload(x, data, NULL));
    OK(clg_activation_forward(plan, x, x, NULL));
    OK(clg_tensor_download(x, data, NULL));
    assert_true(data[0] == 6 && data[1] == 0);
    clg_tensor_destroy(x);
    clg_activation_destroy(plan);
}

static void two_contexts_do_not_meet(void **state)
{
    (void)state;
    clg_context *a, *b;
    OK(clg_context_create(NULL, &a));
    OK(clg_context_create(&(clg_context_desc){.profiling = true}, &b));
    expect_that_it_works(a);
    clg_context_destroy(a);
    expect_that_it_works(b);
    clg_context_destroy(b);
}

static void a_callers_objects_are_used_and_kept_alive(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    caller_release(&caller); /* clgrad has its own references */
    assert_ptr_equal(clg_context_cl_context(ctx), caller.context);
    assert_ptr_equal(clg_context_cl_device(ctx), caller.device);
    assert_ptr_equal(clg_context_cl_queue(ctx), caller.queue);
    assert_int_equal(clg_context_device(ctx)->platform, -1);
    assert_int_equal(clg_context_device(ctx)->device, -1);
    assert_string_equal(clg_context_device(ctx)->name, clg_context_device(testing_context())->name);
    expect_that_it_works(ctx);
    clg_context_destroy(ctx);
}

static void a_callers_context_without_a_queue_gets_one(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx;
    OK(clg_context_create(
        &(clg_context_desc){.cl_context = caller.context, .cl_device = caller.device}, &ctx));
    assert_true(clg_context_cl_queue(ctx) != caller.queue);
    expect_that_it_works(ctx);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

static void incomplete_objects_of_a_caller_are_refused(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    const clg_context_desc incomplete[] = {
        {.cl_queue = caller.queue},
        {.cl_context = caller.context},
        {.cl_device = caller.device},
        {.cl_context = caller.context, .cl_queue = caller.queue},
        {.cl_device = caller.device, .cl_queue = caller.queue},
    };
    for (size_t i = 0; i < sizeof incomplete / sizeof incomplete[0]; i++) {
        clg_context *ctx = (clg_context *)&ctx;
        FAILS(CLG_INVALID_ARGUMENT, "needs at least both",
              clg_context_create(&incomplete[i], &ctx));
        assert_null(ctx);
    }
    caller_release(&caller);
}

static void a_queue_of_another_context_is_refused(void **state)
{
    (void)state;
    struct caller a = caller_make(0), b = caller_make(0);
    clg_context *ctx = (clg_context *)&ctx;
    clg_context_desc desc = {.cl_context = a.context, .cl_device = a.device, .cl_queue = b.queue};
    FAILS(CLG_INVALID_ARGUMENT, "another OpenCL context", clg_context_create(&desc, &ctx));
    assert_null(ctx);
    caller_release(&a);
    caller_release(&b);
}

/* Another device than the tests': a part of it, or NULL when it cannot be divided. */
static cl_device_id other_device(const struct caller *caller)
{
    const cl_device_partition_property ones[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0};
    enum { MAX_PARTS = 256 };
    cl_device_id parts[MAX_PARTS];
    cl_uint possible = 0, count = 0;
    clGetDeviceInfo(caller->device, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof possible, &possible,
                    NULL);
    if (possible < 2 ||
        clCreateSubDevices(caller->device, ones, MAX_PARTS, parts, &count) != CL_SUCCESS)
        return NULL;
    for (cl_uint i = 1; i < count; i++)
        clReleaseDevice(parts[i]);
    return parts[0];
}

static void a_device_or_queue_of_another_device_is_refused(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    cl_device_id other = other_device(&caller);
    if (other) {
        clg_context *ctx = (clg_context *)&ctx;
        FAILS(CLG_INVALID_ARGUMENT, "not one of the 1 of the OpenCL context",
              clg_context_create(
                  &(clg_context_desc){.cl_context = caller.context, .cl_device = other}, &ctx));
        assert_null(ctx);
        cl_int code;
        cl_context both =
            clCreateContext(NULL, 2, (cl_device_id[]){caller.device, other}, NULL, NULL, &code);
        assert_int_equal(code, CL_SUCCESS);
        cl_command_queue queue = caller_queue(both, other, 0);
        clg_context_desc desc = {.cl_context = both, .cl_device = caller.device, .cl_queue = queue};
        FAILS(CLG_INVALID_ARGUMENT, "another OpenCL device", clg_context_create(&desc, &ctx));
        clReleaseCommandQueue(queue);
        clReleaseContext(both);
        clReleaseDevice(other);
    }
    caller_release(&caller);
    if (!other)
        skip(); /* the device cannot be divided */
}

static void profiling_needs_a_queue_that_profiles(void **state)
{
    (void)state;
    struct caller plain = caller_make(0), profiling = caller_make(CL_QUEUE_PROFILING_ENABLE);
    clg_context *ctx = (clg_context *)&ctx;
    clg_context_desc desc = {.cl_context = plain.context,
                             .cl_device = plain.device,
                             .cl_queue = plain.queue,
                             .profiling = true};
    FAILS(CLG_INVALID_ARGUMENT, "CL_QUEUE_PROFILING_ENABLE", clg_context_create(&desc, &ctx));
    assert_null(ctx);
    desc.cl_context = profiling.context;
    desc.cl_queue = profiling.queue;
    OK(clg_context_create(&desc, &ctx));
    clg_context_destroy(ctx);
    caller_release(&plain);
    caller_release(&profiling);
}

/* ---- Lifetimes ---- */

enum { HANDLES = 5 };

struct family {
    clg_context *ctx;
    clg_buffer *buffer;
    clg_tensor *view, *tensor;
    clg_activation *plan;
};

static void drop(struct family *family, int which)
{
    switch (which) {
    case 0:
        clg_context_destroy(family->ctx);
        break;
    case 1:
        clg_buffer_destroy(family->buffer);
        break;
    case 2:
        clg_tensor_destroy(family->view);
        break;
    case 3:
        clg_tensor_destroy(family->tensor);
        break;
    default:
        clg_activation_destroy(family->plan);
    }
}

/* The order number `index` of HANDLES things, of HANDLES! there are. */
static void permutation(int index, int order[HANDLES])
{
    bool used[HANDLES] = {false};
    for (int i = 0; i < HANDLES; i++) {
        int left = HANDLES - i, pick = index % left;
        index /= left;
        int k = 0;
        for (; used[k] || pick > 0; k++)
            pick -= !used[k];
        used[k] = true;
        order[i] = k;
    }
}

/* How often the queue is retained. A driver may let go of a command's reference a moment after
 * clFinish: waits up to five seconds for the last one. */
static cl_uint settled_references(cl_command_queue queue)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};
    cl_uint references = 0;
    for (int i = 0; i < 500 && references != 1; i++) {
        if (i > 0)
            nanosleep(&moment, NULL);
        clGetCommandQueueInfo(queue, CL_QUEUE_REFERENCE_COUNT, sizeof references, &references,
                              NULL);
    }
    return references;
}

static void handles_may_go_in_any_order(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_activation_desc desc = {CLG_ACTIVATION_RELU, 0, clg_desc_1d(4)};
    for (int index = 0; index < 120; index++) {
        struct family f = {.ctx = caller_context(&caller)};
        OK(clg_buffer_create(f.ctx, 64, &f.buffer));
        OK(clg_tensor_view(f.buffer, 16, &desc.x, &f.view));
        OK(clg_tensor_create(f.ctx, &desc.x, &f.tensor));
        OK(clg_activation_create(f.ctx, &desc, &f.plan));
        OK(clg_tensor_fill(f.view, -1, NULL));
        OK(clg_activation_forward(f.plan, f.tensor, f.view, NULL));
        int order[HANDLES];
        permutation(index, order);
        for (int i = 0; i < HANDLES; i++)
            drop(&f, order[i]);
    }
    clFinish(caller.queue);
    /* Nothing of clgrad's is left. Rusticl holds some for commands long done, but none for each of
     * the 120 rounds. */
    assert_in_range(settled_references(caller.queue), 1, 60);
    caller_release(&caller);
}

static void a_destroyed_tensor_stays_until_its_commands_are_done(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    const int64_t n = testing_small() ? 1000 : 1 << 20;
    clg_activation_desc desc = {CLG_ACTIVATION_RELU, 0, clg_desc_1d(n)};
    clg_activation *plan;
    clg_tensor *x, *y;
    OK(clg_activation_create(ctx, &desc, &plan));
    OK(clg_tensor_create(ctx, &desc.x, &x));
    OK(clg_tensor_create(ctx, &desc.x, &y));
    OK(clg_tensor_fill(x, 5, NULL));
    OK(clg_activation_forward(plan, y, x, NULL));
    clg_tensor_destroy(x);
    clg_activation_destroy(plan);
    float *data = testing_download(y);
    assert_true(data[0] == 5 && data[n - 1] == 5);
    free(data);
    clg_tensor_destroy(y);
}

/* ---- The shared workspace ---- */

static void the_scratch_buffer_only_grows(void **state)
{
    (void)state;
    clg_context *ctx;
    OK(clg_context_create(NULL, &ctx));
    OK(clg__scratch_reserve(ctx, 0));
    assert_null(ctx->scratch);
    OK(clg__scratch_reserve(ctx, 1000));
    cl_mem first = ctx->scratch;
    OK(clg__scratch_reserve(ctx, 10));
    assert_ptr_equal(ctx->scratch, first);
    assert_int_equal(clg_context_scratch_bytes(ctx), 1000);
    OK(clg__scratch_reserve(ctx, 2000));
    assert_int_equal(clg_context_scratch_bytes(ctx), 2000);
    FAILS(CLG_OUT_OF_DEVICE_MEMORY, "more than the largest allocation",
          clg__scratch_reserve(ctx, SIZE_MAX));
    assert_int_equal(clg_context_scratch_bytes(ctx), 2000);
    clg_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_names_its_device_and_objects),
        cmocka_unit_test(missing_pointers_are_refused),
        cmocka_unit_test(two_contexts_do_not_meet),
        cmocka_unit_test(a_callers_objects_are_used_and_kept_alive),
        cmocka_unit_test(a_callers_context_without_a_queue_gets_one),
        cmocka_unit_test(incomplete_objects_of_a_caller_are_refused),
        cmocka_unit_test(a_queue_of_another_context_is_refused),
        cmocka_unit_test(a_device_or_queue_of_another_device_is_refused),
        cmocka_unit_test(profiling_needs_a_queue_that_profiles),
        cmocka_unit_test(handles_may_go_in_any_order),
        cmocka_unit_test(a_destroyed_tensor_stays_until_its_commands_are_done),
        cmocka_unit_test(the_scratch_buffer_only_grows),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
