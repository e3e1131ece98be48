/* Running a model: modes, batch sizes, metrics, repeatability, queues and events, errors. */
#include "support/testing.h"

#include <math.h>
#include <stdio.h>

enum { CHANNELS = 2, SIZE = 6, IMAGE = CHANNELS * SIZE * SIZE, CLASSES = 4 };

/* With batch norm and dropout: training and evaluation differ. */
static clg_model *build(uint64_t seed, clg_model_layout layout, const clg_train_desc *train)
{
    clg_model *model;
    clg_model_desc desc = {
        .channels = CHANNELS, .height = SIZE, .width = SIZE, .seed = seed, .layout = layout};
    clg_conv2d_layer conv = {.filters = 5, .kernel = {3}, .padding = {1, 1, 1, 1}, .no_bias = true};
    OK(clg_model_create(testing_context(), &desc, &model));
    clg_node x = clg_model_conv2d(model, clg_model_input(model), "conv", &conv);
    x = clg_model_relu(model, clg_model_batch_norm(model, x, "bn", NULL));
    x = clg_model_dropout(model, clg_model_flatten(model, x, NULL), NULL, 0.3f);
    x = clg_model_linear(model, x, "fc", &(clg_linear_layer){.features = CLASSES});
    OK(clg_model_build(model, x, train));
    return model;
}

static clg_tensor *images(int64_t batch, uint64_t seed)
{
    clg_tensor_desc desc = clg_desc_4d(batch, CHANNELS, SIZE, SIZE);
    double *x = testing_uniform(batch * IMAGE, seed);
    clg_tensor *tensor = testing_tensor_from(&desc, x);
    free(x);
    return tensor;
}

static clg_tensor *some_labels(int64_t batch)
{
    int32_t *values = calloc((size_t)batch, sizeof *values);
    for (int64_t i = 0; i < batch; i++)
        values[i] = (int32_t)(i % CLASSES);
    clg_tensor *tensor = testing_labels(batch, values);
    free(values);
    return tensor;
}

static void train(clg_model *model, int64_t batch, int steps)
{
    for (int i = 0; i < steps; i++) {
        clg_tensor *x = images(batch, 50 + (uint64_t)i), *y = some_labels(batch);
        OK(clg_model_train_step(model, x, y, NULL));
        clg_tensor_destroy(x);
        clg_tensor_destroy(y);
    }
}

static float *predict(clg_model *model, const clg_tensor *x)
{
    clg_tensor_desc desc = clg_desc_2d(clg_tensor_get_desc(x)->dims[0], CLASSES);
    clg_tensor *y = testing_tensor(&desc, NULL);
    OK(clg_model_predict(model, y, x, NULL));
    float *values = testing_download(y);
    clg_tensor_destroy(y);
    return values;
}

static void expect_same_parameters(const clg_model *a, const clg_model *b)
{
    for (int i = 0; i < clg_model_num_parameters(a); i++) {
        clg_parameter left, right;
        OK(clg_model_parameter(a, i, &left));
        OK(clg_model_parameter(b, i, &right));
        testing_expect_same_bits(left.name, left.value, right.value);
    }
}

static void the_same_seed_gives_the_same_bits(void **state)
{
    (void)state;
    clg_train_desc adam = {.optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_ADAM, NULL)};
    for (int layout = CLG_MODEL_LAYOUT_NCHW; layout <= CLG_MODEL_LAYOUT_NHWC; layout++) {
        clg_model *a = build(5, (clg_model_layout)layout, &adam),
                  *b = build(5, (clg_model_layout)layout, &adam);
        train(a, 7, 4);
        train(b, 7, 4);
        expect_same_parameters(a, b);
        clg_model_destroy(a);
        clg_model_destroy(b);
    }
}

