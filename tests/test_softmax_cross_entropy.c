#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/loss.h"

static const struct problem {
    int64_t batch, classes;
    double smoothing, scale; /* of the logits */
    bool large;
} problems[] = {
    {1, 1, 0, 1, false},     {1, 2, 0, 1, false},       {3, 10, 0.1, 5, false},
    {64, 10, 0, 1, false},   {65, 63, 0.25, 3, false},  {7, 64, 0, 3, false},
    {2, 65, 0, 1, false},    {16, 10, 1, 2, false},     {9, 1000, 0.1, 10, true},
    {5, 130, 0, 1e4, false}, {5, 130, 0.1, 1e4, false}, {5000, 3, 0, 2, true},
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* A problem with its data and a plan for it. */
struct fixture {
    clg_softmax_cross_entropy *plan;
    clg_tensor_desc x_desc;
    struct ref_softmax_cross_entropy ref;
    double *x, *probabilities, *dx, loss;
    int32_t *label;
    clg_tensor *tx, *labels;
    clg_tensor *out_loss, *out_losses, *out_probabilities, *out_dx;
    char text[64];
};

static void setup(struct fixture *f, const struct problem *problem)
{
    int64_t batch = problem->batch, classes = problem->classes, count = batch * classes;
    clg_tensor_desc one = clg_desc_1d(1), samples = clg_desc_1d(batch);
    f->x_desc = clg_desc_2d(batch, classes);
    clg_softmax_cross_entropy_desc desc = {.x = f->x_desc,
                                           .label_smoothing = (float)problem->smoothing};
    OK(clg_softmax_cross_entropy_create(testing_context(), &desc, &f->plan));
    f->ref = (struct ref_softmax_cross_entropy){batch, classes, (double)desc.label_smoothing};
    snprintf(f->text, sizeof f->text, "%lldx%lld, smoothing %g, logits up to %g", (long long)batch,
             (long long)classes, problem->smoothing, problem->scale);
    f->x = testing_uniform(count, 1);
    for (int64_t i = 0; i < count; i++)
        f->x[i] = (double)(float)(f->x[i] * problem->scale);
    struct ref_random random = {2};
    f->label = malloc((size_t)batch * sizeof *f->label);
    for (int64_t i = 0; i < batch; i++)
        f->label[i] = (int32_t)(ref_random_bits(&random) % (uint64_t)classes);
    f->probabilities = ref_array_zeros(count);
    f->dx = ref_array_zeros(count);
    f->loss = ref_softmax_cross_entropy(&f->ref, f->x, f->label, f->probabilities, f->dx);
    f->tx = testing_tensor_from(&f->x_desc, f->x);
    f->labels = testing_labels(batch, f->label);
    f->out_loss = testing_tensor(&one, NULL);
    f->out_losses = testing_tensor(&samples, NULL);
    f->out_probabilities = testing_tensor(&f->x_desc, NULL);
    f->out_dx = testing_tensor(&f->x_desc, NULL);
}

static void teardown(struct fixture *f)
{
    clg_tensor *tensors[] = {f->tx,    f->labels, f->out_loss, f->out_losses, f->out_probabilities,
                             f->out_dx};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        clg_tensor_destroy(tensors[i]);
    free(f->x);
    free(f->probabilities);
    free(f->dx);
    free(f->label);
    clg_softmax_cross_entropy_destroy(f->plan);
}

static void every_result_equals_the_reference_in_one_pass(void **state)
{
    (void)state;
    for (int i = 0; i < PROBLEMS; i++) {
        if (problems[i].large && testing_small())
            continue;
        struct fixture f;
        setup(&f, &problems[i]);
        clg_softmax_cross_entropy_outputs outputs = {.loss = f.out_loss,
                                                     .losses = f.out_losses,
                                                     .probabilities = f.out_probabilities,
                                                     .dx = f.out_dx};
        OK(clg_softmax_cross_entropy_compute(f.plan, &outputs, f.tx, f.labels, NULL));
        testing_expect_close(f.text, f.out_loss, &f.loss);
        testing_expect_close(f.text, f.out_probabilities, f.probabilities);
        testing_expect_close(f.text, f.out_dx, f.dx);
        double *losses = ref_array_zeros(f.ref.batch);
        struct ref_softmax_cross_entropy single = f.ref;
        single.batch = 1;
        for (int64_t n = 0; n < f.ref.batch; n++)
            losses[n] = ref_softmax_cross_entropy(&single, f.x + n * f.ref.classes, &f.label[n],
                                                  NULL, NULL);
        testing_expect_close(f.text, f.out_losses, losses);
        free(losses);
        teardown(&f);
    }
}

static void separate_calls_give_the_same_bits_as_one_and_may_work_in_place(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, &problems[4]);
    clg_softmax_cross_entropy_outputs all = {.loss = f.out_loss,
                                             .losses = f.out_losses,
                                             .probabilities = f.out_probabilities,
                                             .dx = f.out_dx};
    clg_tensor *loss = testing_tensor(clg_tensor_get_desc(f.out_loss), NULL);
    clg_tensor *dx = testing_tensor(&f.x_desc, NULL);
    OK(clg_softmax_cross_entropy_compute(f.plan, &all, f.tx, f.labels, NULL));
    OK(clg_softmax_cross_entropy_forward(f.plan, loss, f.tx, f.labels, NULL));
    OK(clg_softmax_cross_entropy_backward(f.plan, dx, f.tx, f.labels, NULL));
    testing_expect_same_bits("loss", loss, f.out_loss);
    testing_expect_same_bits("dx", dx, f.out_dx);
    OK(clg_tensor_copy(dx, f.tx, NULL));
    OK(clg_softmax_cross_entropy_compute(
        f.plan, &(clg_softmax_cross_entropy_outputs){.probabilities = dx}, dx, f.labels, NULL));
    testing_expect_same_bits("probabilities in place", dx, f.out_probabilities);
    OK(clg_softmax_cross_entropy_backward(f.plan, f.tx, f.tx, f.labels, NULL));
    testing_expect_same_bits("dx in place", f.tx, f.out_dx);
    clg_tensor_destroy(loss);
    clg_tensor_destroy(dx);
    teardown(&f);
}

