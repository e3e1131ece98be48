/* The references against numbers worked out by hand. Their gradients: test_ref_gradients.c. */
#include "ref/add_concat.h"
#include "ref/array.h"
#include "ref/compare.h"
#include "ref/conv2d.h"
#include "ref/conv_transpose2d.h"
#include "ref/linear.h"
#include "ref/loss.h"
#include "ref/norm.h"
#include "ref/optimizer.h"
#include "ref/pool2d.h"
#include "ref/random.h"
#include "ref/reshape2d.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_near(const double *got, const double *want, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance))
            fail_msg("element %d is %.17g, not %.17g", (int)i, got[i], want[i]);
}

static void assert_same(const double *got, const double *want, int64_t n)
{
    assert_near(got, want, n, 0);
}

static struct ref_conv2d plain_conv2d(int64_t size, int64_t window)
{
    return (struct ref_conv2d){.n = 1,
                               .c = 1,
                               .h = size,
                               .w = size,
                               .k = 1,
                               .r = window,
                               .s = window,
                               .stride_h = 1,
                               .stride_w = 1,
                               .dilation_h = 1,
                               .dilation_w = 1,
                               .groups = 1};
}

static void sobel_finds_the_vertical_edge_of_an_8x8_image(void **state)
{
    (void)state;
    const double sobel[9] = {-1, 0, 1, -2, 0, 2, -1, 0, 1};
    const double row[6] = {0, 0, 4, 4, 0, 0};
    double x[64], y[36];
    for (int i = 0; i < 64; i++)
        x[i] = i % 8 < 4 ? 0 : 1;
    struct ref_conv2d d = plain_conv2d(8, 3);
    assert_int_equal(ref_conv2d_p(&d), 6);
    assert_int_equal(ref_conv2d_q(&d), 6);
    ref_conv2d_forward(&d, x, sobel, NULL, y);
    for (int p = 0; p < 6; p++)
        assert_same(y + p * 6L, row, 6);
}

static void conv2d_of_3x3_by_2x2_equals_the_written_out_sums(void **state)
{
    (void)state;
    const double x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, k[4] = {2, -1, 3, 5}, b[1] = {10};
    const double dy[4] = {1, -2, 3, 4};
    double y[4], dk[4], db[1], dx[9];
    struct ref_conv2d d = plain_conv2d(3, 2);

    ref_conv2d_forward(&d, x, k, b, y);
    const double want_y[4] = {
        10 + 2 * 1 - 1 * 2 + 3 * 4 + 5 * 5, 10 + 2 * 2 - 1 * 3 + 3 * 5 + 5 * 6,
        10 + 2 * 4 - 1 * 5 + 3 * 7 + 5 * 8, 10 + 2 * 5 - 1 * 6 + 3 * 8 + 5 * 9};
    assert_same(y, want_y, 4);

    ref_conv2d_backward_filter(&d, x, dy, dk);
    const double want_dk[4] = {1 * 1 - 2 * 2 + 3 * 4 + 4 * 5, 1 * 2 - 2 * 3 + 3 * 5 + 4 * 6,
                               1 * 4 - 2 * 5 + 3 * 7 + 4 * 8, 1 * 5 - 2 * 6 + 3 * 8 + 4 * 9};
    assert_same(dk, want_dk, 4);

    ref_conv2d_backward_bias(&d, dy, db);
    assert_true(db[0] == 1 - 2 + 3 + 4);

    ref_conv2d_backward_data(&d, k, dy, dx);
    const double want_dx[9] = {1 * 2,
                               1 * -1 - 2 * 2,
                               -2 * -1,
                               1 * 3 + 3 * 2,
                               1 * 5 - 2 * 3 + 3 * -1 + 4 * 2,
                               -2 * 5 + 4 * -1,
                               3 * 3,
                               3 * 5 + 4 * 3,
                               4 * 5};
    assert_same(dx, want_dx, 9);
}

