/* Graphs of every shape: what a pass computes against the same graph in double precision. */
#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "support/graph_reference.h"

static clg_node conv(clg_model *m, clg_node x, const char *name, int64_t filters)
{
    return clg_model_conv2d(
        m, x, name,
        &(clg_conv2d_layer){.filters = filters, .kernel = {3}, .padding = {1, 1, 1, 1}});
}

/* Without bias, whose gradient a batch norm behind it makes zero, but for rounding. */
static clg_node conv_norm(clg_model *m, clg_node x, const char *name, const char *norm,
                          int64_t kernel)
{
    clg_conv2d_layer layer = {.filters = 6, .kernel = {kernel}, .no_bias = true};
    for (int i = 0; i < 4; i++)
        layer.padding[i] = kernel / 2;
    return clg_model_batch_norm(m, clg_model_conv2d(m, x, name, &layer), norm, NULL);
}

static clg_node head(clg_model *m, clg_node x)
{
    return clg_model_linear(m, clg_model_flatten(m, x, NULL), "head",
                            &(clg_linear_layer){.features = 5});
}

static clg_node act(clg_model *m, clg_node x, clg_activation_kind kind)
{
    return clg_model_activation(m, x, NULL, &(clg_activation_layer){.kind = kind});
}

/* ---- The graphs ---- */

static clg_node chain(clg_model *m)
{
    clg_node x = clg_model_relu(m, conv(m, clg_model_input(m), "c1", 4));
    x = clg_model_max_pool2d(m, x, NULL, &(clg_pool2d_layer){.size = {2}});
    x = clg_model_relu(m, conv_norm(m, x, "c2", "bn", 3));
    return head(m, x);
}

static clg_node residual(clg_model *m)
{
    clg_node x = clg_model_relu(m, conv(m, clg_model_input(m), "stem", 4));
    clg_node y = clg_model_relu(m, conv(m, x, "a1", 4));
    y = conv(m, y, "a2", 4);
    x = clg_model_relu(m, clg_model_add(m, y, x, NULL));
    y = conv_norm(m, x, "b1", "bn1", 3);
    clg_node across = conv_norm(m, x, "down", "bn2", 1);
    x = clg_model_relu(m, clg_model_add(m, y, across, NULL));
    return head(m, clg_model_global_avg_pool2d(m, x, NULL));
}

/* One node read by an activation, a pool, a concat and an add: every way to sum gradients. */
static clg_node many_readers(clg_model *m)
{
    clg_node x = conv(m, clg_model_input(m), "stem", 4);
    clg_node a = act(m, x, CLG_ACTIVATION_TANH), b = act(m, x, CLG_ACTIVATION_RELU);
    clg_node c = clg_model_avg_pool2d(
        m, x, NULL, &(clg_pool2d_layer){.size = {3}, .stride = {1}, .padding = {1, 1}});
    clg_node sum = clg_model_add(m, clg_model_add(m, x, a, NULL), b, NULL);
    clg_node all = clg_model_concat(m, (clg_node[]){sum, c, x, x}, 4, NULL);
    return head(m, act(m, conv(m, all, "last", 3), CLG_ACTIVATION_SILU));
}

static clg_node doubled(clg_model *m)
{
    clg_node x = conv(m, clg_model_input(m), "stem", 4);
    x = clg_model_add(m, x, x, NULL);
    return head(m, clg_model_relu(m, clg_model_relu(m, x)));
}

/* A view with two readers, and a relu on a gradient that is shared with another branch. */
static clg_node shared_views(clg_model *m)
{
    clg_node x = clg_model_flatten(m, conv(m, clg_model_input(m), "stem", 2), NULL);
    clg_node a = clg_model_relu(m, x);
    clg_node b = clg_model_linear(m, x, "fc1", &(clg_linear_layer){.features = 12});
    clg_node c =
        clg_model_linear(m, a, "fc2", &(clg_linear_layer){.features = 12, .no_bias = true});
    clg_node sum = clg_model_add(m, act(m, b, CLG_ACTIVATION_SIGMOID), clg_model_relu(m, c), NULL);
    return clg_model_linear(m, sum, "head", &(clg_linear_layer){.features = 5});
}

