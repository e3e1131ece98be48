/* Writing down a graph: shapes, names, every error of the layer calls and of clg_model_build. */
#include "support/testing.h"

static clg_model *new_model(int64_t channels, int64_t height, int64_t width)
{
    clg_model *model;
    clg_model_desc desc = {.channels = channels,
                           .height = height,
                           .width = width,
                           .seed = 7,
                           .layout = CLG_MODEL_LAYOUT_NCHW};
    OK(clg_model_create(testing_context(), &desc, &model));
    return model;
}

static void expect_shape(const clg_model *model, clg_node node, int ndim, const int64_t *dims)
{
    clg_tensor_desc desc;
    OK(clg_model_node_desc(model, node, 3, &desc));
    assert_int_equal(desc.ndim, ndim);
    assert_int_equal(desc.dims[0], 3);
    for (int i = 1; i < ndim; i++)
        assert_int_equal(desc.dims[i], dims[i - 1]);
}

#define SHAPE(...)                                                                                 \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)) + 1, (int64_t[])                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void shapes_are_inferred_and_zeros_stand_for_the_defaults(void **state)
{
    (void)state;
    clg_model *m = new_model(3, 11, 9);
    clg_node x = clg_model_input(m);
    expect_shape(m, x, SHAPE(3, 11, 9));
    clg_node y = clg_model_conv2d(m, x, "a", &(clg_conv2d_layer){.filters = 4, .kernel = {3}});
    expect_shape(m, y, SHAPE(4, 9, 7));
    y = clg_model_conv2d(m, x, "b",
                         &(clg_conv2d_layer){.filters = 6,
                                             .kernel = {5, 2},
                                             .stride = {2, 1},
                                             .padding = {1, 2, 3, 4},
                                             .groups = 3});
    expect_shape(m, y, SHAPE(6, 6, 14));
    clg_conv_transpose2d_layer up = {
        .filters = 5, .kernel = {3}, .stride = {2}, .padding = {1, 1}, .output_padding = {1, 0}};
    expect_shape(m, clg_model_conv_transpose2d(m, x, NULL, &up), SHAPE(5, 22, 17));
    y = clg_model_max_pool2d(m, x, NULL, &(clg_pool2d_layer){.size = {3, 2}});
    expect_shape(m, y, SHAPE(3, 3, 4));
    y = clg_model_avg_pool2d(m, x, NULL,
                             &(clg_pool2d_layer){.size = {3}, .stride = {2}, .padding = {1, 1}});
    expect_shape(m, y, SHAPE(3, 6, 5));
    expect_shape(m, clg_model_global_avg_pool2d(m, x, NULL), SHAPE(3, 1, 1));
    expect_shape(m, clg_model_concat(m, (clg_node[]){x, x, x}, 3, NULL), SHAPE(9, 11, 9));
    expect_shape(m, clg_model_add(m, x, x, NULL), SHAPE(3, 11, 9));
    expect_shape(m, clg_model_batch_norm(m, x, NULL, NULL), SHAPE(3, 11, 9));
    expect_shape(m, clg_model_layer_norm(m, x, NULL, NULL), SHAPE(3, 11, 9));
    expect_shape(m, clg_model_group_norm(m, x, NULL, &(clg_group_norm_layer){.groups = 3}),
                 SHAPE(3, 11, 9));
    expect_shape(m, clg_model_dropout(m, x, NULL, 0.5f), SHAPE(3, 11, 9));
    expect_shape(m, clg_model_relu(m, x), SHAPE(3, 11, 9));
    y = clg_model_flatten(m, x, NULL);
    expect_shape(m, y, SHAPE(297));
    expect_shape(m, clg_model_linear(m, y, "c", &(clg_linear_layer){.features = 10}), SHAPE(10));
    clg_model_destroy(m);
}

