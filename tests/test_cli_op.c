/* clgrad op, and what stands behind it: arguments, inputs, poisoned results, refusals. */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/op_call.h"
#include "cli/result.h"
#include "ref/activation.h"
#include "support/program.h"
#include "support/scratch.h"
#include "support/testing.h"

/* An .npy file of the scratch folder; returns its path. */
static const char *write_npy(const char *name, clg_npy_type type, int ndim, const int64_t *dims,
                             const void *data)
{
    clg_npy_array array = {.type = type, .ndim = ndim};
    for (int i = 0; i < ndim; i++)
        array.dims[i] = dims[i];
    array.data = (void *)(uintptr_t)data;
    const char *path = scratch_path(name);
    OK(clg_npy_write(path, &array));
    return path;
}

static const float x_data[6] = {-1.5f, 0, 2, 0.5f, -0.25f, 8};
static const int64_t x_dims[2] = {2, 3};

static const char *write_x(void)
{
    return write_npy("x.npy", CLG_NPY_F32, 2, x_dims, x_data);
}

static void expect_file(const char *name, int ndim, const int64_t *dims, const double *reference)
{
    clg_npy_array array;
    OK(clg_npy_read(scratch_path(name), &array));
    assert_int_equal(array.type, CLG_NPY_F32);
    assert_int_equal(array.ndim, ndim);
    for (int i = 0; i < ndim; i++)
        assert_int_equal(array.dims[i], dims[i]);
    struct ref_error error =
        ref_compare(array.data, reference, clg_npy_count(&array), REF_REL_L2_TOL, REF_ABS_TOL);
    assert_true(error.passed);
    clg_npy_free(&array);
}

static void results_are_written_as_float_npy_files(void **state)
{
    (void)state;
    double x[6], dy[6] = {1, 2, 3, 4, 5, 6}, y[6], dx[6];
    for (int i = 0; i < 6; i++)
        x[i] = (double)x_data[i];
    ref_activation_forward(REF_LEAKY_RELU, 0.1, 6, x, y);
    ref_activation_backward(REF_LEAKY_RELU, 0.1, 6, x, dy, dx);
    write_npy("dy.npy", CLG_NPY_F64, 2, x_dims, dy);
    struct program_run run =
        PROGRAM("op activation kind=leaky_relu alpha=0.1 x='%s' dy='%s' out='%s'", write_x(),
                scratch_path("dy.npy"), scratch_path("made/below"));
    program_expect_out(&run, 0, "y.npy  2x3\n");
    program_expect_out(&run, 0, "dx.npy  2x3\n");
    assert_string_equal(run.err, "");
    expect_file("made/below/y.npy", 2, x_dims, y);
    expect_file("made/below/dx.npy", 2, x_dims, dx);
}

static void integer_inputs_are_converted(void **state)
{
    (void)state;
    const uint8_t bytes[6] = {0, 1, 2, 3, 4, 255};
    const double reference[6] = {0, 1, 2, 3, 4, 255};
    const char *path = write_npy("bytes.npy", CLG_NPY_U8, 2, x_dims, bytes);
    struct program_run run =
        PROGRAM("op activation kind=relu x='%s' out='%s'", path, scratch_path("out"));
    assert_int_equal(run.code, 0);
    expect_file("out/y.npy", 2, x_dims, reference);
}

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("op --device 0:0 activation out='%s' kind=relu x='%s'",
                                     scratch_path("out"), write_x());
    assert_int_equal(run.code, 0);
    run = PROGRAM("op activation kind=relu x='%s' out='%s' --device=nowhere", write_x(),
                  scratch_path("out"));
    program_expect_err(&run, 1, "clgrad op: no device");
}

