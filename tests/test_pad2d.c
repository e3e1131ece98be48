#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/reshape2d.h"

/* Every side alone, all of them, the widest each mode allows, cropping, both mixed. */
static const struct problem {
    int64_t n, c, h, w, pad[4];
} problems[] = {
    {1, 1, 1, 1, {0, 0, 0, 0}},   {2, 3, 4, 5, {0, 0, 0, 0}},   {2, 3, 4, 5, {1, 0, 0, 0}},
    {2, 3, 4, 5, {0, 2, 0, 0}},   {2, 3, 4, 5, {0, 0, 3, 0}},   {2, 3, 4, 5, {0, 0, 0, 4}},
    {1, 17, 5, 6, {4, 5, 4, 5}},  {3, 1, 7, 3, {1, 2, 2, 1}},   {2, 5, 9, 8, {-2, -1, -3, -2}},
    {1, 4, 9, 8, {-2, 3, 4, -1}}, {2, 2, 8, 9, {3, -4, -1, 4}}, {1, 3, 31, 33, {2, 3, 4, 5}},
    {1, 2, 3, 3, {3, 3, 3, 3}},   {1, 2, 1, 4, {1, 4, 0, 2}},   {2, 1, 2, 1, {6, 5, 4, 7}},
    {1, 1, 1, 1, {2, 3, 0, 1}},   {1, 2, 3, 3, {-2, -2, 5, 4}}, {1, 2, 3, 3, {4, 5, -2, -2}},
};

static int64_t at_most_0(int64_t a)
{
    return a < 0 ? a : 0;
}

static int64_t at_least_0(int64_t a)
{
    return a > 0 ? a : 0;
}

/* Cropping and then padding, as torch.nn.functional.pad does where the order matters. */
struct two_steps {
    struct ref_pad2d crop, pad;
};

static struct two_steps reference_of(const struct problem *p, clg_pad_mode mode, double value)
{
    const int64_t *s = p->pad;
    bool first = mode == CLG_PAD_CIRCULAR;
    struct ref_pad2d crop = {.planes = p->n * p->c, .h = p->h, .w = p->w};
    if (first) {
        crop.top = at_most_0(s[0]);
        crop.left = at_most_0(s[1]);
        crop.bottom = at_most_0(s[2]);
        crop.right = at_most_0(s[3]);
    }
    struct ref_pad2d pad = {crop.planes,
                            crop.h + crop.top + crop.bottom,
                            crop.w + crop.left + crop.right,
                            first ? at_least_0(s[0]) : s[0],
                            first ? at_least_0(s[1]) : s[1],
                            first ? at_least_0(s[2]) : s[2],
                            first ? at_least_0(s[3]) : s[3],
                            (enum ref_pad_mode)mode,
                            value};
    return (struct two_steps){crop, pad};
}

static bool possible(const struct problem *p, clg_pad_mode mode)
{
    for (int side = 0; side < 4; side++) {
        int64_t size = side % 2 == 0 ? p->h : p->w;
        int64_t left = size + at_most_0(p->pad[side % 2]) + at_most_0(p->pad[side % 2 + 2]);
        if ((mode == CLG_PAD_REFLECT && p->pad[side] >= size) ||
            (mode == CLG_PAD_CIRCULAR && p->pad[side] > left))
            return false;
    }
    return true;
}

static clg_pad2d_desc desc_of(const struct problem *p, clg_pad_mode mode, clg_layout layout)
{
    const int64_t *s = p->pad;
    clg_pad2d_desc desc = {
        clg_desc_4d(p->n, p->c, p->h, p->w), {s[0], s[1], s[2], s[3]}, mode, 2.5f};
    desc.x.layout = layout;
    return desc;
}

static clg_tensor_desc output_of(const clg_pad2d_desc *desc)
{
    clg_tensor_desc y = desc->x;
    OK(clg_pad2d_output_size(desc, &y.dims[2], &y.dims[3]));
    return y;
}

