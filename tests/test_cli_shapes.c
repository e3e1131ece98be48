/* clgrad verify --shapes: lists of convolutions against the naive reference. */
#include <stdio.h>

#include "support/program.h"
#include "support/scratch.h"
#include "support/testing.h"

static const char *write_list(const char *text)
{
    return scratch_write("list", text, strlen(text));
}

static const char small_list[] =
    "# two dimensions, one, padding that oh asks for, groups, dilation, unused rows\n"
    "mb3ic5ih9oc4oh9kh3ph1n\"square\"\n"
    "mb2_ic4oc6_iw11kw3_n\"line\"\n"
    "mb1ic3ih7oc2oh9kh3ph1n\"more at the end\"\n"
    "mb1ic3ih9oc2oh4kh3ph0n\"less at the end\"\n"
    "mb2g3ic6ih8iw7oc9oh4ow4kh3kw2sh2sw2ph1pw1n\"grouped\"\n"
    "mb1g4ic4ih6oc8kh3ph2dh1n\"depthwise\"\n";

static void every_direction_and_algorithm_of_every_problem_is_run(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("verify --shapes '%s' --algo all", write_list(small_list));
    program_expect_out(&run, 0, "6 problems: 6 run, 0 not done, 0 failed");
    static const char *const directions[] = {"fwd", "bwd_data", "bwd_filter"};
    for (int d = 0; d < 3; d++) {
        const char *names[64];
        char text[64];
        size_t count = clg_conv2d_algorithms((clg_conv2d_direction)d, names, 64);
        for (size_t i = 0; i < count; i++) {
            snprintf(text, sizeof text, "\n%-10s  %s ", directions[d], names[i]);
            program_expect_out(&run, 0, text);
        }
        snprintf(text, sizeof text, "\n%-10s  auto ", directions[d]);
        program_expect_out(&run, 0, text);
    }
    assert_string_equal(run.err, "");
}

static void tensors_may_be_nhwc(void **state)
{
    (void)state;
    struct program_run run =
        PROGRAM("verify --shapes '%s' --algo all --layout nhwc", write_list(small_list));
    program_expect_out(&run, 0, "6 problems: 6 run, 0 not done, 0 failed");
}

static void one_direction_and_one_algorithm_may_be_asked_for(void **state)
{
    (void)state;
    struct program_run run =
        PROGRAM("verify --shapes '%s' --dir bwd_data --algo direct", write_list(small_list));
    program_expect_out(&run, 0, "\nbwd_data   direct          6       6        0  0\n");
    assert_null(strstr(run.out, "fwd"));
    assert_null(strstr(run.out, "auto"));
}

static void the_batch_may_be_replaced(void **state)
{
    (void)state;
    /* With its own batch the first problem is too large for 32-bit indices. */
    const char *list = write_list("mb2000000000ic5ih9oc4oh9kh3ph1n\"many\"\n");
    struct program_run run = PROGRAM("verify --shapes '%s'", list);
    program_expect_out(&run, 0, "many  not done: ");
    program_expect_out(&run, 0, "1 problems: 0 run, 1 not done, 0 failed");
    run = PROGRAM("verify --shapes '%s' --batch 2", list);
    program_expect_out(&run, 0, "1 problems: 1 run, 0 not done, 0 failed");
}

static void what_clgrad_does_not_do_is_counted_with_the_reason(void **state)
{
    (void)state;
    struct program_run run =
        PROGRAM("verify --shapes '%s'", write_list("--dir=FWD_B --cfg=f32\n"
                                                   "ic2id4oc2kd3n\"cube\" ic2id6oc2kd3n\"cube2\"\n"
                                                   "ic1ih4oc1kh3n\"plain\"\n"));
    program_expect_out(&run, 0, "cube   not done: 3-D");
    program_expect_out(&run, 0, "\nnot done:\n      2  3-D");
    program_expect_out(&run, 0, "2 options in the list were ignored: --dir --cfg");
    program_expect_out(&run, 0, "3 problems: 1 run, 2 not done, 0 failed");
}

static void a_problem_that_cannot_be_read_fails_and_the_others_run(void **state)
{
    (void)state;
    struct program_run run =
        PROGRAM("verify --shapes '%s'", write_list("ic1ih4oc1kh3n\"good\"\n"
                                                   "ic1ih4oc1n\"bad\"\n"
                                                   "g3ic4ih4oc6kh3n\"indivisible\"\n"));
    program_expect_out(&run, 1, "FAILED ic1ih4oc1n\"bad\": kh is missing or 0 (list:2)");
    program_expect_out(&run, 1, "FAILED indivisible: ");
    program_expect_out(&run, 1, "3 problems: 1 run, 0 not done, 2 failed");
    program_expect_err(&run, 1, "clgrad verify: 2 of 3 problems of ");
}

static void lists_that_are_empty_or_missing_are_failures(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("verify --shapes '%s'", write_list("# nothing\n"));
    program_expect_err(&run, 1, "holds no problem");
    run = PROGRAM("verify --shapes /nowhere");
    program_expect_err(&run, 1, "/nowhere");
}

static void usage_errors_say_what_to_type(void **state)
{
    (void)state;
    static const struct {
        const char *words, *part;
    } cases[] = {
        {"--dir forward", "--dir is one of fwd|bwd_data|bwd_filter|all, not \"forward\""},
        {"--dir bwd-data", "did you mean bwd_data?"},
        {"--algo direkt", "no algorithm \"direkt\"; did you mean direct?"},
        {"--batch 0", "--batch 0 is outside"},
        {"--batch many", "--batch takes a whole number"},
        {"--layout nchwc", "--layout is one of nchw|nhwc"},
    };
    const char *list = write_list(small_list);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct program_run run = PROGRAM("verify --shapes '%s' %s", list, cases[i].words);
        program_expect_usage(&run, cases[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_direction_and_algorithm_of_every_problem_is_run),
        cmocka_unit_test(tensors_may_be_nhwc),
        cmocka_unit_test(one_direction_and_one_algorithm_may_be_asked_for),
        cmocka_unit_test(the_batch_may_be_replaced),
        cmocka_unit_test(what_clgrad_does_not_do_is_counted_with_the_reason),
        cmocka_unit_test(a_problem_that_cannot_be_read_fails_and_the_others_run),
        cmocka_unit_test(lists_that_are_empty_or_missing_are_failures),
        cmocka_unit_test(usage_errors_say_what_to_type),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
