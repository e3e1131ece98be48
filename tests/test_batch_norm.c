#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/norm.h"
#include "support/norm_data.h"

static const struct problem {
    clg_tensor_desc x;
    float eps, momentum;
    bool affine, running;
    bool large; /* left out on slow devices */
} problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 5, 7, 9}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 5, 7, 9}}, 1e-3f, 0.3f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {1, 3, 4, 4}}, 1e-5f, 1.0f, false, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {1, 3, 4, 4}}, 1e-5f, 0.1f, false, false, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {33, 2, 1, 1}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {33, 20, 1, 1}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {5, 1, 6, 11}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {5, 1, 6, 11}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 70, 3, 5}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 70, 3, 5}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {4, 10, 5, 3}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {4, 96, 5, 3}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {40, 65}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {7, 1}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 3, {4, 6, 19}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 5, {2, 3, 2, 5, 4}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {4, 3, 57, 57}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {4, 3, 57, 57}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 4, {64, 17, 7, 7}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {64, 17, 7, 7}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 4, {1, 1, 300, 301}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 130, 57, 57}}, 1e-5f, 0.1f, true, true, true},
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* A problem with its data on the host and on the device. */
struct fixture {
    clg_tensor_desc shape, channels;
    struct ref_batch_norm ref;
    int64_t count;
    double *x, *dy, *gamma, *beta, *running_mean, *running_var;
    clg_batch_norm *plan;
    clg_tensor *tx, *tdy, *y;
    clg_batch_norm_tensors tensors;
    clg_norm_gradients grads;
};

static struct fixture set_up(const struct problem *p, enum norm_data kind)
{
    struct fixture f = {.shape = p->x};
    int64_t c = p->x.dims[1];
    OK(clg_tensor_desc_count(&p->x, &f.count));
    f.channels = clg_desc_1d(c);
    f.x = norm_data_create(f.count, kind, 1), f.dy = testing_uniform(f.count, 2);
    f.gamma = testing_uniform(c, 3), f.beta = testing_uniform(c, 4);
    f.running_mean = testing_uniform(c, 5), f.running_var = testing_uniform(c, 6);
    for (int64_t i = 0; i < c; i++)
        f.running_var[i] = (double)(float)(f.running_var[i] + 1.5);
    f.ref = (struct ref_batch_norm){.n = p->x.dims[0],
                                    .c = c,
                                    .spatial = f.count / c / p->x.dims[0],
                                    .eps = (double)p->eps,
                                    .momentum = (double)p->momentum,
                                    .gamma = p->affine ? f.gamma : NULL,
                                    .beta = p->affine ? f.beta : NULL};
    clg_batch_norm_desc desc = {p->x, p->eps, p->momentum};
    OK(clg_batch_norm_create(testing_context(), &desc, &f.plan));
    f.tx = testing_tensor_from(&p->x, f.x), f.tdy = testing_tensor_from(&p->x, f.dy);
    f.y = testing_tensor(&p->x, NULL);
    f.tensors = (clg_batch_norm_tensors){
        p->affine ? testing_tensor_from(&f.channels, f.gamma) : NULL,
        p->affine ? testing_tensor_from(&f.channels, f.beta) : NULL,
        p->running ? testing_tensor_from(&f.channels, f.running_mean) : NULL,
        p->running ? testing_tensor_from(&f.channels, f.running_var) : NULL, NULL};
    f.grads = (clg_norm_gradients){testing_tensor(&p->x, NULL), testing_tensor(&f.channels, NULL),
                                   testing_tensor(&f.channels, NULL)};
    return f;
}

