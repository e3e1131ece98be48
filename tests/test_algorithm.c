#include "runtime/algorithm.h"

#include <stdio.h>

#include "base/error.h"
#include "support/testing.h"

/* A made-up operation. Its algorithms do what the problem tells them to, by their place in the
 * table. */
enum { ALGORITHMS = 3 };

struct problem {
    bool refused[ALGORITHMS];
    size_t workspace[ALGORITHMS];
    double seconds[ALGORITHMS];
    clg_status prepared[ALGORITHMS];
};

static int prepare_calls[ALGORITHMS], release_calls[ALGORITHMS];

static const struct problem *as_problem(const void *pointer)
{
    return pointer;
}

#define ALGORITHM(index, label, reason)                                                            \
    static bool supports_##index(const void *p, const clg_device_info *info, const char **why)     \
    {                                                                                              \
        (void)info;                                                                                \
        if (as_problem(p)->refused[index])                                                         \
            *why = reason;                                                                         \
        return !as_problem(p)->refused[index];                                                     \
    }                                                                                              \
    static size_t workspace_##index(const void *p, const clg_device_info *info)                    \
    {                                                                                              \
        (void)info;                                                                                \
        return as_problem(p)->workspace[index];                                                    \
    }                                                                                              \
    static double cost_##index(const void *p, const clg_device_info *info)                         \
    {                                                                                              \
        (void)info;                                                                                \
        return as_problem(p)->seconds[index];                                                      \
    }                                                                                              \
    static clg_status prepare_##index(clg_context *ctx, const void *p, void **out)                 \
    {                                                                                              \
        (void)ctx;                                                                                 \
        prepare_calls[index]++;                                                                    \
        clg_status status = as_problem(p)->prepared[index];                                        \
        if (status != CLG_OK)                                                                      \
            return clg__fail(status, label " does not build");                                     \
        *out = &release_calls[index];                                                              \
        return CLG_OK;                                                                             \
    }                                                                                              \
    static const struct clg__algorithm algorithm_##index = {.name = label,                         \
                                                            .supports = supports_##index,          \
                                                            .workspace = workspace_##index,        \
                                                            .cost = cost_##index,                  \
                                                            .prepare = prepare_##index,            \
                                                            .release = count_release};

static void count_release(void *pointer)
{
    ++*(int *)pointer;
}

ALGORITHM(0, "fast", "the stride is 3")
ALGORITHM(1, "small", "there are 7 groups")
ALGORITHM(2, "reference", "it takes everything, but not this")

static const struct clg__algorithm *const table[] = {&algorithm_0, &algorithm_1, &algorithm_2,
                                                     NULL};

static clg_status select_with(const struct problem *problem, const char *name, size_t limit,
                              struct clg__instance *instance)
{
    const struct clg__variant variant = {.problem = problem};
    const struct clg__selection selection = {
        "fake forward", table, &variant, 1, name, limit, 0, NULL,
    };
    memset(prepare_calls, 0, sizeof prepare_calls);
    memset(release_calls, 0, sizeof release_calls);
    return clg__select(testing_context(), &selection, instance);
}

/* The name of the algorithm that a free choice takes. */
static void expect_choice(const struct problem *problem, const char *name)
{
    struct clg__instance instance;
    OK(select_with(problem, NULL, 0, &instance));
    assert_string_equal(instance.algorithm->name, name);
    clg__instance_release(&instance);
    assert_null(instance.algorithm);
}

static void the_least_estimated_time_wins(void **state)
{
    (void)state;
    expect_choice(&(struct problem){.seconds = {3, 2, 9}}, "small");
    expect_choice(&(struct problem){.seconds = {3, 4, 1}}, "reference");
}

static void a_tie_goes_to_the_table_order(void **state)
{
    (void)state;
    expect_choice(&(struct problem){.seconds = {2, 2, 2}}, "fast");
    expect_choice(&(struct problem){.seconds = {5, 2, 2}}, "small");
}

static void the_refused_are_passed_over(void **state)
{
    (void)state;
    expect_choice(&(struct problem){.refused = {true}, .seconds = {1, 2, 3}}, "small");
    expect_choice(&(struct problem){.refused = {true, true}, .seconds = {1, 2, 3}}, "reference");
}

