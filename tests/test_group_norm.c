#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/norm.h"
#include "support/norm_data.h"

static const struct problem {
    clg_tensor_desc x;
    int64_t groups;
    float eps;
    bool affine;
    bool large; /* left out on slow devices */
} problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 6, 7, 9}}, 2, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 6, 7, 9}}, 2, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 6, 5, 3}}, 6, 1e-3f, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 6, 5, 3}}, 6, 1e-3f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 6, 5, 3}}, 1, 1e-5f, false, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 6, 5, 3}}, 1, 1e-5f, false, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {1, 1, 4, 5}}, 1, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {1, 1, 4, 5}}, 1, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {5, 40, 1, 1}}, 4, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {5, 40, 1, 1}}, 4, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 70, 3, 5}}, 14, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 70, 3, 5}}, 14, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {9, 65}}, 5, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 3, {4, 6, 19}}, 3, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 5, {2, 4, 2, 5, 4}}, 2, 1e-5f, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 6, 57, 57}}, 3, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 6, 57, 57}}, 3, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 4, 100, 101}}, 4, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 4, 100, 101}}, 4, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 130, 57, 57}}, 13, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 4, {40, 64, 7, 7}}, 32, 1e-5f, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {40, 64, 7, 7}}, 32, 1e-5f, true, true},
};

enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* A problem with its data on the host and on the device. */
struct fixture {
    clg_tensor_desc shape, channels;
    struct ref_group_norm ref;
    int64_t count;
    double *x, *dy, *gamma, *beta;
    clg_group_norm *plan;
    clg_tensor *tx, *tdy, *y;
    clg_norm_tensors tensors;
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
    f.ref = (struct ref_group_norm){.n = p->x.dims[0],
                                    .c = c,
                                    .spatial = f.count / c / p->x.dims[0],
                                    .groups = p->groups,
                                    .eps = (double)p->eps,
                                    .gamma = p->affine ? f.gamma : NULL,
                                    .beta = p->affine ? f.beta : NULL};
    clg_group_norm_desc desc = {p->x, p->groups, p->eps};
    OK(clg_group_norm_create(testing_context(), &desc, &f.plan));
    f.tx = testing_tensor_from(&p->x, f.x), f.tdy = testing_tensor_from(&p->x, f.dy);
    f.y = testing_tensor(&p->x, NULL);
    f.tensors =
        (clg_norm_tensors){p->affine ? testing_tensor_from(&f.channels, f.gamma) : NULL,
                           p->affine ? testing_tensor_from(&f.channels, f.beta) : NULL, NULL};
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
                             f->tensors.saved,
                             f->grads.dx,
                             f->grads.dgamma,
                             f->grads.dbeta};
    double *arrays[] = {f->x, f->dy, f->gamma, f->beta};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        clg_tensor_destroy(tensors[i]);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        free(arrays[i]);
    clg_group_norm_destroy(f->plan);
}

static void expect(const char *label, const char *what, const clg_tensor *tensor,
                   const double *want)
{
    char text[128];
    snprintf(text, sizeof text, "%s of %s", what, label);
    testing_expect_close(text, tensor, want);
}

static void check_problem(const char *label, struct fixture *f)
{
    double *want = ref_array_zeros(f->count), *dgamma = ref_array_zeros(f->ref.c),
           *dbeta = ref_array_zeros(f->ref.c);
    OK(clg_group_norm_forward(f->plan, f->y, f->tx, &f->tensors, NULL));
    OK(clg_group_norm_backward(f->plan, &f->grads, f->tdy, f->tx, &f->tensors, NULL));
    ref_group_norm_forward(&f->ref, f->x, want);
    expect(label, "y", f->y, want);
    struct ref_norm_grads grads = {want, dgamma, dbeta};
    ref_group_norm_backward(&f->ref, f->x, f->dy, &grads);
    expect(label, "dx", f->grads.dx, want);
    expect(label, "dgamma", f->grads.dgamma, dgamma);
    expect(label, "dbeta", f->grads.dbeta, dbeta);
    free(want);
    free(dgamma);
    free(dbeta);
}

static void every_problem_equals_the_reference_forward_and_backward(void **state)
{
    (void)state;
    for (int i = 0; i < PROBLEMS; i++)
        for (int kind = 0; kind < NORM_DATA_COUNT; kind++) {
            if (problems[i].large && testing_small())
                continue;
            struct fixture f = set_up(&problems[i], (enum norm_data)kind);
            char label[64];
            snprintf(label, sizeof label, "problem %d, %s", i,
                     norm_data_name((enum norm_data)kind));
            check_problem(label, &f);
            tear_down(&f);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_problem_equals_the_reference_forward_and_backward),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
