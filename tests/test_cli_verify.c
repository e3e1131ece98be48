/* clgrad verify on stored cases: good, wrong, incomplete and malformed ones. */
#include <stdio.h>
#include <sys/stat.h>

#include "support/program.h"
#include "support/scratch.h"
#include "support/testing.h"

/* y = relu(x) on six elements, in a folder of the scratch folder. */
static const float x_data[6] = {-1, 2, -3, 4, -5, 6};
static const int64_t dims[2] = {2, 3};

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(scratch_path(name), 0777), 0);
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    scratch_write(path, text, strlen(text));
}

static void write_array(const char *folder, const char *name, clg_npy_type type, int ndim,
                        const int64_t *shape, const void *data)
{
    char path[128];
    clg_npy_array array = {.type = type, .ndim = ndim, .data = (void *)(uintptr_t)data};
    for (int i = 0; i < ndim; i++)
        array.dims[i] = shape[i];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    OK(clg_npy_write(scratch_path(path), &array));
}

/* A case that passes. */
static void write_case(const char *folder)
{
    const double y[6] = {0, 2, 0, 4, 0, 6};
    char path[128];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/expect", folder);
    make_folder(path);
    write_text(folder, "args", "activation kind=relu x=x.npy\n");
    write_array(folder, "x.npy", CLG_NPY_F32, 2, dims, x_data);
    write_array(folder, "expect/y.npy", CLG_NPY_F64, 2, dims, y);
}

static struct program_run verify(const char *folder)
{
    return PROGRAM("verify '%s'", scratch_path(folder));
}

static void a_good_case_passes(void **state)
{
    (void)state;
    write_case("good");
    struct program_run run = verify("good");
    program_expect_out(&run, 0, "1 of 1 cases passed");
    program_expect_out(&run, 0, "operation   algorithm   cases  passed  refused  worst relative");
    program_expect_out(&run, 0, "activation  -               1       1        0  0\n");
    assert_string_equal(run.err, "");
}

static void a_wrong_case_fails_with_index_and_both_values(void **state)
{
    (void)state;
    const double wrong[6] = {0, 2, 0, 4.5, 0, 7};
    write_case("wrong");
    write_array("wrong", "expect/y.npy", CLG_NPY_F64, 2, dims, wrong);
    struct program_run run = verify("wrong");
    program_expect_out(&run, 1, "/wrong: y: index 3 (1,0) is 4, expected 4.5 (relative L2 error ");
    program_expect_out(&run, 1, "0 of 1 cases passed");
    program_expect_err(&run, 1, "clgrad verify: 1 of 1 cases below ");
}

static void small_errors_pass_and_the_worst_is_shown(void **state)
{
    (void)state;
    const double near[6] = {0, 2, 0, 4, 0, 6.00003};
    const double spread[6] = {1e-5, 2, 1e-5, 4, 9e-5, 6};
    write_case("near");
    write_array("near", "expect/y.npy", CLG_NPY_F64, 2, dims, near);
    struct program_run run = verify("near");
    program_expect_out(&run, 0, "1       1        0  4e-06\n");
    write_array("near", "expect/y.npy", CLG_NPY_F64, 2, dims, spread);
    run = verify("near");
    program_expect_out(&run, 1, "y: index 4 (1,1) is 0, expected 9e-05 (relative L2 error 1.2e-05");
}

static void everything_below_a_folder_is_run_and_failures_do_not_stop_it(void **state)
{
    (void)state;
    make_folder("tree");
    make_folder("tree/b");
    write_case("tree/c");
    write_case("tree/b/inner");
    write_case("tree/a");
    write_text("tree/a", "args", "activation kind=relu x=nowhere.npy\n");
    struct program_run run = verify("tree");
    program_expect_out(&run, 1, "/tree/a: activation: cannot open");
    program_expect_out(&run, 1, "activation  -               3       2        0  0\n");
    program_expect_out(&run, 1, "2 of 3 cases passed");
}

/* Makes a case, spoils it and expects the message. */
static void expect_failure(const char *folder, const char *part)
{
    struct program_run run = verify(folder);
    program_expect_out(&run, 1, part);
    program_expect_out(&run, 1, "FAILED ");
    program_expect_err(&run, 1, "clgrad verify: 1 of 1 cases below ");
}

static void incomplete_cases_fail(void **state)
{
    (void)state;
    write_case("incomplete");
    remove(scratch_path("incomplete/x.npy"));
    expect_failure("incomplete", "cannot open");
    write_case("no_args");
    remove(scratch_path("no_args/args"));
    expect_failure("no_args", "args");
    write_case("no_result");
    remove(scratch_path("no_result/expect/y.npy"));
    expect_failure("no_result", "expect/ holds no .npy file");
    remove(scratch_path("no_result/expect"));
    expect_failure("no_result", "the folder expect/ is missing");
}

static void a_result_that_is_not_produced_fails(void **state)
{
    (void)state;
    write_case("more");
    write_array("more", "expect/dx.npy", CLG_NPY_F32, 2, dims, x_data);
    expect_failure("more", "dx: expected, but not a result of activation with these arguments");
}

static void shapes_must_be_equal(void **state)
{
    (void)state;
    const int64_t turned[2] = {3, 2}, flat[1] = {6};
    write_case("shape");
    write_array("shape", "expect/y.npy", CLG_NPY_F32, 2, turned, x_data);
    expect_failure("shape", "y: shape [2, 3], expected [3, 2]");
    write_array("shape", "expect/y.npy", CLG_NPY_F32, 1, flat, x_data);
    expect_failure("shape", "y: shape [2, 3], expected [6]");
}

