/* Five training steps of a small network against the same steps written out in double precision. */
#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/activation.h"
#include "ref/add_concat.h"
#include "ref/conv2d.h"
#include "ref/linear.h"
#include "ref/loss.h"
#include "ref/norm.h"
#include "ref/optimizer.h"
#include "ref/pool2d.h"

enum {
    STEPS = 5,
    MOST = 6, /* images in the largest batch */
    SIZE = 8,
    HALF = SIZE / 2,
    FILTERS = 4,
    CLASSES = 3,
    IMAGE = SIZE * SIZE,
    WIDE = FILTERS * SIZE * SIZE,
    SMALL = FILTERS * HALF * HALF
};

static const double lr = 0.05, momentum = 0.9, weight_decay = 5e-3;

/* The last batch is a smaller one. */
static const int64_t batch_sizes[STEPS] = {MOST, MOST, MOST, MOST, 3};

/* ---- The network, written with the model's calls ---- */

static clg_model *build(clg_model_layout layout)
{
    clg_model *model;
    clg_model_desc desc = {
        .channels = 1, .height = SIZE, .width = SIZE, .seed = 42, .layout = layout};
    clg_train_desc train = {.loss = CLG_LOSS_SOFTMAX_CROSS_ENTROPY,
                            .optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, NULL)};
    train.optimizer.lr = lr;
    train.optimizer.momentum = momentum;
    train.optimizer.weight_decay = weight_decay;
    clg_conv2d_layer first = {
        .filters = FILTERS, .kernel = {3}, .padding = {1, 1, 1, 1}, .no_bias = true};
    clg_conv2d_layer second = {.filters = FILTERS, .kernel = {3}, .padding = {1, 1, 1, 1}};
    OK(clg_model_create(testing_context(), &desc, &model));
    clg_node x = clg_model_conv2d(model, clg_model_input(model), "conv1", &first);
    x = clg_model_relu(model, clg_model_batch_norm(model, x, "bn1", NULL));
    x = clg_model_max_pool2d(model, x, NULL, &(clg_pool2d_layer){.size = {2}});
    x = clg_model_add(model, clg_model_conv2d(model, x, "conv2", &second), x, NULL);
    x = clg_model_flatten(model, clg_model_relu(model, x), NULL);
    x = clg_model_linear(model, x, "fc", &(clg_linear_layer){.features = CLASSES});
    OK(clg_model_build(model, x, &train));
    return model;
}

/* ---- The same in double precision ---- */

enum { W1, GAMMA, BETA, W2, B2, W3, B3, TRAINED, MEAN = TRAINED, VAR, PARAMETERS };

static const struct {
    const char *name;
    int64_t count;
} parameters[PARAMETERS] = {
    {"conv1.weight", FILTERS * 9}, {"bn1.weight", FILTERS},
    {"bn1.bias", FILTERS},         {"conv2.weight", FILTERS *FILTERS * 9},
    {"conv2.bias", FILTERS},       {"fc.weight", CLASSES *SMALL},
    {"fc.bias", CLASSES},          {"bn1.running_mean", FILTERS},
    {"bn1.running_var", FILTERS},
};

struct reference {
    double *value[PARAMETERS], *gradient[TRAINED], *velocity[TRAINED];
    /* Outputs and their gradients, with room for the largest batch. */
    double conv1[MOST * WIDE], norm[MOST * WIDE], relu1[MOST * WIDE], pool[MOST * SMALL];
    double conv2[MOST * SMALL], sum[MOST * SMALL], relu2[MOST * SMALL], fc[MOST * CLASSES];
    double dfc[MOST * CLASSES], drelu2[MOST * SMALL], dsum[MOST * SMALL], dpool[MOST * SMALL];
    double dacross[MOST * SMALL], drelu1[MOST * WIDE], dnorm[MOST * WIDE], dconv1[MOST * WIDE];
};

static struct ref_conv2d conv_problem(int64_t batch, int64_t channels, int64_t size)
{
    return (struct ref_conv2d){batch, channels, size, size, FILTERS,       3, 3, 1, 1, 1, 1, 1,
                               1,     1,        1,    1,    REF_PAD_ZEROS, 0};
}

static double forward(struct reference *r, int64_t batch, const double *x, const int32_t *labels)
{
    struct ref_conv2d conv1 = conv_problem(batch, 1, SIZE);
    struct ref_conv2d conv2 = conv_problem(batch, FILTERS, HALF);
    struct ref_batch_norm norm = {batch, FILTERS,         IMAGE,         1e-5,
                                  0.1,   r->value[GAMMA], r->value[BETA]};
    struct ref_pool2d pool = {batch, FILTERS, SIZE, SIZE, 2, 2, 2, 2, 0, 0, 1, 1, false};
    struct ref_linear fc = {batch, SMALL, CLASSES};
    struct ref_softmax_cross_entropy loss = {batch, CLASSES, 0};
    ref_conv2d_forward(&conv1, x, r->value[W1], NULL, r->conv1);
    ref_batch_norm_forward(&norm, r->conv1, r->value[MEAN], r->value[VAR], r->norm);
    ref_activation_forward(REF_RELU, 0, batch * WIDE, r->norm, r->relu1);
    ref_pool2d_max_forward(&pool, r->relu1, r->pool);
    ref_conv2d_forward(&conv2, r->pool, r->value[W2], r->value[B2], r->conv2);
    ref_add_forward(batch * SMALL, r->conv2, r->pool, r->sum);
    ref_activation_forward(REF_RELU, 0, batch * SMALL, r->sum, r->relu2);
    ref_linear_forward(&fc, r->relu2, r->value[W3], r->value[B3], r->fc);
    return ref_softmax_cross_entropy(&loss, r->fc, labels, NULL, r->dfc);
}