static void parameters_have_pytorchs_names_shapes_and_order(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t count;
        bool trained;
    } expected[] = {
        {"layer1.0.conv1.weight", 4 * 3 * 3 * 3, true},
        {"bn1.weight", 4, true},
        {"bn1.bias", 4, true},
        {"bn1.running_mean", 4, false},
        {"bn1.running_var", 4, false},
        {"fc.weight", 10 * 144, true},
        {"fc.bias", 10, true},
    };
    clg_model *m = new_model(3, 8, 8);
    clg_conv2d_layer conv = {.filters = 4, .kernel = {3}, .no_bias = true};
    clg_node x = clg_model_conv2d(m, clg_model_input(m), "layer1.0.conv1", &conv);
    x = clg_model_flatten(m, clg_model_batch_norm(m, x, "bn1", NULL), NULL);
    x = clg_model_linear(m, x, "fc", &(clg_linear_layer){.features = 10});
    assert_int_equal(clg_model_num_parameters(m), 0);
    OK(clg_model_build(m, x, NULL));
    assert_int_equal(clg_model_num_parameters(m), 7);
    assert_int_equal(clg_model_num_trained(m), 108 + 8 + 1440 + 10);
    for (int i = 0; i < 7; i++) {
        clg_parameter parameter, found;
        OK(clg_model_parameter(m, i, &parameter));
        assert_string_equal(parameter.name, expected[i].name);
        assert_int_equal(clg_tensor_count(parameter.value), expected[i].count);
        assert_true((parameter.gradient != NULL) == expected[i].trained);
        OK(clg_model_find_parameter(m, expected[i].name, &found));
        assert_ptr_equal(found.value, parameter.value);
        size_t offset;
        clg_tensor_buffer(parameter.value, &offset);
        assert_int_equal(offset % 64, 0);
    }
    clg_parameter parameter;
    OK(clg_model_parameter(m, 0, &parameter));
    assert_int_equal(clg_tensor_get_desc(parameter.value)->ndim, 4);
    FAILS(CLG_INVALID_ARGUMENT, "index 7, there are 7", clg_model_parameter(m, 7, &parameter));
    FAILS(CLG_INVALID_ARGUMENT, "\"fc\"", clg_model_find_parameter(m, "fc", &parameter));
    clg_model_destroy(m);
}

static double largest(const float *values, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        if (most < (values[i] < 0 ? -(double)values[i] : (double)values[i]))
            most = values[i] < 0 ? -(double)values[i] : (double)values[i];
    return most;
}

/* Weights of a 6x4x3x3 convolution made with that seed. */
static float *initial_weights(uint64_t seed, const char *name)
{
    clg_model *m;
    clg_model_desc desc = {.channels = 4, .height = 8, .width = 8, .seed = seed};
    OK(clg_model_create(testing_context(), &desc, &m));
    clg_conv2d_layer conv = {.filters = 6, .kernel = {3}};
    clg_node x = clg_model_conv2d(m, clg_model_input(m), "first", &conv);
    x = clg_model_conv2d(m, x, "second", &(clg_conv2d_layer){.filters = 4, .kernel = {3}});
    OK(clg_model_build(m, clg_model_flatten(m, x, NULL), NULL));
    clg_parameter parameter;
    OK(clg_model_find_parameter(m, name, &parameter));
    float *values = testing_download(parameter.value);
    clg_model_destroy(m);
    return values;
}

static void initial_values_fill_their_range_and_depend_on_the_seed_alone(void **state)
{
    (void)state;
    float *a = initial_weights(1, "first.weight"), *same = initial_weights(1, "first.weight");
    float *other = initial_weights(2, "first.weight"), *next = initial_weights(1, "second.weight");
    assert_memory_equal(a, same, 216 * sizeof *a);
    assert_memory_not_equal(a, other, 216 * sizeof *a);
    assert_memory_not_equal(a, next, 216 * sizeof *a);
    double bound = 1.0 / 6; /* 1 / sqrt(4 * 3 * 3) */
    assert_true(largest(a, 216) <= bound && largest(a, 216) > 0.95 * bound);
    float *bias = initial_weights(1, "first.bias");
    assert_true(largest(bias, 6) <= bound && largest(bias, 6) > 0.3 * bound);
    free(a);
    free(same);
    free(other);
    free(next);
    free(bias);
}

/* ---- Errors ---- */

static clg_node kernel_too_large(clg_model *m, clg_node x)
{
    return clg_model_conv2d(m, x, "big", &(clg_conv2d_layer){.filters = 2, .kernel = {12}});
}