static void each_step_drops_other_elements_and_each_seed_the_same(void **state)
{
    (void)state;
    clg_model *a = build(5, CLG_MODEL_LAYOUT_NCHW, NULL),
              *b = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    clg_tensor *x = images(8, 1), *y = some_labels(8);
    clg_metrics first, second, again;
    OK(clg_model_forward_backward(a, x, y, NULL));
    OK(clg_model_read_metrics(a, &first));
    OK(clg_model_forward_backward(a, x, y, NULL));
    OK(clg_model_read_metrics(a, &second));
    OK(clg_model_forward_backward(b, x, y, NULL));
    OK(clg_model_read_metrics(b, &again));
    assert_true(first.loss == again.loss);
    assert_true(first.loss != second.loss); /* another step, another mask */
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_model_destroy(a);
    clg_model_destroy(b);
}

static void evaluation_changes_nothing_and_treats_images_alone(void **state)
{
    (void)state;
    clg_model *model = build(5, CLG_MODEL_LAYOUT_NCHW, NULL),
              *untouched = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    train(model, 8, 3);
    train(untouched, 8, 3);
    clg_tensor *x = images(8, 1), *y = some_labels(8);
    float *all = predict(model, x), *again = predict(model, x);
    OK(clg_model_evaluate(model, x, y, NULL));
    assert_memory_equal(all, again, 8 * CLASSES * sizeof *all);
    expect_same_parameters(model, untouched);
    /* One image gets the same answer alone as among others, unlike in training. */
    clg_tensor_desc one_desc = clg_desc_4d(1, CHANNELS, SIZE, SIZE);
    clg_tensor *one;
    OK(clg_tensor_view(clg_tensor_buffer(x, NULL), 5 * IMAGE * sizeof(float), &one_desc, &one));
    float *alone = predict(model, one);
    for (int i = 0; i < CLASSES; i++)
        assert_true(fabsf(alone[i] - all[5 * CLASSES + i]) <= 1e-5f * (1 + fabsf(alone[i])));
    free(all);
    free(again);
    free(alone);
    clg_tensor_destroy(one);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_model_destroy(model);
    clg_model_destroy(untouched);
}

static void metrics_sum_over_batches_of_every_size_also_of_those_let_go(void **state)
{
    (void)state;
    static const int64_t sizes[] = {3, 8, 1, 5, 7, 2, 8, 3};
    clg_model *model = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    double loss = 0;
    int64_t correct = 0, count = 0;
    clg_metrics metrics;
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            clg_tensor *x = images(sizes[i], i), *y = some_labels(sizes[i]);
            OK(clg_model_evaluate(model, x, y, NULL));
            clg_tensor_destroy(x);
            clg_tensor_destroy(y);
            if (pass == 1) /* the second pass reads after all, the first after each */
                continue;
            OK(clg_model_read_metrics(model, &metrics));
            assert_int_equal(metrics.count, sizes[i]);
            loss += metrics.loss * (double)metrics.count;
            correct += metrics.correct;
            count += metrics.count;
        }
    }
    OK(clg_model_read_metrics(model, &metrics));
    assert_int_equal(metrics.count, count);
    assert_int_equal(metrics.correct, correct);
    assert_true(fabs(metrics.loss - loss / (double)count) <= 1e-6 * metrics.loss);
    OK(clg_model_read_metrics(model, &metrics));
    assert_int_equal(metrics.count, 0);
    assert_true(metrics.loss == 0);
    clg_model_destroy(model);
}

static void right_answers_are_counted(void **state)
{
    (void)state;
    clg_model *model = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    clg_tensor *x = images(16, 3);
    float *y = predict(model, x);
    int32_t labels[16];
    for (int i = 0; i < 16; i++) {
        int best = 0;
        for (int k = 1; k < CLASSES; k++)
            if (y[i * CLASSES + k] > y[i * CLASSES + best])
                best = k;
        labels[i] = i < 11 ? best : (best + 1) % CLASSES;
    }
    clg_tensor *target = testing_labels(16, labels);
    clg_metrics metrics;
    OK(clg_model_evaluate(model, x, target, NULL));
    OK(clg_model_read_metrics(model, &metrics));
    assert_int_equal(metrics.correct, 11);
    free(y);
    clg_tensor_destroy(x);
    clg_tensor_destroy(target);
    clg_model_destroy(model);
}

