#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/activation.h"

static const struct problem {
    clg_tensor_desc x;
} problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 1, {1}}},           {{CLG_FLOAT32, CLG_NCHW, 4, {3, 5, 7, 9}}},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 3, 11, 1}}}, {{CLG_FLOAT32, CLG_NCHW, 2, {17, 64}}},
    {{CLG_FLOAT32, CLG_NCHW, 1, {9001}}},
};

static const float alphas[] = {0.1f, 1.0f};

static void run_both_ways(const clg_activation_desc *desc, const double *x, const double *dy,
                          const char *label)
{
    int64_t count;
    OK(clg_tensor_desc_count(&desc->x, &count));
    clg_activation *plan;
    OK(clg_activation_create(testing_context(), desc, &plan));
    clg_tensor *tx = testing_tensor_from(&desc->x, x), *tdy = testing_tensor_from(&desc->x, dy);
    clg_tensor *y = testing_tensor(&desc->x, NULL), *dx = testing_tensor(&desc->x, NULL);
    OK(clg_activation_forward(plan, y, tx, NULL));
    OK(clg_activation_backward(plan, dx, tdy, tx, NULL));
    double *want = ref_array_zeros(count);
    ref_activation_forward((enum ref_activation)desc->kind, (double)desc->alpha, count, x, want);
    testing_expect_close(label, y, want);
    ref_activation_backward((enum ref_activation)desc->kind, (double)desc->alpha, count, x, dy,
                            want);
    testing_expect_close(label, dx, want);
    free(want);
    clg_tensor_destroy(tx);
    clg_tensor_destroy(tdy);
    clg_tensor_destroy(y);
    clg_tensor_destroy(dx);
    clg_activation_destroy(plan);
}

static void every_kind_equals_the_reference_forward_and_backward(void **state)
{
    (void)state;
    for (int kind = 0; kind < CLG_ACTIVATION_COUNT; kind++)
        for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
            clg_activation_desc desc = {(clg_activation_kind)kind, alphas[i % 2], problems[i].x};
            int64_t count;
            OK(clg_tensor_desc_count(&desc.x, &count));
            double *x = testing_uniform(count, 1 + i), *dy = testing_uniform(count, 100 + i);
            for (int64_t j = 0; j < count; j++)
                x[j] *= 8;
            char label[64];
            snprintf(label, sizeof label, "%s, problem %zu", clg_activation_name(desc.kind), i);
            run_both_ways(&desc, x, dy, label);
            free(x);
            free(dy);
        }
}

static void extreme_arguments_and_kinks_give_the_limits(void **state)
{
    (void)state;
    double x[] = {-100, -30, -6, -3, 0, 3, 6, 30, 100};
    double dy[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int kind = 0; kind < CLG_ACTIVATION_COUNT; kind++) {
        clg_activation_desc desc = {(clg_activation_kind)kind, 1.0f, clg_desc_1d(9)};
        run_both_ways(&desc, x, dy, clg_activation_name(desc.kind));
    }
}

static void a_nan_stays_a_nan(void **state)
{
    (void)state;
    clg_tensor_desc one = clg_desc_1d(1);
    float nan = NAN;
    for (int kind = 0; kind < CLG_ACTIVATION_COUNT; kind++) {
        clg_activation_desc desc = {(clg_activation_kind)kind, 1.0f, one};
        clg_activation *plan;
        OK(clg_activation_create(testing_context(), &desc, &plan));
        clg_tensor *x = testing_tensor(&one, &nan);
        float zero = 0;
        clg_tensor *y = testing_tensor(&one, &zero);
        OK(clg_activation_forward(plan, y, x, NULL));
        float *got = testing_download(y);
        assert_true(isnan(got[0]));
        free(got);
        clg_tensor_destroy(x);
        clg_tensor_destroy(y);
        clg_activation_destroy(plan);
    }
}

static void it_works_in_place(void **state)
{
    (void)state;
    clg_activation_desc desc = {CLG_ACTIVATION_TANH, 0, clg_desc_1d(1000)};
    double *x = testing_uniform(1000, 3), *want = ref_array_zeros(1000);
    clg_activation *plan;
    OK(clg_activation_create(testing_context(), &desc, &plan));
    clg_tensor *t = testing_tensor_from(&desc.x, x);
    OK(clg_activation_forward(plan, t, t, NULL));
    ref_activation_forward(REF_TANH, 0, 1000, x, want);
    testing_expect_close("tanh in place", t, want);
    clg_tensor_destroy(t);
    clg_activation_destroy(plan);
    free(x);
    free(want);
}

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < CLG_ACTIVATION_COUNT; i++) {
        clg_activation_kind kind;
        OK(clg_activation_from_name(clg_activation_name((clg_activation_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    clg_activation_kind kind;
    FAILS(CLG_INVALID_ARGUMENT, "\"swoosh\"", clg_activation_from_name("swoosh", &kind));
    assert_string_equal(clg_activation_name((clg_activation_kind)99), "unknown");
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_activation *plan = (clg_activation *)&plan;
    clg_activation_desc good = {CLG_ACTIVATION_RELU, 0, clg_desc_2d(2, 3)};
    clg_activation_desc desc = good;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_activation_create(ctx, NULL, &plan));
    desc.kind = (clg_activation_kind)77;
    FAILS(CLG_INVALID_ARGUMENT, "kind 77", clg_activation_create(ctx, &desc, &plan));
    assert_null(plan);
    desc = good;
    desc.alpha = INFINITY;
    FAILS(CLG_INVALID_ARGUMENT, "alpha is inf", clg_activation_create(ctx, &desc, &plan));
    desc = good;
    desc.x.dims[0] = 0;
    FAILS(CLG_INVALID_SHAPE, "dimension 0 of 0x3", clg_activation_create(ctx, &desc, &plan));
    desc.x.dims[0] = INT64_MAX / 2;
    FAILS(CLG_TOO_LARGE, "2147483647", clg_activation_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_activation_create(ctx, &desc, &plan));
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    clg_activation_desc desc = {CLG_ACTIVATION_RELU, 0, clg_desc_2d(2, 3)};
    clg_tensor_desc other = clg_desc_2d(3, 2);
    clg_activation *plan;
    OK(clg_activation_create(testing_context(), &desc, &plan));
    clg_tensor *x = testing_tensor(&desc.x, NULL), *wrong = testing_tensor(&other, NULL);
    clg_run accumulate = {.accumulate = true};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_activation_forward(NULL, x, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "y is NULL", clg_activation_forward(plan, NULL, x, NULL));
    FAILS(CLG_INVALID_SHAPE, "x is 3x2 float32, expected 2x3",
          clg_activation_forward(plan, x, wrong, NULL));
    FAILS(CLG_UNSUPPORTED, "accumulate", clg_activation_backward(plan, x, x, x, &accumulate));
    clg_tensor_destroy(x);
    clg_tensor_destroy(wrong);
    clg_activation_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_equals_the_reference_forward_and_backward),
        cmocka_unit_test(extreme_arguments_and_kinks_give_the_limits),
        cmocka_unit_test(a_nan_stays_a_nan),
        cmocka_unit_test(it_works_in_place),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
