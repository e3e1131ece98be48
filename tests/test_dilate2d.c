#include "support/testing.h"

#include <stdio.h>

#include "ref/reshape2d.h"

static const struct problem {
    int64_t n, c, h, w, stride[2];
} problems[] = {
    {1, 1, 1, 1, {1, 1}}, {1, 1, 1, 1, {3, 2}},  {2, 3, 5, 7, {1, 1}},  {1, 2, 5, 7, {2, 2}},
    {3, 1, 7, 4, {3, 1}}, {2, 5, 1, 9, {1, 4}},  {1, 17, 6, 6, {2, 3}}, {2, 3, 13, 11, {4, 5}},
    {1, 4, 3, 3, {7, 9}}, {4, 16, 8, 8, {2, 2}},
};

static clg_dilate2d_desc desc_of(const struct problem *p, clg_layout layout)
{
    clg_dilate2d_desc desc = {clg_desc_4d(p->n, p->c, p->h, p->w), {p->stride[0], p->stride[1]}};
    desc.x.layout = layout;
    return desc;
}

static clg_tensor_desc output_of(const clg_dilate2d_desc *desc)
{
    clg_tensor_desc y = desc->x;
    OK(clg_dilate2d_output_size(desc, &y.dims[2], &y.dims[3]));
    return y;
}

static void run_both_ways(const struct problem *p, clg_layout layout)
{
    clg_dilate2d_desc desc = desc_of(p, layout);
    clg_tensor_desc out = output_of(&desc);
    int64_t planes = p->n * p->c, p_size = out.dims[2], q_size = out.dims[3];
    struct ref_stride2d ref = {planes, p->h, p->w, p->stride[0], p->stride[1]};
    assert_int_equal(p_size, ref_dilate2d_size(p->h, p->stride[0]));
    assert_int_equal(q_size, ref_dilate2d_size(p->w, p->stride[1]));
    double *x = testing_uniform(planes * p->h * p->w, 1),
           *dy = testing_uniform(planes * p_size * q_size, 2);
    double *want_y = ref_array_zeros(planes * p_size * q_size),
           *want_dx = ref_array_zeros(planes * p->h * p->w);
    ref_dilate2d(&ref, x, want_y);
    struct ref_stride2d back = {planes, p_size, q_size, p->stride[0], p->stride[1]};
    ref_downsample2d(&back, dy, want_dx);
    char label[96];
    snprintf(label, sizeof label, "dilate2d %lldx%lldx%lldx%lld stride %lld,%lld layout %d",
             (long long)p->n, (long long)p->c, (long long)p->h, (long long)p->w,
             (long long)p->stride[0], (long long)p->stride[1], (int)layout);
    clg_tensor *tx = testing_tensor_from(&desc.x, x), *tdy = testing_tensor_from(&out, dy);
    clg_tensor *y = testing_tensor(&out, NULL), *dx = testing_tensor(&desc.x, NULL);
    clg_dilate2d *plan;
    OK(clg_dilate2d_create(testing_context(), &desc, &plan));
    OK(clg_dilate2d_forward(plan, y, tx, NULL));
    OK(clg_dilate2d_backward(plan, dx, tdy, NULL));
    testing_expect_exact(label, y, want_y);
    testing_expect_exact(label, dx, want_dx);
    clg_dilate2d_destroy(plan);
    clg_tensor *tensors[] = {tx, tdy, y, dx};
    for (int i = 0; i < 4; i++)
        clg_tensor_destroy(tensors[i]);
    double *arrays[] = {x, dy, want_y, want_dx};
    for (int i = 0; i < 4; i++)
        free(arrays[i]);
}

static void both_directions_equal_the_reference_in_both_layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        run_both_ways(&problems[i], CLG_NCHW);
        run_both_ways(&problems[i], CLG_NHWC);
    }
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_dilate2d_desc good = {clg_desc_4d(2, 3, 4, 5), {2, 2}}, desc = good;
    clg_dilate2d *plan = (clg_dilate2d *)&plan;
    int64_t p, q;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_dilate2d_create(ctx, NULL, &plan));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_dilate2d_output_size(&good, &p, NULL));
    desc.stride[1] = 0;
    FAILS(CLG_INVALID_ARGUMENT, "stride is 2, 0", clg_dilate2d_create(ctx, &desc, &plan));
    assert_null(plan);
    FAILS(CLG_INVALID_ARGUMENT, "output_size: stride is 2, 0",
          clg_dilate2d_output_size(&desc, &p, &q));
    desc.stride[1] = 3000000000;
    FAILS(CLG_TOO_LARGE, "stride is 2, 3000000000", clg_dilate2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x.dims[3] = 0;
    FAILS(CLG_INVALID_SHAPE, "dimension 3 of 2x3x4x0", clg_dilate2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x = clg_desc_2d(2, 3);
    FAILS(CLG_INVALID_SHAPE, "x is 2x3", clg_dilate2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_dilate2d_create(ctx, &desc, &plan));
    desc = good;
    desc.stride[0] = 500000000;
    FAILS(CLG_TOO_LARGE, "y: 2x3x1500000001x9", clg_dilate2d_create(ctx, &desc, &plan));
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    const struct problem p = {2, 3, 4, 5, {2, 3}};
    clg_dilate2d_desc desc = desc_of(&p, CLG_NHWC);
    clg_tensor_desc out = output_of(&desc);
    clg_dilate2d *plan;
    OK(clg_dilate2d_create(testing_context(), &desc, &plan));
    clg_tensor *x = testing_tensor(&desc.x, NULL), *y = testing_tensor(&out, NULL);
    clg_run accumulate = {.accumulate = true};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_dilate2d_forward(NULL, y, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_dilate2d_backward(NULL, x, y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "y is NULL", clg_dilate2d_forward(plan, NULL, x, NULL));
    FAILS(CLG_INVALID_SHAPE, "y is 2x3x4x5", clg_dilate2d_forward(plan, x, x, NULL));
    FAILS(CLG_INVALID_SHAPE, "dy is 2x3x4x5", clg_dilate2d_backward(plan, x, x, NULL));
    FAILS(CLG_UNSUPPORTED, "accumulate", clg_dilate2d_backward(plan, x, y, &accumulate));
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_dilate2d_destroy(plan);
    clg_dilate2d_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_directions_equal_the_reference_in_both_layouts),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
