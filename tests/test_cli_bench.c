/* clgrad bench in its shortest form: that it measures and reports, never how fast. */
#include <jansson.h>
#include <stdio.h>

#include "support/program.h"
#include "support/scratch.h"
#include "support/testing.h"

/* One JSON object with exactly these keys, in any order, the last of them NULL. */
static void expect_keys(const char *line, const char *const *keys)
{
    json_error_t error;
    json_t *object = json_loads(line, 0, &error);
    if (!object)
        fail_msg("%s in \"%s\"", error.text, line);
    size_t count = 0;
    for (; keys[count]; count++)
        if (!json_object_get(object, keys[count]))
            fail_msg("no %s in %s", keys[count], line);
    assert_int_equal(json_object_size(object), count);
    json_decref(object);
}

/* Each line of the output; returns how many. */
static int expect_lines(const char *out, const char *const *keys)
{
    char *text = strdup(out), *rest = NULL;
    int lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        expect_keys(line, keys);
        lines++;
    }
    free(text);
    return lines;
}

static void help_lists_the_measurements(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("bench --help");
#define CLG_BENCH(name, help) program_expect_out(&run, 0, "  " #name);
#include "cli/benches.def"
#undef CLG_BENCH
#define CLG_BENCH(name, help)                                                                      \
    run = PROGRAM("bench " #name " --help");                                                       \
    program_expect_out(&run, 0, "usage: clgrad bench " #name);
#include "cli/benches.def"
#undef CLG_BENCH
}

static void what_to_type_is_said(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("bench");
    program_expect_usage(&run, "of what? type clgrad bench --help");
    run = PROGRAM("bench peek");
    program_expect_usage(&run, "there is no measurement \"peek\"; did you mean clgrad bench peak?");
    run = PROGRAM("bench peak --seconds -1");
    program_expect_usage(&run, "--seconds -1 is outside 0..3600");
}

static void peak_reports_three_ceilings(void **state)
{
    (void)state;
    static const char *const keys[] = {"device",     "fma_gflops",      "copy_gbs",
                                       "copy_bytes", "cached_copy_gbs", NULL};
    if (testing_small())
        skip();
    struct program_run run = PROGRAM("bench peak --seconds 0 --json");
    assert_int_equal(run.code, 0);
    assert_int_equal(expect_lines(run.out, keys), 1);
    run = PROGRAM("bench peak --seconds 0");
    program_expect_out(&run, 0, " GFLOP/s\n");
    program_expect_out(&run, 0, "copy in the level 2 cache");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_lists_the_measurements),
        cmocka_unit_test(what_to_type_is_said),
        cmocka_unit_test(peak_reports_three_ceilings),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
