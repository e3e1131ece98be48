#include "support/testing.h"

#include <math.h>

static const struct problem {
    int64_t samples, classes;
} problems[] = {{1, 1}, {3, 2}, {64, 10}, {65, 63}, {7, 65}, {200, 1}, {2, 1000}};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

static clg_tensor *integers(int64_t n)
{
    int32_t *zeros = calloc((size_t)n, sizeof *zeros);
    clg_tensor *tensor = testing_labels(n, zeros);
    free(zeros);
    return tensor;
}

static void expect_integers(const clg_tensor *tensor, const int32_t *want)
{
    size_t bytes = clg_tensor_bytes(tensor);
    int32_t *got = malloc(bytes);
    OK(clg_tensor_download(tensor, got, NULL));
    for (size_t i = 0; i < bytes / sizeof *got; i++)
        assert_int_equal(got[i], want[i]);
    free(got);
}

static clg_accuracy *plan_of(int64_t samples, int64_t classes)
{
    clg_accuracy_desc desc = {clg_desc_2d(samples, classes)};
    clg_accuracy *plan;
    OK(clg_accuracy_create(testing_context(), &desc, &plan));
    return plan;
}

static int32_t first_largest(const double *row, int64_t classes)
{
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
        best = row[k] > row[best] ? k : best;
    return (int32_t)best;
}

static void predictions_and_their_count_equal_the_reference(void **state)
{
    (void)state;
    clg_run accumulate = {.accumulate = true};
    for (int i = 0; i < PROBLEMS; i++) {
        int64_t samples = problems[i].samples, classes = problems[i].classes;
        clg_tensor_desc shape = clg_desc_2d(samples, classes);
        clg_accuracy *plan = plan_of(samples, classes);
        /* Few different scores: ties in most rows. */
        double *x = testing_integers(samples * classes, 3, (uint64_t)i + 1);
        int32_t *want = malloc((size_t)samples * sizeof *want);
        int32_t *label = malloc((size_t)samples * sizeof *label);
        int32_t hits = 0;
        for (int64_t n = 0; n < samples; n++) {
            want[n] = first_largest(x + n * classes, classes);
            label[n] = n % 3 == 0 ? want[n] : (int32_t)(n % classes);
            hits += label[n] == want[n];
        }
        clg_tensor *tx = testing_tensor_from(&shape, x), *labels = testing_labels(samples, label);
        clg_tensor *correct = integers(1), *predictions = integers(samples);
        OK(clg_accuracy_forward(plan, correct, predictions, tx, labels, NULL));
        expect_integers(correct, &hits);
        expect_integers(predictions, want);
        OK(clg_accuracy_forward(plan, correct, NULL, tx, labels, &accumulate));
        hits *= 2;
        expect_integers(correct, &hits);
        OK(clg_accuracy_forward(plan, NULL, labels, tx, NULL, NULL));
        expect_integers(labels, want);
        free(x);
        free(want);
        free(label);
        clg_tensor_destroy(tx);
        clg_tensor_destroy(labels);
        clg_tensor_destroy(correct);
        clg_tensor_destroy(predictions);
        clg_accuracy_destroy(plan);
    }
}

static void infinities_nans_and_labels_that_are_no_class_have_their_documented_place(void **state)
{
    (void)state;
    enum { ROWS = 6 };
    const float inf = INFINITY;
    float x[ROWS][3] = {{1, NAN, 2},    {NAN, inf, NAN},      {-inf, -inf, -inf},
                        {0, -inf, inf}, {-inf, -1e38f, -inf}, {0, -0.0f, 0}};
    int32_t want[ROWS] = {1, 0, 0, 2, 1, 0}, label[ROWS] = {1, 0, -1, 3, INT32_MIN, 0}, three = 3;
    clg_tensor_desc shape = clg_desc_2d(ROWS, 3);
    clg_accuracy *plan = plan_of(ROWS, 3);
    clg_tensor *tx = testing_tensor(&shape, &x[0][0]), *labels = testing_labels(ROWS, label);
    clg_tensor *correct = integers(1), *predictions = integers(ROWS);
    OK(clg_accuracy_forward(plan, correct, predictions, tx, labels, NULL));
    expect_integers(predictions, want);
    expect_integers(correct, &three);
    clg_tensor_destroy(tx);
    clg_tensor_destroy(labels);
    clg_tensor_destroy(correct);
    clg_tensor_destroy(predictions);
    clg_accuracy_destroy(plan);
}

static void bad_descriptions_and_tensors_are_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_accuracy *plan = (clg_accuracy *)&plan;
    clg_accuracy_desc desc = {clg_desc_1d(5)};
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_accuracy_create(NULL, &desc, &plan));
    FAILS(CLG_INVALID_SHAPE, "x is 5 float32, two", clg_accuracy_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.x = clg_desc_2d(5, 2);
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_accuracy_create(ctx, &desc, &plan));
    clg_accuracy_destroy(NULL);
    desc.x = clg_desc_2d(5, 2);
    OK(clg_accuracy_create(ctx, &desc, &plan));
    clg_tensor *x = testing_tensor(&desc.x, NULL), *labels = integers(5), *correct = integers(1);
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_accuracy_forward(NULL, correct, NULL, x, labels, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "correct and predictions are NULL",
          clg_accuracy_forward(plan, NULL, NULL, x, labels, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "labels is NULL",
          clg_accuracy_forward(plan, correct, NULL, x, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "correct is 5 int32, expected 1",
          clg_accuracy_forward(plan, labels, NULL, x, labels, NULL));
    FAILS(CLG_INVALID_SHAPE, "labels is 5x2 float32, expected 5 int32",
          clg_accuracy_forward(plan, correct, NULL, x, x, NULL));
    clg_buffer *tiny;
    OK(clg_buffer_create(ctx, 4, &tiny));
    clg_run run = {.workspace = tiny};
    assert_int_equal(clg_accuracy_workspace_size(plan), 20);
    FAILS(CLG_INVALID_ARGUMENT, "4 bytes, 20 are needed",
          clg_accuracy_forward(plan, correct, NULL, x, labels, &run));
    clg_buffer_destroy(tiny);
    clg_tensor_destroy(x);
    clg_tensor_destroy(labels);
    clg_tensor_destroy(correct);
    clg_accuracy_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_and_their_count_equal_the_reference),
        cmocka_unit_test(infinities_nans_and_labels_that_are_no_class_have_their_documented_place),
        cmocka_unit_test(bad_descriptions_and_tensors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
