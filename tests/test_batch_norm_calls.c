/* How batch norm is called: which tensors may be left out or shared, and every error. */
#include "support/batch_norm_fixture.h"

#include <math.h>

static void check_in_place(const char *label, struct batch_norm_fixture *f)
{
    struct norm_fixture *n = &f->norm;
    clg_norm_gradients over_dy = {.dx = n->tdy};
    ref_batch_norm_forward(&f->ref, n->x, NULL, NULL, n->want_y);
    ref_batch_norm_backward(&f->ref, n->x, n->dy, &n->want);
    batch_norm_forward(f);
    batch_norm_backward(f, &over_dy, NULL);
    norm_expect(label, "dx over dy", n->tdy, n->want.dx);
    OK(clg_batch_norm_forward_train(f->plan, n->tx, n->tx, &f->tensors, NULL));
    norm_expect(label, "y over x", n->tx, n->want_y);
}

static void dx_may_be_dy_and_y_may_be_x(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_in_place);
}

static void check_accumulation(const char *label, struct batch_norm_fixture *f)
{
    clg_run accumulate = {.accumulate = true};
    batch_norm_forward(f);
    batch_norm_backward(f, &f->norm.grads, NULL);
    batch_norm_backward(f, &f->norm.grads, &accumulate);
    ref_batch_norm_backward(&f->ref, f->norm.x, f->norm.dy, &f->norm.want);
    for (int64_t c = 0; c < f->ref.c; c++) {
        f->norm.want.dgamma[c] *= 2;
        f->norm.want.dbeta[c] *= 2;
    }
    norm_expect_gradients(label, &f->norm);
}

static void accumulation_adds_to_dgamma_and_dbeta_and_overwrites_dx(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_accumulation);
}

/* All that are wanted must be right, the others keep their poison. */
static void expect_only(const char *label, struct batch_norm_fixture *f,
                        const clg_norm_gradients *wanted)
{
    const struct norm_fixture *n = &f->norm;
    clg_tensor *all[] = {n->grads.dx, n->grads.dgamma, n->grads.dbeta};
    const clg_tensor *asked[] = {wanted->dx, wanted->dgamma, wanted->dbeta};
    const double *want[] = {n->want.dx, n->want.dgamma, n->want.dbeta};
    for (int i = 0; i < 3; i++) {
        float *got = testing_download(all[i]);
        if (asked[i])
            norm_expect(label, "a wanted gradient", all[i], want[i]);
        else
            assert_true(isnan(got[0]));
        free(got);
        OK(clg_tensor_fill(all[i], NAN, NULL));
    }
}

static void check_wanted(const char *label, struct batch_norm_fixture *f)
{
    const clg_norm_gradients *all = &f->norm.grads;
    batch_norm_forward(f);
    f->tensors.beta = NULL; /* backward needs no beta */
    ref_batch_norm_backward(&f->ref, f->norm.x, f->norm.dy, &f->norm.want);
    for (int wanted = 1; wanted < 8; wanted++) {
        clg_norm_gradients grads = {.dx = wanted & 1 ? all->dx : NULL,
                                    .dgamma = wanted & 2 ? all->dgamma : NULL,
                                    .dbeta = wanted & 4 ? all->dbeta : NULL};
        batch_norm_backward(f, &grads, NULL);
        expect_only(label, f, &grads);
    }
}

static void only_the_gradients_that_are_wanted_are_written(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_wanted);
}

static void check_saved(const char *label, struct batch_norm_fixture *f)
{
    clg_tensor_desc saved = clg_batch_norm_saved_desc(f->plan);
    clg_batch_norm_tensors mine = f->tensors;
    mine.saved = testing_tensor(&saved, NULL);
    struct norm_fixture *n = &f->norm;
    double *second = testing_uniform(n->count, 9); /* a batch whose statistics the plan keeps */
    clg_tensor *other = testing_tensor_from(&n->shape, second);
    OK(clg_batch_norm_forward_train(f->plan, n->y, n->tx, &mine, NULL));
    OK(clg_batch_norm_forward_train(f->plan, n->y, other, &f->tensors, NULL));
    OK(clg_batch_norm_backward(f->plan, &n->grads, n->tdy, n->tx, &mine, NULL));
    ref_batch_norm_backward(&f->ref, n->x, n->dy, &n->want);
    norm_expect_gradients(label, n);
    OK(clg_batch_norm_backward(f->plan, &n->grads, n->tdy, other, &f->tensors, NULL));
    ref_batch_norm_backward(&f->ref, second, n->dy, &n->want);
    norm_expect_gradients(label, n);
    clg_tensor_destroy(mine.saved);
    clg_tensor_destroy(other);
    free(second);
}

