/* clgrad eval: how a trained network does on test images. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/trainer.h"

struct arguments {
    const char *file, *data, *device;
    int64_t batch;
};

static clg_status evaluate(clg_context *ctx, const struct image_data *data,
                           const struct arguments *arguments)
{
    struct trainer trainer;
    struct predictions predictions = {0};
    clg_status status = trainer_open(&trainer, ctx, data, arguments->file, arguments->batch);
    if (status == CLG_OK)
        status = trainer_predict(&trainer, &predictions);
    if (status == CLG_OK) {
        printf("%s: %s, %lld parameters\n", arguments->file,
               clg_model_metadata(trainer.model, "clgrad.model"),
               (long long)clg_model_num_trained(trainer.model));
        report_accuracy(&predictions);
        status = report_classes(&data->test, &predictions, data->classes);
    }
    predictions_free(&predictions);
    trainer_release(&trainer);
    return status;
}

/* The data that the model was trained on, when nothing else is said. */
static clg_status load_data(const struct arguments *arguments, struct image_data *data)
{
    *data = (struct image_data){0};
    if (arguments->data)
        return image_data_load(arguments->data, data);
    clg_safetensors *file;
    CLG__TRY(clg_safetensors_open(arguments->file, &file));
    const char *name = clg_safetensors_metadata(file, "clgrad.data");
    clg_status status = image_data_load(name ? name : "digits", data);
    clg_safetensors_close(file);
    return status;
}

static int run(const struct arguments *arguments)
{
    struct image_data data;
    clg_context *ctx = NULL;
    clg_status status = load_data(arguments, &data);
    if (status == CLG_OK)
        status = clg_context_create(&(clg_context_desc){.device = arguments->device}, &ctx);
    if (status == CLG_OK)
        status = evaluate(ctx, &data, arguments);
    clg_context_destroy(ctx);
    image_data_free(&data);
    return status == CLG_OK ? CLI_OK : cli_fail_status("eval", status);
}

int cmd_eval(int argc, char **argv)
{
    struct arguments a = {.batch = 256};
    const struct cli_option options[] = {
        {"data", CLI_TEXT, &a.data, "digits|DIR", "instead of the data that it was trained on", 0,
         0},
        {"batch", CLI_INT, &a.batch, "N", "images at a time; 256", 1, 1e6},
        CLI_OPTION_DEVICE(a.device),
        {0},
    };
    const struct cli_syntax syntax = {
        "eval", "eval FILE [--data digits|DIR] [--batch N]",
        "Loads a model that clgrad train kept and prints what it gets right on the test images.",
        options, 1};
    int words;
    int code = cli_options_parse(&syntax, argc, argv, &words);
    if (code != CLI_GO_ON)
        return code;
    if (words < 1)
        return cli_usage("eval", "no model file; type clgrad %s", syntax.synopsis);
    a.file = argv[1];
    return run(&a);
}