static clg_node no_kernel(clg_model *m, clg_node x)
{
    return clg_model_conv2d(m, x, "conv", NULL);
}

static clg_node groups_do_not_divide(clg_model *m, clg_node x)
{
    return clg_model_conv2d(m, x, "conv",
                            &(clg_conv2d_layer){.filters = 4, .kernel = {3}, .groups = 2});
}

static clg_node negative_stride(clg_model *m, clg_node x)
{
    return clg_model_conv2d(m, x, "conv",
                            &(clg_conv2d_layer){.filters = 4, .kernel = {3}, .stride = {-1}});
}

static clg_node linear_of_an_image(clg_model *m, clg_node x)
{
    return clg_model_linear(m, x, "fc", &(clg_linear_layer){.features = 10});
}

static clg_node linear_of_nothing(clg_model *m, clg_node x)
{
    return clg_model_linear(m, clg_model_flatten(m, x, NULL), "fc", NULL);
}

static clg_node two_of_one_name(clg_model *m, clg_node x)
{
    return clg_model_batch_norm(m, clg_model_batch_norm(m, x, "bn", NULL), "bn", NULL);
}

static clg_node empty_name(clg_model *m, clg_node x)
{
    return clg_model_batch_norm(m, x, "", NULL);
}

static clg_node unlike_summands(clg_model *m, clg_node x)
{
    return clg_model_add(m, x, clg_model_global_avg_pool2d(m, x, NULL), "sum");
}

static clg_node unlike_concat(clg_model *m, clg_node x)
{
    clg_node y = clg_model_global_avg_pool2d(m, x, NULL);
    return clg_model_concat(m, (clg_node[]){x, y}, 2, "join");
}

static clg_node empty_concat(clg_model *m, clg_node x)
{
    (void)x;
    return clg_model_concat(m, NULL, 0, "join");
}

static clg_node unknown_node(clg_model *m, clg_node x)
{
    return clg_model_add(m, x, 17, "sum");
}

static clg_node bad_probability(clg_model *m, clg_node x)
{
    return clg_model_dropout(m, x, "drop", 1.5f);
}

static clg_node bad_activation(clg_model *m, clg_node x)
{
    return clg_model_activation(
        m, x, "act", &(clg_activation_layer){.kind = (clg_activation_kind)CLG_ACTIVATION_COUNT});
}

static clg_node bad_norm_groups(clg_model *m, clg_node x)
{
    return clg_model_group_norm(m, x, "gn", &(clg_group_norm_layer){.groups = 2});
}

static clg_node bad_norm_dims(clg_model *m, clg_node x)
{
    return clg_model_layer_norm(m, x, "ln", &(clg_layer_norm_layer){.normalized_dims = 4});
}

static clg_node pool_too_large(clg_model *m, clg_node x)
{
    return clg_model_max_pool2d(m, x, "pool", &(clg_pool2d_layer){.size = {12}});
}

static clg_node pool_of_nothing(clg_model *m, clg_node x)
{
    return clg_model_avg_pool2d(m, x, "pool", NULL);
}

static clg_node transpose_without_filters(clg_model *m, clg_node x)
{
    return clg_model_conv_transpose2d(m, x, "up", &(clg_conv_transpose2d_layer){.kernel = {3}});
}

