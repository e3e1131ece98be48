/*
 * clgrad tune: fills the tuning store (clgrad/tuning.h). The work is done by a child process, one
 * task after the other; when an algorithm brings it down, the next child goes on, and finds in the
 * store which one it was.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "cli/shape_list.h"
#include "runtime/context.h"

static const char command[] = "tune";

enum { LAYOUTS = 2, MOST_CRASHES = 64 };

struct run {
    const char *file, *problem, *model, *direction, *layout, *filter, *device, *out, *in;
    int64_t batch;
    bool forget, verbose;
    struct benchdnn_list list;
    clg_context *ctx;
};

/* What the parent knows of a child: the task that it is at (preparations, each shape in each layout
 * or the model, the export), and how many failed. */
struct progress {
    size_t task;
    long failed;
};

/* ---- Tasks ---- */

static clg_status begin(const struct run *run)
{
    int64_t count;
    struct clg__tuning_store *store = clg__tuning_store(run->ctx, true);
    if (!store || !clg__tuning_is_kept(store))
        return clg__fail(CLG_IO_ERROR, "there is no folder to keep the times in; set "
                                       "CLGRAD_TUNE_DIR to one that can be written");
    if (run->forget) {
        CLG__TRY(clg_tuning_forget(run->ctx, &count));
        printf("%lld records forgotten\n", (long long)count);
    }
    if (run->in) {
        CLG__TRY(clg_tuning_import(run->ctx, run->in, &count));
        printf("%lld records new or newer\n", (long long)count);
    }
    return CLG_OK;
}

static clg_status end(const struct run *run)
{
    int64_t count;
    if (!run->out)
        return CLG_OK;
    CLG__TRY(clg_tuning_export(run->ctx, run->out, &count));
    printf("%lld records written to %s\n", (long long)count, run->out);
    return CLG_OK;
}

static clg_status tune_model(const struct run *run)
{
    const clg_network_desc network = {.name = run->model};
    clg_model *model;
    CLG__TRY(clg_model_by_name(run->ctx, &network, NULL, &model));
    clg_status status = clg_model_prepare(model, run->batch ? run->batch : 32, true);
    clg_model_destroy(model);
    return status;
}

static clg_status tune_shape(const struct run *run, const struct benchdnn_entry *entry,
                             clg_layout layout)
{
    struct benchdnn_problem problem = entry->problem;
    clg_conv2d_desc desc;
    clg_tensor_desc y, w;
    clg_conv2d *plan;
    if (entry->error[0])
        return clg__fail(CLG_BAD_FORMAT, "%s (%s)", entry->error, entry->where);
    if (run->batch)
        problem.batch = run->batch;
    CLG__TRY(shape_describe(&problem, layout, &desc, &y, &w));
    for (int d = 0; d < SHAPE_DIRECTIONS; d++)
        if (shape_wants(run->direction, d))
            desc.directions |= 1u << d;
    CLG__TRY(clg_conv2d_create(run->ctx, &desc, &plan));
    clg_conv2d_destroy(plan);
    return CLG_OK;
}

static bool wants_layout(const struct run *run, clg_layout layout)
{
    return !run->layout || strcmp(run->layout, "both") == 0 ||
           strcmp(run->layout, bench_layout_name(layout)) == 0;
}

static size_t tasks_between(const struct run *run)
{
    return run->model ? 1 : run->list.count * LAYOUTS;
}

static void do_between(const struct run *run, size_t task, struct progress *progress)
{
    const char *what = run->model;
    clg_status status = CLG_OK;
    if (run->model) {
        status = tune_model(run);
    } else {
        const struct benchdnn_entry *entry = &run->list.entries[task / LAYOUTS];
        clg_layout layout = (clg_layout)(task % LAYOUTS);
        what = shape_title(entry);
        if (wants_layout(run, layout) && bench_matches(entry->text, run->filter))
            status = tune_shape(run, entry, layout);
    }
    if (status == CLG_OK)
        return;
    progress->failed++;
    cli_fail(command, "%s: %s", what, clg_last_error());
}

/* Lines that begin with a blank say what was not chosen. */
static void show(void *data, const char *topic, const char *line)
{
    const struct run *run = data;
    (void)topic;
    if (run->verbose || line[0] != ' ')
        printf("%s\n", line);
    fflush(stdout);
}

/* ---- The child ---- */

/* A process that is stopped in the middle would leave a candidate that looks as if it had crashed:
 * the present task is done first. */
static volatile sig_atomic_t stopped;
static volatile pid_t worker; /* in the parent */

static void stop(int signal)
{
    stopped = 1;
    if (worker > 0)
        kill(worker, signal);
}

