/* clgrad demo: trains on the embedded digits and shows what came of it. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/trainer.h"

static clg_status show(struct trainer *trainer)
{
    const clg_image_set *set = &trainer->data->test;
    struct predictions predictions;
    CLG__TRY(trainer_predict(trainer, &predictions));
    clg_status status = report_confusion(set, &predictions, trainer->data->classes);
    if (status == CLG_OK) {
        report_images(set, &predictions);
        printf("\n");
        report_accuracy(&predictions);
    }
    predictions_free(&predictions);
    return status;
}

static clg_status demonstrate(clg_context *ctx, const struct image_data *data,
                              const struct trainer_settings *settings)
{
    struct trainer trainer;
    double accuracy, begin = progress_seconds();
    clg_status status = trainer_create(&trainer, ctx, data, settings);
    if (status == CLG_OK) {
        printf("Training a small convolutional network (%lld parameters) to read handwritten "
               "digits,\n%lld images of 8 x 8 pixels, on %s.\n\n",
               (long long)clg_model_num_trained(trainer.model), (long long)data->train.count,
               clg_context_device(ctx)->name);
        fflush(stdout);
        status = trainer_run(&trainer, settings, &accuracy);
    }
    if (status == CLG_OK)
        status = show(&trainer);
    if (status == CLG_OK)
        printf("%.1f seconds in all\n", progress_seconds() - begin);
    trainer_release(&trainer);
    return status;
}

int cmd_demo(int argc, char **argv)
{
    const char *device = NULL;
    int64_t seed = 1, epochs = 0;
    const struct cli_option options[] = {
        {"epochs", CLI_INT, &epochs, "N", "passes over the training images", 1, 1e6},
        {"seed", CLI_INT, &seed, "N", "of everything random; 1", 0, 9007199254740992.0},
        CLI_OPTION_DEVICE(device),
        {0},
    };
    const struct cli_syntax syntax = {
        "demo", "demo [--epochs N] [--seed N] [--device DEVICE]",
        "Trains a small network on the handwritten digits that clgrad carries, in some seconds,\n"
        "and shows a confusion matrix and test images with the network's answers.",
        options, 0};
    int words;
    int code = cli_options_parse(&syntax, argc, argv, &words);
    if (code != CLI_GO_ON)
        return code;
    struct image_data data;
    clg_context *ctx = NULL;
    clg_status status = image_data_load("digits", &data);
    if (status == CLG_OK)
        status = clg_context_create(&(clg_context_desc){.device = device}, &ctx);
    if (status == CLG_OK) {
        struct trainer_settings settings = trainer_defaults("digits", &data);
        settings.seed = (uint64_t)seed;
        if (epochs)
            settings.epochs = epochs;
        status = demonstrate(ctx, &data, &settings);
    }
    clg_context_destroy(ctx);
    image_data_free(&data);
    return status == CLG_OK ? CLI_OK : cli_fail_status("demo", status);
}
