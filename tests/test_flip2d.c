#include "support/testing.h"

#include <stdio.h>

#include "ref/reshape2d.h"

static const struct problem {
    int64_t n, c, h, w;
} problems[] = {
    {1, 1, 1, 1}, {2, 3, 1, 5}, {3, 1, 4, 1}, {8, 5, 3, 3}, {2, 17, 6, 7}, {1, 3, 33, 31},
};

static void run_both_ways(const struct problem *p, clg_layout layout)
{
    clg_flip2d_desc desc = {clg_desc_4d(p->n, p->c, p->h, p->w)};
    desc.x.layout = layout;
    int64_t planes = p->n * p->c, count = planes * p->h * p->w;
    double *x = testing_uniform(count, 1), *want = ref_array_zeros(count);
    ref_flip2d(planes, p->h, p->w, x, want);
    char label[96];
    snprintf(label, sizeof label, "flip2d %lldx%lldx%lldx%lld layout %d", (long long)p->n,
             (long long)p->c, (long long)p->h, (long long)p->w, (int)layout);
    clg_tensor *tx = testing_tensor_from(&desc.x, x);
    clg_tensor *y = testing_tensor(&desc.x, NULL), *dx = testing_tensor(&desc.x, NULL);
    clg_flip2d *plan;
    OK(clg_flip2d_create(testing_context(), &desc, &plan));
    OK(clg_flip2d_forward(plan, y, tx, NULL));
    testing_expect_exact(label, y, want);
    OK(clg_flip2d_backward(plan, dx, y, NULL));
    testing_expect_exact(label, dx, x); /* turned twice */
    clg_flip2d_destroy(plan);
    clg_tensor_destroy(tx);
    clg_tensor_destroy(y);
    clg_tensor_destroy(dx);
    free(x);
    free(want);
}

static void planes_turn_by_180_degrees_and_back_in_both_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        run_both_ways(&problems[i], CLG_NCHW);
        run_both_ways(&problems[i], CLG_NHWC);
    }
}

static void nothing_is_written_beside_a_view(void **state)
{
    (void)state;
    clg_tensor_desc whole = clg_desc_1d(100);
    clg_flip2d_desc desc = {clg_desc_4d(1, 2, 4, 4)};
    double *data = testing_uniform(100, 9);
    clg_tensor *around = testing_tensor_from(&whole, data), *x, *y;
    OK(clg_tensor_view(clg_tensor_buffer(around, NULL), 12, &desc.x, &x));
    OK(clg_tensor_view(clg_tensor_buffer(around, NULL), 160, &desc.x, &y));
    clg_flip2d *plan;
    OK(clg_flip2d_create(testing_context(), &desc, &plan));
    OK(clg_flip2d_forward(plan, y, x, NULL));
    ref_flip2d(2, 4, 4, data + 3, data + 40);
    testing_expect_exact("views", around, data);
    clg_flip2d_destroy(plan);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_tensor_destroy(around);
    free(data);
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_flip2d_desc desc = {clg_desc_2d(2, 3)};
    clg_flip2d *plan = (clg_flip2d *)&plan;
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_flip2d_create(NULL, &desc, &plan));
    FAILS(CLG_INVALID_SHAPE, "x is 2x3", clg_flip2d_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.x = clg_desc_4d(2, 0, 3, 3);
    FAILS(CLG_INVALID_SHAPE, "dimension 1 of 2x0x3x3", clg_flip2d_create(ctx, &desc, &plan));
    desc.x = clg_desc_4d(2, 1, 3, 3);
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_flip2d_create(ctx, &desc, &plan));
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    clg_flip2d_desc desc = {clg_desc_4d(2, 3, 4, 5)};
    clg_tensor_desc other = clg_desc_4d(2, 3, 5, 4);
    clg_flip2d *plan;
    OK(clg_flip2d_create(testing_context(), &desc, &plan));
    clg_tensor *x = testing_tensor(&desc.x, NULL), *wrong = testing_tensor(&other, NULL);
    clg_run accumulate = {.accumulate = true};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_flip2d_forward(NULL, x, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_flip2d_backward(NULL, x, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL", clg_flip2d_forward(plan, x, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "x is 2x3x5x4", clg_flip2d_forward(plan, x, wrong, NULL));
    FAILS(CLG_INVALID_SHAPE, "dx is 2x3x5x4", clg_flip2d_backward(plan, wrong, x, NULL));
    FAILS(CLG_UNSUPPORTED, "accumulate", clg_flip2d_backward(plan, x, x, &accumulate));
    clg_tensor_destroy(x);
    clg_tensor_destroy(wrong);
    clg_flip2d_destroy(plan);
    clg_flip2d_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_turn_by_180_degrees_and_back_in_both_layouts),
        cmocka_unit_test(nothing_is_written_beside_a_view),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
