/* Every gradient of the references against central differences of their forward functions. */
#include "ref/activation.h"
#include "ref/add_concat.h"
#include "ref/array.h"
#include "ref/conv2d.h"
#include "ref/conv_transpose2d.h"
#include "ref/linear.h"
#include "ref/loss.h"
#include "ref/norm.h"
#include "ref/pool2d.h"
#include "ref/random.h"
#include "ref/reshape2d.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_INPUTS = 3 };

/* A function of a few arrays. backward gives the gradient of sum(dy y) by each of them. */
struct problem {
    const void *desc;
    int inputs;
    int64_t sizes[MAX_INPUTS], y_size;
    double scale; /* inputs are uniform in [-scale, scale) */
    void (*forward)(const void *desc, double *const *in, double *y);
    void (*backward)(const void *desc, double *const *in, const double *dy, double *const *grads);
};

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void check_input(const struct problem *p, int input, double *const *in, const double *dy,
                        const double *grad)
{
    const double step = 1e-5;
    double *y = ref_array_zeros(p->y_size);
    double error_squares = 0;
    for (int64_t i = 0; i < p->sizes[input]; i++) {
        double value = in[input][i];
        in[input][i] = value + step;
        p->forward(p->desc, in, y);
        double above = dot(dy, y, p->y_size);
        in[input][i] = value - step;
        p->forward(p->desc, in, y);
        double below = dot(dy, y, p->y_size);
        in[input][i] = value;
        double error = (above - below) / (2 * step) - grad[i];
        error_squares += error * error;
    }
    double norm = sqrt(dot(grad, grad, p->sizes[input]));
    if (!(sqrt(error_squares) <= 1e-6 * norm))
        fail_msg("input %d: error %g, gradient %g", input, sqrt(error_squares), norm);
    free(y);
}

static void check(const struct problem *p)
{
    struct ref_random random = {2024};
    double *in[MAX_INPUTS] = {NULL}, *grads[MAX_INPUTS] = {NULL};
    double *dy = ref_array_zeros(p->y_size);
    ref_random_fill_uniform(&random, dy, p->y_size);
    for (int i = 0; i < p->inputs; i++) {
        in[i] = ref_array_zeros(p->sizes[i]);
        grads[i] = ref_array_zeros(p->sizes[i]);
        ref_random_fill_uniform(&random, in[i], p->sizes[i]);
        ref_random_fill_uniform(&random, grads[i], p->sizes[i]); /* to be overwritten */
        for (int64_t j = 0; j < p->sizes[i]; j++)
            in[i][j] *= p->scale;
    }
    p->backward(p->desc, in, dy, grads);
    for (int i = 0; i < p->inputs; i++)
        check_input(p, i, in, dy, grads[i]);
    for (int i = 0; i < p->inputs; i++) {
        free(in[i]);
        free(grads[i]);
    }
    free(dy);
}

static void conv2d_forward(const void *desc, double *const *in, double *y)
{
    ref_conv2d_forward(desc, in[0], in[1], in[2], y);
}

static void conv2d_backward(const void *desc, double *const *in, const double *dy,
                            double *const *grads)
{
    ref_conv2d_backward_data(desc, in[1], dy, grads[0]);
    ref_conv2d_backward_filter(desc, in[0], dy, grads[1]);
    ref_conv2d_backward_bias(desc, dy, grads[2]);
}