static void losses_and_gradients_accumulate_on_the_device(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, &problems[2]);
    int64_t count = f.ref.batch * f.ref.classes;
    clg_run accumulate = {.accumulate = true};
    clg_softmax_cross_entropy_outputs both = {.loss = f.out_loss, .dx = f.out_dx, .dloss = -2};
    OK(clg_softmax_cross_entropy_forward(f.plan, f.out_loss, f.tx, f.labels, NULL));
    OK(clg_softmax_cross_entropy_forward(f.plan, f.out_loss, f.tx, f.labels, &accumulate));
    OK(clg_softmax_cross_entropy_compute(f.plan, &both, f.tx, f.labels, &accumulate));
    double loss = 3 * f.loss;
    testing_expect_close("three losses", f.out_loss, &loss);
    for (int64_t i = 0; i < count; i++)
        f.dx[i] *= -2;
    testing_expect_close("dx overwritten, times dloss", f.out_dx, f.dx);
    OK(clg_softmax_cross_entropy_backward(f.plan, f.out_dx, f.tx, f.labels, &accumulate));
    for (int64_t i = 0; i < count; i++)
        f.dx[i] /= 2;
    testing_expect_close("dx accumulated", f.out_dx, f.dx);
    teardown(&f);
}

static void the_gradient_points_where_the_loss_grows(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, &problems[2]);
    int64_t count = f.ref.batch * f.ref.classes;
    double *direction = testing_uniform(count, 9), slope = 0, moved[2];
    OK(clg_softmax_cross_entropy_backward(f.plan, f.out_dx, f.tx, f.labels, NULL));
    float *dx = testing_download(f.out_dx);
    double step = 1.0 / 64;
    for (int side = 0; side < 2; side++) {
        double *x = ref_array_zeros(count);
        for (int64_t i = 0; i < count; i++)
            x[i] = f.x[i] + (side ? step : -step) * direction[i];
        clg_tensor *tx = testing_tensor_from(&f.x_desc, x);
        OK(clg_softmax_cross_entropy_forward(f.plan, f.out_loss, tx, f.labels, NULL));
        float *loss = testing_download(f.out_loss);
        moved[side] = (double)loss[0];
        free(loss);
        free(x);
        clg_tensor_destroy(tx);
    }
    for (int64_t i = 0; i < count; i++)
        slope += (double)dx[i] * direction[i];
    assert_true(fabs((moved[1] - moved[0]) / (2 * step) - slope) < 1e-3 * fabs(slope) + 1e-4);
    free(direction);
    free(dx);
    teardown(&f);
}