static void malformed_cases_fail_with_a_clear_line(void **state)
{
    (void)state;
    static const struct {
        const char *args, *part;
    } cases[] = {
        {"", "no operation is named"},
        {"\n", "no operation is named"},
        {"actvation x=x.npy", "no operation \"actvation\"; did you mean activation?"},
        {"activation x=x.npy kind", "\"kind\" is not key=value"},
        {"activation x=x.npy knd=relu", "no key \"knd\""},
        {"activation x=x.npy kind=rel", "no activation \"rel\""},
        {"activation kind=relu", "activation needs x=FILE.npy"},
        {"activation x=args kind=relu", "is not an .npy file"},
        {"activation x=expect kind=relu", "expect"},
        {"activation x=x.npy kind=relu\nflip2d x=x.npy", "args has more than one line"},
        {"flip2d x=x.npy", "flip2d"},
    };
    write_case("malformed");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_text("malformed", "args", cases[i].args);
        expect_failure("malformed", cases[i].part);
    }
    scratch_write("malformed/args", "activation\0", 11);
    expect_failure("malformed", "zero byte");
    write_text("malformed", "args", "activation kind=relu x=x.npy");
    write_text("malformed", "expect/y.npy", "not an array");
    expect_failure("malformed", "is not an .npy file");
}

static void finding_no_case_is_a_failure(void **state)
{
    (void)state;
    make_folder("empty");
    struct program_run run = verify("empty");
    program_expect_err(&run, 1, "clgrad verify: no case found below ");
    run = verify("not-there");
    program_expect_err(&run, 1, "clgrad verify: the folder ");
}

static void usage_errors_say_what_to_type(void **state)
{
    (void)state;
    static const struct {
        const char *words, *part;
    } cases[] = {
        {"", "type clgrad verify DIR or clgrad verify --shapes FILE"},
        {"a b", "\"b\" is one word too many"},
        {"a --shapes b", "either DIR or --shapes FILE"},
        {"a --batch 2", "--batch goes with --shapes FILE"},
        {"a --dir fwd", "--dir goes with --shapes FILE"},
        {"a --layout nhwc", "--layout goes with --shapes FILE"},
        {"a --algo no-such", "no operation has an algorithm \"no-such\""},
        {"a --algo", "--algo needs a value: --algo NAME|all"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct program_run run = PROGRAM("verify %s", cases[i].words);
        program_expect_usage(&run, cases[i].part);
    }
    struct program_run run =
        PROGRAM("verify '%s/golden' --device nowhere", CLGRAD_SOURCE_DIR "/tests");
    program_expect_err(&run, 1, "clgrad verify: no device");
}

static const char *golden(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/%s", CLGRAD_SOURCE_DIR, name);
    return path;
}

static void the_library_chooses_unless_an_algorithm_is_asked_for(void **state)
{
    (void)state;
    const char *folder = golden("conv2d/lecture_4x4_by_2x2");
    struct program_run run = PROGRAM("verify '%s'", folder);
    program_expect_out(&run, 0, "conv2d     auto            1       1        0");
    assert_null(strstr(run.out, "direct"));
    run = PROGRAM("verify '%s' --algo direct", folder);
    program_expect_out(&run, 0, "conv2d     direct          1       1        0");
    assert_null(strstr(run.out, "auto"));
    run = PROGRAM("verify '%s' --algo=direct", golden("activation/relu"));
    program_expect_out(&run, 0, "activation  -               1       1        0");
}

static void all_algorithms_run_with_the_librarys_choice_last(void **state)
{
    (void)state;
    const char *names[64];
    size_t count = clg_conv2d_algorithms(CLG_CONV2D_FORWARD, names, 64);
    struct program_run run = PROGRAM("verify '%s' --algo all", golden("conv2d/lecture_4x4_by_2x2"));
    for (size_t i = 0; i < count; i++)
        program_expect_out(&run, 0, names[i]);
    program_expect_out(&run, 0, "auto");
}

static void a_refused_algorithm_is_counted_with_its_reason(void **state)
{
    (void)state;
    /* Only the reference takes everything, so some algorithm refuses a grouped convolution. */
    struct program_run run = PROGRAM("verify '%s' --algo all", golden("conv2d/grouped"));
    program_expect_out(&run, 0, "1 of 1 cases passed");
    program_expect_out(&run, 0, "refused directions:\n");
    program_expect_out(&run, 0, "no algorithm takes this problem");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_case_passes),
        cmocka_unit_test(a_wrong_case_fails_with_index_and_both_values),
        cmocka_unit_test(small_errors_pass_and_the_worst_is_shown),
        cmocka_unit_test(everything_below_a_folder_is_run_and_failures_do_not_stop_it),
        cmocka_unit_test(incomplete_cases_fail),
        cmocka_unit_test(a_result_that_is_not_produced_fails),
        cmocka_unit_test(shapes_must_be_equal),
        cmocka_unit_test(malformed_cases_fail_with_a_clear_line),
        cmocka_unit_test(finding_no_case_is_a_failure),
        cmocka_unit_test(usage_errors_say_what_to_type),
        cmocka_unit_test(the_library_chooses_unless_an_algorithm_is_asked_for),
        cmocka_unit_test(all_algorithms_run_with_the_librarys_choice_last),
        cmocka_unit_test(a_refused_algorithm_is_counted_with_its_reason),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
