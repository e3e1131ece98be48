/* clgrad bench conv2d: how fast the convolutions of a list are. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/bench_conv2d.h"
#include "cli/command.h"
#include "cli/shape_list.h"
#include "runtime/peak.h"
#include "runtime/timing.h"

static const char command[] = "bench conv2d";

struct run {
    const char *file, *problem, *direction, *algorithm, *layout, *filter, *device;
    int64_t batch;
    double seconds;
    bool json;
    clg_context *ctx;
    double peak; /* float operations a second */
    int name_width;
    long measured, refused, failed;
};

/* One line of the report. */
struct line {
    const struct benchdnn_entry *entry;
    const struct bench_conv2d *made;
    struct clg__summary times;
    double flops; /* a second */
};

static void print_json(const struct run *run, const struct line *line)
{
    const struct bench_conv2d *made = line->made;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f}", "problem",
        shape_title(line->entry), "shape", line->entry->text, "dir",
        shape_direction_names[made->direction], "layout", bench_layout_name(made->layout), "algo",
        made->algorithm, "median_ms", 1e3 * line->times.median, "min_ms", 1e3 * line->times.min,
        "max_ms", 1e3 * line->times.max, "estimate_ms", 1e3 * made->estimate, "gflops",
        line->flops / 1e9, "peak_fraction", line->flops / run->peak, "workspace_bytes",
        (json_int_t)made->workspace, "cpus", line->times.cpus);
    json_dumpf(object, stdout, JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(object);
}

static void print_head(const struct run *run)
{
    printf("%s: %.1f GFLOP/s of multiply-adds at most\n\n", clg_context_device(run->ctx)->name,
           run->peak / 1e9);
    printf("%-*s  %-10s  %-6s  %-16s %9s %9s %9s %9s %8s %5s %10s %5s\n", run->name_width,
           "problem", "dir", "layout", "algorithm", "median ms", "min ms", "max ms", "estimate",
           "GFLOP/s", "peak", "KiB", "cpus");
}

static void print_text(const struct run *run, const struct line *line)
{
    const struct bench_conv2d *made = line->made;
    printf("%-*s  %-10s  %-6s  %-16s %9.3f %9.3f %9.3f %9.3f %8.1f %4.0f%% %10.0f %5.2f\n",
           run->name_width, shape_title(line->entry), shape_direction_names[made->direction],
           bench_layout_name(made->layout), made->algorithm, 1e3 * line->times.median,
           1e3 * line->times.min, 1e3 * line->times.max, 1e3 * made->estimate, line->flops / 1e9,
           100 * line->flops / run->peak, (double)made->workspace / 1024, line->times.cpus);
}

static clg_status measure(const struct run *run, const struct benchdnn_entry *entry,
                          struct bench_conv2d *made)
{
    struct clg__times times = {.queued = true};
    CLG__TRY(clg__time(run->ctx, run->seconds, bench_conv2d_run, made, &times));
    struct line line = {entry, made, clg__summarise(&times), 0};
    line.flops = made->flop / line.times.median;
    if (run->json)
        print_json(run, &line);
    else
        print_text(run, &line);
    fflush(stdout);
    return CLG_OK;
}

/* Says on stderr what is not in the report. */
static void not_measured(struct run *run, const struct benchdnn_entry *entry, const char *direction,
                         const char *algorithm, clg_status status)
{
    bool refused =
        status == CLG_UNSUPPORTED || status == CLG_TOO_LARGE || status == CLG_OUT_OF_DEVICE_MEMORY;
    run->refused += refused;
    run->failed += !refused;
    cli_fail(command, "%s, %s%s%s: %s: %s", shape_title(entry), direction, algorithm ? ", " : "",
             algorithm ? algorithm : "", refused ? "not measured" : "FAILED", clg_last_error());
}

static void run_one(struct run *run, const struct benchdnn_entry *entry,
                    clg_conv2d_direction direction, const char *algorithm)
{
    struct benchdnn_problem problem = entry->problem;
    if (run->batch)
        problem.batch = run->batch;
    const struct bench_conv2d_desc desc = {&problem, direction, algorithm,
                                           strcmp(run->layout, "preferred") == 0,
                                           bench_layout(run->layout)};
    struct bench_conv2d made;
    clg_status status = bench_conv2d_make(run->ctx, &desc, &made);
    if (status == CLG_OK)
        status = measure(run, entry, &made);
    if (status == CLG_OK)
        run->measured++;
    else
        not_measured(run, entry, shape_direction_names[direction], algorithm, status);
    bench_conv2d_release(&made);
}

static void run_direction(struct run *run, const struct benchdnn_entry *entry,
                          clg_conv2d_direction direction)
{
    const char *names[SHAPE_MAX_ALGORITHMS];
    if (!run->algorithm || strcmp(run->algorithm, "auto") == 0) {
        run_one(run, entry, direction, NULL);
    } else if (strcmp(run->algorithm, "all") != 0) {
        run_one(run, entry, direction, run->algorithm);
    } else {
        size_t count = clg_conv2d_algorithms(direction, names, SHAPE_MAX_ALGORITHMS);
        for (size_t i = 0; i < count && i < SHAPE_MAX_ALGORITHMS; i++)
            run_one(run, entry, direction, names[i]);
    }
}