static void conv2d_gradients_match_differences(void **state)
{
    (void)state;
    const struct ref_conv2d cases[] = {
        {2, 3, 5, 4, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, REF_PAD_ZEROS, 0},
        {1, 2, 1, 1, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, REF_PAD_ZEROS, 0},
        {1, 1, 8, 9, 2, 3, 2, 3, 2, 0, 0, 0, 0, 1, 1, 1, REF_PAD_ZEROS, 0},
        {2, 4, 7, 9, 6, 3, 2, 2, 3, 1, 2, 0, 3, 2, 3, 2, REF_PAD_ZEROS, 0},
        {1, 3, 4, 4, 3, 2, 2, 1, 1, 3, 3, 3, 3, 1, 1, 3, REF_PAD_ZEROS, 0},
        {1, 2, 5, 4, 2, 3, 3, 2, 1, 1, 2, 3, 1, 1, 1, 1, REF_PAD_CONSTANT, 0.5},
        {2, 2, 5, 4, 2, 3, 3, 1, 2, 2, 1, 1, 3, 1, 1, 1, REF_PAD_REFLECT, 0},
        {1, 2, 5, 4, 2, 3, 3, 2, 1, 2, 1, 1, 3, 1, 2, 2, REF_PAD_REPLICATE, 0},
        {1, 2, 5, 4, 2, 3, 3, 1, 1, 2, 1, 5, 3, 2, 1, 1, REF_PAD_CIRCULAR, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ref_conv2d *d = &cases[i];
        struct problem p = {
            d,
            3,
            {d->n * d->c * d->h * d->w, d->k * d->c / d->groups * d->r * d->s, d->k},
            d->n * d->k * ref_conv2d_p(d) * ref_conv2d_q(d),
            1,
            conv2d_forward,
            conv2d_backward};
        check(&p);
    }
}

static void conv_transpose2d_forward(const void *desc, double *const *in, double *y)
{
    ref_conv_transpose2d_forward(desc, in[0], in[1], in[2], y);
}

static void conv_transpose2d_backward(const void *desc, double *const *in, const double *dy,
                                      double *const *grads)
{
    ref_conv_transpose2d_backward_data(desc, in[1], dy, grads[0]);
    ref_conv_transpose2d_backward_filter(desc, in[0], dy, grads[1]);
    ref_conv_transpose2d_backward_bias(desc, dy, grads[2]);
}

static void conv_transpose2d_gradients_match_differences(void **state)
{
    (void)state;
    const struct ref_conv_transpose2d cases[] = {
        {2, 3, 4, 3, 2, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1, 1},
        {1, 2, 3, 4, 2, 4, 4, 2, 2, 1, 1, 0, 0, 1, 1, 1},
        {2, 4, 3, 2, 6, 3, 2, 3, 2, 1, 0, 2, 1, 2, 1, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ref_conv_transpose2d *d = &cases[i];
        struct problem p = {
            d,
            3,
            {d->n * d->c * d->h * d->w, d->c * d->k / d->groups * d->r * d->s, d->k},
            d->n * d->k * ref_conv_transpose2d_p(d) * ref_conv_transpose2d_q(d),
            1,
            conv_transpose2d_forward,
            conv_transpose2d_backward};
        check(&p);
    }
}

static void pad2d_forward(const void *desc, double *const *in, double *y)
{
    ref_pad2d_forward(desc, in[0], y);
}

static void pad2d_backward(const void *desc, double *const *in, const double *dy,
                           double *const *grads)
{
    (void)in;
    ref_pad2d_backward(desc, dy, grads[0]);
}

static void pad2d_gradients_match_differences(void **state)
{
    (void)state;
    const enum ref_pad_mode modes[] = {REF_PAD_ZEROS, REF_PAD_CONSTANT, REF_PAD_REFLECT,
                                       REF_PAD_REPLICATE, REF_PAD_CIRCULAR};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        struct ref_pad2d d = {3, 4, 5, 3, 4, 0, 2, modes[i], 0.5};
        struct problem p = {&d, 1, {3 * 4 * 5}, 3 * 7 * 11, 1, pad2d_forward, pad2d_backward};
        check(&p);
    }
}

static void max_forward(const void *desc, double *const *in, double *y)
{
    ref_pool2d_max_forward(desc, in[0], y);
}

static void max_backward(const void *desc, double *const *in, const double *dy,
                         double *const *grads)
{
    ref_pool2d_max_backward(desc, in[0], dy, grads[0]);
}

static void avg_forward(const void *desc, double *const *in, double *y)
{
    ref_pool2d_avg_forward(desc, in[0], y);
}

static void avg_backward(const void *desc, double *const *in, const double *dy,
                         double *const *grads)
{
    (void)in;
    ref_pool2d_avg_backward(desc, dy, grads[0]);
}

static void pool2d_gradients_match_differences(void **state)
{
    (void)state;
    const struct ref_pool2d cases[] = {
        {2, 3, 6, 6, 2, 2, 2, 2, 0, 0, 1, 1, true},
        {1, 2, 7, 5, 3, 3, 2, 2, 1, 1, 1, 1, false},
        {1, 2, 7, 5, 3, 2, 1, 2, 1, 1, 1, 1, true},
        {1, 1, 9, 8, 3, 3, 2, 1, 1, 1, 2, 2, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ref_pool2d *d = &cases[i];
        struct problem p = {.desc = d,
                            .inputs = 1,
                            .sizes = {d->n * d->c * d->h * d->w},
                            .y_size = d->n * d->c * ref_pool2d_p(d) * ref_pool2d_q(d),
                            .scale = 1,
                            .forward = max_forward,
                            .backward = max_backward};
        check(&p);
        p.forward = avg_forward;
        p.backward = avg_backward;
        check(&p);
    }
}

static void activation_forward(const void *desc, double *const *in, double *y)
{
    ref_activation_forward(*(const enum ref_activation *)desc, 0.3, 40, in[0], y);
}

static void activation_backward(const void *desc, double *const *in, const double *dy,
                                double *const *grads)
{
    ref_activation_backward(*(const enum ref_activation *)desc, 0.3, 40, in[0], dy, grads[0]);
}

static void activation_derivatives_match_differences(void **state)
{
    (void)state;
    for (int kind = REF_RELU; kind <= REF_MISH; kind++) {
        enum ref_activation desc = (enum ref_activation)kind;
        struct problem p = {&desc, 1, {40}, 40, 8, activation_forward, activation_backward};
        check(&p);
    }
}

static void batch_norm_forward(const void *desc, double *const *in, double *y)
{
    struct ref_batch_norm d = *(const struct ref_batch_norm *)desc;
    d.gamma = in[1];
    d.beta = in[2];
    ref_batch_norm_forward(&d, in[0], NULL, NULL, y);
}

static void batch_norm_backward(const void *desc, double *const *in, const double *dy,
                                double *const *grads)
{
    struct ref_batch_norm d = *(const struct ref_batch_norm *)desc;
    d.gamma = in[1];
    ref_batch_norm_backward(&d, in[0], dy, &(struct ref_norm_grads){grads[0], grads[1], grads[2]});
}

static const double fixed_mean[5] = {0.5, -1, 0, 2, 0.25}, fixed_var[5] = {1, 0.5, 2, 4, 0.125};

static void batch_norm_eval_forward(const void *desc, double *const *in, double *y)
{
    struct ref_batch_norm d = *(const struct ref_batch_norm *)desc;
    d.gamma = in[1];
    d.beta = in[2];
    ref_batch_norm_apply(&d, in[0], fixed_mean, fixed_var, y);
}

static void batch_norm_eval_backward(const void *desc, double *const *in, const double *dy,
                                     double *const *grads)
{
    struct ref_batch_norm d = *(const struct ref_batch_norm *)desc;
    d.gamma = in[1];
    ref_batch_norm_eval_backward(&d, in[0], fixed_mean, fixed_var, dy,
                                 &(struct ref_norm_grads){grads[0], grads[1], grads[2]});
}

static void batch_norm_gradients_match_differences(void **state)
{
    (void)state;
    const struct ref_batch_norm cases[] = {{3, 5, 7, 1e-5, 0, NULL, NULL},
                                           {6, 1, 1, 1e-2, 0, NULL, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t c = cases[i].c, size = cases[i].n * c * cases[i].spatial;
        struct problem p = {&cases[i],          3, {size, c, c}, size, 1, batch_norm_forward,
                            batch_norm_backward};
        check(&p);
        p.forward = batch_norm_eval_forward;
        p.backward = batch_norm_eval_backward;
        check(&p);
    }
}

static void group_norm_forward(const void *desc, double *const *in, double *y)
{
    struct ref_group_norm d = *(const struct ref_group_norm *)desc;
    d.gamma = in[1];
    d.beta = in[2];
    ref_group_norm_forward(&d, in[0], y);
}

static void group_norm_backward(const void *desc, double *const *in, const double *dy,
                                double *const *grads)
{
    struct ref_group_norm d = *(const struct ref_group_norm *)desc;
    d.gamma = in[1];
    ref_group_norm_backward(&d, in[0], dy, &(struct ref_norm_grads){grads[0], grads[1], grads[2]});
}

static void group_norm_gradients_match_differences(void **state)
{
    (void)state;
    for (int64_t groups = 1; groups <= 6; groups++) {
        if (6 % groups != 0)
            continue;
        struct ref_group_norm d = {2, 6, 5, groups, 1e-3, NULL, NULL};
        struct problem p = {&d, 3, {60, 6, 6}, 60, 1, group_norm_forward, group_norm_backward};
        check(&p);
    }
}

static void layer_norm_forward(const void *desc, double *const *in, double *y)
{
    struct ref_layer_norm d = *(const struct ref_layer_norm *)desc;
    d.gamma = in[1];
    d.beta = in[2];
    ref_layer_norm_forward(&d, in[0], y);
}

static void layer_norm_backward(const void *desc, double *const *in, const double *dy,
                                double *const *grads)
{
    struct ref_layer_norm d = *(const struct ref_layer_norm *)desc;
    d.gamma = in[1];
    ref_layer_norm_backward(&d, in[0], dy, &(struct ref_norm_grads){grads[0], grads[1], grads[2]});
}

static void layer_norm_gradients_match_differences(void **state)
{
    (void)state;
    struct ref_layer_norm d = {3, 11, 1e-3, NULL, NULL};
    struct problem p = {&d, 3, {33, 11, 11}, 33, 1, layer_norm_forward, layer_norm_backward};
    check(&p);
}

static void linear_forward(const void *desc, double *const *in, double *y)
{
    ref_linear_forward(desc, in[0], in[1], in[2], y);
}

static void linear_backward(const void *desc, double *const *in, const double *dy,
                            double *const *grads)
{
    ref_linear_backward_data(desc, in[1], dy, grads[0]);
    ref_linear_backward_filter(desc, in[0], dy, grads[1]);
    ref_linear_backward_bias(desc, dy, grads[2]);
}

static void linear_gradients_match_differences(void **state)
{
    (void)state;
    struct ref_linear d = {3, 7, 5};
    struct problem p = {&d, 3, {21, 35, 5}, 15, 1, linear_forward, linear_backward};
    check(&p);
}

static const int32_t labels[4] = {0, 6, 3, 3};

static void cross_entropy_forward(const void *desc, double *const *in, double *y)
{
    y[0] = ref_softmax_cross_entropy(desc, in[0], labels, NULL, NULL);
}

static void cross_entropy_backward(const void *desc, double *const *in, const double *dy,
                                   double *const *grads)
{
    ref_softmax_cross_entropy(desc, in[0], labels, NULL, grads[0]);
    for (int i = 0; i < 28; i++)
        grads[0][i] *= dy[0];
}

static void mse_forward(const void *desc, double *const *in, double *y)
{
    y[0] = ref_mse(28, in[0], desc, NULL);
}

static void mse_backward(const void *desc, double *const *in, const double *dy,
                         double *const *grads)
{
    ref_mse(28, in[0], desc, grads[0]);
    for (int i = 0; i < 28; i++)
        grads[0][i] *= dy[0];
}

static void loss_gradients_match_differences(void **state)
{
    (void)state;
    const double target[28] = {1, 2, [20] = -3};
    struct ref_softmax_cross_entropy d = {4, 7, 0};
    struct problem p = {&d, 1, {28}, 1, 3, cross_entropy_forward, cross_entropy_backward};
    check(&p);
    d.label_smoothing = 0.1;
    check(&p);
    struct problem mse = {target, 1, {28}, 1, 3, mse_forward, mse_backward};
    check(&mse);
}

static void add_forward(const void *desc, double *const *in, double *y)
{
    (void)desc;
    ref_add_forward(9, in[0], in[1], y);
}

static void add_backward(const void *desc, double *const *in, const double *dy,
                         double *const *grads)
{
    (void)desc;
    (void)in;
    ref_add_backward(9, dy, grads[0], grads[1]);
}

static void concat_forward(const void *desc, double *const *in, double *y)
{
    ref_concat_forward(desc, (const double *const *)in, y);
}

static void concat_backward(const void *desc, double *const *in, const double *dy,
                            double *const *grads)
{
    (void)in;
    ref_concat_backward(desc, dy, grads);
}

static void add_and_concat_gradients_match_differences(void **state)
{
    (void)state;
    const int64_t channels[3] = {2, 1, 4};
    struct ref_concat d = {2, 3, 3, channels};
    struct problem add = {NULL, 2, {9, 9}, 9, 1, add_forward, add_backward};
    struct problem concat = {&d, 3, {12, 6, 24}, 42, 1, concat_forward, concat_backward};
    check(&add);
    check(&concat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv2d_gradients_match_differences),
        cmocka_unit_test(conv_transpose2d_gradients_match_differences),
        cmocka_unit_test(pad2d_gradients_match_differences),
        cmocka_unit_test(pool2d_gradients_match_differences),
        cmocka_unit_test(activation_derivatives_match_differences),
        cmocka_unit_test(batch_norm_gradients_match_differences),
        cmocka_unit_test(group_norm_gradients_match_differences),
        cmocka_unit_test(layer_norm_gradients_match_differences),
        cmocka_unit_test(linear_gradients_match_differences),
        cmocka_unit_test(loss_gradients_match_differences),
        cmocka_unit_test(add_and_concat_gradients_match_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