/* Stride 2 on an odd size, so that dilated dY meets every element of x. */
static void conv2d_gradients_equal_the_textbook_road(void **state)
{
    (void)state;
    struct ref_random random = {11};
    double x[49], w[9], dy[9], dx[49], dw[9], dilated[25], padded[81], turned[9], want[49];
    ref_random_fill_integers(&random, 4, x, 49);
    ref_random_fill_integers(&random, 4, w, 9);
    ref_random_fill_integers(&random, 4, dy, 9);
    struct ref_conv2d d = plain_conv2d(7, 3);
    d.stride_h = d.stride_w = 2;

    struct ref_stride2d dilate = {1, 3, 3, 2, 2};
    struct ref_pad2d pad = {1, 5, 5, 2, 2, 2, 2, REF_PAD_ZEROS, 0};
    ref_dilate2d(&dilate, dy, dilated);
    ref_pad2d_forward(&pad, dilated, padded);
    ref_flip2d(1, 3, 3, w, turned);
    struct ref_conv2d full = plain_conv2d(9, 3);
    ref_conv2d_forward(&full, padded, turned, NULL, want);
    ref_conv2d_backward_data(&d, w, dy, dx);
    assert_same(dx, want, 49);

    struct ref_conv2d filter = plain_conv2d(7, 5);
    ref_conv2d_forward(&filter, x, dilated, NULL, want);
    ref_conv2d_backward_filter(&d, x, dy, dw);
    assert_same(dw, want, 9);
}

static void groups_of_a_conv2d_are_convolutions_of_their_own(void **state)
{
    (void)state;
    struct ref_random random = {12};
    double x[4 * 25], w[6 * 2 * 9], y[6 * 9], want[6 * 9];
    ref_random_fill_integers(&random, 4, x, 100);
    ref_random_fill_integers(&random, 4, w, 108);
    struct ref_conv2d d = plain_conv2d(5, 3);
    d.c = 4;
    d.k = 6;
    d.groups = 2;
    ref_conv2d_forward(&d, x, w, NULL, y);
    d.c = 2;
    d.k = 3;
    d.groups = 1;
    ref_conv2d_forward(&d, x, w, NULL, want);
    ref_conv2d_forward(&d, x + 50, w + 54, NULL, want + 27);
    assert_same(y, want, 54);
}

static void conv_transpose2d_spreads_each_element_over_a_window(void **state)
{
    (void)state;
    const double x[4] = {1, 2, 3, 4}, w[4] = {1, 10, 100, 1000}, b[1] = {5};
    double y[25];
    struct ref_conv_transpose2d d = {1, 1, 2, 2, 1, 2, 2, 2, 2, 0, 0, 1, 1, 1, 1, 1};
    const double want[25] = {6,  15, 7,   25,   5,   105,  1005, 205, 2005, 5, 8, 35, 9,
                             45, 5,  305, 3005, 405, 4005, 5,    5,   5,    5, 5, 5};
    assert_int_equal(ref_conv_transpose2d_p(&d), 5);
    assert_int_equal(ref_conv_transpose2d_q(&d), 5);
    ref_conv_transpose2d_forward(&d, x, w, b, y);
    assert_same(y, want, 25);
}

static void padding_modes_continue_a_row_as_pytorch_does(void **state)
{
    (void)state;
    const double x[4] = {1, 2, 3, 4};
    const double want[5][9] = {{0, 0, 0, 1, 2, 3, 4, 0, 0},
                               {7, 7, 7, 1, 2, 3, 4, 7, 7},
                               {4, 3, 2, 1, 2, 3, 4, 3, 2},
                               {1, 1, 1, 1, 2, 3, 4, 4, 4},
                               {2, 3, 4, 1, 2, 3, 4, 1, 2}};
    const enum ref_pad_mode modes[5] = {REF_PAD_ZEROS, REF_PAD_CONSTANT, REF_PAD_REFLECT,
                                        REF_PAD_REPLICATE, REF_PAD_CIRCULAR};
    double y[9];
    for (int i = 0; i < 5; i++) {
        struct ref_pad2d d = {1, 1, 4, 0, 3, 0, 2, modes[i], 7};
        ref_pad2d_forward(&d, x, y);
        assert_same(y, want[i], 9);
    }
}

static void downsampling_undoes_dilation(void **state)
{
    (void)state;
    const double x[6] = {1, 2, 3, 4, 5, 6},
                 want[20] = {[0] = 1, [2] = 2, [4] = 3, [15] = 4, [17] = 5, [19] = 6};
    double dilated[20], y[6];
    struct ref_stride2d dilate = {1, 2, 3, 3, 2}, downsample = {1, 4, 5, 3, 2};
    assert_int_equal(ref_dilate2d_size(2, 3), 4);
    ref_dilate2d(&dilate, x, dilated);
    assert_same(dilated, want, 20);
    assert_int_equal(ref_downsample2d_size(5, 2), 3);
    assert_int_equal(ref_downsample2d_size(4, 3), 2);
    ref_downsample2d(&downsample, dilated, y);
    assert_same(y, x, 6);
}

