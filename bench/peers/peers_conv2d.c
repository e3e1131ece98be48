/*
 * peers_conv2d [-d fwd|bwd_data|bwd_filter] [-f TEXT] [-b BATCH] [-s SECONDS] [-j] SHAPES
 * peers_convgemm, likewise: against CLBlast in place of oneDNN
 *
 * Runs the convolutions of a list by clgrad and by another library, alternately in one process, and
 * prints how many times faster clgrad is: with tensors in the layout that it prefers against the
 * best form of the other library, and with NCHW tensors against NCHW tensors. Ratios are of
 * medians; of what takes less than a millisecond several runs are enqueued before they are waited
 * for, as a training step does, on both sides.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/bench.h"
#include "cli/bench_conv2d.h"
#include "cli/shape_list.h"
#include "peer.h"
#include "runtime/timing.h"

struct options {
    const char *file, *direction, *filter;
    long batch;
    double seconds; /* of each of those that are compared */
    bool json;
};

/* Those that take turns: clgrad with NCHW tensors and in the layout it prefers, the peer's forms.
 */
enum { OURS_PLAIN, OURS_PREFERRED, PEER_FIRST, RUNNERS = PEER_FIRST + PEER_FORMS };

struct runner {
    bool there;
    clg__work *work;
    void *subject;
    struct clg__times times;
    struct clg__summary found;
};

struct contest {
    clg_context *ctx;
    struct bench_conv2d ours[PEER_FIRST];
    struct peer_conv *peers[PEER_FORMS];
    struct runner runners[RUNNERS];
};

/* Ratios over the shapes of one direction. */
struct score {
    int count;
    double sum_of_logs, least;
};

enum { PLAIN, PREFERRED, COMPARISONS };

static clg_status run_peer(void *subject)
{
    return peer_run(subject) ? CLG_OK : clg__fail(CLG_INTERNAL_ERROR, "%s failed", peer_name());
}

static struct peer_problem peer_problem_of(const struct benchdnn_problem *problem, int direction)
{
    struct peer_problem made = {.direction = direction,
                                .n = problem->batch,
                                .groups = problem->groups,
                                .c = problem->in_channels,
                                .k = problem->out_channels};
    for (int i = 0; i < 2; i++) {
        const struct benchdnn_axis *axis = &problem->axes[BENCHDNN_HEIGHT + i];
        made.in[i] = axis->in;
        made.out[i] = axis->out;
        made.kernel[i] = axis->kernel;
        made.stride[i] = axis->stride;
        made.dilation[i] = axis->dilation;
        made.pad_begin[i] = axis->pad_begin;
        made.pad_end[i] = axis->pad_end;
    }
    return made;
}

static clg_status prepare(struct contest *c, const struct benchdnn_problem *problem, int direction)
{
    for (int i = 0; i < PEER_FIRST; i++) {
        const struct bench_conv2d_desc desc = {problem, (clg_conv2d_direction)direction, NULL,
                                               i == OURS_PREFERRED, CLG_NCHW};
        CLG__TRY(bench_conv2d_make(c->ctx, &desc, &c->ours[i]));
        c->runners[i].there = true;
        c->runners[i].work = bench_conv2d_run;
        c->runners[i].subject = &c->ours[i];
    }
    const struct peer_problem theirs = peer_problem_of(problem, direction);
    for (int form = 0; form < PEER_FORMS; form++) {
        struct runner *runner = &c->runners[PEER_FIRST + form];
        c->peers[form] = peer_make(&theirs, (enum peer_form)form);
        runner->there = c->peers[form] != NULL;
        runner->work = run_peer;
        runner->subject = c->peers[form];
    }
    if (!c->runners[PEER_FIRST + PEER_PLAIN].there)
        return clg__fail(CLG_UNSUPPORTED, "%s does not do that", peer_name());
    return CLG_OK;
}