static void accumulated_gradients_are_the_sum_of_those_of_the_parts(void **state)
{
    (void)state;
    clg_model *sum = build(5, CLG_MODEL_LAYOUT_NCHW, NULL),
              *part = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    clg_run accumulate = {.accumulate = true};
    double *expected[8] = {NULL};
    for (uint64_t i = 0; i < 2; i++) {
        clg_tensor *x = images(6, i), *y = some_labels(6);
        OK(clg_model_forward_backward(sum, x, y, i ? &accumulate : NULL));
        OK(clg_model_forward_backward(part, x, y, NULL));
        for (int p = 0; p < clg_model_num_parameters(part); p++) {
            clg_parameter parameter;
            OK(clg_model_parameter(part, p, &parameter));
            if (!parameter.gradient)
                continue;
            int64_t count = clg_tensor_count(parameter.gradient);
            float *gradient = testing_download(parameter.gradient);
            if (!expected[p])
                expected[p] = ref_array_zeros(count);
            for (int64_t e = 0; e < count; e++)
                expected[p][e] += (double)gradient[e];
            free(gradient);
        }
        clg_tensor_destroy(x);
        clg_tensor_destroy(y);
    }
    for (int p = 0; p < clg_model_num_parameters(sum); p++) {
        clg_parameter parameter;
        OK(clg_model_parameter(sum, p, &parameter));
        if (parameter.gradient)
            testing_expect_close(parameter.name, parameter.gradient, expected[p]);
        free(expected[p]);
    }
    clg_model_destroy(sum);
    clg_model_destroy(part);
}

static void a_step_is_the_gradients_and_the_update(void **state)
{
    (void)state;
    clg_model *whole = build(5, CLG_MODEL_LAYOUT_NCHW, NULL),
              *parts = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    clg_tensor *x = images(6, 2), *y = some_labels(6);
    for (int i = 0; i < 3; i++) {
        OK(clg_model_train_step(whole, x, y, NULL));
        OK(clg_model_forward_backward(parts, x, y, NULL));
        OK(clg_model_update(parts, NULL));
    }
    expect_same_parameters(whole, parts);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_model_destroy(whole);
    clg_model_destroy(parts);
}

static void images_may_come_in_either_layout(void **state)
{
    (void)state;
    double *host = testing_uniform(6 * IMAGE, 9);
    clg_tensor_desc nchw = clg_desc_4d(6, CHANNELS, SIZE, SIZE), nhwc = nchw;
    nhwc.layout = CLG_NHWC;
    clg_tensor *plain = testing_tensor_from(&nchw, host), *last = testing_tensor_from(&nhwc, host);
    for (int layout = CLG_MODEL_LAYOUT_NCHW; layout <= CLG_MODEL_LAYOUT_NHWC; layout++) {
        clg_model *model = build(5, (clg_model_layout)layout, NULL);
        float *a = predict(model, plain), *b = predict(model, last), *c = predict(model, plain);
        assert_memory_equal(a, b, 6 * CLASSES * sizeof *a);
        assert_memory_equal(a, c, 6 * CLASSES * sizeof *a);
        free(a);
        free(b);
        free(c);
        clg_model_destroy(model);
    }
    clg_tensor_destroy(plain);
    clg_tensor_destroy(last);
    free(host);
}

/* One transposed convolution from 2 channels to 3: an image comes out. */
static clg_model *build_upscaler(clg_model_layout layout)
{
    clg_model *model;
    clg_model_desc desc = {
        .channels = CHANNELS, .height = SIZE, .width = SIZE, .seed = 8, .layout = layout};
    clg_train_desc train = {.loss = CLG_LOSS_MSE,
                            .optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, NULL)};
    clg_conv_transpose2d_layer up = {.filters = 3, .kernel = {2}, .stride = {2}};
    OK(clg_model_create(testing_context(), &desc, &model));
    clg_node x = clg_model_conv_transpose2d(model, clg_model_input(model), "up", &up);
    OK(clg_model_build(model, x, &train));
    return model;
}

