#include "support/testing.h"

#include <math.h>

static const struct problem {
    clg_tensor_desc x;
    float alpha, beta;
} problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 1, {1}}, 1, 1},
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 5, 7, 9}}, 2, -3},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 3, 11, 1}}, 0, 1},
    {{CLG_FLOAT32, CLG_NCHW, 2, {17, 64}}, -1, 0},
    {{CLG_FLOAT32, CLG_NCHW, 1, {65}}, 0, 0},    /* left out: 1 and 1 */
    {{CLG_FLOAT32, CLG_NCHW, 1, {12301}}, 3, 1}, /* several work-items and no whole vectors */
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* alpha x + beta z */
static double *weighted(int64_t n, double alpha, const double *x, double beta, const double *z)
{
    double *sum = ref_array_zeros(n);
    for (int64_t i = 0; i < n; i++)
        sum[i] = alpha * x[i] + (z ? beta * z[i] : 0);
    return sum;
}

static clg_add *plan_of(const struct problem *problem, double *alpha, double *beta, int64_t *count)
{
    clg_add_desc desc = {problem->x, problem->alpha, problem->beta};
    bool left_out = problem->alpha == 0 && problem->beta == 0;
    *alpha = left_out ? 1 : (double)problem->alpha;
    *beta = left_out ? 1 : (double)problem->beta;
    clg_add *plan;
    OK(clg_tensor_desc_count(&problem->x, count));
    OK(clg_add_create(testing_context(), &desc, &plan));
    return plan;
}

static void the_sum_of_integers_is_exact(void **state)
{
    (void)state;
    for (int i = 0; i < PROBLEMS; i++) {
        double alpha, beta;
        int64_t n;
        clg_add *plan = plan_of(&problems[i], &alpha, &beta, &n);
        double *a = testing_integers(n, 9, 1), *b = testing_integers(n, 9, 2);
        double *want = weighted(n, alpha, a, beta, b);
        clg_tensor *ta = testing_tensor_from(&problems[i].x, a);
        clg_tensor *tb = testing_tensor_from(&problems[i].x, b);
        clg_tensor *y = testing_tensor(&problems[i].x, NULL);
        OK(clg_add_forward(plan, y, ta, tb, NULL));
        testing_expect_exact("add", y, want);
        free(a);
        free(b);
        free(want);
        clg_tensor_destroy(ta);
        clg_tensor_destroy(tb);
        clg_tensor_destroy(y);
        clg_add_destroy(plan);
    }
}

static void the_gradients_are_scaled_copies_overwritten_or_accumulated(void **state)
{
    (void)state;
    clg_run accumulate = {.accumulate = true};
    for (int i = 0; i < PROBLEMS; i++) {
        double alpha, beta;
        int64_t n;
        clg_add *plan = plan_of(&problems[i], &alpha, &beta, &n);
        double *dy = testing_integers(n, 9, 3);
        double *want_a = weighted(n, alpha, dy, 0, NULL), *want_b = weighted(n, beta, dy, 0, NULL);
        double *twice = weighted(n, 2 * alpha, dy, 0, NULL);
        clg_tensor *tdy = testing_tensor_from(&problems[i].x, dy);
        clg_tensor *da = testing_tensor(&problems[i].x, NULL);
        clg_tensor *db = testing_tensor(&problems[i].x, NULL);
        OK(clg_add_backward(plan, da, db, tdy, NULL));
        testing_expect_exact("da", da, want_a);
        testing_expect_exact("db", db, want_b);
        OK(clg_add_backward(plan, da, NULL, tdy, &accumulate));
        testing_expect_exact("da accumulated", da, twice);
        testing_expect_exact("db left alone", db, want_b);
        OK(clg_add_backward(plan, NULL, tdy, tdy, NULL));
        testing_expect_exact("db in place of dy", tdy, want_b);
        free(dy);
        free(want_a);
        free(want_b);
        free(twice);
        clg_tensor_destroy(tdy);
        clg_tensor_destroy(da);
        clg_tensor_destroy(db);
        clg_add_destroy(plan);
    }
}

static void the_result_may_overwrite_either_input_or_both(void **state)
{
    (void)state;
    struct problem problem = {clg_desc_1d(200), 2, 3};
    double alpha, beta;
    int64_t n;
    clg_add *plan = plan_of(&problem, &alpha, &beta, &n);
    double *a = testing_integers(n, 9, 1), *b = testing_integers(n, 9, 2);
    double *want = weighted(n, 2, a, 3, b), *five = weighted(n, 5, b, 0, NULL);
    for (int in_place_of = 0; in_place_of < 2; in_place_of++) {
        clg_tensor *ta = testing_tensor_from(&problem.x, a);
        clg_tensor *tb = testing_tensor_from(&problem.x, b);
        clg_tensor *y = in_place_of == 0 ? ta : tb;
        OK(clg_add_forward(plan, y, ta, tb, NULL));
        testing_expect_exact("in place", y, want);
        clg_tensor_destroy(ta);
        clg_tensor_destroy(tb);
    }
    clg_tensor *t = testing_tensor_from(&problem.x, b);
    OK(clg_add_forward(plan, t, t, t, NULL));
    testing_expect_exact("all one tensor", t, five);
    clg_tensor_destroy(t);
    clg_add_destroy(plan);
    free(a);
    free(b);
    free(want);
    free(five);
}

