#include "support/testing.h"

#include <stdio.h>

#include "ref/conv_transpose2d.h"

static const struct problem {
    int64_t n, c, h, w, k, r, s, stride[2], pad[2], out_pad[2], dilation[2], groups;
} problems[] = {
    {1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1},
    {2, 3, 4, 5, 2, 3, 3, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {2, 4, 5, 3, 3, 4, 4, {2, 2}, {1, 1}, {0, 0}, {1, 1}, 1},
    {1, 3, 4, 4, 5, 3, 2, {3, 2}, {1, 0}, {1, 1}, {1, 1}, 1},
    {1, 6, 3, 5, 4, 2, 3, {2, 3}, {0, 1}, {1, 2}, {2, 1}, 2},
    {3, 5, 3, 3, 5, 3, 3, {2, 2}, {1, 1}, {1, 1}, {1, 1}, 5},
    {1, 2, 4, 3, 2, 2, 2, {1, 1}, {0, 0}, {2, 2}, {3, 3}, 1},
};

static clg_conv_transpose2d_desc make_desc(const struct problem *p, clg_layout x, clg_layout y)
{
    clg_conv_transpose2d_desc desc = {
        .x = clg_desc_4d(p->n, p->c, p->h, p->w),
        .filters = p->k,
        .kernel = {p->r, p->s},
        .groups = p->groups,
        .y_layout = y,
    };
    desc.x.layout = x;
    for (int i = 0; i < 2; i++) {
        desc.stride[i] = p->stride[i];
        desc.padding[i] = p->pad[i];
        desc.output_padding[i] = p->out_pad[i];
        desc.dilation[i] = p->dilation[i];
    }
    return desc;
}

static struct ref_conv_transpose2d make_reference(const struct problem *p)
{
    return (struct ref_conv_transpose2d){
        .n = p->n,
        .c = p->c,
        .h = p->h,
        .w = p->w,
        .k = p->k,
        .r = p->r,
        .s = p->s,
        .stride_h = p->stride[0],
        .stride_w = p->stride[1],
        .pad_h = p->pad[0],
        .pad_w = p->pad[1],
        .out_pad_h = p->out_pad[0],
        .out_pad_w = p->out_pad[1],
        .dilation_h = p->dilation[0],
        .dilation_w = p->dilation[1],
        .groups = p->groups,
    };
}

/* want -> 2 want, for the second, accumulating run */
static double *doubled(const double *want, int64_t count)
{
    double *twice = ref_array_zeros(count);
    for (int64_t i = 0; i < count; i++)
        twice[i] = 2 * want[i];
    return twice;
}

static void expect(const char *label, bool exact, const clg_tensor *out, const double *want)
{
    if (exact)
        testing_expect_exact(label, out, want);
    else
        testing_expect_close(label, out, want);
}

static void expect_doubled(const char *label, bool exact, const clg_tensor *out, const double *want)
{
    double *twice = doubled(want, clg_tensor_count(out));
    expect(label, exact, out, twice);
    free(twice);
}

/* Whether an algorithm only adds and multiplies in all directions. What the library chooses need
 * not: Winograd's divide. */
static bool is_exact(const char *algorithm)
{
    for (int direction = 0; direction < 3; direction++)
        if (!algorithm || !clg_conv2d_algorithm_exact((clg_conv2d_direction)direction, algorithm))
            return false;
    return true;
}

static void run_problem(const struct problem *p, clg_layout xl, clg_layout yl,
                        const char *algorithm)
{
    struct ref_conv_transpose2d ref = make_reference(p);
    clg_conv_transpose2d_desc desc = make_desc(p, xl, yl);
    for (int i = 0; i < 3; i++)
        desc.algorithm[i] = algorithm;
    clg_tensor_desc yd, wd, bd = clg_desc_1d(p->k);
    OK(clg_conv_transpose2d_output_size(&desc, &yd, &wd));
    assert_int_equal(yd.dims[2], ref_conv_transpose2d_p(&ref));
    assert_int_equal(yd.dims[3], ref_conv_transpose2d_q(&ref));
    int64_t xn, yn, wn;
    OK(clg_tensor_desc_count(&desc.x, &xn));
    OK(clg_tensor_desc_count(&yd, &yn));
    OK(clg_tensor_desc_count(&wd, &wn));
    double *x = testing_integers(xn, 4, 1), *w = testing_integers(wn, 4, 2);
    double *b = testing_integers(p->k, 4, 3), *dy = testing_integers(yn, 4, 4);
    double *y = ref_array_zeros(yn), *dx = ref_array_zeros(xn), *dw = ref_array_zeros(wn);
    double *db = ref_array_zeros(p->k);
    ref_conv_transpose2d_forward(&ref, x, w, b, y);
    ref_conv_transpose2d_backward_data(&ref, w, dy, dx);
    ref_conv_transpose2d_backward_filter(&ref, x, dy, dw);
    ref_conv_transpose2d_backward_bias(&ref, dy, db);
    clg_conv_transpose2d *plan;
    OK(clg_conv_transpose2d_create(testing_context(), &desc, &plan));
    clg_tensor *tx = testing_tensor_from(&desc.x, x), *tw = testing_tensor_from(&wd, w);
    clg_tensor *tb = testing_tensor_from(&bd, b), *tdy = testing_tensor_from(&yd, dy);
    clg_tensor *ty = testing_tensor(&yd, NULL), *tdx = testing_tensor(&desc.x, NULL);
    clg_tensor *tdw = testing_tensor(&wd, NULL), *tdb = testing_tensor(&bd, NULL);
    const bool exact = is_exact(algorithm);
    clg_run add = {.accumulate = true};
    OK(clg_conv_transpose2d_forward(plan, ty, tx, tw, tb, NULL));
    OK(clg_conv_transpose2d_backward_data(plan, tdx, tdy, tw, NULL));
    OK(clg_conv_transpose2d_backward_filter(plan, tdw, tdb, tx, tdy, NULL));
    expect("conv_transpose2d y", exact, ty, y);
    expect("conv_transpose2d dx", exact, tdx, dx);
    expect("conv_transpose2d dw", exact, tdw, dw);
    testing_expect_exact("conv_transpose2d db", tdb, db);
    OK(clg_conv_transpose2d_backward_data(plan, tdx, tdy, tw, &add));
    OK(clg_conv_transpose2d_backward_filter(plan, tdw, tdb, tx, tdy, &add));
    expect_doubled("conv_transpose2d dx added", exact, tdx, dx);
    expect_doubled("conv_transpose2d dw added", exact, tdw, dw);
    expect_doubled("conv_transpose2d db added", true, tdb, db);
    clg_tensor *tensors[] = {tx, tw, tb, tdy, ty, tdx, tdw, tdb};
    double *arrays[] = {x, w, b, dy, y, dx, dw, db};
    for (size_t i = 0; i < 8; i++) {
        clg_tensor_destroy(tensors[i]);
        free(arrays[i]);
    }
    clg_conv_transpose2d_destroy(plan);
}

static void every_direction_is_exact_on_small_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        run_problem(&problems[i], CLG_NCHW, CLG_NCHW, "direct");
}