static void saved_statistics_of_the_caller_outlive_later_forward_passes(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_saved);
}

static void check_views(const char *label, struct batch_norm_fixture *f)
{
    clg_buffer *buffer;
    clg_tensor *x, *y, *gamma;
    size_t bytes = clg_tensor_bytes(f->norm.tx);
    OK(clg_buffer_create(testing_context(), 2 * bytes + 400, &buffer));
    OK(clg_tensor_view(buffer, 4, &f->norm.shape, &x));
    OK(clg_tensor_view(buffer, bytes + 12, &f->norm.shape, &y));
    OK(clg_tensor_view(buffer, 2 * bytes + 20, &f->norm.gamma_shape, &gamma));
    OK(clg_tensor_copy(x, f->norm.tx, NULL));
    OK(clg_tensor_copy(gamma, f->norm.tgamma, NULL));
    clg_batch_norm_tensors tensors = {.gamma = gamma, .beta = f->norm.tbeta};
    OK(clg_batch_norm_forward_train(f->plan, y, x, &tensors, NULL));
    batch_norm_forward(f);
    testing_expect_same_bits(label, y, f->norm.y);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_tensor_destroy(gamma);
    clg_buffer_destroy(buffer);
}

static void tensors_may_lie_anywhere_in_a_buffer(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_views);
}

static void check_workspace(const char *label, struct batch_norm_fixture *f)
{
    size_t bytes = clg_batch_norm_workspace_size(f->plan);
    struct norm_fixture *n = &f->norm;
    clg_run run = {0};
    OK(clg_buffer_create(testing_context(), bytes, &run.workspace));
    OK(clg_batch_norm_forward_train(f->plan, n->y, n->tx, &f->tensors, &run));
    ref_batch_norm_forward(&f->ref, n->x, NULL, NULL, n->want_y);
    norm_expect_y(label, n);
    clg_buffer_destroy(run.workspace);
    OK(clg_buffer_create(testing_context(), bytes - 4, &run.workspace));
    FAILS(CLG_INVALID_ARGUMENT, "workspace",
          clg_batch_norm_forward_train(f->plan, n->y, n->tx, &f->tensors, &run));
    clg_buffer_destroy(run.workspace);
}

static void the_caller_may_bring_the_workspace(void **state)
{
    (void)state;
    batch_norm_for_both_layouts(check_workspace);
}

