/* clgrad bench ops: how near to copying the operations are that memory bounds. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/bench_op.h"
#include "cli/command.h"
#include "runtime/peak.h"
#include "runtime/timing.h"

static const char command[] = "bench ops";

struct options {
    const char *layout, *filter, *device;
    int64_t batch;
    double seconds;
    bool json;
    clg_context *ctx;
    struct clg__peak *peak;
    long measured;
};

static const char *layout_text(const struct bench_op_run *run)
{
    return run->op->layouts ? bench_layout_name(run->x.layout) : "any";
}

static void print_json(const struct bench_op_run *run, const struct clg__summary *times,
                       double rate, double copy_rate)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:f}", "op", run->op->name,
                  "shape", run->shape->name, "layout", layout_text(run), "median_ms",
                  1e3 * times->median, "min_ms", 1e3 * times->min, "max_ms", 1e3 * times->max,
                  "bytes", (json_int_t)bench_op_bytes(run), "gbs", rate / 1e9, "copy_gbs",
                  copy_rate / 1e9, "copy_fraction", rate / copy_rate, "cpus", times->cpus);
    json_dumpf(object, stdout, JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(object);
}

static void print_head(const struct options *options)
{
    printf("%s\n\n%-20s %-17s %-6s %9s %9s %9s %9s %7s %7s %5s %5s\n",
           clg_context_device(options->ctx)->name, "operation", "shape", "layout", "median ms",
           "min ms", "max ms", "MB moved", "GB/s", "copy", "part", "cpus");
}

static void print_text(const struct bench_op_run *run, const struct clg__summary *times,
                       double rate, double copy_rate)
{
    printf("%-20s %-17s %-6s %9.3f %9.3f %9.3f %9.2f %7.1f %7.1f %5.2f %5.2f\n", run->op->name,
           run->shape->name, layout_text(run), 1e3 * times->median, 1e3 * times->min,
           1e3 * times->max, bench_op_bytes(run) / 1e6, rate / 1e9, copy_rate / 1e9,
           rate / copy_rate, times->cpus);
}

/* So many runs that waiting for them, 30 microseconds and more on a CPU, does not matter. */
static int runs_of(const struct bench_op_run *run)
{
    enum { MOST = 64 };
    static const double enough = 64e6; /* bytes */
    double runs = enough / bench_op_bytes(run);
    return runs > MOST ? MOST : 1 + (int)runs;
}

struct runs {
    struct bench_op_run *run;
    int count;
};

static clg_status enqueue_runs(void *subject)
{
    const struct runs *runs = subject;
    clg_status status = CLG_OK;
    for (int i = 0; i < runs->count && status == CLG_OK; i++)
        status = runs->run->op->run(runs->run);
    return status;
}

static clg_status measure(const struct options *options, struct bench_op_run *run)
{
    struct runs runs = {run, runs_of(run)};
    struct clg__times times = {.count = 0};
    double copy_rate;
    CLG__TRY(clg__time(options->ctx, options->seconds, enqueue_runs, &runs, &times));
    CLG__TRY(clg__peak_copy(options->peak, bench_op_footprint(run), runs.count, options->seconds,
                            &copy_rate));
    for (int i = 0; i < times.count; i++)
        times.seconds[i] /= runs.count;
    struct clg__summary summary = clg__summarise(&times);
    double rate = bench_op_bytes(run) / summary.median;
    if (options->json)
        print_json(run, &summary, rate, copy_rate);
    else
        print_text(run, &summary, rate, copy_rate);
    fflush(stdout);
    return CLG_OK;
}

static bool wants(const struct options *options, const struct bench_op *op, clg_layout layout)
{
    if (!op->layouts)
        return layout == CLG_NCHW;
    return !options->layout || strcmp(options->layout, "all") == 0 ||
           strcmp(options->layout, bench_layout_name(layout)) == 0;
}

static clg_status run_op(struct options *options, const struct bench_op *op)
{
    for (const struct bench_op_shape *shape = op->shapes; shape->name; shape++) {
        if (!bench_matches(op->name, options->filter) &&
            !bench_matches(shape->name, options->filter))
            continue;
        for (int layout = 0; layout < 2; layout++) {
            struct bench_op_run run;
            if (!wants(options, op, (clg_layout)layout))
                continue;
            clg_status status =
                bench_op_make(options->ctx, op, shape, (clg_layout)layout, options->batch, &run);
            if (status == CLG_OK)
                status = measure(options, &run);
            bench_op_release(&run);
            if (status != CLG_OK)
                return clg__fail_in(status, "%s, %s", op->name, shape->name);
            options->measured++;
        }
    }
    return CLG_OK;
}

static int start(struct options *options)
{
    clg_status status = bench_open(options->device, &options->ctx);
    if (status == CLG_OK)
        status = clg__peak_create(options->ctx, &options->peak);
    if (status == CLG_OK && !options->json)
        print_head(options);
    for (const struct bench_op *op = bench_op_table; op->name && status == CLG_OK; op++)
        status = run_op(options, op);
    clg__peak_destroy(options->peak);
    clg_context_destroy(options->ctx);
    if (status != CLG_OK)
        return cli_fail_status(command, status);
    return options->measured
               ? CLI_OK
               : cli_fail(command, "no operation or shape has %s in its name", options->filter);
}

int bench_ops(int argc, char **argv)
{
    struct options found = {.seconds = 0.3};
    const struct cli_option options[] = {
        {.name = "filter",
         .type = CLI_TEXT,
         .value = &found.filter,
         .placeholder = "TEXT",
         .help = "only the operations or shapes with this in their names"},
        {.name = "layout",
         .type = CLI_CHOICE,
         .value = &found.layout,
         .placeholder = "nchw|nhwc|all",
         .help = "of the tensors, where it matters (all)"},
        {.name = "batch",
         .type = CLI_INT,
         .value = &found.batch,
         .placeholder = "N",
         .help = "instead of the shapes' own",
         .least = 1,
         .most = 1 << 20},
        CLI_OPTION_SECONDS(found.seconds),
        CLI_OPTION_JSON_LINES(found.json),
        CLI_OPTION_DEVICE(found.device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        command, "bench ops [--filter TEXT] [--layout LAYOUT] [--batch N] [--seconds S] [--json]",
        "Measures operations that memory bounds: activation, add, batch normalisation, pooling,\n"
        "optimizer steps, layout changes. Bytes are those that must be moved when no cache keeps "
        "a\n"
        "tensor from one reading to the next (batch normalisation reads its input twice, its\n"
        "backward pass both inputs); \"copy\" is the best rate of copying as much memory as the\n"
        "operation's tensors hold, \"part\" the operation's part of it. Runs of both that are "
        "short\n"
        "are enqueued one after the other, up to 64, before they are waited for: times are those "
        "of\n"
        "one run, as training sees it, which does not wait either.",
        options, 0};
    int arguments;
    int code = cli_options_parse(&syntax, argc, argv, &arguments);
    return code == CLI_GO_ON ? start(&found) : code;
}