static clg_node norms(clg_model *m)
{
    clg_node x = conv(m, clg_model_input(m), "stem", 4);
    x = clg_model_group_norm(m, x, "gn", &(clg_group_norm_layer){.groups = 2});
    x = act(m, clg_model_layer_norm(m, x, "ln1", NULL), CLG_ACTIVATION_GELU);
    x = clg_model_layer_norm(m, x, "ln2", &(clg_layer_norm_layer){.normalized_dims = 1});
    x = clg_model_group_norm(m, x, "in", &(clg_group_norm_layer){.groups = 4, .eps = 1e-3f});
    x = act(m, x, CLG_ACTIVATION_MISH);
    clg_node y = clg_model_linear(m, clg_model_flatten(m, x, NULL), "fc",
                                  &(clg_linear_layer){.features = 16, .no_bias = true});
    y = clg_model_relu(m, clg_model_batch_norm(m, y, "bn", NULL));
    y = clg_model_layer_norm(m, y, "ln", NULL);
    return clg_model_linear(m, y, "head", &(clg_linear_layer){.features = 5});
}

static clg_node up_and_down(clg_model *m)
{
    clg_conv2d_layer down = {.filters = 4,
                             .kernel = {3, 2},
                             .stride = {2, 2},
                             .padding = {1, 0, 2, 1},
                             .pad_mode = CLG_PAD_REPLICATE};
    clg_conv_transpose2d_layer up = {
        .filters = 3, .kernel = {3}, .stride = {2}, .padding = {1, 1}, .output_padding = {1, 0}};
    clg_node x = clg_model_conv2d(m, clg_model_input(m), "down", &down);
    x = act(m, x, CLG_ACTIVATION_ELU);
    x = clg_model_conv_transpose2d(m, x, "up", &up);
    x = clg_model_avg_pool2d(
        m, act(m, x, CLG_ACTIVATION_LEAKY_RELU), NULL,
        &(clg_pool2d_layer){.size = {3, 2}, .padding = {1, 1}, .padding_not_averaged = true});
    return head(m, x);
}

static clg_node dropouts(clg_model *m)
{
    clg_node x = clg_model_dropout(m, conv(m, clg_model_input(m), "stem", 4), NULL, 0.25f);
    clg_node y = clg_model_dropout(m, x, NULL, 0.5f);
    return head(m, clg_model_add(m, x, y, NULL));
}

/* The layers before the first parameter want no gradient; neither does a second way around them. */
static clg_node late_parameters(clg_model *m)
{
    clg_node x = clg_model_input(m);
    clg_node pooled = clg_model_max_pool2d(
        m, x, NULL, &(clg_pool2d_layer){.size = {3}, .stride = {1}, .padding = {1, 1}});
    clg_node y = conv(m, clg_model_dropout(m, x, NULL, 0.1f), "c", 3);
    clg_node sum = clg_model_add(m, act(m, pooled, CLG_ACTIVATION_TANH), y, NULL);
    return head(m, clg_model_concat(m, (clg_node[]){x, sum, pooled}, 3, NULL));
}

/* Residual blocks: the input around a block, a projection, a batch norm that two read, one whose
 * sum is read again before its relu, and the same tensor twice. */
static clg_node blocks(clg_model *m)
{
    clg_node x = clg_model_relu(m, conv_norm(m, clg_model_input(m), "stem", "bn0", 3));
    clg_node y = clg_model_relu(m, conv_norm(m, x, "a1", "bn1", 3));
    x = clg_model_relu(m, clg_model_add(m, conv_norm(m, y, "a2", "bn2", 3), x, NULL));
    y = conv_norm(m, x, "b1", "bn3", 3);
    x = clg_model_relu(m, clg_model_add(m, y, conv_norm(m, x, "across", "bn4", 1), NULL));
    y = conv_norm(m, x, "c1", "bn5", 3);
    x = clg_model_add(m, clg_model_relu(m, clg_model_add(m, x, y, NULL)), y, NULL);
    clg_node sum = clg_model_add(m, x, conv_norm(m, x, "d1", "bn6", 1), NULL);
    x = clg_model_add(m, clg_model_relu(m, sum), sum, NULL);
    y = conv_norm(m, x, "e1", "bn7", 1);
    return head(m, clg_model_relu(m, clg_model_add(m, y, y, NULL)));
}

