/* Measuring: how often work runs, what is made of the times, and the device's ceilings. */
#include "support/testing.h"

#include "base/error.h"
#include "runtime/peak.h"
#include "runtime/timing.h"

static clg_status count_runs(void *subject)
{
    ++*(int *)subject;
    return CLG_OK;
}

static clg_status fail_at_the_fourth(void *subject)
{
    return ++*(int *)subject == 4 ? clg__fail(CLG_IO_ERROR, "run %d", 4) : CLG_OK;
}

static void even_no_time_at_all_is_five_runs_after_three(void **state)
{
    (void)state;
    struct clg__times times = {.count = 0};
    int runs = 0;
    OK(clg__time(testing_context(), 0, count_runs, &runs, &times));
    assert_int_equal(runs, 8);
    assert_int_equal(times.count, 5);
}

static void runs_go_on_until_the_time_is_over_or_there_is_no_room(void **state)
{
    (void)state;
    struct clg__times times = {.count = 0};
    int runs = 0;
    OK(clg__time(testing_context(), 3600, count_runs, &runs, &times));
    assert_int_equal(times.count, CLG__MAX_TIMES);
    OK(clg__time_once(testing_context(), count_runs, &runs, &times));
    assert_int_equal(times.count, CLG__MAX_TIMES);
}

static void failing_work_ends_it(void **state)
{
    (void)state;
    struct clg__times times = {.count = 0};
    int runs = 0;
    FAILS(CLG_IO_ERROR, "run 4",
          clg__time(testing_context(), 1, fail_at_the_fourth, &runs, &times));
    assert_int_equal(runs, 4);
}

static void the_median_of_an_even_number_is_between_two(void **state)
{
    (void)state;
    struct clg__times times = {.count = 4, .seconds = {4, 1, 3, 8}, .wall = 16, .cpu = 24};
    struct clg__summary summary = clg__summarise(&times);
    assert_true(summary.median == 3.5 && summary.min == 1 && summary.max == 8);
    assert_true(summary.cpus == 1.5);
    times = (struct clg__times){.count = 3, .seconds = {9, 1, 2}, .wall = 12, .cpu = 12};
    assert_true(clg__summarise(&times).median == 2);
}

static void a_device_has_ceilings(void **state)
{
    (void)state;
    if (testing_small())
        skip();
    struct clg__peak *peak;
    double flops = 0, rate = 0;
    OK(clg__peak_create(testing_context(), &peak));
    OK(clg__peak_fma(peak, 0, &flops));
    assert_true(flops > 0);
    /* Also less than a vector, and sizes that no number of groups divides. */
    static const size_t sizes[] = {1, 8 * 1000, 123456, 4 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rate = 0;
        OK(clg__peak_copy(peak, sizes[i], 1 + (int)i, 0, &rate));
        assert_true(rate > 0);
    }
    OK(clg__peak_cached_copy(peak, 0, &rate));
    assert_true(rate > 0);
    clg__peak_destroy(peak);
    assert_true(clg__peak_uncached_bytes(clg_context_device(testing_context())) > 0);
}

static void short_work_is_enqueued_several_times_for_each_wait(void **state)
{
    (void)state;
    assert_int_equal(clg__runs_a_wait(0), 64);
    assert_int_equal(clg__runs_a_wait(1e-6), 64);
    assert_int_equal(clg__runs_a_wait(1e-4), 10);
    assert_int_equal(clg__runs_a_wait(2e-3), 1);
    int calls = 0;
    struct clg__times times = {.runs = 4};
    OK(clg__time_once(testing_context(), count_runs, &calls, &times));
    assert_int_equal(calls, 4);
    assert_int_equal(times.count, 1);
    assert_true(times.seconds[0] > 0 && 4 * times.seconds[0] <= times.wall * 1.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_work_is_enqueued_several_times_for_each_wait),
        cmocka_unit_test(even_no_time_at_all_is_five_runs_after_three),
        cmocka_unit_test(runs_go_on_until_the_time_is_over_or_there_is_no_room),
        cmocka_unit_test(failing_work_ends_it),
        cmocka_unit_test(the_median_of_an_even_number_is_between_two),
        cmocka_unit_test(a_device_has_ceilings),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