static void views_into_one_buffer_are_added_without_touching_their_neighbours(void **state)
{
    (void)state;
    struct problem problem = {clg_desc_1d(5), 1, 1};
    double alpha, beta;
    int64_t n;
    clg_add *plan = plan_of(&problem, &alpha, &beta, &n);
    clg_tensor_desc whole_desc = clg_desc_1d(17);
    float data[17];
    double want[17];
    for (int i = 0; i < 17; i++)
        want[i] = (double)(data[i] = (float)i);
    for (int i = 0; i < 5; i++)
        want[11 + i] = want[1 + i] + want[6 + i];
    clg_tensor *whole = testing_tensor(&whole_desc, data), *a, *b, *y;
    clg_buffer *buffer = clg_tensor_buffer(whole, NULL);
    OK(clg_tensor_view(buffer, 4, &problem.x, &a));
    OK(clg_tensor_view(buffer, 24, &problem.x, &b));
    OK(clg_tensor_view(buffer, 44, &problem.x, &y));
    OK(clg_add_forward(plan, y, a, b, NULL));
    testing_expect_exact("views", whole, want);
    clg_tensor_destroy(whole);
    clg_tensor_destroy(a);
    clg_tensor_destroy(b);
    clg_tensor_destroy(y);
    clg_add_destroy(plan);
}

/* Stores go around the caches then, for results that are aligned. */
static void tensors_beyond_the_caches_are_added_wherever_they_start(void **state)
{
    (void)state;
    uint64_t cache = clg_context_device(testing_context())->global_cache;
    if (testing_small() || cache > (64 << 20))
        skip();
    struct problem problem = {clg_desc_1d((int64_t)cache / 12 + 21), 1, 2};
    double alpha, beta;
    int64_t n;
    clg_add *plan = plan_of(&problem, &alpha, &beta, &n);
    double *a = testing_integers(n, 9, 5), *b = testing_integers(n, 9, 6);
    double *want = weighted(n, 1, a, 2, b);
    clg_tensor *ta = testing_tensor_from(&problem.x, a), *tb = testing_tensor_from(&problem.x, b);
    clg_tensor_desc room_desc = clg_desc_1d(n + 1);
    clg_tensor *room = testing_tensor(&room_desc, NULL);
    for (size_t offset = 0; offset <= 4; offset += 4) {
        clg_tensor *y;
        OK(clg_tensor_view(clg_tensor_buffer(room, NULL), offset, &problem.x, &y));
        OK(clg_add_forward(plan, y, ta, tb, NULL));
        testing_expect_exact("add", y, want);
        clg_tensor_destroy(y);
    }
    clg_tensor_destroy(room);
    clg_tensor_destroy(ta);
    clg_tensor_destroy(tb);
    clg_add_destroy(plan);
    free(a);
    free(b);
    free(want);
}

static void bad_descriptions_and_tensors_are_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_add *plan = (clg_add *)&plan;
    clg_add_desc good = {clg_desc_2d(2, 3), 1, 1}, desc = good;
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_add_create(NULL, &good, &plan));
    desc.beta = NAN;
    FAILS(CLG_INVALID_ARGUMENT, "beta nan", clg_add_create(ctx, &desc, &plan));
    assert_null(plan);
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_add_create(ctx, &desc, &plan));
    desc = good;
    desc.x.dims[1] = -1;
    FAILS(CLG_INVALID_SHAPE, "-1", clg_add_create(ctx, &desc, &plan));
    clg_add_destroy(NULL);
    OK(clg_add_create(ctx, &good, &plan));
    clg_tensor_desc other = clg_desc_2d(3, 2);
    clg_tensor *x = testing_tensor(&good.x, NULL), *wrong = testing_tensor(&other, NULL);
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_add_forward(NULL, x, x, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "a is NULL", clg_add_forward(plan, x, NULL, x, NULL));
    FAILS(CLG_INVALID_SHAPE, "b is 3x2 float32, expected 2x3",
          clg_add_forward(plan, x, x, wrong, NULL));
    FAILS(CLG_INVALID_SHAPE, "db is 3x2", clg_add_backward(plan, NULL, wrong, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "both NULL", clg_add_backward(plan, NULL, NULL, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "one tensor", clg_add_backward(plan, x, x, x, NULL));
    clg_tensor_destroy(x);
    clg_tensor_destroy(wrong);
    clg_add_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_of_integers_is_exact),
        cmocka_unit_test(the_gradients_are_scaled_copies_overwritten_or_accumulated),
        cmocka_unit_test(the_result_may_overwrite_either_input_or_both),
        cmocka_unit_test(views_into_one_buffer_are_added_without_touching_their_neighbours),
        cmocka_unit_test(tensors_beyond_the_caches_are_added_wherever_they_start),
        cmocka_unit_test(bad_descriptions_and_tensors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