static int run_list(struct run *run, const struct benchdnn_list *list)
{
    const int least = (int)strlen("problem");
    run->name_width = shape_title_width(list);
    run->name_width = run->name_width < least ? least : run->name_width;
    if (!run->json)
        print_head(run);
    for (size_t i = 0; i < list->count; i++) {
        const struct benchdnn_entry *entry = &list->entries[i];
        if (!bench_matches(entry->text, run->filter))
            continue;
        if (entry->error[0]) {
            cli_fail(command, "%s: %s (%s)", entry->text, entry->error, entry->where);
            run->failed++;
            continue;
        }
        for (int d = 0; d < SHAPE_DIRECTIONS; d++)
            if (shape_wants(run->direction, d))
                run_direction(run, entry, (clg_conv2d_direction)d);
    }
    if (list->ignored)
        cli_fail(command, "%ld options in the list were ignored: %s", list->ignored,
                 list->ignored_names);
    if (run->failed)
        return cli_fail(command, "%ld failed", run->failed);
    if (!run->measured && !run->refused)
        return cli_fail(command, "%s holds no problem%s%s", run->file ? run->file : run->problem,
                        run->filter ? " with " : "", run->filter ? run->filter : "");
    return CLI_OK;
}

static clg_status find_peak(struct run *run)
{
    struct clg__peak *peak;
    CLG__TRY(clg__peak_create(run->ctx, &peak));
    clg_status status = clg__peak_fma(peak, run->seconds, &run->peak);
    clg__peak_destroy(peak);
    return status;
}

static int start(struct run *run)
{
    struct benchdnn_list list;
    int code = shape_check_algorithm(command, run->algorithm);
    if (code != CLI_OK)
        return code;
    clg_status status =
        run->file ? benchdnn_read(run->file, &list) : benchdnn_read_one(run->problem, &list);
    if (status != CLG_OK)
        return cli_fail_status(command, status);
    status = bench_open(run->device, &run->ctx);
    if (status == CLG_OK)
        status = find_peak(run);
    code = status == CLG_OK ? run_list(run, &list) : cli_fail_status(command, status);
    clg_context_destroy(run->ctx);
    benchdnn_free(&list);
    return code;
}

int bench_conv2d(int argc, char **argv)
{
    struct run run = {.layout = "preferred", .seconds = 0.3};
    const struct cli_option options[] = {
        {.name = "shapes",
         .type = CLI_TEXT,
         .value = &run.file,
         .placeholder = "FILE",
         .help = "convolutions in benchdnn's notation"},
        {.name = "problem",
         .type = CLI_TEXT,
         .value = &run.problem,
         .placeholder = "TEXT",
         .help = "instead: one of them, mb8ic64ih56oc64kh3ph1"},
        {.name = "dir",
         .type = CLI_CHOICE,
         .value = &run.direction,
         .placeholder = SHAPE_DIRECTION_CHOICES,
         .help = "the direction (all)"},
        {.name = "algo",
         .type = CLI_TEXT,
         .value = &run.algorithm,
         .placeholder = "NAME|all",
         .help = "one algorithm, or each of them; else the library's choice"},
        {.name = "layout",
         .type = CLI_CHOICE,
         .value = &run.layout,
         .placeholder = "nchw|nhwc|preferred",
         .help = "of the tensors; the plan changes layouts inside where it must (preferred)"},
        {.name = "batch",
         .type = CLI_INT,
         .value = &run.batch,
         .placeholder = "N",
         .help = "instead of the problems' own",
         .least = 1,
         .most = 1 << 20},
        {.name = "filter",
         .type = CLI_TEXT,
         .value = &run.filter,
         .placeholder = "TEXT",
         .help = "only the problems with this in them, in the name or elsewhere"},
        CLI_OPTION_SECONDS(run.seconds),
        CLI_OPTION_JSON_LINES(run.json),
        CLI_OPTION_DEVICE(run.device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        command,
        "bench conv2d --shapes FILE|--problem TEXT [--dir DIRECTION] [--algo NAME|all] [--layout "
        "LAYOUT] ...",
        "Measures convolutions: median, shortest and longest time of a run in milliseconds, the\n"
        "time that the choice of an algorithm goes by (estimate), GFLOP/s by the median (two for\n"
        "each term of the dense sum), the fraction of what multiply-adds in registers reach, "
        "bytes\n"
        "of workspace, and how many processors were at work. Forward adds a bias, bwd_filter "
        "makes\n"
        "the bias's gradient, too. What cannot be measured is said on stderr.",
        options, 0};
    int arguments;
    int code = cli_options_parse(&syntax, argc, argv, &arguments);
    if (code != CLI_GO_ON)
        return code;
    if (!run.file == !run.problem)
        return cli_usage(command, "one of --shapes FILE and --problem TEXT is needed");
    return start(&run);
}