static void usage_errors_say_what_to_type(void **state)
{
    (void)state;
    static const struct {
        const char *words, *part;
    } cases[] = {
        {"", "no operation; type clgrad op NAME"},
        {"actvation x=x out=out", "no operation \"actvation\"; did you mean activation?"},
        {"activation kind=relu x=x.npy", "out=DIR is missing: type clgrad op activation"},
        {"activation kind=relu x=x.npy out=", "out=DIR is missing"},
        {"activation knd=relu x=x.npy out=out", "no key \"knd\"; did you mean kind?"},
        {"activation kind=relu x out=out", "\"x\" is not key=value"},
        {"activation kind=relu =x out=out", "\"=x\" is not key=value"},
        {"activation kind=relu x= out=out", "x= has no value"},
        {"activation kind=relu kind=relu out=out", "kind is given twice"},
        {"activation kind=relu out=out", "activation needs x=FILE.npy"},
        {"activation kind=rel x=X out=out", "no activation \"rel\""},
        {"activation kind=elu alpha=1,5 x=X out=out", "alpha=1,5: a number is expected"},
        {"activation algo=direct x=X out=out", "no key \"algo\""},
        {"conv2d algo=direkt x=X w=X out=out", "no algorithm \"direkt\"; did you mean direct?"},
        {"flip2d x=X extra=1 out=out", "no key \"extra\""},
        {"dilate2d x=X stride=2,2,2 out=out", "stride=2,2,2: 2 whole numbers"},
        {"dilate2d x=X stride=2,x out=out", "stride=2,x: 2 whole numbers"},
        {"dilate2d x=X stride=, out=out", "stride=,: 2 whole numbers"},
    };
    const int64_t dims[4] = {1, 1, 2, 3};
    const char *x = write_npy("X", CLG_NPY_F32, 4, dims, x_data);
    char folder[512];
    snprintf(folder, sizeof folder, "cd '%.*s' &&", (int)strlen(x) - 2, x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct program_run run = PROGRAM_WITH(folder, "op %s", cases[i].words);
        program_expect_usage(&run, cases[i].part);
    }
}

static void failures_say_what_failed(void **state)
{
    (void)state;
    const char *x = write_x(), *out = scratch_path("out");
    const char *broken = scratch_write("broken.npy", "not an array", 12);
    struct program_run run = PROGRAM("op activation kind=relu x=/nowhere.npy out='%s'", out);
    program_expect_err(&run, 1, "clgrad op: activation: cannot open '/nowhere.npy'");
    run = PROGRAM("op activation kind=relu x='%s' out='%s'", broken, out);
    program_expect_err(&run, 1, "is not an .npy file");
    run = PROGRAM("op flip2d x='%s' out='%s'", x, out);
    program_expect_err(&run, 1, "clgrad op: ");
    run = PROGRAM("op activation kind=relu x='%s' out='%s'", x, broken);
    program_expect_err(&run, 1, "is no folder");
    run = PROGRAM("op activation kind=relu x='%s' out='%s/below'", x, broken);
    program_expect_err(&run, 1, "clgrad op: the folder ");
    const int64_t none[2] = {2, 0};
    run = PROGRAM("op activation kind=relu x='%s' out='%s'",
                  write_npy("none.npy", CLG_NPY_F32, 2, none, x_data), out);
    program_expect_err(&run, 1, "clgrad op: activation: x");
}