static void images_may_go_out_and_be_compared_in_either_layout(void **state)
{
    (void)state;
    clg_tensor_desc nchw = clg_desc_4d(4, 3, 2 * SIZE, 2 * SIZE), nhwc = nchw;
    nhwc.layout = CLG_NHWC;
    double *host = testing_uniform(4 * 3 * 4 * SIZE * SIZE, 5);
    clg_tensor *x = images(4, 2), *a = testing_tensor(&nchw, NULL),
               *b = testing_tensor(&nhwc, NULL);
    clg_tensor *plain = testing_tensor_from(&nchw, host), *last = testing_tensor_from(&nhwc, host);
    for (int layout = CLG_MODEL_LAYOUT_NCHW; layout <= CLG_MODEL_LAYOUT_NHWC; layout++) {
        clg_model *model = build_upscaler((clg_model_layout)layout);
        clg_model *other = build_upscaler((clg_model_layout)layout);
        OK(clg_model_train_step(model, x, plain, NULL));
        OK(clg_model_train_step(other, x, last, NULL));
        expect_same_parameters(model, other);
        OK(clg_model_predict(model, a, x, NULL));
        OK(clg_model_predict(model, b, x, NULL));
        testing_expect_same_bits("an image", a, b);
        clg_metrics metrics;
        OK(clg_model_read_metrics(model, &metrics));
        assert_true(metrics.loss > 0 && metrics.count == 4 && metrics.correct == 0);
        clg_model_destroy(model);
        clg_model_destroy(other);
    }
    clg_tensor_destroy(x);
    clg_tensor_destroy(a);
    clg_tensor_destroy(b);
    clg_tensor_destroy(plain);
    clg_tensor_destroy(last);
    free(host);
}

static void memory_is_shared_between_tensors_that_do_not_meet(void **state)
{
    (void)state;
    clg_model *model;
    clg_network_desc desc = {.name = "resnet20"};
    OK(clg_model_by_name(testing_context(), &desc, NULL, &model));
    assert_int_equal(clg_model_activation_bytes(model, 2), 0);
    OK(clg_model_prepare(model, 2, false));
    size_t evaluation = clg_model_activation_bytes(model, 2);
    OK(clg_model_prepare(model, 2, true));
    size_t training = clg_model_activation_bytes(model, 2);
    /* Evaluation needs three of the largest activations at a time, 16 x 32 x 32 each. */
    assert_true(evaluation > 0 && evaluation <= 3 * 2 * 16384 * sizeof(float));
    assert_true(training > 4 * evaluation);
    clg_model_destroy(model);
}

static void a_run_on_another_queue_with_events_trains_the_same(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_model *model = build(5, CLG_MODEL_LAYOUT_NCHW, NULL),
              *other = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    clg_tensor *x = images(6, 2), *y = some_labels(6);
    OK(clg_model_train_step(model, x, y, NULL));
    OK(clg_model_prepare(other, 6, true));
    cl_int code;
    cl_command_queue queue =
        clCreateCommandQueue(clg_context_cl_context(ctx), clg_context_cl_device(ctx), 0, &code);
    assert_int_equal(code, CL_SUCCESS);
    OK(clg_context_finish(ctx));
    clg_buffer *workspace;
    OK(clg_buffer_create(ctx, clg_model_workspace_size(other, 6) + 4, &workspace));
    cl_event start = clCreateUserEvent(clg_context_cl_context(ctx), &code), done = NULL;
    clg_run run = {
        .queue = queue, .num_wait = 1, .wait_list = &start, .event = &done, .workspace = workspace};
    OK(clg_model_train_step(other, x, y, &run));
    clFlush(queue);
    cl_int running;
    clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof running, &running, NULL);
    assert_int_not_equal(running, CL_COMPLETE); /* the call has not waited */
    clSetUserEventStatus(start, CL_COMPLETE);
    assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
    expect_same_parameters(model, other);
    clReleaseEvent(start);
    clReleaseEvent(done);
    clReleaseCommandQueue(queue);
    clg_buffer_destroy(workspace);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_model_destroy(model);
    clg_model_destroy(other);
}

