#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "base/philox.h"

static const struct problem {
    clg_tensor_desc x;
    float p;
    uint32_t number;
    uint64_t seed, step;
} problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 1, {1}}, 0.5f, 0, 0, 0},
    {{CLG_FLOAT32, CLG_NCHW, 1, {67}}, 0.9f, 0, 1, 2},
    {{CLG_FLOAT32, CLG_NCHW, 2, {17, 64}}, 0.1f, 3, 0xfedcba9876543210ULL, 0},
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 5, 7, 9}}, 0.25f, 0xffffffffu, 5, 0x123456789abcULL},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 5, 7, 9}}, 0.25f, 0xffffffffu, 5, 0x123456789abcULL},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 6, 1, 1}}, 0.5f, 1, 9, 9},
    {{CLG_FLOAT32, CLG_NHWC, 4, {1, 1, 13, 5}}, 0.5f, 1, 9, 9},
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* The mask as the public header defines it, from the generator that test_philox.c checks. */
static double *mask_of(const struct problem *problem, int64_t count)
{
    double p = (double)problem->p, *mask = ref_array_zeros(count);
    for (int64_t i = 0; i < count; i++) {
        struct clg__philox_block counter = {{(uint32_t)(i / 4), problem->number,
                                             (uint32_t)problem->step,
                                             (uint32_t)(problem->step >> 32)}};
        struct clg__philox_block block = clg__philox(problem->seed, counter);
        if ((double)block.word[i % 4] >= p * 4294967296.0)
            mask[i] = 1 / (1 - p);
    }
    return mask;
}

static clg_dropout *plan_of(const struct problem *problem)
{
    clg_dropout_desc desc = {problem->p, problem->number, problem->x};
    clg_dropout *plan;
    OK(clg_dropout_create(testing_context(), &desc, &plan));
    return plan;
}

static void both_directions_apply_the_documented_mask(void **state)
{
    (void)state;
    clg_run accumulate = {.accumulate = true};
    for (int i = 0; i < PROBLEMS; i++) {
        const struct problem *p = &problems[i];
        clg_dropout *plan = plan_of(p);
        char label[32];
        snprintf(label, sizeof label, "problem %d", i);
        int64_t count;
        OK(clg_tensor_desc_count(&p->x, &count));
        double *x = testing_uniform(count, 1), *want = mask_of(p, count);
        for (int64_t j = 0; j < count; j++)
            want[j] *= x[j];
        clg_tensor *tx = testing_tensor_from(&p->x, x), *y = testing_tensor(&p->x, NULL);
        OK(clg_dropout_forward(plan, y, tx, p->seed, p->step, NULL));
        testing_expect_close(label, y, want);
        OK(clg_dropout_backward(plan, y, tx, p->seed, p->step, &accumulate));
        for (int64_t j = 0; j < count; j++)
            want[j] *= 2;
        testing_expect_close(label, y, want);
        OK(clg_dropout_backward(plan, tx, tx, p->seed, p->step, NULL));
        for (int64_t j = 0; j < count; j++)
            want[j] /= 2;
        testing_expect_close(label, tx, want);
        free(x);
        free(want);
        clg_tensor_destroy(tx);
        clg_tensor_destroy(y);
        clg_dropout_destroy(plan);
    }
}

/* How many of the elements of `values` are kept, for x = 1. */
static int kept(const float *values, int64_t count, double p)
{
    int kept = 0;
    for (int64_t i = 0; i < count; i++) {
        assert_true(values[i] == 0 || fabs((double)values[i] * (1 - p) - 1) < 1e-6);
        kept += values[i] != 0;
    }
    return kept;
}

static float *mask_by_device(clg_dropout *plan, const clg_tensor *ones, uint64_t seed,
                             uint64_t step)
{
    clg_tensor *y = testing_tensor(clg_tensor_get_desc(ones), NULL);
    OK(clg_dropout_forward(plan, y, ones, seed, step, NULL));
    float *mask = testing_download(y);
    clg_tensor_destroy(y);
    return mask;
}