static const struct {
    clg_node (*describe)(clg_model *model, clg_node x);
    clg_status status;
    const char *message;
} mistakes[] = {
    {kernel_too_large, CLG_INVALID_SHAPE, "layer \"big\" (conv2d)"},
    {no_kernel, CLG_INVALID_ARGUMENT, "layer \"conv\" (conv2d)"},
    {groups_do_not_divide, CLG_INVALID_SHAPE, "layer \"conv\" (conv2d)"},
    {negative_stride, CLG_INVALID_ARGUMENT, "-1"},
    {linear_of_an_image, CLG_INVALID_SHAPE, "layer \"fc\" (linear): its input is 1x3x11x9"},
    {linear_of_nothing, CLG_INVALID_ARGUMENT, "layer \"fc\" (linear)"},
    {two_of_one_name, CLG_INVALID_ARGUMENT, "named \"bn\""},
    {empty_name, CLG_INVALID_ARGUMENT, "empty name"},
    {unlike_summands, CLG_INVALID_SHAPE,
     "layer \"sum\" (add): it adds 1x3x11x9 float32 and 1x3x1x1"},
    {unlike_concat, CLG_INVALID_SHAPE, "layer \"join\" (concat)"},
    {empty_concat, CLG_INVALID_ARGUMENT, "layer \"join\" (concat)"},
    {unknown_node, CLG_INVALID_ARGUMENT, "input 1 is node 17"},
    {bad_probability, CLG_INVALID_ARGUMENT, "1.5"},
    {bad_activation, CLG_INVALID_ARGUMENT, "unknown"},
    {bad_norm_groups, CLG_INVALID_SHAPE, "2 groups do not divide 3 channels"},
    {bad_norm_dims, CLG_INVALID_SHAPE, "last 4 dimensions"},
    {pool_too_large, CLG_INVALID_SHAPE, "layer \"pool\" (max_pool2d)"},
    {pool_of_nothing, CLG_INVALID_ARGUMENT, "layer \"pool\" (avg_pool2d)"},
    {transpose_without_filters, CLG_INVALID_ARGUMENT, "layer \"up\" (conv_transpose2d)"},
};

static void the_first_mistake_of_a_layer_call_is_what_build_returns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        clg_model *m = new_model(3, 11, 9);
        clg_node x = mistakes[i].describe(m, clg_model_input(m));
        assert_true(x < 0);
        /* Later calls neither crash nor hide the first message. */
        x = clg_model_linear(m, clg_model_flatten(m, clg_model_relu(m, x), NULL), "last",
                             &(clg_linear_layer){.features = -4});
        assert_true(x < 0);
        clg_tensor_desc desc;
        FAILS(mistakes[i].status, mistakes[i].message, clg_model_node_desc(m, x, 1, &desc));
        FAILS(mistakes[i].status, mistakes[i].message, clg_model_build(m, x, NULL));
        FAILS(CLG_INVALID_STATE, "not built", clg_model_update(m, NULL));
        clg_model_destroy(m);
    }
}

static void a_graph_that_does_not_fit_together_is_refused(void **state)
{
    (void)state;
    clg_model *m = new_model(3, 4, 4);
    clg_node x = clg_model_input(m);
    clg_node y = clg_model_flatten(m, x, NULL);
    (void)clg_model_relu(m, x);
    FAILS(CLG_INVALID_ARGUMENT, "(activation) does not lead to the output",
          clg_model_build(m, y, NULL));
    FAILS(CLG_INVALID_STATE, "built already", clg_model_build(m, y, NULL));
    clg_model_destroy(m);

    m = new_model(3, 4, 4);
    y = clg_model_flatten(m, clg_model_input(m), NULL);
    (void)clg_model_linear(m, y, "fc", &(clg_linear_layer){.features = 2});
    FAILS(CLG_INVALID_ARGUMENT, "the output, layer \"flatten_1\" (flatten), is an input",
          clg_model_build(m, y, NULL));
    clg_model_destroy(m);

    m = new_model(3, 4, 4);
    FAILS(CLG_INVALID_ARGUMENT, "node 9, there are nodes 0 to 0", clg_model_build(m, 9, NULL));
    clg_model_destroy(m);
}

static void losses_and_optimisers_are_checked(void **state)
{
    (void)state;
    clg_train_desc good = {.optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, NULL)};
    clg_model *m = new_model(3, 4, 4);
    clg_node x = clg_model_batch_norm(m, clg_model_input(m), "bn", NULL);
    FAILS(CLG_INVALID_SHAPE, "1x3x4x4 float32 for one image", clg_model_build(m, x, &good));
    clg_model_destroy(m);

    clg_train_desc bad[3] = {good, good, good};
    bad[0].loss = CLG_LOSS_COUNT;
    bad[1].label_smoothing = -1;
    bad[2].optimizer.lr = -3;
    const char *messages[] = {"loss 2 is unknown", "label_smoothing is -1", "-3"};
    for (int i = 0; i < 3; i++) {
        m = new_model(3, 4, 4);
        x = clg_model_batch_norm(m, clg_model_input(m), "bn", NULL);
        x = clg_model_flatten(m, x, NULL);
        FAILS(CLG_INVALID_ARGUMENT, messages[i], clg_model_build(m, x, &bad[i]));
        clg_model_destroy(m);
    }
}

