#include "support/testing.h"

#include <stdio.h>

#include "runtime/context.h"

/* One and several 16 x 16 blocks, their edges, one channel, one pixel, more than one region. */
static const struct problem {
    int64_t n, c, h, w;
} problems[] = {
    {1, 1, 1, 1},   {2, 1, 5, 7},    {3, 17, 1, 1},   {1, 3, 4, 5},     {2, 16, 4, 4},
    {1, 32, 8, 6},  {2, 15, 3, 11},  {1, 33, 7, 17},  {3, 40, 1, 19},   {1, 6, 28, 28},
    {2, 3, 37, 31}, {1, 600, 3, 11}, {2, 70, 20, 29}, {2, 5, 1, 16},    {3, 16, 3, 1},
    {1, 7, 33, 33}, {2, 17, 9, 121}, {1, 530, 2, 9},  {2, 1040, 1, 17}, {3, 3, 1, 5},
    {2, 8, 5, 7},   {1, 19, 32, 32}, {2, 48, 64, 48},
};

static const clg_layout layouts[] = {CLG_NCHW, CLG_NHWC};

static clg_tensor_desc desc_of(const struct problem *p, clg_layout layout)
{
    clg_tensor_desc desc = clg_desc_4d(p->n, p->c, p->h, p->w);
    desc.layout = layout;
    return desc;
}

static void reorder_and_compare(clg_layout from, clg_layout to, const struct problem *p)
{
    clg_reorder_desc desc = {desc_of(p, from), desc_of(p, to)};
    char label[96];
    snprintf(label, sizeof label, "layout %d to %d, %lldx%lldx%lldx%lld", (int)from, (int)to,
             (long long)p->n, (long long)p->c, (long long)p->h, (long long)p->w);
    double *x = testing_uniform(p->n * p->c * p->h * p->w, 7);
    clg_tensor *tx = testing_tensor_from(&desc.from, x), *y = testing_tensor(&desc.to, NULL);
    clg_reorder *plan;
    OK(clg_reorder_create(testing_context(), &desc, &plan));
    OK(clg_reorder_forward(plan, y, tx, NULL));
    testing_expect_exact(label, y, x);
    clg_reorder_destroy(plan);
    clg_tensor_destroy(tx);
    clg_tensor_destroy(y);
    free(x);
}

static void every_element_finds_its_place(void)
{
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        for (int from = 0; from < 2; from++)
            for (int to = 0; to < 2; to++)
                reorder_and_compare(layouts[from], layouts[to], &problems[i]);
}

static void every_element_finds_its_place_on_cpu_like_devices(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_family family = ctx->info.family;
    ctx->info.family = CLG_FAMILY_CPU;
    every_element_finds_its_place();
    ctx->info.family = family;
}

static void every_element_finds_its_place_on_gpu_like_devices(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_family family = ctx->info.family;
    ctx->info.family = CLG_FAMILY_GPU;
    every_element_finds_its_place();
    ctx->info.family = family;
}

static void nothing_is_written_beside_a_view(void **state)
{
    (void)state;
    const struct problem p = {2, 19, 5, 5};
    clg_tensor_desc whole = clg_desc_1d(2000);
    clg_reorder_desc desc = {desc_of(&p, CLG_NCHW), desc_of(&p, CLG_NHWC)};
    double *data = testing_uniform(2000, 9);
    clg_tensor *around_x = testing_tensor_from(&whole, data);
    clg_tensor *around_y = testing_tensor_from(&whole, data);
    clg_tensor *x, *y;
    OK(clg_tensor_view(clg_tensor_buffer(around_x, NULL), 12, &desc.from, &x));
    OK(clg_tensor_view(clg_tensor_buffer(around_y, NULL), 28, &desc.to, &y));
    clg_reorder *plan;
    OK(clg_reorder_create(testing_context(), &desc, &plan));
    OK(clg_reorder_forward(plan, y, x, NULL));
    testing_expect_exact("view", y, data + 3);
    float *after = testing_download(around_y);
    for (int i = 0; i < 2000; i++)
        if (i < 7 || i >= 7 + 2 * 19 * 25)
            assert_true(after[i] == (float)data[i]);
    free(after);
    free(data);
    clg_reorder_destroy(plan);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_tensor_destroy(around_x);
    clg_tensor_destroy(around_y);
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_reorder_desc good = {clg_desc_4d(2, 3, 4, 5), clg_desc_4d(2, 3, 4, 5)}, desc = good;
    clg_reorder *plan = (clg_reorder *)&plan;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_reorder_create(ctx, NULL, &plan));
    desc.to.dims[3] = 6;
    FAILS(CLG_INVALID_SHAPE, "from is 2x3x4x5 float32, to is 2x3x4x6 float32",
          clg_reorder_create(ctx, &desc, &plan));
    assert_null(plan);
    desc = good;
    desc.from = clg_desc_2d(2, 3);
    FAILS(CLG_INVALID_SHAPE, "from is 2x3", clg_reorder_create(ctx, &desc, &plan));
    desc = good;
    desc.to.dims[1] = 0;
    FAILS(CLG_INVALID_SHAPE, "dimension 1 of 2x0x4x5", clg_reorder_create(ctx, &desc, &plan));
    desc = good;
    desc.from.dims[0] = INT32_MAX;
    FAILS(CLG_TOO_LARGE, "2147483647", clg_reorder_create(ctx, &desc, &plan));
    desc = good;
    desc.from.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_reorder_create(ctx, &desc, &plan));
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    const struct problem p = {2, 3, 4, 5};
    clg_reorder_desc desc = {desc_of(&p, CLG_NCHW), desc_of(&p, CLG_NHWC)};
    clg_reorder *plan;
    OK(clg_reorder_create(testing_context(), &desc, &plan));
    clg_tensor *x = testing_tensor(&desc.from, NULL), *y = testing_tensor(&desc.to, NULL);
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_reorder_forward(NULL, y, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL", clg_reorder_forward(plan, y, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "y is 2x3x4x5 float32, expected 2x3x4x5 float32 NHWC",
          clg_reorder_forward(plan, x, x, NULL));
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_reorder_destroy(plan);
    clg_reorder_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_finds_its_place_on_cpu_like_devices),
        cmocka_unit_test(every_element_finds_its_place_on_gpu_like_devices),
        cmocka_unit_test(nothing_is_written_beside_a_view),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