static void run_both_ways(const struct problem *p, clg_pad_mode mode, clg_layout layout)
{
    clg_pad2d_desc desc = desc_of(p, mode, layout);
    clg_tensor_desc out = output_of(&desc);
    int64_t planes = p->n * p->c, in_count = planes * p->h * p->w;
    int64_t out_count = planes * out.dims[2] * out.dims[3];
    struct two_steps ref = reference_of(p, mode, 2.5);
    double *x = testing_integers(in_count, 9, 1), *dy = testing_integers(out_count, 9, 2);
    double *middle = ref_array_zeros(in_count);
    double *want_y = ref_array_zeros(out_count), *want_dx = ref_array_zeros(in_count);
    ref_pad2d_forward(&ref.crop, x, middle);
    ref_pad2d_forward(&ref.pad, middle, want_y);
    ref_pad2d_backward(&ref.pad, dy, middle);
    ref_pad2d_backward(&ref.crop, middle, want_dx);
    char label[128];
    snprintf(label, sizeof label, "pad2d %s %lldx%lldx%lldx%lld pad %lld,%lld,%lld,%lld layout %d",
             clg_pad_mode_name(mode), (long long)p->n, (long long)p->c, (long long)p->h,
             (long long)p->w, (long long)p->pad[0], (long long)p->pad[1], (long long)p->pad[2],
             (long long)p->pad[3], (int)layout);
    clg_tensor *tx = testing_tensor_from(&desc.x, x), *tdy = testing_tensor_from(&out, dy);
    clg_tensor *y = testing_tensor(&out, NULL), *dx = testing_tensor(&desc.x, NULL);
    clg_pad2d *plan;
    OK(clg_pad2d_create(testing_context(), &desc, &plan));
    OK(clg_pad2d_forward(plan, y, tx, NULL));
    OK(clg_pad2d_backward(plan, dx, tdy, NULL));
    testing_expect_exact(label, y, want_y);
    testing_expect_exact(label, dx, want_dx);
    clg_pad2d_destroy(plan);
    clg_tensor *tensors[] = {tx, tdy, y, dx};
    for (int i = 0; i < 4; i++)
        clg_tensor_destroy(tensors[i]);
    double *arrays[] = {x, dy, middle, want_y, want_dx};
    for (int i = 0; i < 5; i++)
        free(arrays[i]);
}

static void every_mode_equals_the_reference_in_both_directions_and_layouts(void **state)
{
    (void)state;
    for (int mode = 0; mode < CLG_PAD_MODE_COUNT; mode++)
        for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
            if (possible(&problems[i], (clg_pad_mode)mode)) {
                run_both_ways(&problems[i], (clg_pad_mode)mode, CLG_NCHW);
                run_both_ways(&problems[i], (clg_pad_mode)mode, CLG_NHWC);
            }
}

static void padding_may_be_infinite_and_a_nan_is_copied(void **state)
{
    (void)state;
    clg_pad2d_desc desc = {clg_desc_4d(1, 1, 1, 1), {0, 1, 0, 0}, CLG_PAD_CONSTANT, -INFINITY};
    clg_tensor_desc out = clg_desc_4d(1, 1, 1, 2);
    float nan = NAN;
    clg_tensor *x = testing_tensor(&desc.x, &nan), *y = testing_tensor(&out, NULL);
    clg_pad2d *plan;
    OK(clg_pad2d_create(testing_context(), &desc, &plan));
    OK(clg_pad2d_forward(plan, y, x, NULL));
    float *got = testing_download(y);
    assert_true(got[0] == -INFINITY);
    assert_true(isnan(got[1]));
    free(got);
    clg_pad2d_destroy(plan);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
}

static void the_gradient_has_the_same_bits_on_every_run(void **state)
{
    (void)state;
    const struct problem p = {1, 3, 5, 6, {20, 30, 40, 50}};
    clg_pad2d_desc desc = desc_of(&p, CLG_PAD_REPLICATE, CLG_NCHW);
    clg_tensor_desc out = output_of(&desc);
    double *dy = testing_uniform(3 * out.dims[2] * out.dims[3], 5);
    clg_tensor *tdy = testing_tensor_from(&out, dy);
    clg_tensor *a = testing_tensor(&desc.x, NULL), *b = testing_tensor(&desc.x, NULL);
    clg_pad2d *plan;
    OK(clg_pad2d_create(testing_context(), &desc, &plan));
    OK(clg_pad2d_backward(plan, a, tdy, NULL));
    OK(clg_pad2d_backward(plan, b, tdy, NULL));
    testing_expect_same_bits("replicate", a, b);
    double *want = ref_array_zeros(3 * 5 * 6);
    struct two_steps ref = reference_of(&p, CLG_PAD_REPLICATE, 0);
    ref_pad2d_backward(&ref.pad, dy, want);
    testing_expect_close("replicate", a, want);
    clg_pad2d_destroy(plan);
    clg_tensor_destroy(tdy);
    clg_tensor_destroy(a);
    clg_tensor_destroy(b);
    free(dy);
    free(want);
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_pad2d_desc good = {clg_desc_4d(2, 3, 4, 5), {1, 1, 1, 1}, CLG_PAD_ZEROS, 0}, desc = good;
    clg_pad2d *plan = (clg_pad2d *)&plan;
    int64_t p, q;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_pad2d_create(ctx, NULL, &plan));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_pad2d_output_size(&good, NULL, &q));
    desc.mode = (clg_pad_mode)9;
    FAILS(CLG_INVALID_ARGUMENT, "mode 9", clg_pad2d_create(ctx, &desc, &plan));
    assert_null(plan);
    FAILS(CLG_INVALID_ARGUMENT, "mode 9", clg_pad2d_output_size(&desc, &p, &q));
    desc = good;
    desc.x = clg_desc_2d(2, 3);
    FAILS(CLG_INVALID_SHAPE, "x is 2x3", clg_pad2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x.dims[0] = 0;
    FAILS(CLG_INVALID_SHAPE, "dimension 0 of 0x3x4x5", clg_pad2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_pad2d_create(ctx, &desc, &plan));
}

