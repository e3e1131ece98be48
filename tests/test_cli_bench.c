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

static const char *shapes(void)
{
    static const char list[] = "mb2ic3ih6oc4oh6kh3ph1n\"net:a\"\nmb1ic4ih5oc4kh1n\"net:b\" # two\n";
    return scratch_write("shapes.txt", list, strlen(list));
}

static const char *const conv2d_keys[] = {
    "problem",       "shape",           "dir",    "layout",      "algo",
    "median_ms",     "min_ms",          "max_ms", "estimate_ms", "gflops",
    "peak_fraction", "workspace_bytes", "cpus",   NULL};

static void conv2d_reports_every_problem_in_every_direction(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("bench conv2d --shapes '%s' --seconds 0 --json", shapes());
    assert_int_equal(run.code, 0);
    assert_string_equal(run.err, "");
    assert_int_equal(expect_lines(run.out, conv2d_keys), 6);
    run = PROGRAM("bench conv2d --shapes '%s' --seconds 0 --layout nchw --batch 3", shapes());
    program_expect_out(&run, 0, "GFLOP/s of multiply-adds at most");
    program_expect_out(&run, 0, "\nnet:b    bwd_data    nchw ");
}

static void conv2d_takes_a_part_of_the_list_and_one_algorithm_or_each(void **state)
{
    (void)state;
    struct program_run run = PROGRAM(
        "bench conv2d --shapes '%s' --seconds 0 --json --filter ic4 --dir fwd --algo direct",
        shapes());
    assert_int_equal(run.code, 0);
    assert_non_null(strstr(run.out, "\"problem\": \"net:b\""));
    assert_non_null(strstr(run.out, "\"algo\": \"direct\""));
    assert_int_equal(expect_lines(run.out, conv2d_keys), 1);
    run = PROGRAM("bench conv2d --shapes '%s' --seconds 0 --json --filter net:a --algo all",
                  shapes());
    assert_int_equal(run.code, 0);
    assert_non_null(strstr(run.out, "\"algo\": \"textbook\""));
    run = PROGRAM("bench conv2d --shapes '%s' --seconds 0 --filter net:c", shapes());
    program_expect_err(&run, 1, "holds no problem with net:c\n");
}

static void conv2d_says_what_it_could_not_measure(void **state)
{
    (void)state;
    static const char deep[] = "mb1ic1id3ih3iw3oc1kd2kh2kw2n\"deep\"";
    static const char bad[] = "mb1ic1ih3";
    struct program_run run = PROGRAM("bench conv2d --shapes '%s' --seconds 0 --json --dir fwd",
                                     scratch_write("deep.txt", deep, strlen(deep)));
    program_expect_err(&run, 0, "clgrad bench conv2d: deep, fwd: not measured: 3-D");
    assert_string_equal(run.out, "");
    run = PROGRAM("bench conv2d --shapes '%s' --seconds 0",
                  scratch_write("bad.txt", bad, strlen(bad)));
    program_expect_err(&run, 1, "clgrad bench conv2d: mb1ic1ih3: ");
    run = PROGRAM("bench conv2d --seconds 0");
    program_expect_usage(&run, "one of --shapes FILE and --problem TEXT is needed");
    run = PROGRAM("bench conv2d --shapes '%s' --algo textbok", shapes());
    program_expect_usage(&run, "has no algorithm \"textbok\"; did you mean textbook?");
}

static void step_reports_time_and_memory(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "net",      "batch",    "median_ms",   "min_ms",           "images_per_s",    "cpus",
        "first_ms", "start_ms", "peak_rss_mb", "activation_bytes", "workspace_bytes", NULL};
    struct program_run run = PROGRAM("bench step --model lenet5 --batch 2 --seconds 0 --json");
    assert_int_equal(run.code, 0);
    assert_int_equal(expect_lines(run.out, keys), 1);
    run = PROGRAM("bench step --model digits --batch 1 --seconds 0 --kernels");
    program_expect_out(&run, 0, " ms the first step, ");
    program_expect_out(&run, 0, "\nsgd_momentum ");
    run = PROGRAM("bench step --model vgg");
    program_expect_usage(&run, "no network \"vgg\"; there are: digits, lenet5");
}

static void ops_reports_every_operation(void **state)
{
    (void)state;
    static const char *const keys[] = {"op",       "shape",         "layout", "median_ms",
                                       "min_ms",   "max_ms",        "bytes",  "gbs",
                                       "copy_gbs", "copy_fraction", "cpus",   NULL};
    struct program_run run = PROGRAM("bench ops --seconds 0 --batch 1 --json --filter lenet");
    assert_int_equal(run.code, 0);
    assert_string_equal(run.err, "");
    /* relu, relu, add; two batch_norms, two max_pools and reorder in two layouts; sgd, adam */
    assert_int_equal(expect_lines(run.out, keys), 3 + 2 * 5 + 2);
    run = PROGRAM("bench ops --seconds 0 --batch 1 --layout nhwc --filter global");
    program_expect_out(&run, 0, "\navg_pool forward     resnet50:global   nhwc ");
    assert_null(strstr(run.out, "nchw"));
    run = PROGRAM("bench ops --seconds 0 --filter nothing");
    program_expect_err(&run, 1, "no operation or shape has nothing in its name");
}

static void gemm_reports_every_algorithm(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("bench gemm --m 7 --n 300 --k 20 --batch 3 --ta --tb --bias "
                                     "--shared-a --algo all --seconds 0 --json");
    program_expect_out(&run, 0, "\"algo\": \"tiled\"");
    program_expect_out(&run, 0, "\"estimate_ms\": ");
    run = PROGRAM_WITH("CLGRAD_LOG=plan", "bench gemm --m 9 --tb --bias --algo tiled --seconds 0");
    program_expect_out(&run, 0, "GFLOP/s");
    program_expect_err(&run, 0,
                       "to repeat: clgrad bench gemm --m 9 --n 256 --k 256 --batch 1 "
                       "--tb --bias --algo tiled\n");
    run = PROGRAM("bench gemm --algo quick");
    program_expect_err(&run, 2, "no algorithm \"quick\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_lists_the_measurements),
        cmocka_unit_test(what_to_type_is_said),
        cmocka_unit_test(peak_reports_three_ceilings),
        cmocka_unit_test(conv2d_reports_every_problem_in_every_direction),
        cmocka_unit_test(conv2d_takes_a_part_of_the_list_and_one_algorithm_or_each),
        cmocka_unit_test(conv2d_says_what_it_could_not_measure),
        cmocka_unit_test(step_reports_time_and_memory),
        cmocka_unit_test(ops_reports_every_operation),
        cmocka_unit_test(gemm_reports_every_algorithm),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