static void a_name_overrules_the_estimate(void **state)
{
    (void)state;
    const struct problem problem = {.seconds = {1, 2, 3}};
    for (int i = 0; i < ALGORITHMS; i++) {
        struct clg__instance instance;
        OK(select_with(&problem, table[i]->name, 0, &instance));
        assert_ptr_equal(instance.algorithm, table[i]);
        assert_int_equal(prepare_calls[i], 1);
        clg__instance_release(&instance);
        assert_int_equal(release_calls[i], 1);
        clg__instance_release(&instance); /* released once */
        assert_int_equal(release_calls[i], 1);
    }
}

static void an_unknown_name_is_refused_with_the_known_ones(void **state)
{
    (void)state;
    struct clg__instance instance;
    FAILS(CLG_INVALID_ARGUMENT,
          "fake forward has no algorithm \"quick\"; it has: fast, small, reference",
          select_with(&(struct problem){.seconds = {0}}, "quick", 0, &instance));
    assert_null(instance.algorithm);
}

static void when_all_refuse_the_message_has_every_reason(void **state)
{
    (void)state;
    struct clg__instance instance;
    const struct problem problem = {.refused = {true, true, true}};
    FAILS(CLG_UNSUPPORTED,
          "fast: the stride is 3; small: there are 7 groups; reference: it takes everything, but",
          select_with(&problem, NULL, 0, &instance));
    FAILS(CLG_UNSUPPORTED, "fake forward: no algorithm takes this problem: small: there are 7",
          select_with(&problem, "small", 0, &instance));
    assert_null(instance.algorithm);
}