static void impossible_padding_is_refused_with_the_numbers(void **state)
{
    (void)state;
    static const struct {
        clg_pad_mode mode;
        int64_t pad[4];
        clg_status status;
        const char *message;
    } cases[] = {
        {CLG_PAD_ZEROS, {-2, 0, -2, 0}, CLG_INVALID_SHAPE, "height 4 padded by -2 and -2"},
        {CLG_PAD_REPLICATE, {0, 2, 0, -7}, CLG_INVALID_SHAPE, "width 5 padded by 2 and -7"},
        {CLG_PAD_REFLECT, {0, 0, 4, 0}, CLG_INVALID_ARGUMENT, "reflect padding 0, 4 of height 4"},
        {CLG_PAD_REFLECT, {0, 5, 0, 0}, CLG_INVALID_ARGUMENT, "reflect padding 5, 0 of width 5"},
        {CLG_PAD_CIRCULAR, {5, 0, 0, 0}, CLG_INVALID_ARGUMENT, "circular padding 5, 0 of height 4"},
        {CLG_PAD_CIRCULAR, {0, 4, 0, -2}, CLG_INVALID_ARGUMENT, "after cropping, 3"},
        {CLG_PAD_ZEROS, {0, INT32_MAX, 0, 0}, CLG_TOO_LARGE, "width 5 padded by 2147483647 and 0"},
        {CLG_PAD_ZEROS, {INT64_MIN, 0, 0, 0}, CLG_TOO_LARGE, "padded by -9223372036854775808"},
        {CLG_PAD_ZEROS, {INT64_MAX, 0, 0, 0}, CLG_TOO_LARGE, "padded by 9223372036854775807"},
        {CLG_PAD_ZEROS, {70000, 70000, 0, 0}, CLG_TOO_LARGE, "y: 2x3x70004x70005"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        clg_pad2d_desc desc = {clg_desc_4d(2, 3, 4, 5), {0}, cases[i].mode, 0};
        memcpy(desc.pad, cases[i].pad, sizeof desc.pad);
        clg_pad2d *plan;
        FAILS(cases[i].status, cases[i].message, clg_pad2d_create(testing_context(), &desc, &plan));
        assert_null(plan);
    }
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    clg_pad2d_desc desc = {clg_desc_4d(2, 3, 4, 5), {1, 0, 0, 0}, CLG_PAD_ZEROS, 0};
    clg_tensor_desc out = output_of(&desc);
    clg_pad2d *plan;
    OK(clg_pad2d_create(testing_context(), &desc, &plan));
    clg_tensor *x = testing_tensor(&desc.x, NULL), *y = testing_tensor(&out, NULL);
    clg_run accumulate = {.accumulate = true};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_pad2d_forward(NULL, y, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_pad2d_backward(NULL, x, y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dx is NULL", clg_pad2d_backward(plan, NULL, y, NULL));
    FAILS(CLG_INVALID_SHAPE, "y is 2x3x4x5 float32, expected 2x3x5x5",
          clg_pad2d_forward(plan, x, x, NULL));
    FAILS(CLG_UNSUPPORTED, "accumulate", clg_pad2d_backward(plan, x, y, &accumulate));
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_pad2d_destroy(plan);
    clg_pad2d_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode_equals_the_reference_in_both_directions_and_layouts),
        cmocka_unit_test(padding_may_be_infinite_and_a_nan_is_copied),
        cmocka_unit_test(the_gradient_has_the_same_bits_on_every_run),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(impossible_padding_is_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