/* Relus behind convolutions whose gradients come from, and go to, several places. */
static clg_node relus(clg_model *m)
{
    clg_node x = clg_model_relu(m, conv(m, clg_model_input(m), "c1", 4));
    clg_node a = clg_model_relu(m, conv(m, x, "c2", 4)), b = clg_model_relu(m, conv(m, x, "c3", 4));
    clg_node sum = clg_model_add(m, a, b, NULL);
    clg_node c = clg_model_relu(m, conv(m, sum, "c4", 4));
    x = clg_model_concat(m, (clg_node[]){sum, c, a}, 3, NULL);
    x = clg_model_relu(m, clg_model_linear(m, clg_model_flatten(m, x, NULL), "fc1",
                                           &(clg_linear_layer){.features = 9}));
    return clg_model_relu(m, clg_model_linear(m, x, "fc2", &(clg_linear_layer){.features = 5}));
}

static clg_node flat(clg_model *m)
{
    clg_node x = clg_model_flatten(m, clg_model_input(m), NULL);
    return clg_model_linear(m, x, "fc", &(clg_linear_layer){.features = 5});
}

static const struct graph {
    const char *name;
    clg_node (*describe)(clg_model *model);
} graphs[] = {
    {"chain", chain},
    {"residual", residual},
    {"many readers", many_readers},
    {"doubled", doubled},
    {"shared views", shared_views},
    {"norms", norms},
    {"up and down", up_and_down},
    {"dropouts", dropouts},
    {"late parameters", late_parameters},
    {"flat", flat},
    {"blocks", blocks},
    {"relus", relus},
};

/* ---- Running one ---- */

enum { BATCH = 5, CHANNELS = 3, HEIGHT = 6, WIDTH = 7, IMAGE = CHANNELS * HEIGHT * WIDTH };

static clg_model *build(const struct graph *graph, clg_model_layout layout, clg_loss_kind loss,
                        bool unfused)
{
    clg_model *model;
    clg_model_desc desc = {.channels = CHANNELS,
                           .height = HEIGHT,
                           .width = WIDTH,
                           .seed = 3,
                           .layout = layout,
                           .unfused = unfused};
    clg_train_desc train = {.loss = loss,
                            .label_smoothing = 0.1f,
                            .optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, NULL)};
    OK(clg_model_create(testing_context(), &desc, &model));
    OK(clg_model_build(model, graph->describe(model), &train));
    return model;
}

static const int32_t labels[BATCH] = {0, 4, 2, 2, 1};

static void expect_gradients(const char *label, const clg_model *model,
                             const struct graph_reference *reference)
{
    for (int i = 0; i < clg_model_num_parameters(model); i++) {
        clg_parameter parameter;
        char text[128];
        OK(clg_model_parameter(model, i, &parameter));
        snprintf(text, sizeof text, "%s: %s", label, parameter.name);
        if (parameter.gradient)
            testing_expect_close(text, parameter.gradient, reference->gradient[i]);
        else
            testing_expect_close(text, parameter.value, reference->value[i]);
    }
}

/* The reference goes by the graph as it was described, which a fused model has no more. */
static void compare_one(const struct graph *graph, clg_model_layout layout, clg_loss_kind loss,
                        bool unfused)
{
    char label[96];
    snprintf(label, sizeof label, "%s, %s, %s, %s", graph->name,
             layout == CLG_MODEL_LAYOUT_NHWC ? "NHWC" : "NCHW",
             loss == CLG_LOSS_MSE ? "mse" : "cross entropy", unfused ? "unfused" : "fused");
    clg_model *model = build(graph, layout, loss, unfused);
    clg_model *described = build(graph, layout, loss, true);
    struct graph_reference *reference = graph_reference_create(described);
    double *x = testing_uniform(BATCH * IMAGE, 11), *target = testing_uniform(BATCH * 5, 12);
    clg_tensor_desc x_desc = clg_desc_4d(BATCH, CHANNELS, HEIGHT, WIDTH);
    clg_tensor_desc y_desc = clg_desc_2d(BATCH, 5);
    clg_tensor *tx = testing_tensor_from(&x_desc, x), *wanted;
    wanted =
        loss == CLG_LOSS_MSE ? testing_tensor_from(&y_desc, target) : testing_labels(BATCH, labels);
    struct graph_batch batch = {BATCH, x, labels, target, 0, true};
    /* Twice: the second pass finds the memory of the first one in use. */
    for (batch.step = 0; batch.step < 2; batch.step++) {
        double expected = graph_reference_pass(reference, &batch);
        OK(clg_model_forward_backward(model, tx, wanted, NULL));
        clg_metrics metrics;
        OK(clg_model_read_metrics(model, &metrics));
        assert_int_equal(metrics.count, BATCH);
        assert_true(fabs(metrics.loss - expected) <= 1e-5 * fabs(expected));
        expect_gradients(label, model, reference);
    }
    batch.training = false;
    graph_reference_pass(reference, &batch);
    clg_tensor *y = testing_tensor(&y_desc, NULL);
    OK(clg_model_predict(model, y, tx, NULL));
    testing_expect_close(label, y, reference->y[model->num_nodes - 1]);
    clg_tensor_destroy(y);
    clg_tensor_destroy(tx);
    clg_tensor_destroy(wanted);
    free(x);
    free(target);
    graph_reference_destroy(reference);
    clg_model_destroy(described);
    clg_model_destroy(model);
}

