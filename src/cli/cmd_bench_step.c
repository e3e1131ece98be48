/* clgrad bench step: whole training steps of a network on random images. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "cli/bench.h"
#include "cli/command.h"
#include "runtime/timing.h"

static const char command[] = "bench step";

enum { PROFILED_STEPS = 5, DEFAULT_BATCH = 64, LARGE_IMAGE = 64, DEFAULT_LARGE_BATCH = 8 };

struct options {
    const char *model, *device;
    int64_t batch;
    double seconds;
    bool json, kernels;
};

struct subject {
    clg_model *model;
    clg_tensor *x, *labels;
};

struct figures {
    double start_ms; /* from the command's start to the end of the first step */
    double first_ms; /* the first step, plans and programs included */
    struct clg__summary steps;
    long peak_rss_mb;
    size_t activation_bytes, workspace_bytes;
};

/* ---- The network and its data ---- */

static clg_status make_labels(clg_context *ctx, int64_t count, int64_t classes, clg_tensor **labels)
{
    const clg_tensor_desc desc = {CLG_INT32, CLG_NCHW, 1, {count}};
    CLG__TRY(clg_tensor_create(ctx, &desc, labels));
    int32_t *host = malloc((size_t)count * sizeof *host);
    if (!host)
        return clg__fail_alloc("the labels");
    for (int64_t i = 0; i < count; i++)
        host[i] = (int32_t)(i * 7919 % classes);
    clg_status status = clg_tensor_upload(*labels, host, NULL);
    free(host);
    return status;
}

/* Images and labels for the network, as many as the options or the size of the images say. */
static clg_status make_data(clg_context *ctx, struct options *options, struct subject *subject)
{
    clg_tensor_desc x;
    CLG__TRY(clg_model_node_desc(subject->model, 0, 1, &x));
    if (options->batch == 0)
        options->batch = x.dims[2] > LARGE_IMAGE ? DEFAULT_LARGE_BATCH : DEFAULT_BATCH;
    x.dims[0] = options->batch;
    x.layout = CLG_NCHW;
    CLG__TRY(bench_tensor(ctx, &x, 1, &subject->x));
    return make_labels(ctx, options->batch,
                       atoi(clg_model_metadata(subject->model, "clgrad.classes")),
                       &subject->labels);
}

static clg_status make_subject(clg_context *ctx, struct options *options, struct subject *subject)
{
    const clg_network_desc network = {.name = options->model, .model = {.seed = 1}};
    clg_train_desc train = {.optimizer = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, NULL)};
    train.optimizer.lr = 0.01;
    train.optimizer.momentum = 0.9;
    CLG__TRY(clg_model_by_name(ctx, &network, &train, &subject->model));
    return make_data(ctx, options, subject);
}

static void release_subject(struct subject *subject)
{
    clg_tensor_destroy(subject->x);
    clg_tensor_destroy(subject->labels);
    clg_model_destroy(subject->model);
}

static clg_status run_step(void *held)
{
    struct subject *subject = held;
    return clg_model_train_step(subject->model, subject->x, subject->labels, NULL);
}

/* ---- Time and memory ---- */

/* Of the whole process so far. */
static long peak_rss_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return usage.ru_maxrss >> 20; /* bytes there */
#else
    return usage.ru_maxrss >> 10;
#endif
}

static clg_status measure(struct options *options, double start, struct figures *figures)
{
    clg_context *ctx = NULL;
    struct subject subject = {NULL, NULL, NULL};
    struct clg__times times = {.count = 0};
    clg_status status = bench_open(options->device, &ctx);
    if (status == CLG_OK)
        status = make_subject(ctx, options, &subject);
    if (status == CLG_OK)
        status = clg__time_once(ctx, run_step, &subject, &times);
    if (status == CLG_OK) {
        figures->first_ms = 1e3 * times.seconds[0];
        figures->start_ms = 1e3 * (clg__now() - start);
        status = clg__time(ctx, options->seconds, run_step, &subject, &times);
    }
    if (status == CLG_OK) {
        figures->steps = clg__summarise(&times);
        figures->peak_rss_mb = peak_rss_mb();
        figures->activation_bytes = clg_model_activation_bytes(subject.model, options->batch);
        figures->workspace_bytes = clg_model_workspace_size(subject.model, options->batch);
    }
    release_subject(&subject);
    clg_context_destroy(ctx);
    return status;
}

static void print_text(const struct options *options, const struct figures *figures)
{
    double step = figures->steps.median;
    printf("%s, batch %lld, sgd with momentum\n"
           "%10.3f ms a step (least %.3f), %.0f images/s, %.2f cpus\n"
           "%10.1f ms the first step, %.1f ms from start to its end\n"
           "%10ld MB of memory at most; activations %.1f MB, workspace %.1f MB\n",
           options->model, (long long)options->batch, 1e3 * step, 1e3 * figures->steps.min,
           (double)options->batch / step, figures->steps.cpus, figures->first_ms, figures->start_ms,
           figures->peak_rss_mb, (double)figures->activation_bytes / 1e6,
           (double)figures->workspace_bytes / 1e6);
    fflush(stdout);
}

