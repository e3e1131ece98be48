#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/loss.h"

static const struct problem {
    clg_tensor_desc x;
    bool large;
} problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 1, {1}}, false},
    {{CLG_FLOAT32, CLG_NCHW, 1, {1023}}, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {16, 64}}, false},
    {{CLG_FLOAT32, CLG_NCHW, 1, {1025}}, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 5, 7, 9}}, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 5, 7, 9}}, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {1001, 211}}, true},
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

struct fixture {
    clg_mse *plan;
    int64_t count;
    double *x, *target, *dx, loss;
    clg_tensor *tx, *ttarget, *out_loss, *out_dx;
    char text[32];
};

static void setup(struct fixture *f, int problem)
{
    const clg_tensor_desc *shape = &problems[problem].x;
    clg_tensor_desc one = clg_desc_1d(1);
    clg_mse_desc desc = {*shape};
    OK(clg_mse_create(testing_context(), &desc, &f->plan));
    OK(clg_tensor_desc_count(shape, &f->count));
    snprintf(f->text, sizeof f->text, "problem %d", problem);
    f->x = testing_uniform(f->count, 1);
    f->target = testing_uniform(f->count, 2);
    f->dx = ref_array_zeros(f->count);
    f->loss = ref_mse(f->count, f->x, f->target, f->dx);
    f->tx = testing_tensor_from(shape, f->x);
    f->ttarget = testing_tensor_from(shape, f->target);
    f->out_loss = testing_tensor(&one, NULL);
    f->out_dx = testing_tensor(shape, NULL);
}

static void teardown(struct fixture *f)
{
    clg_tensor_destroy(f->tx);
    clg_tensor_destroy(f->ttarget);
    clg_tensor_destroy(f->out_loss);
    clg_tensor_destroy(f->out_dx);
    clg_mse_destroy(f->plan);
    free(f->x);
    free(f->target);
    free(f->dx);
}

static void loss_and_gradient_equal_the_reference_in_one_pass(void **state)
{
    (void)state;
    for (int i = 0; i < PROBLEMS; i++) {
        if (problems[i].large && testing_small())
            continue;
        struct fixture f;
        setup(&f, i);
        clg_mse_outputs both = {.loss = f.out_loss, .dx = f.out_dx};
        OK(clg_mse_compute(f.plan, &both, f.tx, f.ttarget, NULL));
        testing_expect_close(f.text, f.out_loss, &f.loss);
        testing_expect_close(f.text, f.out_dx, f.dx);
        teardown(&f);
    }
}

static void separate_calls_give_the_same_bits_as_one_and_may_work_in_place(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 3);
    clg_tensor *loss = testing_tensor(clg_tensor_get_desc(f.out_loss), NULL);
    clg_mse_outputs both = {.loss = f.out_loss, .dx = f.out_dx};
    OK(clg_mse_compute(f.plan, &both, f.tx, f.ttarget, NULL));
    OK(clg_mse_forward(f.plan, loss, f.tx, f.ttarget, NULL));
    OK(clg_mse_backward(f.plan, f.tx, f.tx, f.ttarget, NULL));
    testing_expect_same_bits("loss", loss, f.out_loss);
    testing_expect_same_bits("dx", f.tx, f.out_dx);
    clg_tensor_destroy(loss);
    teardown(&f);
}

static void losses_and_gradients_accumulate_on_the_device(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 4);
    clg_run accumulate = {.accumulate = true};
    clg_mse_outputs both = {.loss = f.out_loss, .dx = f.out_dx, .dloss = 3};
    OK(clg_mse_forward(f.plan, f.out_loss, f.tx, f.ttarget, NULL));
    OK(clg_mse_compute(f.plan, &both, f.tx, f.ttarget, &accumulate));
    f.loss *= 2;
    testing_expect_close("two losses", f.out_loss, &f.loss);
    for (int64_t i = 0; i < f.count; i++)
        f.dx[i] *= 3;
    testing_expect_close("dx overwritten, times dloss", f.out_dx, f.dx);
    OK(clg_mse_backward(f.plan, f.out_dx, f.tx, f.ttarget, &accumulate));
    for (int64_t i = 0; i < f.count; i++)
        f.dx[i] *= 4.0 / 3;
    testing_expect_close("dx accumulated", f.out_dx, f.dx);
    teardown(&f);
}

static void a_nan_in_one_element_is_a_nan_in_the_loss(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 1);
    f.x[1000] = NAN;
    clg_tensor *x = testing_tensor_from(&problems[1].x, f.x);
    OK(clg_mse_forward(f.plan, f.out_loss, x, f.ttarget, NULL));
    float *loss = testing_download(f.out_loss);
    assert_true(isnan(loss[0]));
    free(loss);
    clg_tensor_destroy(x);
    teardown(&f);
}

static void bad_descriptions_and_tensors_are_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_mse *plan = (clg_mse *)&plan;
    clg_mse_desc desc = {clg_desc_2d(2, 3)};
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_mse_create(ctx, NULL, &plan));
    desc.x.dims[1] = 0;
    FAILS(CLG_INVALID_SHAPE, "2x0", clg_mse_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.x = clg_desc_2d(2, 3);
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_mse_create(ctx, &desc, &plan));
    clg_mse_destroy(NULL);
    struct fixture f;
    setup(&f, 3);
    clg_mse_outputs none = {0}, bad = {.dx = f.out_dx, .dloss = INFINITY};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_mse_compute(NULL, &bad, f.tx, f.tx, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "outputs is NULL", clg_mse_compute(f.plan, NULL, f.tx, f.tx, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "neither", clg_mse_compute(f.plan, &none, f.tx, f.tx, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dloss is inf", clg_mse_compute(f.plan, &bad, f.tx, f.tx, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "loss is NULL", clg_mse_forward(f.plan, NULL, f.tx, f.tx, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dx is NULL", clg_mse_backward(f.plan, NULL, f.tx, f.tx, NULL));
    FAILS(CLG_INVALID_SHAPE, "target is 1 float32, expected 1025",
          clg_mse_backward(f.plan, f.out_dx, f.tx, f.out_loss, NULL));
    FAILS(CLG_INVALID_SHAPE, "loss is 1025", clg_mse_forward(f.plan, f.tx, f.tx, f.tx, NULL));
    clg_buffer *tiny;
    OK(clg_buffer_create(ctx, 4, &tiny));
    clg_run run = {.workspace = tiny};
    assert_int_equal(clg_mse_workspace_size(f.plan), 8);
    FAILS(CLG_INVALID_ARGUMENT, "4 bytes, 8 are needed",
          clg_mse_forward(f.plan, f.out_loss, f.tx, f.ttarget, &run));
    clg_buffer_destroy(tiny);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_and_gradient_equal_the_reference_in_one_pass),
        cmocka_unit_test(separate_calls_give_the_same_bits_as_one_and_may_work_in_place),
        cmocka_unit_test(losses_and_gradients_accumulate_on_the_device),
        cmocka_unit_test(a_nan_in_one_element_is_a_nan_in_the_loss),
        cmocka_unit_test(bad_descriptions_and_tensors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
