/* Trains a small network on the handwritten digits that clgrad carries, through the model API. */
#include <clgrad/clgrad.h>

#include <stdio.h>

enum { EPOCHS = 8, BATCH = 32 };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != CLG_OK) {                                                                    \
            fprintf(stderr, "%s: %s\n", #call, clg_last_error());                                  \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* conv 3x3 - relu - max pool - conv 3x3 - relu - linear */
static int build(clg_context *ctx, const clg_image_set *set, clg_model **out)
{
    clg_model *model;
    TRY(clg_model_create(
        ctx,
        &(clg_model_desc){
            .channels = set->channels, .height = set->height, .width = set->width, .seed = 1},
        &model));
    const clg_conv2d_layer conv1 = {.filters = 16, .kernel = {3}, .padding = {1, 1, 1, 1}};
    const clg_conv2d_layer conv2 = {.filters = 32, .kernel = {3}, .padding = {1, 1, 1, 1}};
    clg_node x = clg_model_input(model);
    x = clg_model_relu(model, clg_model_conv2d(model, x, "conv1", &conv1));
    x = clg_model_max_pool2d(model, x, NULL, &(clg_pool2d_layer){.size = {2}});
    x = clg_model_relu(model, clg_model_conv2d(model, x, "conv2", &conv2));
    x = clg_model_flatten(model, x, NULL);
    x = clg_model_linear(model, x, "fc", &(clg_linear_layer){.features = set->classes});
    clg_train_desc train = {.loss = CLG_LOSS_SOFTMAX_CROSS_ENTROPY,
                            .optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_ADAM, NULL)};
    train.optimizer.lr = 0.003;
    TRY(clg_model_build(model, x, &train));
    *out = model;
    return 0;
}

/* One pass over the batches; the host waits only when it reads the metrics at the end. */
static int pass(clg_model *model, clg_batches *batches, uint64_t epoch, int training,
                clg_metrics *metrics)
{
    clg_batch batch;
    clg_batches_begin(batches, epoch);
    for (;;) {
        TRY(clg_batches_next(batches, &batch));
        if (batch.count == 0)
            break;
        if (training)
            TRY(clg_model_train_step(model, batch.x, batch.labels, NULL));
        else
            TRY(clg_model_evaluate(model, batch.x, batch.labels, NULL));
    }
    TRY(clg_model_read_metrics(model, metrics));
    return 0;
}

int main(void)
{
    clg_context *ctx;
    clg_image_set train_set, test_set;
    clg_batches *train, *test;
    clg_model *model;
    TRY(clg_context_create(NULL, &ctx));
    TRY(clg_image_set_load_digits(&train_set, &test_set));
    TRY(clg_batches_create(
        ctx, &(clg_batches_desc){.set = &train_set, .batch = BATCH, .shuffle = true, .seed = 1},
        &train));
    TRY(clg_batches_create(ctx, &(clg_batches_desc){.set = &test_set, .batch = BATCH}, &test));
    if (build(ctx, &train_set, &model) != 0)
        return 1;
    clg_metrics metrics = {0};
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        if (pass(model, train, (uint64_t)epoch, 1, &metrics) != 0)
            return 1;
        printf("epoch %d: loss %.4f\n", epoch + 1, metrics.loss);
    }
    if (pass(model, test, 0, 0, &metrics) != 0)
        return 1;
    printf("test: %lld of %lld right\n", (long long)metrics.correct, (long long)metrics.count);
    clg_model_destroy(model);
    clg_batches_destroy(train);
    clg_batches_destroy(test);
    clg_image_set_free(&train_set);
    clg_image_set_free(&test_set);
    clg_context_destroy(ctx);
    return metrics.correct * 100 >= metrics.count * 95 ? 0 : 1;
}
