#include "support/norm_fixture.h"

#include <math.h>
#include <stdio.h>

static const struct problem {
    clg_tensor_desc x;
    int normalized_dims;
    float eps;
    bool affine;
    bool large; /* left out on slow devices */
} problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 2, {7, 33}}, 1, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 3, {4, 5, 64}}, 1, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 4, 5, 7}}, 3, 1e-3f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 4, 5, 7}}, 2, 1e-5f, false, false},
    {{CLG_FLOAT32, CLG_NCHW, 1, {70}}, 1, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {9, 3}}, 1, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {1, 130}}, 1, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 6, {2, 3, 2, 2, 5, 4}}, 2, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 6, 57, 57}}, 3, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 2, {3000, 20}}, 1, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 2, {301, 768}}, 1, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 2, {2, 100001}}, 1, 1e-5f, true, true},
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* A problem with its data on the host and on the device. */
struct fixture {
    struct norm_fixture norm;
    struct ref_layer_norm ref;
    clg_layer_norm *plan;
    clg_norm_tensors tensors;
};

static struct fixture set_up(const struct problem *p, enum norm_data kind)
{
    struct fixture f;
    clg_layer_norm_desc desc = {p->x, p->normalized_dims, p->eps};
    OK(clg_layer_norm_create(testing_context(), &desc, &f.plan));
    clg_tensor_desc row = clg_layer_norm_gamma_desc(f.plan);
    f.norm = norm_fixture_create(&p->x, &row, p->affine, kind);
    f.ref = (struct ref_layer_norm){f.norm.count / f.norm.gamma_count, f.norm.gamma_count, p->eps,
                                    f.norm.gamma, f.norm.beta};
    f.tensors = (clg_norm_tensors){f.norm.tgamma, f.norm.tbeta, NULL};
    return f;
}

static void tear_down(struct fixture *f)
{
    norm_fixture_destroy(&f->norm);
    clg_layer_norm_destroy(f->plan);
}

static void for_every_problem(enum norm_data first, enum norm_data last,
                              void (*check)(const char *label, struct fixture *f))
{
    for (int i = 0; i < PROBLEMS; i++)
        for (int kind = (int)first; kind <= (int)last; kind++) {
            if ((problems[i].large && testing_small()) ||
                (kind > (int)first && testing_interpreted()))
                continue;
            struct fixture f = set_up(&problems[i], (enum norm_data)kind);
            char label[64];
            snprintf(label, sizeof label, "problem %d, %s", i,
                     norm_data_name((enum norm_data)kind));
            check(label, &f);
            tear_down(&f);
        }
}

static void check_results(const char *label, struct fixture *f)
{
    struct norm_fixture *n = &f->norm;
    OK(clg_layer_norm_forward(f->plan, n->y, n->tx, &f->tensors, NULL));
    OK(clg_layer_norm_backward(f->plan, &n->grads, n->tdy, n->tx, &f->tensors, NULL));
    ref_layer_norm_forward(&f->ref, n->x, n->want_y);
    ref_layer_norm_backward(&f->ref, n->x, n->dy, &n->want);
    norm_expect_y(label, n);
    norm_expect_gradients(label, n);
}

static void every_problem_equals_the_reference_forward_and_backward(void **state)
{
    (void)state;
    for_every_problem(0, NORM_DATA_COUNT - 1, check_results);
}

static void check_integers(const char *label, struct fixture *f)
{
    double *dy = testing_integers(f->norm.count, 5, 3);
    clg_tensor *tdy = testing_tensor_from(&f->norm.shape, dy);
    OK(clg_layer_norm_forward(f->plan, f->norm.y, f->norm.tx, &f->tensors, NULL));
    OK(clg_layer_norm_backward(f->plan, &f->norm.grads, tdy, f->norm.tx, &f->tensors, NULL));
    ref_layer_norm_backward(&f->ref, f->norm.x, dy, &f->norm.want);
    testing_expect_exact(label, f->norm.grads.dbeta, f->norm.want.dbeta);
    clg_tensor_destroy(tdy);
    free(dy);
}

static void the_gradient_of_beta_is_exact_on_integers(void **state)
{
    (void)state;
    for_every_problem(NORM_DATA_UNIFORM, NORM_DATA_UNIFORM, check_integers);
}

