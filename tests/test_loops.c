/* Drivers that end long loops without a word, and what clgrad refuses there. */
#include "runtime/loops.h"

#include "clgrad/conv2d.h"
#include "clgrad/pool2d.h"
#include "runtime/gemm.h"
#include "support/testing.h"

/* A context of its own whose device is said to end loops after so many iterations. */
static clg_context *limited(uint32_t longest)
{
    clg_context *ctx;
    setenv("CLGRAD_FAMILY", "gpu", 1);
    OK(clg_context_create(NULL, &ctx));
    unsetenv("CLGRAD_FAMILY");
    ctx->info.longest_loop = longest;
    return ctx;
}

static void a_context_knows_how_long_loops_may_be(void **state)
{
    (void)state;
    uint32_t longest = 77;
    OK(clg__loops_measure(testing_context(), &longest));
    assert_int_equal(longest, clg_context_device(testing_context())->longest_loop);
    assert_true(clg__loops_fit(clg_context_device(testing_context()), 1000));
}

static void products_with_longer_sums_are_refused_or_cut(void **state)
{
    (void)state;
    clg_context *ctx = limited(1500);
    struct clg__gemm_problem fits = clg__gemm_dense(3, 4, 500, false, false),
                             cut = clg__gemm_dense(3, 4, 1000, false, false);
    struct clg__gemm *gemm;
    OK(clg__gemm_create(ctx, &fits, "tiled", 0, &gemm));
    clg__gemm_destroy(gemm);
    FAILS(CLG_UNSUPPORTED, "ends loops", clg__gemm_create(ctx, &cut, "tiled", 0, &gemm));
    FAILS(CLG_UNSUPPORTED, "ends loops", clg__gemm_create(ctx, &cut, "clblast", 0, &gemm));
    OK(clg__gemm_create(ctx, &cut, "tiled_split", 0, &gemm));
    clg__gemm_destroy(gemm);
    clg_context_destroy(ctx);
}

static void convolutions_with_longer_sums_are_refused(void **state)
{
    (void)state;
    clg_context *ctx = limited(300);
    clg_conv2d_desc desc = clg_conv2d_desc_init(clg_desc_4d(2, 1, 12, 12), 1, 3, 3);
    desc.directions = 1u << CLG_CONV2D_FORWARD;
    desc.algorithm[CLG_CONV2D_FORWARD] = "direct";
    clg_conv2d *plan;
    OK(clg_conv2d_create(ctx, &desc, &plan));
    clg_conv2d_destroy(plan);
    desc.x = clg_desc_4d(2, 40, 12, 12);
    static const char *const names[] = {"direct", "textbook", "implicit_gemm"};
    for (int i = 0; i < 3; i++) {
        desc.algorithm[CLG_CONV2D_FORWARD] = names[i];
        FAILS(CLG_UNSUPPORTED, "ends loops", clg_conv2d_create(ctx, &desc, &plan));
    }
    /* 3 x 10 x 10 outputs. */
    desc.x = clg_desc_4d(3, 1, 12, 12);
    desc.directions = 1u << CLG_CONV2D_BACKWARD_FILTER;
    for (int i = 0; i < 2; i++) {
        desc.algorithm[CLG_CONV2D_BACKWARD_FILTER] = names[i];
        FAILS(CLG_UNSUPPORTED, "ends loops", clg_conv2d_create(ctx, &desc, &plan));
    }
    clg_context_destroy(ctx);
}

static void pooling_of_larger_windows_is_refused(void **state)
{
    (void)state;
    clg_context *ctx = limited(400);
    clg_pool2d_desc desc = {.x = clg_desc_4d(1, 1, 15, 15), .global = true};
    clg_pool2d *plan;
    OK(clg_pool2d_create(ctx, &desc, &plan));
    clg_pool2d_destroy(plan);
    desc.x = clg_desc_4d(1, 1, 30, 30);
    FAILS(CLG_UNSUPPORTED, "windows of 30 x 30 need about", clg_pool2d_create(ctx, &desc, &plan));
    clg_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_context_knows_how_long_loops_may_be),
        cmocka_unit_test(products_with_longer_sums_are_refused_or_cut),
        cmocka_unit_test(convolutions_with_longer_sums_are_refused),
        cmocka_unit_test(pooling_of_larger_windows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