static void backward(struct reference *r, int64_t batch, const double *x)
{
    struct ref_conv2d conv1 = conv_problem(batch, 1, SIZE);
    struct ref_conv2d conv2 = conv_problem(batch, FILTERS, HALF);
    struct ref_batch_norm norm = {batch, FILTERS,         IMAGE,         1e-5,
                                  0.1,   r->value[GAMMA], r->value[BETA]};
    struct ref_norm_grads norm_grads = {r->dconv1, r->gradient[GAMMA], r->gradient[BETA]};
    struct ref_pool2d pool = {batch, FILTERS, SIZE, SIZE, 2, 2, 2, 2, 0, 0, 1, 1, false};
    struct ref_linear fc = {batch, SMALL, CLASSES};
    ref_linear_backward_data(&fc, r->value[W3], r->dfc, r->drelu2);
    ref_linear_backward_filter(&fc, r->relu2, r->dfc, r->gradient[W3]);
    ref_linear_backward_bias(&fc, r->dfc, r->gradient[B3]);
    ref_activation_backward(REF_RELU, 0, batch * SMALL, r->sum, r->drelu2, r->dsum);
    ref_conv2d_backward_data(&conv2, r->value[W2], r->dsum, r->dpool);
    ref_conv2d_backward_filter(&conv2, r->pool, r->dsum, r->gradient[W2]);
    ref_conv2d_backward_bias(&conv2, r->dsum, r->gradient[B2]);
    ref_add_forward(batch * SMALL, r->dpool, r->dsum, r->dacross);
    ref_pool2d_max_backward(&pool, r->relu1, r->dacross, r->drelu1);
    ref_activation_backward(REF_RELU, 0, batch * WIDE, r->norm, r->drelu1, r->dnorm);
    ref_batch_norm_backward(&norm, r->conv1, r->dnorm, &norm_grads);
    ref_conv2d_backward_filter(&conv1, x, r->dconv1, r->gradient[W1]);
}

static void update(struct reference *r, int64_t step)
{
    struct ref_sgd sgd = {lr, momentum, 0, weight_decay, false};
    for (int i = 0; i < TRAINED; i++)
        ref_sgd_step(&sgd, step, parameters[i].count, r->gradient[i], r->velocity[i], r->value[i]);
}

/* ---- Side by side ---- */

static struct reference *reference_of(const clg_model *model)
{
    struct reference *r = calloc(1, sizeof *r);
    assert_non_null(r);
    for (int i = 0; i < PARAMETERS; i++) {
        clg_parameter parameter;
        OK(clg_model_find_parameter(model, parameters[i].name, &parameter));
        assert_int_equal(clg_tensor_count(parameter.value), parameters[i].count);
        float *values = testing_download(parameter.value);
        r->value[i] = ref_array_widen(values, parameters[i].count);
        free(values);
    }
    for (int i = 0; i < TRAINED; i++) {
        r->gradient[i] = ref_array_zeros(parameters[i].count);
        r->velocity[i] = ref_array_zeros(parameters[i].count);
    }
    return r;
}

static void free_reference(struct reference *r)
{
    for (int i = 0; i < PARAMETERS; i++)
        free(r->value[i]);
    for (int i = 0; i < TRAINED; i++) {
        free(r->gradient[i]);
        free(r->velocity[i]);
    }
    free(r);
}

static void expect_equal(const clg_model *model, const struct reference *r, int step)
{
    for (int i = 0; i < PARAMETERS; i++) {
        clg_parameter parameter;
        char label[96];
        OK(clg_model_find_parameter(model, parameters[i].name, &parameter));
        snprintf(label, sizeof label, "step %d, %s", step, parameters[i].name);
        testing_expect_close(label, parameter.value, r->value[i]);
        snprintf(label, sizeof label, "step %d, gradient of %s", step, parameters[i].name);
        if (i < TRAINED)
            testing_expect_close(label, parameter.gradient, r->gradient[i]);
    }
}

static void train_beside_the_reference(clg_model_layout layout)
{
    clg_model *model = build(layout);
    struct reference *r = reference_of(model);
    int32_t labels[MOST];
    for (int step = 1; step <= STEPS; step++) {
        int64_t batch = batch_sizes[step - 1];
        double *x = testing_uniform(batch * IMAGE, 1000 + (uint64_t)step);
        for (int64_t i = 0; i < batch; i++)
            labels[i] = (int32_t)((i + step) % CLASSES);
        double loss = forward(r, batch, x, labels);
        backward(r, batch, x);
        update(r, step);
        clg_tensor_desc desc = clg_desc_4d(batch, 1, SIZE, SIZE);
        clg_tensor *tx = testing_tensor_from(&desc, x), *ty = testing_labels(batch, labels);
        OK(clg_model_train_step(model, tx, ty, NULL));
        clg_metrics metrics;
        OK(clg_model_read_metrics(model, &metrics));
        assert_true(fabs(metrics.loss - loss) <= 1e-5 * loss);
        expect_equal(model, r, step);
        clg_tensor_destroy(tx);
        clg_tensor_destroy(ty);
        free(x);
    }
    free_reference(r);
    clg_model_destroy(model);
}

static void five_steps_equal_the_reference_in_every_parameter(void **state)
{
    (void)state;
    train_beside_the_reference(CLG_MODEL_LAYOUT_NCHW);
}

static void five_steps_in_nhwc_equal_the_same_reference(void **state)
{
    (void)state;
    train_beside_the_reference(CLG_MODEL_LAYOUT_NHWC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_steps_equal_the_reference_in_every_parameter),
        cmocka_unit_test(five_steps_in_nhwc_equal_the_same_reference),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
