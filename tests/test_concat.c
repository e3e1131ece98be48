#include "support/testing.h"

#include <stdio.h>

#include "ref/add_concat.h"

enum { MAX_INPUTS = 9 };

static const struct problem {
    int64_t n, h, w;
    int inputs;
    int64_t channels[MAX_INPUTS];
} problems[] = {
    {1, 1, 1, 1, {1}},
    {1, 1, 1, 2, {3, 2}},
    {3, 5, 7, 3, {4, 1, 6}},
    {2, 4, 4, 2, {16, 16}},
    {2, 1, 13, 9, {1, 2, 3, 4, 5, 4, 3, 2, 1}},
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* A problem with its data: references in N C H W order, tensors in either layout. */
struct fixture {
    const struct problem *problem;
    struct ref_concat ref;
    clg_concat *plan;
    clg_tensor_desc shapes[MAX_INPUTS], y_desc;
    double *x[MAX_INPUTS], *want_y;
    clg_tensor *tx[MAX_INPUTS], *y;
    char label[64];
};

static void setup(struct fixture *f, const struct problem *problem, clg_layout layout)
{
    f->problem = problem;
    f->ref = (struct ref_concat){problem->n, problem->h * problem->w, problem->inputs,
                                 problem->channels};
    snprintf(f->label, sizeof f->label, "%d inputs, %lldx?x%lldx%lld %s", problem->inputs,
             (long long)problem->n, (long long)problem->h, (long long)problem->w,
             layout == CLG_NHWC ? "NHWC" : "NCHW");
    for (int i = 0; i < problem->inputs; i++) {
        f->shapes[i] = clg_desc_4d(problem->n, problem->channels[i], problem->h, problem->w);
        f->shapes[i].layout = layout;
        int64_t count;
        OK(clg_tensor_desc_count(&f->shapes[i], &count));
        f->x[i] = testing_integers(count, 100, (uint64_t)i + 1);
        f->tx[i] = testing_tensor_from(&f->shapes[i], f->x[i]);
    }
    clg_concat_desc desc = {problem->inputs, f->shapes};
    OK(clg_concat_output_desc(&desc, &f->y_desc));
    OK(clg_concat_create(testing_context(), &desc, &f->plan));
    f->y = testing_tensor(&f->y_desc, NULL);
    f->want_y = ref_array_zeros(clg_tensor_count(f->y));
    ref_concat_forward(&f->ref, (const double *const *)f->x, f->want_y);
}

static void teardown(struct fixture *f)
{
    for (int i = 0; i < f->problem->inputs; i++) {
        free(f->x[i]);
        clg_tensor_destroy(f->tx[i]);
    }
    free(f->want_y);
    clg_tensor_destroy(f->y);
    clg_concat_destroy(f->plan);
}

static void both_directions_move_every_element_to_its_place(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * PROBLEMS; i++) {
        struct fixture f;
        setup(&f, &problems[i / 2], i % 2 ? CLG_NHWC : CLG_NCHW);
        OK(clg_concat_forward(f.plan, f.y, (const clg_tensor *const *)f.tx, NULL));
        testing_expect_exact(f.label, f.y, f.want_y);
        clg_tensor *dx[MAX_INPUTS];
        for (int j = 0; j < f.problem->inputs; j++)
            dx[j] = testing_tensor(&f.shapes[j], NULL);
        OK(clg_concat_backward(f.plan, dx, f.y, NULL));
        for (int j = 0; j < f.problem->inputs; j++) {
            testing_expect_exact(f.label, dx[j], f.x[j]);
            clg_tensor_destroy(dx[j]);
        }
        teardown(&f);
    }
}