static void release(struct contest *c)
{
    for (int i = 0; i < PEER_FIRST; i++)
        bench_conv2d_release(&c->ours[i]);
    for (int i = 0; i < PEER_FORMS; i++)
        peer_destroy(c->peers[i]);
}

/* A turn of several runs. The first one does not count: it has the caches to fill, and the threads
 * of the one before may still be spinning. */
static clg_status take_turn(struct contest *c, struct runner *runner, double seconds)
{
    struct clg__times unused = {.count = 0};
    CLG__TRY(clg__time_once(c->ctx, runner->work, runner->subject, &unused));
    if (runner->times.runs == 0)
        runner->times.runs = clg__runs_a_wait(unused.seconds[0]);
    double until = runner->times.wall + seconds;
    do
        CLG__TRY(clg__time_once(c->ctx, runner->work, runner->subject, &runner->times));
    while (runner->times.wall < until && runner->times.count < CLG__MAX_TIMES);
    return CLG_OK;
}

static clg_status compete(struct contest *c, double seconds)
{
    enum { TURNS = 6 };
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < RUNNERS; i++)
            if (c->runners[i].there)
                CLG__TRY(take_turn(c, &c->runners[i], seconds / TURNS));
    for (int i = 0; i < RUNNERS; i++)
        if (c->runners[i].there)
            c->runners[i].found = clg__summarise(&c->runners[i].times);
    return CLG_OK;
}

/* The fastest form of the peer. */
static int best_form(const struct contest *c)
{
    int best = PEER_PLAIN;
    for (int form = 0; form < PEER_FORMS; form++) {
        const struct runner *runner = &c->runners[PEER_FIRST + form];
        if (runner->there && runner->found.median < c->runners[PEER_FIRST + best].found.median)
            best = form;
    }
    return best;
}

static void count_in(struct score *score, double ratio)
{
    score->least = score->count == 0 || ratio < score->least ? ratio : score->least;
    score->sum_of_logs += log(ratio);
    score->count++;
}

static void report(const struct options *options, const struct contest *c, const char *title,
                   int direction, struct score *scores)
{
    const int best = best_form(c);
    const struct runner *ours = c->runners, *theirs = c->runners + PEER_FIRST;
    const double preferred = theirs[best].found.median / ours[OURS_PREFERRED].found.median;
    const double plain = theirs[PEER_PLAIN].found.median / ours[OURS_PLAIN].found.median;
    count_in(&scores[PREFERRED], preferred);
    count_in(&scores[PLAIN], plain);
    const char *layout = bench_layout_name(c->ours[OURS_PREFERRED].layout);
    printf(options->json
               ? "{\"problem\": \"%s\", \"dir\": \"%s\", \"ratio\": %.3f, \"layout\": \"%s\", "
                 "\"algo\": \"%s\", \"ms\": %.4f, \"peer_ms\": %.4f, \"peer_algo\": \"%s\", "
                 "\"nchw_ratio\": %.3f, \"nchw_algo\": \"%s\", \"nchw_ms\": %.4f, "
                 "\"nchw_peer_ms\": %.4f}\n"
               : "%-24s %-10s %6.2f  %s %-14s %9.3f %9.3f  %-20s %6.2f  %-14s %9.3f %9.3f\n",
           title, shape_direction_names[direction], preferred, layout,
           c->ours[OURS_PREFERRED].algorithm, 1e3 * ours[OURS_PREFERRED].found.median,
           1e3 * theirs[best].found.median, peer_algorithm(c->peers[best]), plain,
           c->ours[OURS_PLAIN].algorithm, 1e3 * ours[OURS_PLAIN].found.median,
           1e3 * theirs[PEER_PLAIN].found.median);
    fflush(stdout);
}

