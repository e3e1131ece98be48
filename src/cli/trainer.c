#include "cli/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/progress.h"

/* ---- Settings ---- */

struct trainer_settings trainer_defaults(const char *data_name, const struct image_data *data)
{
    struct trainer_settings settings = {.model = "lenet5",
                                        .optimizer = "sgd",
                                        .epochs = 3,
                                        .batch = 64,
                                        .seed = 1,
                                        .weight_decay = 5e-4};
    if (strcmp(data_name, "digits") == 0) {
        settings.model = "digits";
        settings.optimizer = "adam";
        settings.epochs = 15;
        settings.batch = 32;
        settings.max_shift = 1;
    } else if (data->train.channels == 3) {
        settings.model = "resnet20";
        settings.max_shift = 4;
    }
    return settings;
}

static clg_status describe_training(const struct trainer_settings *settings, clg_train_desc *train)
{
    clg_optimizer_kind kind;
    CLG__TRY(clg_optimizer_from_name(settings->optimizer, &kind));
    *train = (clg_train_desc){.loss = CLG_LOSS_SOFTMAX_CROSS_ENTROPY,
                              .label_smoothing = (float)settings->label_smoothing,
                              .optimizer = clg_optimizer_defaults(kind, NULL)};
    train->optimizer.lr = settings->lr > 0            ? settings->lr
                          : kind == CLG_OPTIMIZER_SGD ? 0.05
                                                      : 0.003;
    if (kind == CLG_OPTIMIZER_SGD)
        train->optimizer.momentum = 0.9;
    if (kind != CLG_OPTIMIZER_ADAM)
        train->optimizer.weight_decay = settings->weight_decay;
    return CLG_OK;
}

/* ---- Normalisation, as text in the model's metadata ---- */

static const char mean_key[] = "clgrad.mean", std_key[] = "clgrad.std";

static clg_status allocate_statistics(struct trainer *trainer)
{
    size_t channels = (size_t)trainer->data->train.channels;
    trainer->mean = calloc(channels, sizeof *trainer->mean);
    trainer->std = calloc(channels, sizeof *trainer->std);
    return trainer->mean && trainer->std ? CLG_OK : clg__fail_alloc("the images' statistics");
}

