#include "support/batch_norm_fixture.h"

#include <math.h>

static void check_training(const char *label, struct batch_norm_fixture *f)
{
    batch_norm_forward(f);
    batch_norm_backward(f, &f->norm.grads, NULL);
    ref_batch_norm_forward(&f->ref, f->norm.x, f->running_mean, f->running_var, f->norm.want_y);
    ref_batch_norm_backward(&f->ref, f->norm.x, f->norm.dy, &f->norm.want);
    norm_expect_y(label, &f->norm);
    norm_expect_gradients(label, &f->norm);
    if (f->tensors.running_mean) {
        norm_expect(label, "running_mean", f->tensors.running_mean, f->running_mean);
        norm_expect(label, "running_var", f->tensors.running_var, f->running_var);
    }
}

static void training_equals_the_reference_forward_and_backward(void **state)
{
    (void)state;
    batch_norm_for_every_problem(0, NORM_DATA_COUNT - 1, check_training);
}

static void evaluation_equals_the_reference_forward_and_backward(void **state)
{
    (void)state;
    batch_norm_for_every_problem(0, NORM_DATA_COUNT - 1, batch_norm_check_evaluation);
}

static void a_written_out_example_has_its_numbers(void **state)
{
    (void)state;
    /* One channel 1 2 3 4: mean 2.5, variance 1.25, unbiased 5/3; xhat = (x - 2.5) / sqrt(1.25). */
    clg_batch_norm_desc desc = {.x = clg_desc_4d(2, 1, 1, 2), .momentum = 0.25f};
    clg_tensor_desc one = clg_desc_1d(1), three = clg_desc_2d(3, 1);
    float x[] = {1, 2, 3, 4}, zero = 0, two = 2;
    clg_batch_norm *plan;
    OK(clg_batch_norm_create(testing_context(), &desc, &plan));
    clg_tensor *tx = testing_tensor(&desc.x, x), *y = testing_tensor(&desc.x, NULL);
    clg_tensor *mean = testing_tensor(&one, &zero), *var = testing_tensor(&one, &two);
    clg_batch_norm_tensors tensors = {.running_mean = mean, .running_var = var};
    tensors.saved = testing_tensor(&three, NULL);
    OK(clg_batch_norm_forward_train(plan, y, tx, &tensors, NULL));
    double s = 1 / sqrt(1.25), want[] = {-1.5 * s, -0.5 * s, 0.5 * s, 1.5 * s};
    double saved[] = {2.5, 0, s}, running_mean = 0.625, running_var = 1.5 + 5.0 / 12;
    testing_expect_close("y", y, want);
    testing_expect_close("saved", tensors.saved, saved);
    testing_expect_close("running_mean", mean, &running_mean);
    testing_expect_close("running_var", var, &running_var);
    clg_tensor *all[] = {tx, y, mean, var, tensors.saved};
    for (int i = 0; i < 5; i++)
        clg_tensor_destroy(all[i]);
    clg_batch_norm_destroy(plan);
}

static void check_integers(const char *label, struct batch_norm_fixture *f)
{
    double *dy = testing_integers(f->norm.count, 5, 3);
    clg_tensor *tdy = testing_tensor_from(&f->norm.shape, dy);
    batch_norm_forward(f);
    OK(clg_batch_norm_backward(f->plan, &f->norm.grads, tdy, f->norm.tx, &f->tensors, NULL));
    ref_batch_norm_backward(&f->ref, f->norm.x, dy, &f->norm.want);
    testing_expect_exact(label, f->norm.grads.dbeta, f->norm.want.dbeta);
    clg_tensor_destroy(tdy);
    free(dy);
}

static void the_gradient_of_beta_is_exact_on_integers(void **state)
{
    (void)state;
    batch_norm_for_every_problem(NORM_DATA_UNIFORM, NORM_DATA_UNIFORM, check_integers);
}

static void the_same_input_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < batch_norm_num_problems; i++) {
        if (batch_norm_problems[i].large && testing_small())
            continue;
        struct batch_norm_fixture both[2];
        for (int k = 0; k < 2; k++) {
            both[k] = batch_norm_set_up(&batch_norm_problems[i], NORM_DATA_LARGE_MEAN);
            batch_norm_forward(&both[k]);
            batch_norm_backward(&both[k], &both[k].norm.grads, NULL);
        }
        norm_expect_same_bits(&both[0].norm, &both[1].norm);
        batch_norm_tear_down(&both[0]);
        batch_norm_tear_down(&both[1]);
    }
}

static void check_nan(const char *label, struct batch_norm_fixture *f)
{
    int64_t spatial = f->ref.spatial, channels = f->ref.c;
    f->norm.x[2 * spatial + 1] = NAN; /* channel 2 of the first image */
    clg_tensor *x = testing_tensor_from(&f->norm.shape, f->norm.x);
    OK(clg_batch_norm_forward_train(f->plan, f->norm.y, x, &f->tensors, NULL));
    float *y = testing_download(f->norm.y), *var = testing_download(f->tensors.running_var);
    for (int64_t i = 0; i < f->norm.count; i++)
        if ((isnan(y[i]) != 0) != (i / spatial % channels == 2)) {
            print_error("%s: y[%lld] is %g\n", label, (long long)i, (double)y[i]);
            fail();
        }
    assert_true(isnan(var[2]));
    assert_true(!isnan(var[3]));
    clg_tensor_destroy(x);
    free(y);
    free(var);
}

static void a_nan_fills_its_channel_and_no_other(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_nan);
}

static void check_constant(const char *label, struct batch_norm_fixture *f)
{
    OK(clg_tensor_fill(f->norm.tx, 12345.678f, NULL));
    batch_norm_forward(f);
    for (int64_t i = 0; i < f->norm.count; i++)
        f->norm.want_y[i] = f->norm.beta[i / f->ref.spatial % f->ref.c];
    norm_expect_y(label, &f->norm);
}

static void a_constant_channel_gives_beta(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_constant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_equals_the_reference_forward_and_backward),
        cmocka_unit_test(evaluation_equals_the_reference_forward_and_backward),
        cmocka_unit_test(a_written_out_example_has_its_numbers),
        cmocka_unit_test(the_gradient_of_beta_is_exact_on_integers),
        cmocka_unit_test(the_same_input_gives_the_same_bits),
        cmocka_unit_test(a_nan_fills_its_channel_and_no_other),
        cmocka_unit_test(a_constant_channel_gives_beta),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