static void the_same_input_gives_the_same_bits(void **state)
{
    (void)state;
    for (int i = 0; i < PROBLEMS; i++) {
        if (problems[i].large && testing_small())
            continue;
        struct fixture both[2];
        for (int k = 0; k < 2; k++) {
            both[k] = set_up(&problems[i], NORM_DATA_LARGE_MEAN);
            struct norm_fixture *n = &both[k].norm;
            OK(clg_layer_norm_forward(both[k].plan, n->y, n->tx, &both[k].tensors, NULL));
            OK(clg_layer_norm_backward(both[k].plan, &n->grads, n->tdy, n->tx, &both[k].tensors,
                                       NULL));
        }
        norm_expect_same_bits(&both[0].norm, &both[1].norm);
        tear_down(&both[0]);
        tear_down(&both[1]);
    }
}

static void check_in_place(const char *label, struct fixture *f)
{
    struct norm_fixture *n = &f->norm;
    clg_norm_gradients grads = {.dx = n->tdy, .dgamma = n->grads.dgamma, .dbeta = n->grads.dbeta};
    ref_layer_norm_forward(&f->ref, n->x, n->want_y);
    ref_layer_norm_backward(&f->ref, n->x, n->dy, &n->want);
    OK(clg_layer_norm_forward(f->plan, n->y, n->tx, &f->tensors, NULL));
    OK(clg_layer_norm_backward(f->plan, &grads, n->tdy, n->tx, &f->tensors, NULL));
    clg_tensor *dx = n->grads.dx;
    n->grads.dx = n->tdy;
    norm_expect_gradients(label, n);
    n->grads.dx = dx;
    OK(clg_layer_norm_forward(f->plan, n->tx, n->tx, &f->tensors, NULL));
    norm_expect(label, "y over x", n->tx, n->want_y);
}

static void dx_may_be_dy_and_y_may_be_x(void **state)
{
    (void)state;
    for_every_problem(NORM_DATA_UNIFORM, NORM_DATA_UNIFORM, check_in_place);
}

static void check_accumulation(const char *label, struct fixture *f)
{
    struct norm_fixture *n = &f->norm;
    clg_run accumulate = {.accumulate = true};
    OK(clg_layer_norm_forward(f->plan, n->y, n->tx, &f->tensors, NULL));
    OK(clg_layer_norm_backward(f->plan, &n->grads, n->tdy, n->tx, &f->tensors, NULL));
    OK(clg_layer_norm_backward(f->plan, &n->grads, n->tdy, n->tx, &f->tensors, &accumulate));
    ref_layer_norm_backward(&f->ref, n->x, n->dy, &n->want);
    for (int64_t i = 0; i < n->gamma_count; i++) {
        n->want.dgamma[i] *= 2;
        n->want.dbeta[i] *= 2;
    }
    norm_expect_gradients(label, n);
}

static void accumulation_adds_to_dgamma_and_dbeta_and_overwrites_dx(void **state)
{
    (void)state;
    for_every_problem(NORM_DATA_UNIFORM, NORM_DATA_UNIFORM, check_accumulation);
}

static void check_wanted(const char *label, struct fixture *f)
{
    struct norm_fixture *n = &f->norm;
    clg_norm_gradients dx = {.dx = n->grads.dx}, dgamma = {.dgamma = n->grads.dgamma};
    f->tensors.beta = NULL; /* y is not looked at, and backward needs no beta */
    OK(clg_layer_norm_forward(f->plan, n->y, n->tx, &f->tensors, NULL));
    ref_layer_norm_backward(&f->ref, n->x, n->dy, &n->want);
    OK(clg_layer_norm_backward(f->plan, &dx, n->tdy, n->tx, &f->tensors, NULL));
    norm_expect(label, "dx alone", n->grads.dx, n->want.dx);
    OK(clg_layer_norm_backward(f->plan, &dgamma, n->tdy, n->tx, &f->tensors, NULL));
    norm_expect(label, "dgamma alone", n->grads.dgamma, n->want.dgamma);
    float *dbeta = testing_download(n->grads.dbeta);
    assert_true(isnan(dbeta[0]));
    free(dbeta);
}

static void only_the_gradients_that_are_wanted_are_written(void **state)
{
    (void)state;
    for_every_problem(NORM_DATA_UNIFORM, NORM_DATA_UNIFORM, check_wanted);
}

static void check_saved(const char *label, struct fixture *f)
{
    struct norm_fixture *n = &f->norm;
    clg_tensor_desc saved = clg_layer_norm_saved_desc(f->plan);
    clg_norm_tensors mine = f->tensors;
    mine.saved = testing_tensor(&saved, NULL);
    OK(clg_layer_norm_forward(f->plan, n->y, n->tx, &mine, NULL));
    OK(clg_layer_norm_forward(f->plan, n->y, n->tdy, &f->tensors, NULL)); /* another batch */
    OK(clg_layer_norm_backward(f->plan, &n->grads, n->tdy, n->tx, &mine, NULL));
    ref_layer_norm_backward(&f->ref, n->x, n->dy, &n->want);
    norm_expect_gradients(label, n);
    clg_tensor_destroy(mine.saved);
}