/* Windows that overlap, with padding on all sides: all elements are below the padding's 0. */
static void max_pooling_gives_the_gradient_to_the_first_maximum(void **state)
{
    (void)state;
    const double x[4] = {-3, -1, -1, -2}, dy[9] = {1, 10, 20, 100, 1000, 2000, 0, 0, 4};
    const double want_y[9] = {-3, -1, -1, -1, -1, -1, -1, -1, -2};
    const double want_dx[4] = {1, 3030, 100, 4};
    double y[9], dx[4];
    struct ref_pool2d d = {1, 1, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, false};
    assert_int_equal(ref_pool2d_p(&d), 3);
    assert_int_equal(ref_pool2d_q(&d), 3);
    ref_pool2d_max_forward(&d, x, y);
    assert_same(y, want_y, 9);
    ref_pool2d_max_backward(&d, x, dy, dx);
    assert_same(dx, want_dx, 4);
}

static void max_pooling_hands_a_nan_on(void **state)
{
    (void)state;
    const double x[4] = {1, (double)NAN, 3, 4}, dy[1] = {2}, want[4] = {0, 2, 0, 0};
    double y[1], dx[4];
    struct ref_pool2d d = {1, 1, 2, 2, 2, 2, 2, 2, 0, 0, 1, 1, false};
    ref_pool2d_max_forward(&d, x, y);
    assert_true(isnan(y[0]));
    ref_pool2d_max_backward(&d, x, dy, dx);
    assert_same(dx, want, 4);
}

static void average_pooling_counts_padding_only_when_asked(void **state)
{
    (void)state;
    const double x[4] = {4, 8, 12, 16}, excluded[4] = {4, 8, 12, 16}, included[4] = {1, 2, 3, 4};
    double y[4];
    struct ref_pool2d d = {1, 1, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, false};
    ref_pool2d_avg_forward(&d, x, y);
    assert_same(y, excluded, 4);
    d.count_include_pad = true;
    ref_pool2d_avg_forward(&d, x, y);
    assert_same(y, included, 4);
}

static void linear_equals_the_written_out_sums(void **state)
{
    (void)state;
    const double x[4] = {1, 2, 3, 4}, w[6] = {1, 2, 3, 4, 5, 6}, b[3] = {10, 20, 30};
    const double want[6] = {15, 31, 47, 21, 45, 69};
    double y[6];
    struct ref_linear d = {2, 2, 3};
    ref_linear_forward(&d, x, w, b, y);
    assert_same(y, want, 6);
}

static void batch_norm_normalises_and_keeps_unbiased_running_variance(void **state)
{
    (void)state;
    const double x[4] = {1, 5, 3, 7}, gamma[1] = {2}, beta[1] = {1};
    double running_mean[1] = {0}, running_var[1] = {1}, y[4];
    struct ref_batch_norm d = {2, 1, 2, 0, 0.25, gamma, beta};
    const double want[4] = {1 - 6 / sqrt(5), 1 + 2 / sqrt(5), 1 - 2 / sqrt(5), 1 + 6 / sqrt(5)};
    ref_batch_norm_forward(&d, x, running_mean, running_var, y);
    assert_near(y, want, 4, 1e-14);
    const double want_running[2] = {0.25 * 4, 0.75 + 0.25 * (20.0 / 3)};
    assert_near(running_mean, want_running, 1, 1e-14);
    assert_near(running_var, want_running + 1, 1, 1e-14);
}

static void cross_entropy_of_equal_logits_is_the_log_of_the_classes(void **state)
{
    (void)state;
    const double x[8] = {1000, 1000, 1000, 1000, -7, -7, -7, -7};
    const int32_t labels[2] = {2, 0};
    double probabilities[8], dx[8], loss, want = log(4);
    for (int smoothed = 0; smoothed < 2; smoothed++) {
        struct ref_softmax_cross_entropy d = {2, 4, smoothed ? 0.4 : 0};
        loss = ref_softmax_cross_entropy(&d, x, labels, probabilities, dx);
        assert_near(&loss, &want, 1, 1e-12);
        double at_label = (0.25 - (smoothed ? 0.7 : 1)) / 2;
        assert_near(&dx[2], &at_label, 1, 1e-12);
        assert_near(&dx[4], &at_label, 1, 1e-12);
    }
}

