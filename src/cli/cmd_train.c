/* clgrad train: trains a network on images and keeps it in a file. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/trainer.h"

struct arguments {
    const char *data, *model, *optimizer, *device, *out;
    int64_t epochs, batch, seed, shift;
    double lr, weight_decay, label_smoothing;
};

/* What the user did not say is -1 or NULL, and the data's default is taken. */
static void settle(const struct arguments *arguments, const struct image_data *data,
                   struct trainer_settings *settings)
{
    *settings = trainer_defaults(arguments->data, data);
    if (arguments->model)
        settings->model = arguments->model;
    if (arguments->optimizer)
        settings->optimizer = arguments->optimizer;
    if (arguments->epochs >= 0)
        settings->epochs = arguments->epochs;
    if (arguments->batch >= 0)
        settings->batch = arguments->batch;
    if (arguments->shift >= 0)
        settings->max_shift = (int)arguments->shift;
    if (arguments->weight_decay >= 0)
        settings->weight_decay = arguments->weight_decay;
    settings->lr = arguments->lr;
    settings->seed = (uint64_t)arguments->seed;
    settings->label_smoothing = arguments->label_smoothing;
}

static void introduce(const struct trainer *trainer, const struct trainer_settings *settings)
{
    const clg_image_set *set = &trainer->data->train;
    printf("%s: %lld parameters; %lld training and %lld test images of %d x %d x %d, %d classes; "
           "%s\n",
           settings->model, (long long)clg_model_num_trained(trainer->model), (long long)set->count,
           (long long)trainer->data->test.count, set->channels, set->height, set->width,
           trainer->data->classes, clg_context_device(trainer->ctx)->name);
    fflush(stdout);
}

static clg_status train(clg_context *ctx, const struct image_data *data,
                        const struct arguments *arguments)
{
    struct trainer_settings settings;
    struct trainer trainer;
    double accuracy;
    settle(arguments, data, &settings);
    clg_status status = trainer_create(&trainer, ctx, data, &settings);
    if (status == CLG_OK) {
        introduce(&trainer, &settings);
        status = clg_model_set_metadata(trainer.model, "clgrad.data", arguments->data);
    }
    if (status == CLG_OK)
        status = trainer_run(&trainer, &settings, &accuracy);
    if (status == CLG_OK && arguments->out)
        status = clg_model_save(trainer.model, arguments->out);
    if (status == CLG_OK && arguments->out)
        printf("saved in %s\n", arguments->out);
    trainer_release(&trainer);
    return status;
}

/* A folder that cannot be written to shall be known before the training, not after it. */
static bool can_write(const char *path)
{
    char folder[4096] = ".";
    const char *slash = strrchr(path, '/');
    if (slash == path)
        strcpy(folder, "/");
    else if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return access(folder, W_OK) == 0;
}

static int run(const struct arguments *arguments)
{
    struct image_data data;
    clg_context *ctx = NULL;
    if (arguments->out && !can_write(arguments->out))
        return cli_usage("train", "--out %s: there is no folder to write to", arguments->out);
    clg_status status = image_data_load(arguments->data, &data);
    if (status == CLG_OK)
        status = clg_context_create(&(clg_context_desc){.device = arguments->device}, &ctx);
    if (status == CLG_OK)
        status = train(ctx, &data, arguments);
    clg_context_destroy(ctx);
    image_data_free(&data);
    return status == CLG_OK ? CLI_OK : cli_fail_status("train", status);
}

int cmd_train(int argc, char **argv)
{
    struct arguments a = {
        .data = "digits", .epochs = -1, .batch = -1, .seed = 1, .shift = -1, .weight_decay = -1};
    const struct cli_option options[] = {
        {"data", CLI_TEXT, &a.data, "digits|DIR",
         "the embedded digits, or a folder of IDX files as of MNIST, plain or .gz", 0, 0},
        {"model", CLI_TEXT, &a.model, "NAME", "digits, lenet5, mlp, resnet18, resnet20 or resnet50",
         0, 0},
        {"epochs", CLI_INT, &a.epochs, "N", "passes over the training images", 0, 1e6},
        {"batch", CLI_INT, &a.batch, "N", "images in a step", 1, 1e6},
        {"lr", CLI_NUMBER, &a.lr, "RATE",
         "learning rate at the start, 0.05 for sgd, 0.003 for adam; falls to zero", 1e-12, 1e6},
        {"optimizer", CLI_CHOICE, &a.optimizer, "sgd|adam|adamw", "sgd has momentum 0.9", 0, 0},
        {"weight-decay", CLI_NUMBER, &a.weight_decay, "RATE", "of sgd and adamw; 0.0005", 0, 1e3},
        {"label-smoothing", CLI_NUMBER, &a.label_smoothing, "E", "in 0..1; 0", 0, 1},
        {"shift", CLI_INT, &a.shift, "N", "move training images by up to N pixels", 0, 1e4},
        {"seed", CLI_INT, &a.seed, "N", "of initial values, order, shifts and dropout; 1", 0,
         9007199254740992.0},
        {"out", CLI_TEXT, &a.out, "FILE", "keep the model in this safetensors file", 0, 0},
        CLI_OPTION_DEVICE(a.device),
        {0},
    };
    const struct cli_syntax syntax = {
        "train", "train [--data digits|DIR] [--model NAME] [--out FILE] ...",
        "Trains a network on images with labels and prints loss and accuracy after each epoch.",
        options, 0};
    int words;
    int code = cli_options_parse(&syntax, argc, argv, &words);
    return code == CLI_GO_ON ? run(&a) : code;
}