static void saved_statistics_of_the_caller_outlive_later_forward_passes(void **state)
{
    (void)state;
    for_every_problem(NORM_DATA_UNIFORM, NORM_DATA_UNIFORM, check_saved);
}

static void a_nan_fills_its_set_and_no_other(void **state)
{
    (void)state;
    struct fixture f = set_up(&problems[0], NORM_DATA_UNIFORM); /* 7 rows of 33 */
    f.norm.x[2 * 33 + 32] = NAN;
    clg_tensor *x = testing_tensor_from(&f.norm.shape, f.norm.x);
    OK(clg_layer_norm_forward(f.plan, f.norm.y, x, &f.tensors, NULL));
    float *y = testing_download(f.norm.y);
    for (int64_t k = 0; k < f.norm.count; k++)
        assert_int_equal(isnan(y[k]) != 0, k / 33 == 2);
    free(y);
    clg_tensor_destroy(x);
    tear_down(&f);
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_layer_norm *plan = (clg_layer_norm *)&plan;
    const clg_layer_norm_desc good = {clg_desc_4d(2, 6, 4, 5), 3, 1e-5f};
    clg_layer_norm_desc desc = good;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_layer_norm_create(ctx, NULL, &plan));
    desc.normalized_dims = 5;
    FAILS(CLG_INVALID_SHAPE, "normalized_dims is 5, x is 2x6x4x5",
          clg_layer_norm_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.normalized_dims = 0;
    FAILS(CLG_INVALID_SHAPE, "normalized_dims is 0", clg_layer_norm_create(ctx, &desc, &plan));
    desc = good;
    desc.eps = -1;
    FAILS(CLG_INVALID_ARGUMENT, "eps is -1", clg_layer_norm_create(ctx, &desc, &plan));
    desc = good;
    desc.x.layout = CLG_NHWC;
    FAILS(CLG_UNSUPPORTED, "2x6x4x5 float32 NHWC", clg_layer_norm_create(ctx, &desc, &plan));
    desc.x = clg_desc_2d(INT32_MAX, 3);
    FAILS(CLG_TOO_LARGE, "2147483647", clg_layer_norm_create(ctx, &desc, &plan));
    desc = (clg_layer_norm_desc){clg_desc_2d(INT32_MAX, 1), 1, 0};
    FAILS(CLG_TOO_LARGE, "3x2147483647", clg_layer_norm_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_layer_norm_create(ctx, &desc, &plan));
    clg_layer_norm_destroy(NULL);
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    struct fixture f = set_up(&problems[0], NORM_DATA_UNIFORM);
    const struct norm_fixture *n = &f.norm;
    clg_norm_tensors wrong = {NULL, n->tx, NULL};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_layer_norm_forward(NULL, n->y, n->tx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_layer_norm_backward(NULL, &n->grads, n->tdy, n->tx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "y is NULL",
          clg_layer_norm_forward(f.plan, NULL, n->tx, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "beta is 7x33 float32, expected 33 float32",
          clg_layer_norm_forward(f.plan, n->y, n->tx, &wrong, NULL));
    wrong = (clg_norm_tensors){.saved = n->grads.dgamma};
    FAILS(CLG_INVALID_SHAPE, "saved is 33 float32, expected 3x7",
          clg_layer_norm_forward(f.plan, n->y, n->tx, &wrong, NULL));
    FAILS(CLG_INVALID_STATE, "has not run forward",
          clg_layer_norm_backward(f.plan, &n->grads, n->tdy, n->tx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dx, dgamma and dbeta are all NULL",
          clg_layer_norm_backward(f.plan, &(clg_norm_gradients){0}, n->tdy, n->tx, NULL, NULL));
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_problem_equals_the_reference_forward_and_backward),
        cmocka_unit_test(the_gradient_of_beta_is_exact_on_integers),
        cmocka_unit_test(the_same_input_gives_the_same_bits),
        cmocka_unit_test(dx_may_be_dy_and_y_may_be_x),
        cmocka_unit_test(accumulation_adds_to_dgamma_and_dbeta_and_overwrites_dx),
        cmocka_unit_test(only_the_gradients_that_are_wanted_are_written),
        cmocka_unit_test(saved_statistics_of_the_caller_outlive_later_forward_passes),
        cmocka_unit_test(a_nan_fills_its_set_and_no_other),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