static void mean_squared_error_averages_over_all_elements(void **state)
{
    (void)state;
    const double x[4] = {1, 2, 3, 4}, target[4] = {1, 0, 3, 8}, want_dx[4] = {0, 1, 0, -2};
    double dx[4];
    assert_true(ref_mse(4, x, target, dx) == 5);
    assert_same(dx, want_dx, 4);
}

static void sgd_with_momentum_follows_pytorch(void **state)
{
    (void)state;
    const double grad[1] = {1};
    double buf[1] = {0}, param[1] = {8};
    struct ref_sgd d = {0.5, 0.5, 0.25, 0.25, false};
    ref_sgd_step(&d, 1, 1, grad, buf, param); /* g = 3, buf = 3 */
    assert_true(param[0] == 6.5);
    ref_sgd_step(&d, 2, 1, grad, buf, param); /* g = 2.625, buf = 1.5 + 0.75 * 2.625 */
    assert_true(buf[0] == 3.46875);
    assert_true(param[0] == 6.5 - 0.5 * 3.46875);
    d.nesterov = true;
    d.weight_decay = 0;
    param[0] = 8;
    ref_sgd_step(&d, 1, 1, grad, buf, param); /* g + momentum buf = 1.5 */
    assert_true(param[0] == 7.25);
}

static void the_first_adam_step_moves_by_the_learning_rate(void **state)
{
    (void)state;
    const double grad[2] = {1e-3, -50}, want[2] = {0.9, 1.1};
    double m[2] = {0}, v[2] = {0}, param[2] = {1, 1};
    struct ref_adam d = {0.1, 0.9, 0.999, 0, 0};
    struct ref_adam_state adam = {1, m, v};
    ref_adam_step(&d, &adam, 2, grad, param);
    assert_near(param, want, 2, 1e-14);
}

static void adamw_decays_parameters_apart_from_the_gradient(void **state)
{
    (void)state;
    const double grad[1] = {0}, want[1] = {4 * (1 - 0.1 * 0.5)};
    double m[1] = {0}, v[1] = {0}, param[1] = {4};
    struct ref_adam d = {0.1, 0.9, 0.999, 1e-8, 0.5};
    struct ref_adam_state adam = {1, m, v};
    ref_adamw_step(&d, &adam, 1, grad, param);
    assert_near(param, want, 1, 1e-14);
}

static void concat_joins_the_channels_of_each_image(void **state)
{
    (void)state;
    const double a[4] = {1, 2, 3, 4}, b[8] = {10, 11, 12, 13, 20, 21, 22, 23};
    const double want[12] = {1, 2, 10, 11, 12, 13, 3, 4, 20, 21, 22, 23};
    const int64_t channels[2] = {1, 2};
    const double *inputs[2] = {a, b};
    double y[12], da[4], *grads[2] = {da, NULL};
    struct ref_concat d = {2, 2, 2, channels};
    ref_concat_forward(&d, inputs, y);
    assert_same(y, want, 12);
    ref_concat_backward(&d, y, grads);
    assert_same(da, a, 4);
}

static void comparison_shows_the_first_element_out_of_tolerance(void **state)
{
    (void)state;
    const float out[4] = {1, 2.0001f, 3.5f, 5};
    const double ref[4] = {1, 2, 3, 4};
    struct ref_error e = ref_compare(out, ref, 4, REF_REL_L2_TOL, REF_ABS_TOL);
    assert_false(e.passed);
    assert_int_equal(e.first_bad, 2);
    assert_true(e.got == 3.5 && e.want == 3 && e.max_abs == 1 && e.max_ref == 4);
    assert_int_equal(ref_compare(out, ref, 4, 1, 0).first_bad, 1);
    e = ref_compare(out, ref, 4, 1e-3, 1);
    assert_false(e.passed); /* by the norms alone */
    assert_int_equal(e.first_bad, 3);
    assert_true(ref_compare(out, ref, 2, 1, REF_ABS_TOL).passed);
    assert_int_equal(ref_compare(out, ref, 2, 1, REF_ABS_TOL).first_bad, -1);
    assert_true(ref_compare(out, ref, 0, 0, 0).passed);
}