static clg_status store_numbers(clg_model *model, const char *key, const float *values, int count)
{
    size_t size = 24 * (size_t)count + 1, used = 0;
    char *text = calloc(size, 1);
    if (!text)
        return clg__fail_alloc("the images' statistics");
    for (int i = 0; i < count; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%.9g", i ? "," : "", (double)values[i]);
    clg_status status = clg_model_set_metadata(model, key, text);
    free(text);
    return status;
}

/* Values stay as they are when the model has no such metadata. */
static clg_status read_numbers(const clg_model *model, const char *key, float *values, int count)
{
    const char *text = clg_model_metadata(model, key), *at = text;
    for (int i = 0; text && i < count; i++) {
        char *end;
        values[i] = strtof(at, &end);
        if (end == at || *end != (i + 1 < count ? ',' : '\0'))
            return clg__fail(CLG_BAD_FORMAT, "the model's %s is \"%s\", not %d numbers", key, text,
                             count);
        at = end + 1;
    }
    return CLG_OK;
}

/* ---- Creation ---- */

static clg_status create_batches(struct trainer *trainer, const clg_batches_desc *train,
                                 int64_t batch)
{
    clg_batches_desc test = {
        .set = &trainer->data->test, .batch = batch, .mean = trainer->mean, .std = trainer->std};
    if (train)
        CLG__TRY(clg_batches_create(trainer->ctx, train, &trainer->train));
    return clg_batches_create(trainer->ctx, &test, &trainer->test);
}

clg_status trainer_create(struct trainer *trainer, clg_context *ctx, const struct image_data *data,
                          const struct trainer_settings *settings)
{
    const clg_image_set *set = &data->train;
    *trainer = (struct trainer){.ctx = ctx, .data = data};
    clg_train_desc train;
    CLG__TRY(describe_training(settings, &train));
    CLG__TRY(allocate_statistics(trainer));
    CLG__TRY(clg_image_set_statistics(set, trainer->mean, trainer->std));
    clg_network_desc network = {.name = settings->model,
                                .model = {.channels = set->channels,
                                          .height = set->height,
                                          .width = set->width,
                                          .seed = settings->seed},
                                .classes = data->classes};
    CLG__TRY(clg_model_by_name(ctx, &network, &train, &trainer->model));
    CLG__TRY(store_numbers(trainer->model, mean_key, trainer->mean, set->channels));
    CLG__TRY(store_numbers(trainer->model, std_key, trainer->std, set->channels));
    clg_batches_desc batches = {.set = set,
                                .batch = settings->batch,
                                .shuffle = true,
                                .seed = settings->seed,
                                .max_shift = settings->max_shift,
                                .mean = trainer->mean,
                                .std = trainer->std};
    return create_batches(trainer, &batches, settings->batch);
}

/* The model's input and output must be those of the data. */
static clg_status check_model(const clg_model *model, const struct image_data *data)
{
    char wanted[64];
    const clg_image_set *set = &data->test;
    const char *input = clg_model_metadata(model, "clgrad.input");
    const char *classes = clg_model_metadata(model, "clgrad.classes");
    snprintf(wanted, sizeof wanted, "%dx%dx%d", set->channels, set->height, set->width);
    if (strcmp(input, wanted) != 0)
        return clg__fail(CLG_INVALID_SHAPE, "the model takes images of %s, the data's are %s",
                         input, wanted);
    if (atoll(classes) < data->classes)
        return clg__fail(CLG_INVALID_SHAPE, "the model knows %s classes, the data has %d", classes,
                         data->classes);
    return CLG_OK;
}

clg_status trainer_open(struct trainer *trainer, clg_context *ctx, const struct image_data *data,
                        const char *path, int64_t batch)
{
    *trainer = (struct trainer){.ctx = ctx, .data = data};
    CLG__TRY(clg_model_open(ctx, path, NULL, &trainer->model));
    CLG__TRY(check_model(trainer->model, data));
    CLG__TRY(allocate_statistics(trainer));
    for (int c = 0; c < data->test.channels; c++)
        trainer->std[c] = 1;
    CLG__TRY(read_numbers(trainer->model, mean_key, trainer->mean, data->test.channels));
    CLG__TRY(read_numbers(trainer->model, std_key, trainer->std, data->test.channels));
    return create_batches(trainer, NULL, batch);
}

void trainer_release(struct trainer *trainer)
{
    clg_batches_destroy(trainer->train);
    clg_batches_destroy(trainer->test);
    clg_model_destroy(trainer->model);
    free(trainer->mean);
    free(trainer->std);
    *trainer = (struct trainer){0};
}

/* ---- Training ---- */

/* Sums of what was read on the way. */
static clg_status read_metrics(clg_model *model, clg_metrics *sums)
{
    clg_metrics metrics;
    CLG__TRY(clg_model_read_metrics(model, &metrics));
    sums->loss += metrics.loss * (double)metrics.count;
    sums->correct += metrics.correct;
    sums->count += metrics.count;
    return CLG_OK;
}

double trainer_percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100 * (double)part / (double)whole : 0;
}

static clg_status show(struct trainer *trainer, struct progress *progress, const char *label,
                       int64_t done, clg_metrics *sums)
{
    char text[64];
    CLG__TRY(read_metrics(trainer->model, sums));
    snprintf(text, sizeof text, "loss %.4f  accuracy %.2f%%", sums->loss / (double)sums->count,
             trainer_percent(sums->correct, sums->count));
    progress_draw(progress, label, done, clg_batches_count(trainer->train), text);
    return CLG_OK;
}

static clg_status set_rate(struct trainer *trainer, const struct trainer_settings *settings,
                           double start, int64_t step)
{
    double total = (double)(settings->epochs * clg_batches_count(trainer->train));
    double part = 0.5 * (1 + cos(3.14159265358979323846 * (double)step / total));
    return clg_optimizer_set_lr(clg_model_optimizer(trainer->model), start * part);
}

static clg_status train_epoch(struct trainer *trainer, const struct trainer_settings *settings,
                              double start_rate, int64_t epoch, clg_metrics *sums)
{
    char label[48];
    struct progress progress;
    int64_t done = 0, batches = clg_batches_count(trainer->train);
    snprintf(label, sizeof label, "epoch %lld/%lld", (long long)epoch + 1,
             (long long)settings->epochs);
    progress_begin(&progress);
    clg_batches_begin(trainer->train, (uint64_t)epoch);
    for (;;) {
        clg_batch batch;
        CLG__TRY(clg_batches_next(trainer->train, &batch));
        if (batch.count == 0)
            break;
        CLG__TRY(set_rate(trainer, settings, start_rate, epoch * batches + done));
        CLG__TRY(clg_model_train_step(trainer->model, batch.x, batch.labels, NULL));
        done++;
        if (progress_due(&progress))
            CLG__TRY(show(trainer, &progress, label, done, sums));
    }
    CLG__TRY(read_metrics(trainer->model, sums));
    progress_clear(&progress);
    return CLG_OK;
}