/* ---- Errors ---- */

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_batch_norm *plan = (clg_batch_norm *)&plan;
    const clg_batch_norm_desc good = {.x = clg_desc_4d(2, 3, 4, 5), .eps = 1e-5f, .momentum = 0.1f};
    clg_batch_norm_desc desc = good;
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_batch_norm_create(NULL, &desc, &plan));
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_batch_norm_create(ctx, NULL, &plan));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_batch_norm_create(ctx, &desc, NULL));
    desc.eps = -0.5f;
    FAILS(CLG_INVALID_ARGUMENT, "eps is -0.5", clg_batch_norm_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.eps = INFINITY;
    FAILS(CLG_INVALID_ARGUMENT, "eps is inf", clg_batch_norm_create(ctx, &desc, &plan));
    desc = good;
    desc.momentum = 1.5f;
    FAILS(CLG_INVALID_ARGUMENT, "momentum is 1.5", clg_batch_norm_create(ctx, &desc, &plan));
    desc.momentum = NAN;
    FAILS(CLG_INVALID_ARGUMENT, "momentum is nan", clg_batch_norm_create(ctx, &desc, &plan));
    desc = good;
    desc.x = clg_desc_1d(8);
    FAILS(CLG_INVALID_SHAPE, "x is 8 float32", clg_batch_norm_create(ctx, &desc, &plan));
    desc.x = clg_desc_2d(0, 3);
    FAILS(CLG_INVALID_SHAPE, "dimension 0 of 0x3", clg_batch_norm_create(ctx, &desc, &plan));
    desc.x = clg_desc_2d(INT64_MAX / 2, 3);
    FAILS(CLG_TOO_LARGE, "2147483647", clg_batch_norm_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_batch_norm_create(ctx, &desc, &plan));
    clg_batch_norm_destroy(NULL);
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    struct batch_norm_problem problem = {clg_desc_4d(3, 20, 4, 5), 1e-5f, 0.1f, true, true, false};
    struct batch_norm_fixture fixture = batch_norm_set_up(&problem, NORM_DATA_UNIFORM);
    const struct norm_fixture f = fixture.norm;
    clg_batch_norm *plan = fixture.plan;
    clg_batch_norm_tensors wrong = fixture.tensors;
    clg_norm_gradients none = {0}, bad = {.dx = f.grads.dgamma};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_batch_norm_forward_train(NULL, f.y, f.tx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_batch_norm_forward_eval(NULL, f.y, f.tx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_batch_norm_backward(NULL, &f.grads, f.tdy, f.tx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_batch_norm_backward_eval(NULL, &f.grads, f.tdy, f.tx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "y is NULL",
          clg_batch_norm_forward_train(plan, NULL, f.tx, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "x is 20 float32, expected 3x20x4x5",
          clg_batch_norm_forward_train(plan, f.y, f.tgamma, NULL, NULL));
    wrong.gamma = f.tx;
    FAILS(CLG_INVALID_SHAPE, "gamma is 3x20x4x5",
          clg_batch_norm_forward_train(plan, f.y, f.tx, &wrong, NULL));
    wrong = fixture.tensors;
    wrong.saved = f.tgamma;
    FAILS(CLG_INVALID_SHAPE, "saved is 20 float32, expected 3x20",
          clg_batch_norm_forward_train(plan, f.y, f.tx, &wrong, NULL));
    wrong = fixture.tensors;
    wrong.running_var = NULL;
    FAILS(CLG_INVALID_ARGUMENT, "running_var is NULL",
          clg_batch_norm_forward_eval(plan, f.y, f.tx, &wrong, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "running_mean is NULL",
          clg_batch_norm_backward_eval(plan, &f.grads, f.tdy, f.tx, NULL, NULL));
    FAILS(CLG_INVALID_STATE, "has not run forward",
          clg_batch_norm_backward(plan, &f.grads, f.tdy, f.tx, &fixture.tensors, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "grads is NULL",
          clg_batch_norm_backward(plan, NULL, f.tdy, f.tx, &fixture.tensors, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dx, dgamma and dbeta are all NULL",
          clg_batch_norm_backward(plan, &none, f.tdy, f.tx, &fixture.tensors, NULL));
    FAILS(CLG_INVALID_SHAPE, "dx is 20 float32",
          clg_batch_norm_backward(plan, &bad, f.tdy, f.tx, &fixture.tensors, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dy is NULL",
          clg_batch_norm_backward(plan, &f.grads, NULL, f.tx, &fixture.tensors, NULL));
    batch_norm_tear_down(&fixture);
}

static void one_element_a_channel_evaluates_but_does_not_train(void **state)
{
    (void)state;
    struct batch_norm_problem problem = {clg_desc_4d(1, 3, 1, 1), 1e-5f, 0.1f, true, true, false};
    struct batch_norm_fixture f = batch_norm_set_up(&problem, NORM_DATA_UNIFORM);
    const struct norm_fixture *n = &f.norm;
    FAILS(CLG_INVALID_SHAPE, "x is 1x3x1x1 float32, one element a channel",
          clg_batch_norm_forward_train(f.plan, n->y, n->tx, &f.tensors, NULL));
    FAILS(CLG_INVALID_SHAPE, "one element a channel",
          clg_batch_norm_backward(f.plan, &n->grads, n->tdy, n->tx, &f.tensors, NULL));
    batch_norm_check_evaluation("one element", &f);
    batch_norm_tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dx_may_be_dy_and_y_may_be_x),
        cmocka_unit_test(accumulation_adds_to_dgamma_and_dbeta_and_overwrites_dx),
        cmocka_unit_test(only_the_gradients_that_are_wanted_are_written),
        cmocka_unit_test(saved_statistics_of_the_caller_outlive_later_forward_passes),
        cmocka_unit_test(tensors_may_lie_anywhere_in_a_buffer),
        cmocka_unit_test(the_caller_may_bring_the_workspace),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
        cmocka_unit_test(one_element_a_channel_evaluates_but_does_not_train),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