static void stop_between_tasks(void)
{
    const struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static clg_status do_tasks(const struct run *run, struct progress *progress, int pipe)
{
    size_t last = tasks_between(run) + 1;
    for (; progress->task <= last && !stopped && !ferror(stdout); progress->task++) {
        if (write(pipe, progress, sizeof *progress) != (ssize_t)sizeof *progress)
            return clg__fail(CLG_INTERNAL_ERROR, "the parent process is gone");
        if (progress->task == 0)
            CLG__TRY(begin(run));
        else if (progress->task == last)
            CLG__TRY(end(run));
        else
            do_between(run, progress->task - 1, progress);
    }
    if (progress->task <= last)
        return clg__fail(CLG_INVALID_STATE, "stopped");
    return progress->failed ? clg__fail(CLG_UNSUPPORTED, "%ld failed", progress->failed) : CLG_OK;
}

static int be_child(struct run *run, struct progress *progress, int pipe)
{
    bench_pin_threads();
    const clg_context_desc desc = {
        .device = run->device, .tuning = CLG_TUNING_MEASURE, .log = show, .log_data = run};
    clg_status status = clg_context_create(&desc, &run->ctx);
    if (status == CLG_OK)
        status = do_tasks(run, progress, pipe);
    int code = status == CLG_OK ? CLI_OK : cli_fail_status(command, status);
    clg_context_destroy(run->ctx);
    fflush(stdout);
    return code;
}

/* Its exit code, or minus the signal that ended it. *progress: how far it came. */
static int run_child(struct run *run, struct progress *progress)
{
    int ends[2], ending;
    fflush(stdout);
    if (pipe(ends) != 0)
        return cli_fail(command, "no pipe can be made");
    pid_t child = fork();
    worker = child;
    if (child == 0) {
        close(ends[0]);
        _exit(be_child(run, progress, ends[1]));
    }
    close(ends[1]);
    struct progress news;
    while (child > 0 && read(ends[0], &news, sizeof news) == (ssize_t)sizeof news)
        *progress = news;
    close(ends[0]);
    worker = 0;
    if (child < 0 || waitpid(child, &ending, 0) != child)
        return cli_fail(command, "no process can be started");
    return WIFSIGNALED(ending) ? -WTERMSIG(ending) : WEXITSTATUS(ending);
}

static int run_all(struct run *run)
{
    struct progress progress = {0, 0};
    stop_between_tasks();
    for (int crashes = 0; crashes < MOST_CRASHES; crashes++) {
        int code = run_child(run, &progress);
        if (code >= 0)
            return code;
        cli_fail(command, "signal %d ended the process; what it measured is left out from now on",
                 -code);
        if (progress.task == 0)
            break;
    }
    return cli_fail(command, "given up");
}

static int start(struct run *run)
{
    clg_status status = CLG_OK;
    if (run->file)
        status = benchdnn_read(run->file, &run->list);
    else if (run->problem)
        status = benchdnn_read_one(run->problem, &run->list);
    int code = status == CLG_OK ? run_all(run) : cli_fail_status(command, status);
    benchdnn_free(&run->list);
    return code;
}

int cmd_tune(int argc, char **argv)
{
    struct run run = {.file = NULL};
    const struct cli_option options[] = {
        {"shapes", CLI_TEXT, &run.file, "FILE", "convolutions in benchdnn's notation", 0, 0},
        {"problem", CLI_TEXT, &run.problem, "TEXT", "one of them", 0, 0},
        {"model", CLI_TEXT, &run.model, "NAME",
         "what training this network needs: digits, lenet5, ...", 0, 0},
        {"batch", CLI_INT, &run.batch, "N",
         "instead of the problems' own; of a model 32 without this", 1, 1 << 20},
        {"dir", CLI_CHOICE, &run.direction, SHAPE_DIRECTION_CHOICES, "of convolutions (all)", 0, 0},
        {"layout", CLI_CHOICE, &run.layout, "nchw|nhwc|both", "of the tensors (both)", 0, 0},
        {"filter", CLI_TEXT, &run.filter, "TEXT", "only the problems with this in them", 0, 0},
        {"export", CLI_TEXT, &run.out, "FILE", "write all times as text, at the end", 0, 0},
        {"import", CLI_TEXT, &run.in, "FILE",
         "take such a file in, at the start; the newer one of two times counts", 0, 0},
        {.name = "forget",
         .type = CLI_FLAG,
         .value = &run.forget,
         .help = "first forget all about the device, failures and crashes included"},
        {.name = "verbose",
         .type = CLI_FLAG,
         .value = &run.verbose,
         .help = "also print what was not chosen, with times and reasons"},
        CLI_OPTION_DEVICE(run.device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        command,
        "tune --shapes FILE|--problem TEXT|--model NAME [--batch N] [--dir DIRECTION] ...\n"
        "tune [--forget] [--import FILE] [--export FILE]",
        "Measures every algorithm that can do the work, for each shape, direction and layout that\n"
        "has no times yet, and keeps the times in CLGRAD_TUNE_DIR or ~/.cache/clgrad. From then "
        "on\n"
        "every program that uses clgrad takes the fastest. One that crashes or fails is left out.",
        options, 0};
    int words;
    int code = cli_options_parse(&syntax, argc, argv, &words);
    if (code != CLI_GO_ON)
        return code;
    int sources = (run.file != NULL) + (run.problem != NULL) + (run.model != NULL);
    if (sources > 1)
        return cli_usage(command, "only one of --shapes, --problem and --model can be taken");
    if (sources == 0 && !run.out && !run.in && !run.forget)
        return cli_usage(command, "of what? --shapes FILE, --problem TEXT or --model NAME");
    return start(&run);
}