/* Runs one plan over three samples of two classes with these labels; x is 1 and 2 in each row. */
static void run_labels(const clg_softmax_cross_entropy_desc *settings, const int32_t *label,
                       float *loss, float *losses, float *dx)
{
    clg_softmax_cross_entropy_desc desc = *settings;
    float x[] = {1, 2, 1, 2, 1, 2};
    clg_tensor_desc one = clg_desc_1d(1), three = clg_desc_1d(3);
    desc.x = clg_desc_2d(3, 2);
    clg_softmax_cross_entropy *plan;
    OK(clg_softmax_cross_entropy_create(testing_context(), &desc, &plan));
    clg_tensor *tx = testing_tensor(&desc.x, x), *labels = testing_labels(3, label);
    clg_softmax_cross_entropy_outputs outputs = {.loss = testing_tensor(&one, NULL),
                                                 .losses = testing_tensor(&three, NULL),
                                                 .dx = testing_tensor(&desc.x, NULL)};
    OK(clg_softmax_cross_entropy_compute(plan, &outputs, tx, labels, NULL));
    OK(clg_tensor_download(outputs.loss, loss, NULL));
    OK(clg_tensor_download(outputs.losses, losses, NULL));
    OK(clg_tensor_download(outputs.dx, dx, NULL));
    clg_tensor_destroy(outputs.loss);
    clg_tensor_destroy(outputs.losses);
    clg_tensor_destroy(outputs.dx);
    clg_tensor_destroy(tx);
    clg_tensor_destroy(labels);
    clg_softmax_cross_entropy_destroy(plan);
}

static bool near(float got, double want)
{
    return fabs((double)got - want) < 1e-6;
}

static void ignored_samples_have_no_loss_and_do_not_count_in_the_mean(void **state)
{
    (void)state;
    clg_softmax_cross_entropy_desc desc = {.ignore = true, .ignore_index = -100};
    int32_t labels[] = {1, -100, 0};
    float loss, losses[3], dx[6];
    run_labels(&desc, labels, &loss, losses, dx);
    double first = log(1 + exp(-1)), last = log(1 + exp(1)), p = 1 / (1 + exp(1));
    assert_true(near(losses[0], first) && losses[1] == 0 && near(losses[2], last));
    assert_true(near(loss, (first + last) / 2));
    assert_true(near(dx[0], p / 2) && near(dx[1], -p / 2));
    assert_true(dx[2] == 0 && dx[3] == 0);
    assert_true(near(dx[4], (p - 1) / 2) && near(dx[5], (1 - p) / 2));
}

static void an_ignore_index_that_is_a_class_ignores_that_class(void **state)
{
    (void)state;
    clg_softmax_cross_entropy_desc desc = {.ignore = true, .ignore_index = 0};
    int32_t labels[] = {0, 1, 0};
    float loss, losses[3], dx[6];
    run_labels(&desc, labels, &loss, losses, dx);
    assert_true(losses[0] == 0 && losses[2] == 0 && near(loss, log(1 + exp(-1))));
    assert_true(dx[0] == 0 && dx[5] == 0 && near(dx[2], 1 / (1 + exp(1))));
}

static void the_loss_is_nan_and_the_gradient_0_when_all_samples_are_ignored(void **state)
{
    (void)state;
    clg_softmax_cross_entropy_desc desc = {
        .ignore = true, .ignore_index = -1, .label_smoothing = 0.1f};
    int32_t labels[] = {-1, -1, -1};
    float loss, losses[3], dx[6];
    run_labels(&desc, labels, &loss, losses, dx);
    assert_true(isnan(loss));
    for (int i = 0; i < 6; i++)
        assert_true(dx[i] == 0 && losses[i / 2] == 0);
}

static void a_label_that_is_no_class_gives_nan_and_harms_no_other_sample(void **state)
{
    (void)state;
    static const int32_t bad[] = {2, -1, -100, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        clg_softmax_cross_entropy_desc desc = {.label_smoothing = i % 2 ? 1.0f : 0.0f};
        int32_t labels[] = {1, bad[i], 0};
        float loss, losses[3], dx[6];
        run_labels(&desc, labels, &loss, losses, dx);
        assert_true(isnan(loss) && isnan(losses[1]) && isnan(dx[2]) && isnan(dx[3]));
        assert_true(isfinite(losses[0]) && isfinite(losses[2]));
        assert_true(isfinite(dx[0]) && isfinite(dx[1]) && isfinite(dx[4]) && isfinite(dx[5]));
    }
}