static void comparison_fails_on_nan_and_on_a_missed_infinity(void **state)
{
    (void)state;
    const float nan_out[2] = {1, NAN}, inf_out[2] = {INFINITY, 1}, plain[2] = {1, 1};
    const double nan_ref[2] = {1, (double)NAN}, inf_ref[2] = {(double)INFINITY, 1};
    const double plain_ref[2] = {1, 1};
    assert_int_equal(ref_compare(nan_out, plain_ref, 2, 1, 1).first_bad, 1);
    assert_int_equal(ref_compare(plain, nan_ref, 2, 1, 1).first_bad, 1);
    assert_int_equal(ref_compare(nan_out, nan_ref, 2, 1, 1).first_bad, 1);
    assert_int_equal(ref_compare(inf_out, plain_ref, 2, 1, 1).first_bad, 0);
    assert_int_equal(ref_compare(plain, inf_ref, 2, 1, 1).first_bad, 0);
    assert_true(ref_compare(inf_out, inf_ref, 2, 0, 0).passed);
}

static void exact_comparison_allows_no_difference(void **state)
{
    (void)state;
    const float out[3] = {7, -0.0f, 3.0000002f};
    const double ref[3] = {7, 0, 3};
    assert_true(ref_compare_exact(out, ref, 2).passed);
    assert_int_equal(ref_compare_exact(out, ref, 3).first_bad, 2);
}

static void random_data_is_the_same_everywhere(void **state)
{
    (void)state;
    struct ref_random random = {1234567}; /* the published splitmix64 sequence */
    assert_true(ref_random_bits(&random) == UINT64_C(6457827717110365317));
    assert_true(ref_random_bits(&random) == UINT64_C(3203168211198807973));

    double wide[1000], small[1000], *widened;
    float narrow[1000];
    struct ref_random one = {5}, two = {5};
    ref_random_fill_uniform(&one, wide, 1000);
    ref_random_fill_uniform_float(&two, narrow, 1000);
    widened = ref_array_widen(narrow, 1000);
    assert_same(widened, wide, 1000);
    free(widened);
    ref_random_fill_integers(&one, 2, small, 1000);
    int seen[5] = {0};
    for (int i = 0; i < 1000; i++) {
        assert_true(wide[i] >= -1 && wide[i] < 1);
        assert_true(small[i] >= -2 && small[i] <= 2);
        seen[(int)small[i] + 2]++;
    }
    for (int i = 0; i < 5; i++)
        assert_true(seen[i] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sobel_finds_the_vertical_edge_of_an_8x8_image),
        cmocka_unit_test(conv2d_of_3x3_by_2x2_equals_the_written_out_sums),
        cmocka_unit_test(conv2d_gradients_equal_the_textbook_road),
        cmocka_unit_test(groups_of_a_conv2d_are_convolutions_of_their_own),
        cmocka_unit_test(conv_transpose2d_spreads_each_element_over_a_window),
        cmocka_unit_test(padding_modes_continue_a_row_as_pytorch_does),
        cmocka_unit_test(downsampling_undoes_dilation),
        cmocka_unit_test(max_pooling_gives_the_gradient_to_the_first_maximum),
        cmocka_unit_test(max_pooling_hands_a_nan_on),
        cmocka_unit_test(average_pooling_counts_padding_only_when_asked),
        cmocka_unit_test(linear_equals_the_written_out_sums),
        cmocka_unit_test(batch_norm_normalises_and_keeps_unbiased_running_variance),
        cmocka_unit_test(cross_entropy_of_equal_logits_is_the_log_of_the_classes),
        cmocka_unit_test(mean_squared_error_averages_over_all_elements),
        cmocka_unit_test(sgd_with_momentum_follows_pytorch),
        cmocka_unit_test(the_first_adam_step_moves_by_the_learning_rate),
        cmocka_unit_test(adamw_decays_parameters_apart_from_the_gradient),
        cmocka_unit_test(concat_joins_the_channels_of_each_image),
        cmocka_unit_test(comparison_shows_the_first_element_out_of_tolerance),
        cmocka_unit_test(comparison_fails_on_nan_and_on_a_missed_infinity),
        cmocka_unit_test(exact_comparison_allows_no_difference),
        cmocka_unit_test(random_data_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