static void wrong_tensors_and_states_are_refused(void **state)
{
    (void)state;
    clg_model *model = build(5, CLG_MODEL_LAYOUT_NCHW, NULL);
    clg_tensor *x = images(6, 2), *y = some_labels(6), *short_y = some_labels(5);
    clg_tensor_desc flat = clg_desc_2d(6, IMAGE), other = clg_desc_4d(6, CHANNELS, SIZE, SIZE + 1);
    clg_tensor *flat_x = testing_tensor(&flat, NULL), *wide = testing_tensor(&other, NULL);
    clg_metrics metrics;
    FAILS(CLG_INVALID_ARGUMENT, "model is NULL", clg_model_train_step(NULL, x, y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL", clg_model_train_step(model, NULL, y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "target is NULL", clg_model_train_step(model, x, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "x is 6x72 float32, expected 6x2x6x6",
          clg_model_train_step(model, flat_x, y, NULL));
    FAILS(CLG_INVALID_SHAPE, "x is 6x2x6x7 float32, expected 6x2x6x6",
          clg_model_evaluate(model, wide, y, NULL));
    FAILS(CLG_INVALID_SHAPE, "target is 5 int32, expected 6 int32",
          clg_model_train_step(model, x, short_y, NULL));
    FAILS(CLG_INVALID_SHAPE, "y is 6x72 float32, expected 6x4",
          clg_model_predict(model, flat_x, x, NULL));
    FAILS(CLG_INVALID_SHAPE, "batch of 0", clg_model_prepare(model, 0, true));
    FAILS(CLG_TOO_LARGE, "a batch of 1000000000", clg_model_prepare(model, 1000000000, true));
    FAILS(CLG_INVALID_ARGUMENT, "metrics is NULL", clg_model_read_metrics(model, NULL));
    OK(clg_model_read_metrics(model, &metrics));
    assert_int_equal(metrics.count, 0);
    /* A failed call leaves a model that works. */
    OK(clg_model_train_step(model, x, y, NULL));
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_tensor_destroy(short_y);
    clg_tensor_destroy(flat_x);
    clg_tensor_destroy(wide);
    clg_model_destroy(model);
}

static void batch_norm_refuses_to_train_on_one_value_a_channel(void **state)
{
    (void)state;
    clg_model *model;
    clg_model_desc desc = {.channels = 3, .height = 1, .width = 1};
    OK(clg_model_create(testing_context(), &desc, &model));
    clg_node x = clg_model_batch_norm(model, clg_model_input(model), "bn", NULL);
    OK(clg_model_build(model, clg_model_flatten(model, x, NULL), NULL));
    clg_tensor_desc one = clg_desc_4d(1, 3, 1, 1);
    clg_tensor *tensor = testing_tensor(&one, (const float[]){1, 2, 3}), *y = some_labels(1);
    FAILS(CLG_INVALID_SHAPE, "layer \"bn\" (batch_norm)",
          clg_model_train_step(model, tensor, y, NULL));
    OK(clg_model_evaluate(model, tensor, y, NULL));
    clg_tensor_destroy(tensor);
    clg_tensor_destroy(y);
    clg_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bits),
        cmocka_unit_test(each_step_drops_other_elements_and_each_seed_the_same),
        cmocka_unit_test(evaluation_changes_nothing_and_treats_images_alone),
        cmocka_unit_test(metrics_sum_over_batches_of_every_size_also_of_those_let_go),
        cmocka_unit_test(right_answers_are_counted),
        cmocka_unit_test(accumulated_gradients_are_the_sum_of_those_of_the_parts),
        cmocka_unit_test(a_step_is_the_gradients_and_the_update),
        cmocka_unit_test(images_may_come_in_either_layout),
        cmocka_unit_test(images_may_go_out_and_be_compared_in_either_layout),
        cmocka_unit_test(memory_is_shared_between_tensors_that_do_not_meet),
        cmocka_unit_test(a_run_on_another_queue_with_events_trains_the_same),
        cmocka_unit_test(wrong_tensors_and_states_are_refused),
        cmocka_unit_test(batch_norm_refuses_to_train_on_one_value_a_channel),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