static void help_lists_the_operations_with_their_keys(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("op --help");
#define CLG_OP(name)                                                                               \
    program_expect_out(&run, 0, "\n  " #name "\n");                                                \
    program_expect_out(&run, 0, cli_op_##name.keys);
#include "cli/ops.def"
#undef CLG_OP
}

/* An operation of the test's own: writes part of its result, refuses or makes it twice. */
static enum { WRITES_NAN, LEAVES_OUT, REFUSES, MAKES_TWICE } behaviour;

static clg_status run_fake(struct op_call *call)
{
    const float values[6] = {1, NAN, 3, 4, 5, NAN};
    clg_tensor_desc desc = clg_desc_2d(2, 3);
    clg_tensor *y, *x;
    bool skip;
    size_t offset;
    int64_t pair[2] = {-1, -1};
    const char *text;
    OK(op_ints(call, "pair", 2, pair));
    assert_true(pair[0] == pair[1]);
    OK(op_text(call, "absent", "fallback", &text));
    assert_string_equal(text, "fallback");
    OK(op_input(call, "absent", &x));
    assert_null(x);
    if (behaviour == REFUSES) {
        clg_status status = clg__fail(CLG_UNSUPPORTED, "not on Sundays");
        CLG__TRY(op_maybe_refused(call, "forward", status, &skip));
        assert_true(skip);
        return CLG_OK;
    }
    CLG__TRY(op_output(call, "y", &desc, &y));
    if (behaviour == MAKES_TWICE)
        return op_output(call, "y", &desc, &y);
    clg_buffer *buffer = clg_tensor_buffer(y, &offset);
    size_t bytes = behaviour == LEAVES_OUT ? 3 * sizeof(float) : sizeof values;
    return clg_buffer_upload(buffer, offset, bytes, values, NULL);
}

static const struct cli_op fake = {"fake", "pair absent", run_fake, NULL};

static struct op_call *call_fake(clg_status expected, const char *algorithm)
{
    static struct op_args args;
    struct op_call *call;
    args = (struct op_args){.op = &fake, .count = 1, .keys = {"pair"}, .values = {"7"}};
    OK(op_call_create(testing_context(), &args, NULL, algorithm, &call));
    clg_status status = op_call_run(call);
    assert_int_equal(status, expected);
    return call;
}

static void a_result_that_is_rightly_nan_counts_as_written(void **state)
{
    (void)state;
    float *data;
    behaviour = WRITES_NAN;
    struct op_call *call = call_fake(CLG_OK, NULL);
    OK(op_call_read(call, 0, &data));
    assert_true(isnan(data[1]) && isnan(data[5]) && data[4] == 5);
    free(data);
    op_call_destroy(call);
}

static void an_element_that_was_not_written_is_found(void **state)
{
    (void)state;
    float *data;
    behaviour = LEAVES_OUT;
    struct op_call *call = call_fake(CLG_OK, NULL);
    FAILS(CLG_INTERNAL_ERROR, "y: 3 of 6 elements were not written, the first one at index 3",
          op_call_read(call, 0, &data));
    assert_null(data);
    FAILS(CLG_INTERNAL_ERROR, "were not written", op_call_write(call, scratch_path("fake")));
    op_call_destroy(call);
}

static void a_refusal_is_noted_for_a_named_algorithm_only(void **state)
{
    (void)state;
    behaviour = REFUSES;
    struct op_call *call = call_fake(CLG_OK, "fast");
    assert_int_equal(op_call_refusals(call), 1);
    assert_string_equal(op_call_refusal_direction(call, 0), "forward");
    assert_string_equal(op_call_refusal_reason(call, 0), "not on Sundays");
    assert_int_equal(op_call_results(call), 0);
    op_call_destroy(call);
    op_call_destroy(call_fake(CLG_UNSUPPORTED, "auto"));
    op_call_destroy(call_fake(CLG_UNSUPPORTED, NULL));
    assert_true(last_error_says("fake: not on Sundays"));
}

static void a_result_of_the_same_name_twice_is_a_defect(void **state)
{
    (void)state;
    behaviour = MAKES_TWICE;
    op_call_destroy(call_fake(CLG_INTERNAL_ERROR, NULL));
    assert_true(last_error_says("the result y is made twice"));
}

static void results_in_nhwc_are_read_in_logical_order(void **state)
{
    (void)state;
    clg_tensor_desc desc = clg_desc_4d(2, 3, 2, 2);
    desc.layout = CLG_NHWC;
    float values[24], *back;
    char text[64];
    clg_tensor *tensor;
    for (int i = 0; i < 24; i++)
        values[i] = (float)i;
    OK(clg_tensor_create(testing_context(), &desc, &tensor));
    OK(result_upload(tensor, values));
    OK(result_read(tensor, "t", &back));
    assert_memory_equal(back, values, sizeof values);
    free(back);
    back = testing_download(tensor);
    assert_memory_equal(back, values, sizeof values);
    free(back);
    assert_string_equal(result_place(&desc, 23, text, sizeof text), "index 23 (1,2,1,1)");
    clg_tensor_destroy(tensor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_written_as_float_npy_files),
        cmocka_unit_test(integer_inputs_are_converted),
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(usage_errors_say_what_to_type),
        cmocka_unit_test(failures_say_what_failed),
        cmocka_unit_test(help_lists_the_operations_with_their_keys),
        cmocka_unit_test(a_result_that_is_rightly_nan_counts_as_written),
        cmocka_unit_test(an_element_that_was_not_written_is_found),
        cmocka_unit_test(a_refusal_is_noted_for_a_named_algorithm_only),
        cmocka_unit_test(a_result_of_the_same_name_twice_is_a_defect),
        cmocka_unit_test(results_in_nhwc_are_read_in_logical_order),
    };
    int failed = cmocka_run_group_tests(tests, scratch_make, scratch_remove);
    return testing_teardown(NULL) || failed;
}