static void run_problem(const struct options *options, clg_context *ctx,
                        const struct benchdnn_entry *entry, int direction, struct score *scores)
{
    struct benchdnn_problem problem = entry->problem;
    struct contest contest = {.ctx = ctx};
    if (options->batch)
        problem.batch = options->batch;
    clg_status status = prepare(&contest, &problem, direction);
    if (status == CLG_OK)
        status = compete(&contest, options->seconds);
    if (status == CLG_OK)
        report(options, &contest, shape_title(entry), direction, scores);
    else
        fprintf(stderr, "%s, %s: %s\n", shape_title(entry), shape_direction_names[direction],
                clg_last_error());
    release(&contest);
}

static void print_scores(struct score (*scores)[COMPARISONS])
{
    static const char *const names[COMPARISONS] = {"NCHW", "preferred layout"};
    printf("\ntimes faster than %s   geometric mean   least\n", peer_name());
    for (int comparison = COMPARISONS - 1; comparison >= 0; comparison--)
        for (int d = 0; d < SHAPE_DIRECTIONS; d++) {
            const struct score *score = &scores[d][comparison];
            if (score->count)
                printf("%-16s %-10s %13.2f %7.2f   (%d shapes)\n", names[comparison],
                       shape_direction_names[d], exp(score->sum_of_logs / score->count),
                       score->least, score->count);
        }
}

static int run_list(const struct options *options)
{
    struct score scores[SHAPE_DIRECTIONS][COMPARISONS] = {{{0, 0, 0}}};
    struct benchdnn_list list;
    clg_context *ctx;
    clg_status status = benchdnn_read(options->file, &list);
    if (status == CLG_OK)
        status = bench_open(NULL, &ctx);
    if (status != CLG_OK) {
        fprintf(stderr, PEER_PROGRAM ": %s\n", clg_last_error());
        return 1;
    }
    if (!options->json)
        printf("clgrad on %s against %s\n\n%-24s %-10s %6s  %-19s %9s %9s  %-20s %6s  %-14s %9s "
               "%9s\n",
               clg_context_device(ctx)->name, peer_name(), "problem", "dir", "ratio", "clgrad",
               "ms", "peer ms", "peer", "ratio", "clgrad nchw", "ms", "peer ms");
    for (size_t i = 0; i < list.count; i++) {
        const struct benchdnn_entry *entry = &list.entries[i];
        if (entry->error[0])
            fprintf(stderr, "%s: %s\n", entry->text, entry->error);
        for (int d = 0; d < SHAPE_DIRECTIONS; d++)
            if (!entry->error[0] && bench_matches(entry->text, options->filter) &&
                shape_wants(options->direction, d))
                run_problem(options, ctx, entry, d, scores[d]);
    }
    if (!options->json)
        print_scores(scores);
    clg_context_destroy(ctx);
    benchdnn_free(&list);
    return 0;
}

/* Pins the threads of both sides to cores, unless the environment says how. OpenMP reads its
 * variables before main: the program starts itself anew with them. */
static void pin(char **argv)
{
    if (getenv("OMP_PROC_BIND") && getenv("POCL_AFFINITY"))
        return;
    if (setenv("OMP_PROC_BIND", "true", 0) == 0 && setenv("POCL_AFFINITY", "1", 0) == 0)
        execv("/proc/self/exe", argv);
    fprintf(stderr, PEER_PROGRAM ": type OMP_PROC_BIND=true POCL_AFFINITY=1 before it\n");
}

int main(int argc, char **argv)
{
    struct options options = {.seconds = 0.5};
    pin(argv);
    for (int option; (option = getopt(argc, argv, "d:f:b:s:j")) != -1;)
        switch (option) {
        case 'd':
            options.direction = optarg;
            break;
        case 'f':
            options.filter = optarg;
            break;
        case 'b':
            options.batch = atol(optarg);
            break;
        case 's':
            options.seconds = atof(optarg);
            break;
        case 'j':
            options.json = true;
            break;
        default:
            return 2;
        }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: " PEER_PROGRAM " [-d fwd|bwd_data|bwd_filter] [-f TEXT] [-b BATCH] "
                        "[-s SECONDS] [-j] SHAPES\n");
        return 2;
    }
    options.file = argv[optind];
    return run_list(&options);
}