static void gradients_accumulate_and_unwanted_ones_are_left_out(void **state)
{
    (void)state;
    clg_run accumulate = {.accumulate = true};
    for (int layout = 0; layout < 2; layout++) {
        struct fixture f;
        setup(&f, &problems[2], (clg_layout)layout);
        clg_tensor *dx[] = {f.tx[0], NULL, f.tx[2]};
        OK(clg_concat_forward(f.plan, f.y, (const clg_tensor *const *)f.tx, NULL));
        OK(clg_concat_backward(f.plan, dx, f.y, &accumulate));
        testing_expect_exact(f.label, f.tx[1], f.x[1]);
        for (int j = 0; j < 3; j += 2) {
            for (int64_t k = 0; k < clg_tensor_count(f.tx[j]); k++)
                f.x[j][k] *= 2;
            testing_expect_exact(f.label, f.tx[j], f.x[j]);
        }
        teardown(&f);
    }
}

static void one_tensor_may_be_several_inputs_and_gathers_all_their_gradients(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, &problems[3], CLG_NHWC);
    const clg_tensor *twice[] = {f.tx[0], f.tx[0]};
    clg_tensor *dx[] = {f.tx[1], f.tx[1]};
    clg_run accumulate = {.accumulate = true};
    OK(clg_concat_forward(f.plan, f.y, twice, NULL));
    OK(clg_tensor_fill(f.tx[1], 0, NULL));
    OK(clg_concat_backward(f.plan, dx, f.y, &accumulate));
    for (int64_t i = 0; i < clg_tensor_count(f.tx[0]); i++)
        f.x[0][i] *= 2;
    testing_expect_exact(f.label, f.tx[1], f.x[0]);
    teardown(&f);
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_concat *plan = (clg_concat *)&plan;
    clg_tensor_desc x[2] = {clg_desc_4d(2, 3, 4, 5), clg_desc_4d(2, 1, 4, 5)}, y;
    clg_concat_desc desc = {2, x};
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_concat_create(ctx, NULL, &plan));
    FAILS(CLG_INVALID_ARGUMENT, "y is NULL", clg_concat_output_desc(&desc, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "0 inputs",
          clg_concat_create(ctx, &(clg_concat_desc){0, x}, &plan));
    assert_null(plan);
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL",
          clg_concat_create(ctx, &(clg_concat_desc){2, NULL}, &plan));
    x[1].dims[2] = 6;
    FAILS(CLG_INVALID_SHAPE, "x[1] is 2x1x6x5 float32 but x[0] 2x3x4x5",
          clg_concat_create(ctx, &desc, &plan));
    x[1] = x[0];
    x[1].layout = CLG_NHWC;
    FAILS(CLG_INVALID_SHAPE, "only channels", clg_concat_output_desc(&desc, &y));
    x[1] = clg_desc_2d(2, 3);
    FAILS(CLG_INVALID_SHAPE, "four dimensions", clg_concat_output_desc(&desc, &y));
    x[1] = x[0];
    x[1].type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "x[1] is 2x3x4x5 int32", clg_concat_output_desc(&desc, &y));
    x[0] = x[1] = clg_desc_4d(1, 1 << 20, 32, 32);
    FAILS(CLG_TOO_LARGE, "1x2097152x32x32", clg_concat_output_desc(&desc, &y));
    clg_concat_destroy(NULL);
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, &problems[2], CLG_NCHW);
    const clg_tensor *in[] = {f.tx[0], f.tx[0], f.tx[2]}, *missing[] = {f.tx[0], NULL, f.tx[2]};
    clg_tensor *out[] = {NULL, f.tx[0], NULL};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_concat_forward(NULL, f.y, in, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL", clg_concat_forward(f.plan, f.y, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x[1] is NULL", clg_concat_forward(f.plan, f.y, missing, NULL));
    FAILS(CLG_INVALID_SHAPE, "x[1] is 3x4x5x7 float32, expected 3x1x5x7",
          clg_concat_forward(f.plan, f.y, in, NULL));
    FAILS(CLG_INVALID_SHAPE, "dx[1] is", clg_concat_backward(f.plan, out, f.y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dx is NULL", clg_concat_backward(f.plan, NULL, f.y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "dy is NULL", clg_concat_backward(f.plan, out, NULL, NULL));
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_directions_move_every_element_to_its_place),
        cmocka_unit_test(gradients_accumulate_and_unwanted_ones_are_left_out),
        cmocka_unit_test(one_tensor_may_be_several_inputs_and_gathers_all_their_gradients),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