static void bad_inputs_of_a_model_are_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_model *m;
    clg_model_desc desc = {.channels = 1, .height = 0, .width = 5};
    FAILS(CLG_INVALID_SHAPE, "1x1x0x5", clg_model_create(ctx, &desc, &m));
    assert_null(m);
    FAILS(CLG_INVALID_ARGUMENT, "desc", clg_model_create(ctx, NULL, &m));
    desc = (clg_model_desc){.channels = 1 << 20, .height = 1 << 20, .width = 1};
    FAILS(CLG_TOO_LARGE, "2147483647", clg_model_create(ctx, &desc, &m));
    desc = (clg_model_desc){.channels = 1, .height = 1, .width = 1, .max_batch_sizes = -1};
    FAILS(CLG_INVALID_ARGUMENT, "max_batch_sizes is -1", clg_model_create(ctx, &desc, &m));
    desc = (clg_model_desc){.channels = 1, .height = 1, .width = 1, .layout = (clg_model_layout)3};
    FAILS(CLG_INVALID_ARGUMENT, "layout 3 is unknown", clg_model_create(ctx, &desc, &m));
    assert_int_equal(clg_model_input(NULL), -1);
    assert_int_equal(clg_model_relu(NULL, 0), -1);
    clg_model_destroy(NULL);
}

static void a_built_model_takes_no_more_layers(void **state)
{
    (void)state;
    clg_model *m = new_model(1, 2, 2);
    clg_node x = clg_model_flatten(m, clg_model_input(m), NULL);
    OK(clg_model_build(m, x, NULL));
    assert_true(clg_model_relu(m, x) < 0);
    assert_non_null(strstr(clg_last_error(), "built already"));
    OK(clg_model_prepare(m, 1, true));
    clg_model_destroy(m);
}

static void every_named_network_is_built_and_counts_its_parameters(void **state)
{
    (void)state;
    /* What PyTorch counts for the same networks. */
    static const struct {
        const char *name;
        int64_t trained;
    } networks[] = {{"lenet5", 61706},
                    {"mlp", 101770},
                    {"resnet20", 272474},
                    {"resnet18", 11689512},
                    {"resnet50", 25557032}};
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        clg_model *m;
        OK(clg_model_by_name(testing_context(), &(clg_network_desc){.name = networks[i].name}, NULL,
                             &m));
        assert_int_equal(clg_model_num_trained(m), networks[i].trained);
        assert_string_equal(clg_model_metadata(m, "clgrad.model"), networks[i].name);
        clg_model_destroy(m);
    }
    clg_model *m;
    FAILS(CLG_INVALID_ARGUMENT, "no network \"vgg\"; there are: digits, lenet5, mlp, resnet18",
          clg_model_by_name(testing_context(), &(clg_network_desc){.name = "vgg"}, NULL, &m));
    assert_null(m);
    clg_network_desc tiny = {.name = "lenet5", .model = {.channels = 1, .height = 8, .width = 8}};
    FAILS(CLG_INVALID_SHAPE, "network lenet5: layer \"3\" (conv2d)",
          clg_model_by_name(testing_context(), &tiny, NULL, &m));
    for (int i = 0; i < clg_model_num_names(); i++)
        assert_non_null(clg_model_name(i));
    assert_null(clg_model_name(clg_model_num_names()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_inferred_and_zeros_stand_for_the_defaults),
        cmocka_unit_test(parameters_have_pytorchs_names_shapes_and_order),
        cmocka_unit_test(initial_values_fill_their_range_and_depend_on_the_seed_alone),
        cmocka_unit_test(the_first_mistake_of_a_layer_call_is_what_build_returns),
        cmocka_unit_test(a_graph_that_does_not_fit_together_is_refused),
        cmocka_unit_test(losses_and_optimisers_are_checked),
        cmocka_unit_test(bad_inputs_of_a_model_are_refused),
        cmocka_unit_test(a_built_model_takes_no_more_layers),
        cmocka_unit_test(every_named_network_is_built_and_counts_its_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