static void infinities_and_nans_in_the_logits_come_out_as_in_pytorch(void **state)
{
    (void)state;
    float x[] = {0, -INFINITY, 0, -INFINITY, NAN, 0, 0, INFINITY};
    int32_t label[] = {0, 1, 1, 0};
    float loss[4], dx[8];
    clg_tensor_desc four = clg_desc_1d(4);
    clg_softmax_cross_entropy_desc desc = {.x = clg_desc_2d(4, 2)};
    clg_softmax_cross_entropy *plan;
    OK(clg_softmax_cross_entropy_create(testing_context(), &desc, &plan));
    clg_tensor *tx = testing_tensor(&desc.x, x), *labels = testing_labels(4, label);
    clg_softmax_cross_entropy_outputs outputs = {.losses = testing_tensor(&four, NULL),
                                                 .dx = testing_tensor(&desc.x, NULL)};
    OK(clg_softmax_cross_entropy_compute(plan, &outputs, tx, labels, NULL));
    OK(clg_tensor_download(outputs.losses, loss, NULL));
    OK(clg_tensor_download(outputs.dx, dx, NULL));
    assert_true(loss[0] == 0 && dx[0] == 0 && dx[1] == 0);
    assert_true(isinf(loss[1]) && loss[1] > 0);
    assert_true(dx[2] == 0.25f && dx[3] == -0.25f);
    assert_true(isnan(loss[2]) && isnan(dx[4]) && isnan(dx[5]));
    assert_true(isnan(loss[3]));
    clg_tensor_destroy(outputs.losses);
    clg_tensor_destroy(outputs.dx);
    clg_tensor_destroy(tx);
    clg_tensor_destroy(labels);
    clg_softmax_cross_entropy_destroy(plan);
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_softmax_cross_entropy *plan = (clg_softmax_cross_entropy *)&plan;
    clg_softmax_cross_entropy_desc good = {.x = clg_desc_2d(2, 3)}, desc = good;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_softmax_cross_entropy_create(ctx, NULL, &plan));
    desc.label_smoothing = 1.5f;
    FAILS(CLG_INVALID_ARGUMENT, "label_smoothing is 1.5",
          clg_softmax_cross_entropy_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.label_smoothing = NAN;
    FAILS(CLG_INVALID_ARGUMENT, "nan", clg_softmax_cross_entropy_create(ctx, &desc, &plan));
    desc.label_smoothing = -0.5f;
    FAILS(CLG_INVALID_ARGUMENT, "-0.5", clg_softmax_cross_entropy_create(ctx, &desc, &plan));
    desc = good;
    desc.x = clg_desc_4d(2, 3, 1, 1);
    FAILS(CLG_INVALID_SHAPE, "x is 2x3x1x1 float32, two dimensions",
          clg_softmax_cross_entropy_create(ctx, &desc, &plan));
    desc.x = clg_desc_2d(0, 3);
    FAILS(CLG_INVALID_SHAPE, "0x3", clg_softmax_cross_entropy_create(ctx, &desc, &plan));
    desc.x = clg_desc_2d(1 << 20, 1 << 20);
    FAILS(CLG_TOO_LARGE, "1048576x1048576", clg_softmax_cross_entropy_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_softmax_cross_entropy_create(ctx, &desc, &plan));
    clg_softmax_cross_entropy_destroy(NULL);
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, &problems[2]);
    clg_softmax_cross_entropy_outputs none = {0}, good = {.dx = f.out_dx}, bad = good;
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_softmax_cross_entropy_compute(NULL, &good, f.tx, f.labels, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "outputs is NULL",
          clg_softmax_cross_entropy_compute(f.plan, NULL, f.tx, f.labels, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "all outputs are NULL",
          clg_softmax_cross_entropy_compute(f.plan, &none, f.tx, f.labels, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "loss is NULL",
          clg_softmax_cross_entropy_forward(f.plan, NULL, f.tx, f.labels, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dx is NULL",
          clg_softmax_cross_entropy_backward(f.plan, NULL, f.tx, f.labels, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "labels is NULL",
          clg_softmax_cross_entropy_compute(f.plan, &good, f.tx, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "labels is 3 float32, expected 3 int32",
          clg_softmax_cross_entropy_compute(f.plan, &good, f.tx, f.out_losses, NULL));
    bad.dloss = NAN;
    FAILS(CLG_INVALID_ARGUMENT, "dloss is nan",
          clg_softmax_cross_entropy_compute(f.plan, &bad, f.tx, f.labels, NULL));
    bad = good;
    bad.probabilities = f.out_dx;
    FAILS(CLG_INVALID_ARGUMENT, "one tensor",
          clg_softmax_cross_entropy_compute(f.plan, &bad, f.tx, f.labels, NULL));
    bad = good;
    clg_softmax_cross_entropy_outputs no_loss = {.dx = f.out_dx, .correct = f.labels};
    FAILS(CLG_INVALID_ARGUMENT, "correct is counted with the loss, which is NULL",
          clg_softmax_cross_entropy_compute(f.plan, &no_loss, f.tx, f.labels, NULL));
    bad.loss = f.out_losses;
    FAILS(CLG_INVALID_SHAPE, "loss is 3 float32, expected 1",
          clg_softmax_cross_entropy_compute(f.plan, &bad, f.tx, f.labels, NULL));
    clg_buffer *tiny;
    OK(clg_buffer_create(testing_context(), 4, &tiny));
    clg_run run = {.workspace = tiny};
    assert_int_equal(clg_softmax_cross_entropy_workspace_size(f.plan), 28);
    FAILS(CLG_INVALID_ARGUMENT, "4 bytes, 28 are needed",
          clg_softmax_cross_entropy_compute(f.plan, &good, f.tx, f.labels, &run));
    clg_buffer_destroy(tiny);
    teardown(&f);
}

/* Also with equal logits and NaNs, of which the first wins, and twice as many after a second run.
 */
static void right_answers_are_counted_as_by_accuracy(void **state)
{
    (void)state;
    const clg_tensor_desc one = {CLG_INT32, CLG_NCHW, 1, {1}};
    static const int64_t sizes[][2] = {{1, 1}, {7, 3}, {64, 10}, {33, 100}};
    for (int i = 0; i < 4; i++) {
        clg_tensor_desc x_desc = clg_desc_2d(sizes[i][0], sizes[i][1]), loss_desc = clg_desc_1d(1);
        double *x = testing_integers(sizes[i][0] * sizes[i][1], 2, 5);
        x[sizes[i][0] * sizes[i][1] / 2] = NAN;
        int32_t label[64];
        for (int n = 0; n < sizes[i][0]; n++)
            label[n] = n % 5 == 4 ? -1 : (int32_t)(n % sizes[i][1]) / 2;
        clg_softmax_cross_entropy *plan;
        clg_accuracy *accuracy;
        OK(clg_softmax_cross_entropy_create(testing_context(),
                                            &(clg_softmax_cross_entropy_desc){.x = x_desc}, &plan));
        OK(clg_accuracy_create(testing_context(), &(clg_accuracy_desc){.x = x_desc}, &accuracy));
        clg_tensor *tx = testing_tensor_from(&x_desc, x),
                   *labels = testing_labels(sizes[i][0], label);
        clg_tensor *loss = testing_tensor(&loss_desc, NULL);
        clg_tensor *got = testing_tensor(&one, NULL), *want = testing_tensor(&one, NULL);
        clg_softmax_cross_entropy_outputs outputs = {.loss = loss, .correct = got};
        for (int round = 0; round < 2; round++) {
            clg_run run = {.accumulate = round > 0};
            int32_t counted, expected;
            OK(clg_softmax_cross_entropy_compute(plan, &outputs, tx, labels, &run));
            OK(clg_accuracy_forward(accuracy, want, NULL, tx, labels, &run));
            OK(clg_tensor_download(got, &counted, NULL));
            OK(clg_tensor_download(want, &expected, NULL));
            assert_int_equal(counted, expected);
        }
        clg_tensor *all[] = {tx, labels, loss, got, want};
        for (int k = 0; k < 5; k++)
            clg_tensor_destroy(all[k]);
        clg_softmax_cross_entropy_destroy(plan);
        clg_accuracy_destroy(accuracy);
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_equals_the_reference_in_one_pass),
        cmocka_unit_test(separate_calls_give_the_same_bits_as_one_and_may_work_in_place),
        cmocka_unit_test(losses_and_gradients_accumulate_on_the_device),
        cmocka_unit_test(the_gradient_points_where_the_loss_grows),
        cmocka_unit_test(ignored_samples_have_no_loss_and_do_not_count_in_the_mean),
        cmocka_unit_test(an_ignore_index_that_is_a_class_ignores_that_class),
        cmocka_unit_test(the_loss_is_nan_and_the_gradient_0_when_all_samples_are_ignored),
        cmocka_unit_test(a_label_that_is_no_class_gives_nan_and_harms_no_other_sample),
        cmocka_unit_test(infinities_and_nans_in_the_logits_come_out_as_in_pytorch),
        cmocka_unit_test(right_answers_are_counted_as_by_accuracy),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