static void layouts_and_algorithms_do_not_change_the_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        run_problem(&problems[i], CLG_NCHW, CLG_NCHW, NULL);
        run_problem(&problems[i], CLG_NHWC, CLG_NHWC, NULL);
        run_problem(&problems[i], CLG_NHWC, CLG_NCHW, NULL);
        run_problem(&problems[i], CLG_NCHW, CLG_NCHW, "textbook");
    }
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_conv_transpose2d *plan = (clg_conv_transpose2d *)&plan;
    const struct {
        clg_status status;
        const char *part;
        struct problem problem;
    } cases[] = {
        {CLG_INVALID_SHAPE,
         "dimension 0",
         {0, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1}},
        {CLG_INVALID_ARGUMENT,
         "stride 0",
         {1, 1, 1, 1, 1, 1, 1, {0, 1}, {0, 0}, {0, 0}, {1, 1}, 1}},
        {CLG_INVALID_ARGUMENT,
         "dilation 0",
         {1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0}, {0, 0}, {1, 0}, 1}},
        {CLG_INVALID_ARGUMENT,
         "padding of -1",
         {1, 1, 1, 1, 1, 1, 1, {1, 1}, {-1, 0}, {0, 0}, {1, 1}, 1}},
        {CLG_INVALID_ARGUMENT,
         "output padding 2",
         {1, 1, 3, 3, 1, 3, 3, {2, 2}, {0, 0}, {2, 0}, {1, 1}, 1}},
        {CLG_INVALID_SHAPE, "-1 rows", {1, 1, 1, 3, 1, 1, 1, {1, 1}, {1, 0}, {0, 0}, {1, 1}, 1}},
        {CLG_INVALID_SHAPE, "2 groups", {1, 3, 1, 1, 2, 1, 1, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 2}},
        {CLG_INVALID_ARGUMENT,
         "0 filters",
         {1, 1, 1, 1, 0, 1, 1, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1}},
        {CLG_TOO_LARGE,
         "stride 9000000000",
         {1, 1, 2, 2, 1, 1, 1, {9000000000, 1}, {0, 0}, {0, 0}, {1, 1}, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clg_conv_transpose2d_desc desc = make_desc(&cases[i].problem, CLG_NCHW, CLG_NCHW);
        FAILS(cases[i].status, cases[i].part,
              clg_conv_transpose2d_create(testing_context(), &desc, &plan));
        assert_null(plan);
    }
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL",
          clg_conv_transpose2d_create(testing_context(), NULL, &plan));
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    clg_conv_transpose2d_desc desc = make_desc(&problems[1], CLG_NCHW, CLG_NCHW);
    clg_conv_transpose2d *plan;
    OK(clg_conv_transpose2d_create(testing_context(), &desc, &plan));
    clg_tensor *x = testing_tensor(&desc.x, NULL);
    FAILS(CLG_INVALID_SHAPE, "y is 2x3x4x5",
          clg_conv_transpose2d_forward(plan, x, x, x, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dy is NULL",
          clg_conv_transpose2d_backward_data(plan, x, NULL, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "both dw and db",
          clg_conv_transpose2d_backward_filter(plan, NULL, NULL, x, x, NULL));
    clg_tensor_destroy(x);
    clg_conv_transpose2d_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_direction_is_exact_on_small_integers),
        cmocka_unit_test(layouts_and_algorithms_do_not_change_the_result),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
