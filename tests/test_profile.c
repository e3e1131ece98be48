#include "clgrad/profile.h"

#include "support/caller.h"
#include "support/testing.h"

enum { COUNT = 64 };

struct setup {
    clg_context *ctx;
    clg_activation *plan;
    clg_tensor *x;
};

static struct setup make(void)
{
    struct setup s;
    clg_activation_desc desc = {CLG_ACTIVATION_RELU, 0, clg_desc_1d(COUNT)};
    OK(clg_context_create(&(clg_context_desc){.profiling = true}, &s.ctx));
    OK(clg_activation_create(s.ctx, &desc, &s.plan));
    OK(clg_tensor_create(s.ctx, &desc.x, &s.x));
    OK(clg_tensor_fill(s.x, 1, NULL));
    return s;
}

static void release(const struct setup *s)
{
    clg_tensor_destroy(s->x);
    clg_activation_destroy(s->plan);
    clg_context_destroy(s->ctx);
}

static void run_forward(const struct setup *s, int times, const clg_run *run)
{
    for (int i = 0; i < times; i++)
        OK(clg_activation_forward(s->plan, s->x, s->x, run));
}

static void launches_are_counted_and_timed_by_kernel(void **state)
{
    (void)state;
    struct setup s = make();
    clg_profile_entry entries[4];
    size_t count = 99;
    OK(clg_profile_read(s.ctx, entries, 4, &count));
    assert_int_equal(count, 0);
    run_forward(&s, 3, NULL);
    OK(clg_activation_backward(s.plan, s.x, s.x, s.x, NULL));
    OK(clg_profile_read(s.ctx, entries, 4, &count));
    assert_int_equal(count, 2);
    assert_true(entries[0].nanoseconds >= entries[1].nanoseconds); /* the longest first */
    int forward = strcmp(entries[0].name, "activation_forward") == 0 ? 0 : 1;
    assert_string_equal(entries[forward].name, "activation_forward");
    assert_int_equal(entries[forward].launches, 3);
    assert_string_equal(entries[1 - forward].name, "activation_backward");
    assert_int_equal(entries[1 - forward].launches, 1);
    run_forward(&s, 2, NULL);
    clg_profile_entry first;
    OK(clg_profile_read(s.ctx, &first, 1, &count)); /* fills what fits, counts all */
    assert_int_equal(count, 2);
    OK(clg_profile_read(s.ctx, NULL, 0, &count));
    assert_int_equal(count, 2);
    release(&s);
}

static void reset_forgets_what_is_pending_too(void **state)
{
    (void)state;
    struct setup s = make();
    size_t count;
    run_forward(&s, 2, NULL);
    OK(clg_profile_read(s.ctx, NULL, 0, &count));
    run_forward(&s, 5, NULL);
    OK(clg_profile_reset(s.ctx));
    OK(clg_profile_read(s.ctx, NULL, 0, &count));
    assert_int_equal(count, 0);
    run_forward(&s, 1, NULL);
    clg_profile_entry entry;
    OK(clg_profile_read(s.ctx, &entry, 1, &count));
    assert_int_equal(entry.launches, 1);
    release(&s);
}

/* More launches than the list of pending events begins with, none of which may finish yet: the
 * host must not wait for them. */
static void launches_that_cannot_finish_yet_do_not_block_the_host(void **state)
{
    (void)state;
    enum { LAUNCHES = 700 };
    struct setup s = make();
    cl_int code;
    cl_event gate = clCreateUserEvent(clg_context_cl_context(s.ctx), &code);
    assert_int_equal(code, CL_SUCCESS);
    run_forward(&s, 1, &(clg_run){.num_wait = 1, .wait_list = &gate});
    run_forward(&s, LAUNCHES - 1, NULL);
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    clg_profile_entry entry;
    size_t count;
    OK(clg_profile_read(s.ctx, &entry, 1, &count));
    assert_int_equal(entry.launches, LAUNCHES);
    clReleaseEvent(gate);
    release(&s);
}

static void finished_launches_are_summed_up_on_the_way(void **state)
{
    (void)state;
    struct setup s = make();
    for (int i = 0; i < 12; i++) { /* more than the list begins with */
        run_forward(&s, 100, NULL);
        OK(clg_context_finish(s.ctx));
    }
    clg_profile_entry entry;
    size_t count;
    OK(clg_profile_read(s.ctx, &entry, 1, &count));
    assert_int_equal(entry.launches, 1200);
    release(&s);
}

static void a_queue_without_profiling_is_left_out(void **state)
{
    (void)state;
    struct setup s = make();
    cl_context cl = clg_context_cl_context(s.ctx);
    cl_device_id device = clg_context_cl_device(s.ctx);
    cl_command_queue plain = caller_queue(cl, device, 0);
    cl_command_queue profiled = caller_queue(cl, device, CL_QUEUE_PROFILING_ENABLE);
    OK(clg_context_finish(s.ctx));
    run_forward(&s, 4, &(clg_run){.queue = plain});
    clFinish(plain);
    run_forward(&s, 2, &(clg_run){.queue = profiled});
    clg_profile_entry entry;
    size_t count;
    OK(clg_profile_read(s.ctx, &entry, 1, &count));
    assert_int_equal(entry.launches, 2);
    clReleaseCommandQueue(plain);
    clReleaseCommandQueue(profiled);
    release(&s);
}

static void a_context_may_go_with_events_pending(void **state)
{
    (void)state;
    struct setup s = make();
    run_forward(&s, 10, NULL);
    release(&s);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    struct setup s = make();
    size_t count;
    FAILS(CLG_INVALID_STATE, "without profiling",
          clg_profile_read(testing_context(), NULL, 0, &count));
    FAILS(CLG_INVALID_STATE, "without profiling", clg_profile_reset(testing_context()));
    FAILS(CLG_INVALID_ARGUMENT, "count or entries", clg_profile_read(s.ctx, NULL, 0, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "count or entries", clg_profile_read(s.ctx, NULL, 3, &count));
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_profile_read(NULL, NULL, 0, &count));
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_profile_reset(NULL));
    release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(launches_are_counted_and_timed_by_kernel),
        cmocka_unit_test(reset_forgets_what_is_pending_too),
        cmocka_unit_test(launches_that_cannot_finish_yet_do_not_block_the_host),
        cmocka_unit_test(finished_launches_are_summed_up_on_the_way),
        cmocka_unit_test(a_queue_without_profiling_is_left_out),
        cmocka_unit_test(a_context_may_go_with_events_pending),
        cmocka_unit_test(misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