static clg_status evaluate(struct trainer *trainer, clg_metrics *metrics)
{
    clg_batches_begin(trainer->test, 0);
    for (;;) {
        clg_batch batch;
        CLG__TRY(clg_batches_next(trainer->test, &batch));
        if (batch.count == 0)
            return clg_model_read_metrics(trainer->model, metrics);
        CLG__TRY(clg_model_evaluate(trainer->model, batch.x, batch.labels, NULL));
    }
}

clg_status trainer_run(struct trainer *trainer, const struct trainer_settings *settings,
                       double *accuracy)
{
    double start_rate = clg_optimizer_lr(clg_model_optimizer(trainer->model));
    *accuracy = 0;
    for (int64_t epoch = 0; epoch < settings->epochs; epoch++) {
        clg_metrics sums = {0}, test;
        double begin = progress_seconds();
        CLG__TRY(train_epoch(trainer, settings, start_rate, epoch, &sums));
        double seconds = progress_seconds() - begin;
        if (!isfinite(sums.loss))
            return clg__fail(CLG_INVALID_STATE,
                             "the loss of epoch %lld is %g: try a smaller --lr than %g",
                             (long long)epoch + 1, sums.loss, start_rate);
        CLG__TRY(evaluate(trainer, &test));
        *accuracy = trainer_percent(test.correct, test.count);
        printf("epoch %*lld/%lld  loss %.4f  train %6.2f%%  test %6.2f%%  %.0f images/s\n",
               snprintf(NULL, 0, "%lld", (long long)settings->epochs), (long long)epoch + 1,
               (long long)settings->epochs, sums.loss / (double)sums.count,
               trainer_percent(sums.correct, sums.count), *accuracy, (double)sums.count / seconds);
        fflush(stdout);
    }
    return CLG_OK;
}

/* ---- Predictions ---- */

/* The largest output of a row and its softmax. */
static void answer(const float *row, int64_t classes, int32_t *label, float *probability)
{
    int64_t best = 0;
    double sum = 0;
    for (int64_t i = 1; i < classes; i++)
        if (row[i] > row[best])
            best = i;
    for (int64_t i = 0; i < classes; i++)
        sum += exp((double)row[i] - (double)row[best]);
    *label = (int32_t)best;
    *probability = (float)(1 / sum);
}

static clg_status predict_batch(struct trainer *trainer, const clg_batch *batch,
                                struct predictions *predictions)
{
    clg_tensor *y;
    int64_t classes = atoll(clg_model_metadata(trainer->model, "clgrad.classes"));
    clg_tensor_desc desc = clg_desc_2d(batch->count, classes);
    CLG__TRY(clg_tensor_create(trainer->ctx, &desc, &y));
    float *host = malloc(clg_tensor_bytes(y));
    clg_status status = host ? clg_model_predict(trainer->model, y, batch->x, NULL)
                             : clg__fail_alloc("the model's answers");
    if (status == CLG_OK)
        status = clg_tensor_download(y, host, NULL);
    for (int64_t i = 0; status == CLG_OK && i < batch->count; i++) {
        int64_t at = batch->indices[i];
        answer(host + i * classes, classes, &predictions->label[at], &predictions->probability[at]);
        if (predictions->label[at] == trainer->data->test.labels[at])
            predictions->right++;
    }
    free(host);
    clg_tensor_destroy(y);
    return status;
}

clg_status trainer_predict(struct trainer *trainer, struct predictions *predictions)
{
    *predictions = (struct predictions){.count = trainer->data->test.count};
    predictions->label = calloc((size_t)predictions->count, sizeof *predictions->label);
    predictions->probability = calloc((size_t)predictions->count, sizeof *predictions->probability);
    if (!predictions->label || !predictions->probability) {
        predictions_free(predictions);
        return clg__fail_alloc("the model's answers");
    }
    clg_batches_begin(trainer->test, 0);
    for (;;) {
        clg_batch batch;
        clg_status status = clg_batches_next(trainer->test, &batch);
        if (status == CLG_OK && batch.count == 0)
            return CLG_OK;
        if (status == CLG_OK)
            status = predict_batch(trainer, &batch, predictions);
        if (status != CLG_OK) {
            predictions_free(predictions);
            return status;
        }
    }
}

void predictions_free(struct predictions *predictions)
{
    free(predictions->label);
    free(predictions->probability);
    *predictions = (struct predictions){0};
}
