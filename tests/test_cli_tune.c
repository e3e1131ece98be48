#include <string.h>

#include "support/program.h"
#include "support/scratch.h"
#include "support/testing.h"

static int setup(void **state)
{
    if (scratch_make(state) != 0)
        return -1;
    return setenv("CLGRAD_TUNE_DIR", scratch_path("store"), 1);
}

static const char problem[] = "mb2ic3ih6oc4oh6kh3ph1";

static void a_shape_is_tuned_once(void **state)
{
    (void)state;
    struct program_run run =
        PROGRAM("tune --problem %s --dir fwd --export %s", problem, scratch_path("out.txt"));
    program_expect_out(&run, 0,
                       "conv2d forward mb2ic3ih6iw6oc4oh6ow6kh3kw3sh1sw1ph1pw1dh0dw0 nchw");
    program_expect_out(&run, 0, "dh0dw0 nhwc: ");
    program_expect_out(&run, 0, ", measured ");
    program_expect_out(&run, 0, " records written to ");
    assert_null(strstr(run.out, "possible"));
    size_t size, again;
    free(scratch_read("out.txt", &size));
    run = PROGRAM("tune --problem %s --dir fwd --verbose --export %s", problem,
                  scratch_path("out.txt"));
    program_expect_out(&run, 0, "    also possible: ");
    free(scratch_read("out.txt", &again));
    assert_int_equal(size, again);
}

static void lists_and_layouts_are_chosen_from(void **state)
{
    (void)state;
    static const char list[] = "mb2ic3ih6oc4oh6kh3ph1n\"net:a\"\nmb1ic4ih5oc4kh1n\"net:b\"\n";
    const char *path = scratch_write("shapes.txt", list, strlen(list));
    struct program_run run =
        PROGRAM("tune --shapes %s --filter net:b --batch 3 --layout nhwc --dir bwd_filter", path);
    program_expect_out(&run, 0, "conv2d backward_filter mb3ic4ih5");
    assert_null(strstr(run.out, "mb3ic3"));
    assert_null(strstr(run.out, " nchw:"));
}

static void a_model_is_tuned(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("tune --model digits --batch 4");
    program_expect_out(&run, 0, "conv2d backward_data mb4");
    program_expect_out(&run, 0, "matrix product m4");
}

static void times_move_and_are_forgotten(void **state)
{
    (void)state;
    struct program_run run =
        PROGRAM("tune --problem %s --layout nchw --export %s", problem, scratch_path("out.txt"));
    program_expect_out(&run, 0, "records written");
    run = PROGRAM("tune --forget");
    program_expect_out(&run, 0, "records forgotten");
    run = PROGRAM("tune --forget --export %s", scratch_path("none.txt"));
    program_expect_out(&run, 0, "0 records forgotten\n0 records written");
    run = PROGRAM("tune --import %s", scratch_path("out.txt"));
    program_expect_out(&run, 0, "records new or newer");
    assert_null(strstr(run.out, "\n0 records"));
    run = PROGRAM("tune --import %s", scratch_path("out.txt"));
    program_expect_out(&run, 0, "0 records new or newer");
}

static void wrong_usage_is_told(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("tune");
    program_expect_usage(&run, "of what?");
    run = PROGRAM("tune --model digits --problem %s", problem);
    program_expect_usage(&run, "only one of");
    run = PROGRAM("tune --model nothing");
    program_expect_err(&run, 1, "nothing");
    run = PROGRAM("tune --problem mb2");
    program_expect_err(&run, 1, "ic is missing");
    run = PROGRAM_WITH("CLGRAD_TUNE_DIR=/dev/null/x", "tune --problem %s", problem);
    program_expect_err(&run, 1, "CLGRAD_TUNE_DIR");
    run = PROGRAM("tune --import %s", scratch_path("no.txt"));
    program_expect_err(&run, 1, "no.txt");
}

static void the_environment_asks_for_the_log(void **state)
{
    (void)state;
    struct program_run run = PROGRAM_WITH(
        "CLGRAD_LOG=other,plan",
        "bench conv2d --problem %s --dir fwd --algo direct --layout nhwc --seconds 0", problem);
    program_expect_err(&run, 0, "clgrad plan: conv2d forward ");
    program_expect_err(&run, 0, "--layout nhwc --algo direct\n");
    run = PROGRAM_WITH("CLGRAD_LOG=other", "bench conv2d --problem %s --dir fwd --seconds 0",
                       problem);
    assert_string_equal(run.err, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_shape_is_tuned_once), TEST(lists_and_layouts_are_chosen_from),
        TEST(a_model_is_tuned),      TEST(times_move_and_are_forgotten),
        TEST(wrong_usage_is_told),   TEST(the_environment_asks_for_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