static void tear_down(struct fixture *f)
{
    clg_tensor *tensors[] = {f->tx,
                             f->tdy,
                             f->y,
                             (clg_tensor *)f->tensors.gamma,
                             (clg_tensor *)f->tensors.beta,
                             f->tensors.running_mean,
                             f->tensors.running_var,
                             f->tensors.saved,
                             f->grads.dx,
                             f->grads.dgamma,
                             f->grads.dbeta};
    double *arrays[] = {f->x, f->dy, f->gamma, f->beta, f->running_mean, f->running_var};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        clg_tensor_destroy(tensors[i]);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        free(arrays[i]);
    clg_batch_norm_destroy(f->plan);
}

static void expect(const char *label, const char *what, const clg_tensor *tensor,
                   const double *want)
{
    char text[128];
    snprintf(text, sizeof text, "%s of %s", what, label);
    testing_expect_close(text, tensor, want);
}

static void expect_gradients(const char *label, const struct fixture *f,
                             const struct ref_norm_grads *want)
{
    expect(label, "dx", f->grads.dx, want->dx);
    expect(label, "dgamma", f->grads.dgamma, want->dgamma);
    expect(label, "dbeta", f->grads.dbeta, want->dbeta);
}

static struct ref_norm_grads gradients(const struct fixture *f)
{
    return (struct ref_norm_grads){ref_array_zeros(f->count), ref_array_zeros(f->ref.c),
                                   ref_array_zeros(f->ref.c)};
}

static void release_gradients(struct ref_norm_grads *grads)
{
    free(grads->dx);
    free(grads->dgamma);
    free(grads->dbeta);
}

static void train(const char *label, struct fixture *f)
{
    double *y = ref_array_zeros(f->count);
    OK(clg_batch_norm_forward_train(f->plan, f->y, f->tx, &f->tensors, NULL));
    OK(clg_batch_norm_backward(f->plan, &f->grads, f->tdy, f->tx, &f->tensors, NULL));
    ref_batch_norm_forward(&f->ref, f->x, f->running_mean, f->running_var, y);
    expect(label, "y", f->y, y);
    if (f->tensors.running_mean) {
        expect(label, "running_mean", f->tensors.running_mean, f->running_mean);
        expect(label, "running_var", f->tensors.running_var, f->running_var);
    }
    struct ref_norm_grads want = gradients(f);
    ref_batch_norm_backward(&f->ref, f->x, f->dy, &want);
    expect_gradients(label, f, &want);
    release_gradients(&want);
    free(y);
}

static void evaluate(const char *label, struct fixture *f)
{
    if (!f->tensors.running_mean)
        return;
    double *y = ref_array_zeros(f->count);
    OK(clg_batch_norm_forward_eval(f->plan, f->y, f->tx, &f->tensors, NULL));
    OK(clg_batch_norm_backward_eval(f->plan, &f->grads, f->tdy, f->tx, &f->tensors, NULL));
    ref_batch_norm_apply(&f->ref, f->x, f->running_mean, f->running_var, y);
    expect(label, "y_eval", f->y, y);
    struct ref_norm_grads want = gradients(f);
    ref_batch_norm_eval_backward(&f->ref, f->x, f->running_mean, f->running_var, f->dy, &want);
    expect_gradients(label, f, &want);
    release_gradients(&want);
    free(y);
}

static void for_every_problem(void (*check)(const char *label, struct fixture *f))
{
    for (int i = 0; i < PROBLEMS; i++)
        for (int kind = 0; kind < NORM_DATA_COUNT; kind++) {
            if (problems[i].large && testing_small())
                continue;
            struct fixture f = set_up(&problems[i], (enum norm_data)kind);
            char label[64];
            snprintf(label, sizeof label, "problem %d, %s", i,
                     norm_data_name((enum norm_data)kind));
            check(label, &f);
            tear_down(&f);
        }
}

static void training_equals_the_reference_forward_and_backward(void **state)
{
    (void)state;
    for_every_problem(train);
}

static void evaluation_equals_the_reference_forward_and_backward(void **state)
{
    (void)state;
    for_every_problem(evaluate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_equals_the_reference_forward_and_backward),
        cmocka_unit_test(evaluation_equals_the_reference_forward_and_backward),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