static void the_workspace_stays_below_the_limit(void **state)
{
    (void)state;
    const struct problem problem = {.workspace = {5000, 300, 0}, .seconds = {1, 2, 3}};
    const struct {
        size_t limit;
        const char *name;
    } rows[] = {{0, "fast"}, {5000, "fast"}, {4999, "small"}, {300, "small"}, {299, "reference"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clg__instance instance;
        OK(select_with(&problem, NULL, rows[i].limit, &instance));
        assert_string_equal(instance.algorithm->name, rows[i].name);
        assert_true(!rows[i].limit || instance.workspace <= rows[i].limit);
        assert_true(clg_context_scratch_bytes(testing_context()) >= instance.workspace);
        clg__instance_release(&instance);
    }
}

static void too_little_workspace_says_how_much_is_needed(void **state)
{
    (void)state;
    struct clg__instance instance;
    const struct problem problem = {.workspace = {5000, 300, 0}, .refused = {false, false, true}};
    FAILS(CLG_UNSUPPORTED, "small: needs 300 bytes of workspace, the limit is 10",
          select_with(&problem, NULL, 10, &instance));
    FAILS(CLG_UNSUPPORTED, "fast: needs 5000 bytes", select_with(&problem, "fast", 10, &instance));
    const struct problem huge = {.workspace = {SIZE_MAX, SIZE_MAX, SIZE_MAX}};
    FAILS(CLG_UNSUPPORTED, "18446744073709551615",
          select_with(&huge, NULL, 0, &instance)); /* without a cap: the device's memory */
}

static void one_that_does_not_build_is_passed_over(void **state)
{
    (void)state;
    struct clg__instance instance;
    const struct problem problem = {.seconds = {1, 2, 3},
                                    .prepared = {CLG_BUILD_FAILED, CLG_OUT_OF_DEVICE_MEMORY}};
    OK(select_with(&problem, NULL, 0, &instance));
    assert_string_equal(instance.algorithm->name, "reference");
    assert_true(prepare_calls[0] == 1 && prepare_calls[1] == 1);
    assert_true(release_calls[0] == 0 && release_calls[1] == 0); /* nothing was made */
    clg__instance_release(&instance);
}

static void when_none_builds_the_last_failure_is_told(void **state)
{
    (void)state;
    struct clg__instance instance;
    const struct problem problem = {
        .seconds = {1, 2, 3}, .prepared = {CLG_OPENCL_ERROR, CLG_OPENCL_ERROR, CLG_BUILD_FAILED}};
    FAILS(CLG_BUILD_FAILED, "fake forward: reference does not build",
          select_with(&problem, NULL, 0, &instance));
    assert_null(instance.algorithm);
    FAILS(CLG_OPENCL_ERROR, "fake forward: fast does not build",
          select_with(&problem, "fast", 0, &instance));
}

static void a_defect_or_no_host_memory_ends_the_search(void **state)
{
    (void)state;
    const clg_status ends[] = {CLG_INTERNAL_ERROR, CLG_OUT_OF_HOST_MEMORY};
    for (int i = 0; i < 2; i++) {
        struct clg__instance instance;
        const struct problem problem = {.seconds = {1, 2, 3}, .prepared = {ends[i]}};
        FAILS(ends[i], "fast does not build", select_with(&problem, NULL, 0, &instance));
        assert_int_equal(prepare_calls[1], 0);
    }
}

static void what_an_algorithm_does_not_fuse_costs_its_time(void **state)
{
    (void)state;
    const struct problem problem = {.seconds = {3, 2, 9}};
    const struct clg__variant variant = {.problem = &problem};
    struct clg__algorithm fusing = algorithm_0;
    fusing.fuses_relu = true;
    const struct clg__algorithm *const both[] = {&fusing, &algorithm_1, NULL};
    struct clg__selection selection = {"fake forward", both, &variant, 1, NULL, 0, 0.5, NULL};
    struct clg__forecast forecast;
    OK(clg__select_forecast(testing_context(), &selection, &forecast));
    assert_true(forecast.estimate == 2.5 && forecast.measured == 0);
    selection.unfused_seconds = 4;
    OK(clg__select_forecast(testing_context(), &selection, &forecast));
    assert_true(forecast.estimate == 3);
}

static void a_variant_costs_its_time_and_its_workspace(void **state)
{
    (void)state;
    const struct problem slow = {.seconds = {9, 9, 9}}, quick = {.seconds = {5, 2, 5}};
    struct clg__variant variants[] = {{&slow, 0, 0, NULL}, {&quick, 3, 64, NULL}};
    struct clg__selection selection = {"fake forward", table, variants, 2, NULL, 0, 0, NULL};
    struct clg__instance instance;
    OK(clg__select(testing_context(), &selection, &instance));
    assert_int_equal(instance.variant, 1);
    assert_int_equal(instance.workspace, 64);
    assert_string_equal(instance.algorithm->name, "small"); /* 2 + 3 < 9 */
    clg__instance_release(&instance);
    variants[1].extra_seconds = 7; /* 9 and 9: the first variant is preferred */
    selection.name = "small";
    OK(clg__select(testing_context(), &selection, &instance));
    assert_int_equal(instance.variant, 0);
    assert_int_equal(instance.workspace, 0);
    clg__instance_release(&instance);
}

static void the_names_are_those_of_the_table(void **state)
{
    (void)state;
    const char *names[4] = {NULL, NULL, NULL, "untouched"};
    assert_int_equal(clg__algorithm_names(table, names, 2), ALGORITHMS);
    assert_string_equal(names[1], "small");
    assert_null(names[2]);
    assert_int_equal(clg__algorithm_names(table, names, 4), ALGORITHMS);
    assert_string_equal(names[2], "reference");
    assert_string_equal(names[3], "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_estimated_time_wins),
        cmocka_unit_test(a_tie_goes_to_the_table_order),
        cmocka_unit_test(the_refused_are_passed_over),
        cmocka_unit_test(a_name_overrules_the_estimate),
        cmocka_unit_test(an_unknown_name_is_refused_with_the_known_ones),
        cmocka_unit_test(when_all_refuse_the_message_has_every_reason),
        cmocka_unit_test(the_workspace_stays_below_the_limit),
        cmocka_unit_test(too_little_workspace_says_how_much_is_needed),
        cmocka_unit_test(one_that_does_not_build_is_passed_over),
        cmocka_unit_test(when_none_builds_the_last_failure_is_told),
        cmocka_unit_test(a_defect_or_no_host_memory_ends_the_search),
        cmocka_unit_test(what_an_algorithm_does_not_fuse_costs_its_time),
        cmocka_unit_test(a_variant_costs_its_time_and_its_workspace),
        cmocka_unit_test(the_names_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