static void print_json(const struct options *options, const struct figures *figures)
{
    double step = figures->steps.median;
    json_t *object = json_pack(
        "{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "net", options->model, "batch",
        (json_int_t)options->batch, "median_ms", 1e3 * step, "min_ms", 1e3 * figures->steps.min,
        "images_per_s", (double)options->batch / step, "cpus", figures->steps.cpus, "first_ms",
        figures->first_ms, "start_ms", figures->start_ms, "peak_rss_mb",
        (json_int_t)figures->peak_rss_mb, "activation_bytes", (json_int_t)figures->activation_bytes,
        "workspace_bytes", (json_int_t)figures->workspace_bytes);
    json_dumpf(object, stdout, JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(object);
}

/* ---- Time per kernel ---- */

static clg_status print_kernels(clg_context *ctx)
{
    size_t count;
    CLG__TRY(clg_profile_read(ctx, NULL, 0, &count));
    clg_profile_entry *entries = calloc(count + 1, sizeof *entries);
    if (!entries)
        return clg__fail_alloc("the profile");
    clg_status status = clg_profile_read(ctx, entries, count, &count);
    double total = 0, launches = 0;
    for (size_t i = 0; i < count; i++)
        total += (double)entries[i].nanoseconds;
    printf("\n%-28s %9s %12s %6s\n", "kernel", "launches", "ms a step", "part");
    for (size_t i = 0; i < count && status == CLG_OK; i++) {
        double each = (double)entries[i].launches / PROFILED_STEPS;
        double time = (double)entries[i].nanoseconds;
        printf("%-28s %9.0f %12.3f %5.1f%%\n", entries[i].name, each, time / 1e6 / PROFILED_STEPS,
               100 * time / total);
        launches += each;
    }
    printf("%-28s %9.0f %12.3f\n", "together", launches, total / 1e6 / PROFILED_STEPS);
    free(entries);
    return status;
}

static clg_status profile_steps(clg_context *ctx, struct options *options, struct subject *subject)
{
    CLG__TRY(make_subject(ctx, options, subject));
    for (int i = 0; i < 1 + PROFILED_STEPS; i++) {
        CLG__TRY(run_step(subject));
        CLG__TRY(clg_context_finish(ctx));
        if (i == 0) /* which compiled */
            CLG__TRY(clg_profile_reset(ctx));
    }
    return print_kernels(ctx);
}

/* On a context of its own: events on every launch make steps slower. */
static clg_status profile(struct options *options)
{
    clg_context *ctx;
    struct subject subject = {NULL, NULL, NULL};
    const clg_context_desc desc = {.device = options->device, .profiling = true};
    CLG__TRY(clg_context_create(&desc, &ctx));
    clg_status status = profile_steps(ctx, options, &subject);
    release_subject(&subject);
    clg_context_destroy(ctx);
    return status;
}

static int start(struct options *options, double at)
{
    struct figures figures = {.peak_rss_mb = 0};
    clg_status status = measure(options, at, &figures);
    if (status == CLG_OK)
        (options->json ? print_json : print_text)(options, &figures);
    if (status == CLG_OK && options->kernels)
        status = profile(options);
    return status == CLG_OK ? CLI_OK : cli_fail_status(command, status);
}

int bench_step(int argc, char **argv)
{
    struct options found = {.model = "lenet5", .seconds = 1};
    double at = clg__now();
    const struct cli_option options[] = {
        {.name = "model",
         .type = CLI_TEXT,
         .value = &found.model,
         .placeholder = "NAME",
         .help = "a network that clgrad train knows (lenet5)"},
        {.name = "batch",
         .type = CLI_INT,
         .value = &found.batch,
         .placeholder = "N",
         .help = "images a step (64; 8 of more than 64 x 64 pixels)",
         .least = 1,
         .most = 1 << 20},
        {.name = "seconds",
         .type = CLI_NUMBER,
         .value = &found.seconds,
         .placeholder = "S",
         .help = "how long to measure, at least five steps (1)",
         .least = 0,
         .most = 3600},
        {.name = "kernels",
         .type = CLI_FLAG,
         .value = &found.kernels,
         .help = "then the time of each kernel, in steps of their own"},
        CLI_OPTION_JSON_LINES(found.json),
        CLI_OPTION_DEVICE(found.device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        command, "bench step [--model NAME] [--batch N] [--seconds S] [--kernels] [--json]",
        "Measures training steps on random images: forward, cross entropy, backward, sgd with\n"
        "momentum, each step waited for. Memory is the most that the process had in RAM.",
        options, 0};
    int arguments;
    int code = cli_options_parse(&syntax, argc, argv, &arguments);
    return code == CLI_GO_ON ? start(&found, at) : code;
}