static void the_share_of_dropped_elements_is_p_and_masks_are_independent(void **state)
{
    (void)state;
    int64_t n = testing_small() ? 2000 : 20000;
    struct problem problem = {clg_desc_1d(n), 0.3f, 0, 0, 0}, other = problem;
    other.number = 1;
    clg_dropout *plan = plan_of(&problem), *other_plan = plan_of(&other);
    clg_tensor *ones = testing_tensor(&problem.x, NULL);
    OK(clg_tensor_fill(ones, 1, NULL));
    float *masks[] = {mask_by_device(plan, ones, 1, 1), mask_by_device(plan, ones, 2, 1),
                      mask_by_device(plan, ones, 1, 2), mask_by_device(other_plan, ones, 1, 1)};
    double sigma = sqrt(0.3 * 0.7 * (double)n);
    for (int i = 0; i < 4; i++) {
        assert_true(fabs(kept(masks[i], n, (double)0.3f) - 0.7 * (double)n) < 5 * sigma);
        for (int j = 0; j < i; j++) {
            int both = 0;
            for (int64_t k = 0; k < n; k++)
                both += masks[i][k] != 0 && masks[j][k] != 0;
            double expected = 0.49 * (double)n;
            assert_true(fabs(both - expected) < 5 * sqrt(expected * 0.51));
        }
    }
    for (int i = 0; i < 4; i++)
        free(masks[i]);
    clg_tensor_destroy(ones);
    clg_dropout_destroy(plan);
    clg_dropout_destroy(other_plan);
}

static void p_0_copies_and_p_1_gives_zeros(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++) {
        struct problem problem = {clg_desc_1d(501), (float)p, 0, 1, 1};
        clg_dropout *plan = plan_of(&problem);
        double *x = testing_uniform(501, 1), *zeros = ref_array_zeros(501);
        clg_tensor *tx = testing_tensor_from(&problem.x, x), *y = testing_tensor(&problem.x, NULL);
        OK(clg_dropout_forward(plan, y, tx, 1, 1, NULL));
        testing_expect_exact(p ? "p = 1" : "p = 0", y, p ? zeros : x);
        free(x);
        free(zeros);
        clg_tensor_destroy(tx);
        clg_tensor_destroy(y);
        clg_dropout_destroy(plan);
    }
}

static void a_nan_stays_a_nan_kept_or_dropped(void **state)
{
    (void)state;
    struct problem problem = {clg_desc_1d(64), 0.5f, 0, 1, 1};
    clg_dropout *plan = plan_of(&problem);
    clg_tensor *x = testing_tensor(&problem.x, NULL); /* poisoned with NaN */
    OK(clg_dropout_forward(plan, x, x, 1, 1, NULL));
    float *got = testing_download(x);
    for (int i = 0; i < 64; i++)
        assert_true(isnan(got[i]));
    free(got);
    clg_tensor_destroy(x);
    clg_dropout_destroy(plan);
}

static void bad_descriptions_and_tensors_are_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_dropout *plan = (clg_dropout *)&plan;
    clg_dropout_desc good = {0.5f, 0, clg_desc_2d(2, 3)}, desc = good;
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_dropout_create(ctx, &desc, NULL));
    desc.p = 1.5f;
    FAILS(CLG_INVALID_ARGUMENT, "p is 1.5", clg_dropout_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.p = -0.25f;
    FAILS(CLG_INVALID_ARGUMENT, "p is -0.25", clg_dropout_create(ctx, &desc, &plan));
    desc.p = NAN;
    FAILS(CLG_INVALID_ARGUMENT, "p is nan", clg_dropout_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_dropout_create(ctx, &desc, &plan));
    desc = good;
    desc.x.ndim = 7;
    FAILS(CLG_INVALID_SHAPE, "7 dimensions", clg_dropout_create(ctx, &desc, &plan));
    clg_dropout_destroy(NULL);
    OK(clg_dropout_create(ctx, &good, &plan));
    clg_tensor_desc other = clg_desc_2d(3, 2);
    clg_tensor *x = testing_tensor(&good.x, NULL), *wrong = testing_tensor(&other, NULL);
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_dropout_forward(NULL, x, x, 0, 0, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL", clg_dropout_forward(plan, x, NULL, 0, 0, NULL));
    FAILS(CLG_INVALID_SHAPE, "y is 3x2", clg_dropout_forward(plan, wrong, x, 0, 0, NULL));
    FAILS(CLG_INVALID_SHAPE, "dy is 3x2", clg_dropout_backward(plan, x, wrong, 0, 0, NULL));
    clg_tensor_destroy(x);
    clg_tensor_destroy(wrong);
    clg_dropout_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_directions_apply_the_documented_mask),
        cmocka_unit_test(the_share_of_dropped_elements_is_p_and_masks_are_independent),
        cmocka_unit_test(p_0_copies_and_p_1_gives_zeros),
        cmocka_unit_test(a_nan_stays_a_nan_kept_or_dropped),
        cmocka_unit_test(bad_descriptions_and_tensors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