static void compare(const struct graph *graph, clg_model_layout layout, clg_loss_kind loss)
{
    compare_one(graph, layout, loss, true);
    compare_one(graph, layout, loss, false);
}

static void gradients_of_every_graph_equal_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++)
        compare(&graphs[i], CLG_MODEL_LAYOUT_NCHW, CLG_LOSS_SOFTMAX_CROSS_ENTROPY);
}

static void gradients_in_nhwc_equal_the_same_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof graphs / sizeof graphs[0]; i++)
        compare(&graphs[i], CLG_MODEL_LAYOUT_NHWC, CLG_LOSS_SOFTMAX_CROSS_ENTROPY);
}

static void gradients_of_the_squared_error_equal_the_reference(void **state)
{
    (void)state;
    compare(&graphs[0], CLG_MODEL_LAYOUT_NCHW, CLG_LOSS_MSE);
    compare(&graphs[2], CLG_MODEL_LAYOUT_NHWC, CLG_LOSS_MSE);
}

/* The reference itself: its gradient times a direction is the slope of its loss. */
static void the_references_gradients_are_slopes_of_its_loss(void **state)
{
    (void)state;
    const double step = 1e-6;
    for (size_t g = 0; g < sizeof graphs / sizeof graphs[0]; g++) {
        clg_model *model =
            build(&graphs[g], CLG_MODEL_LAYOUT_NCHW, CLG_LOSS_SOFTMAX_CROSS_ENTROPY, true);
        struct graph_reference *reference = graph_reference_create(model);
        double *x = testing_uniform(BATCH * IMAGE, 11);
        struct graph_batch batch = {BATCH, x, labels, NULL, 0, true};
        graph_reference_pass(reference, &batch);
        double slope = 0, *direction[64];
        for (int i = 0; i < model->num_parameters; i++) {
            int64_t count = graph_reference_parameter_count(reference, i);
            direction[i] = testing_uniform(count, 100 + (uint64_t)i);
            for (int64_t j = 0; j < count && model->parameters[i].trained; j++) {
                slope += direction[i][j] * reference->gradient[i][j];
                reference->value[i][j] += step * direction[i][j];
            }
        }
        double above = graph_reference_pass(reference, &batch);
        for (int i = 0; i < model->num_parameters; i++)
            for (int64_t j = 0; j < graph_reference_parameter_count(reference, i); j++)
                if (model->parameters[i].trained)
                    reference->value[i][j] -= 2 * step * direction[i][j];
        double measured = (above - graph_reference_pass(reference, &batch)) / (2 * step);
        if (fabs(measured - slope) > 1e-5 * (fabs(slope) + 1e-3))
            fail_msg("%s: slope %.9g, gradient %.9g", graphs[g].name, measured, slope);
        for (int i = 0; i < model->num_parameters; i++)
            free(direction[i]);
        free(x);
        graph_reference_destroy(reference);
        clg_model_destroy(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_every_graph_equal_the_reference),
        cmocka_unit_test(gradients_in_nhwc_equal_the_same_reference),
        cmocka_unit_test(gradients_of_the_squared_error_equal_the_reference),
        cmocka_unit_test(the_references_gradients_are_slopes_of_its_loss),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
