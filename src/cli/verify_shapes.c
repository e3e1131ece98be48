/* clgrad verify --shapes FILE: convolutions of a list on small integers, each direction and
 * algorithm against the naive reference. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/result.h"
#include "cli/shape_case.h"
#include "cli/shape_list.h"
#include "cli/tally.h"
#include "cli/verify.h"
#include "ref/compare.h"

struct run {
    const struct verify_shapes_options *options;
    clg_context *ctx;
    clg_layout layout;
    struct tally tally;    /* runs: direction and algorithm */
    struct tally not_done; /* problems */
    long verified, failed, skipped;
    int name_width;
};

/* One problem in one direction, while its algorithms run. */
struct current {
    const struct benchdnn_entry *entry;
    struct shape_case *made;
    clg_conv2d_direction direction;
    struct shape_results *results;
};

/* Memory and size limits are the device's or the machine's, not wrong results. */
static bool is_limit(clg_status status)
{
    return status == CLG_TOO_LARGE || status == CLG_OUT_OF_DEVICE_MEMORY;
}

static clg_status check_result(const struct current *now, int index, bool exact, double *worst)
{
    const struct shape_results *results = now->results;
    const clg_tensor *tensor = results->tensors[index];
    const double *reference = results->references[index];
    int64_t count = clg_tensor_count(tensor);
    char place[192];
    float *data;
    CLG__TRY(result_read(tensor, results->names[index], &data));
    struct ref_error error = exact
                                 ? ref_compare_exact(data, reference, count)
                                 : ref_compare(data, reference, count, REF_REL_L2_TOL, REF_ABS_TOL);
    free(data);
    if (error.rel_l2 > *worst)
        *worst = error.rel_l2;
    if (error.passed)
        return CLG_OK;
    return clg__fail(
        CLG_INTERNAL_ERROR, "%s: %s is %.9g, expected %.9g%s (relative L2 error %.2g)",
        results->names[index],
        result_place(clg_tensor_get_desc(tensor), error.first_bad, place, sizeof place), error.got,
        error.want, exact ? " exactly" : "", error.rel_l2);
}

static clg_status run_plan(const struct current *now, clg_conv2d *plan, double *worst)
{
    const char *name = clg_conv2d_algorithm(plan, now->direction);
    bool exact = clg_conv2d_algorithm_exact(now->direction, name);
    CLG__TRY(shape_case_run(now->made, now->direction, plan, now->results));
    for (int i = 0; i < now->results->count; i++)
        CLG__TRY(check_result(now, i, exact, worst));
    return CLG_OK;
}

/* Creates the plan of one direction; NULL is the library's choice. */
static clg_status make_plan(const struct run *run, const struct current *now, const char *algorithm,
                            clg_conv2d **plan)
{
    clg_conv2d_desc desc = now->made->desc;
    desc.directions = 1u << now->direction;
    desc.algorithm[now->direction] = algorithm;
    if (algorithm && !shape_has_algorithm(now->direction, algorithm))
        return clg__fail(CLG_UNSUPPORTED, "conv2d %s: there is no algorithm %s in this direction",
                         shape_direction_names[now->direction], algorithm);
    return clg_conv2d_create(run->ctx, &desc, plan);
}

/* Returns whether the algorithm did not fail; prints its word of the line. */
static bool run_algorithm(struct run *run, const struct current *now, const char *algorithm)
{
    bool free_choice = strcmp(algorithm, "auto") == 0;
    clg_conv2d *plan;
    double worst = 0;
    char label[96];
    snprintf(label, sizeof label, "%s", algorithm);
    enum tally_outcome outcome = TALLY_PASSED;
    clg_status status = make_plan(run, now, free_choice ? NULL : algorithm, &plan);
    if (is_limit(status) || (status == CLG_UNSUPPORTED && !free_choice)) {
        outcome = TALLY_REFUSED;
        tally_reason(&run->tally, clg_last_error());
    } else if (status == CLG_OK) {
        if (free_choice)
            snprintf(label, sizeof label, "auto=%s", clg_conv2d_algorithm(plan, now->direction));
        status = run_plan(now, plan, &worst);
        clg_conv2d_destroy(plan);
    }
    if (status != CLG_OK && outcome == TALLY_PASSED)
        outcome = TALLY_FAILED;
    static const char *const words[] = {"ok", "refused", "FAILED"};
    printf("  %s %s", label, words[outcome]);
    if (outcome == TALLY_FAILED)
        printf("\nFAILED %s (%s, %s): %s; the problem is %s (%s)\n", shape_title(now->entry),
               shape_direction_names[now->direction], algorithm, clg_last_error(), now->entry->text,
               now->entry->where);
    fflush(stdout);
    tally_count(&run->tally, shape_direction_names[now->direction], algorithm, outcome, worst);
    return outcome != TALLY_FAILED;
}

static bool run_algorithms(struct run *run, const struct current *now)
{
    const char *asked = run->options->algorithm;
    const char *names[SHAPE_MAX_ALGORITHMS];
    if (!asked || strcmp(asked, "all") != 0)
        return run_algorithm(run, now, asked ? asked : "auto");
    bool passed = true;
    size_t count = clg_conv2d_algorithms(now->direction, names, SHAPE_MAX_ALGORITHMS);
    for (size_t i = 0; i < count && i < SHAPE_MAX_ALGORITHMS; i++)
        passed = run_algorithm(run, now, names[i]) && passed;
    return run_algorithm(run, now, "auto") && passed;
}

/* A problem, or a direction of it, that cannot be set up. */
static bool set_up_failed(struct run *run, const struct benchdnn_entry *entry, clg_status status)
{
    bool limit = is_limit(status) || status == CLG_UNSUPPORTED;
    const char *why = status == CLG_UNSUPPORTED ? clg_last_error() : clg_status_text(status);
    if (limit) {
        tally_reason(&run->not_done, why);
        printf("%-*s  not done: %s\n", run->name_width, shape_title(entry), clg_last_error());
    } else {
        printf("FAILED %s: %s; the problem is %s (%s)\n", shape_title(entry), clg_last_error(),
               entry->text, entry->where);
    }
    run->skipped += limit;
    return limit;
}

static bool run_direction(struct run *run, struct current *now)
{
    struct shape_results results;
    now->results = &results;
    clg_status status = shape_results_make(now->made, now->direction, &results);
    bool passed;
    if (status == CLG_OK) {
        printf("%-*s  %-10s", run->name_width, shape_title(now->entry),
               shape_direction_names[now->direction]);
        fflush(stdout);
        passed = run_algorithms(run, now);
        printf("\n");
    } else {
        passed = set_up_failed(run, now->entry, status);
    }
    shape_results_release(&results);
    now->results = NULL;
    return passed;
}

/* Returns whether nothing failed. */
static bool run_problem(struct run *run, const struct benchdnn_entry *entry)
{
    struct benchdnn_problem problem = entry->problem;
    struct shape_case made;
    unsigned directions = 0;
    if (run->options->batch)
        problem.batch = run->options->batch;
    for (int i = 0; i < SHAPE_DIRECTIONS; i++)
        directions |= shape_wants(run->options->direction, i) ? 1u << i : 0;
    clg_status status = shape_case_describe(&problem, run->layout, &made);
    if (status == CLG_OK)
        status = shape_case_make(run->ctx, directions, &made);
    bool passed = true;
    if (status == CLG_OK) {
        for (int i = 0; i < SHAPE_DIRECTIONS; i++) {
            struct current now = {entry, &made, (clg_conv2d_direction)i, NULL};
            if (shape_wants(run->options->direction, i))
                passed = run_direction(run, &now) && passed;
        }
        run->verified++;
    } else {
        passed = set_up_failed(run, entry, status);
    }
    shape_case_release(&made);
    return passed;
}

static int report(struct run *run, const struct benchdnn_list *list)
{
    if (run->tally.num_rows) {
        printf("\n");
        tally_print(&run->tally, "direction");
    }
    tally_print_reasons(&run->tally, "\nrefused:");
    tally_print_reasons(&run->not_done, "\nnot done:");
    if (list->ignored)
        printf("\n%ld options in the list were ignored: %s\n", list->ignored, list->ignored_names);
    printf("\n%zu problems: %ld run, %ld not done, %ld failed\n", list->count, run->verified,
           run->skipped, run->failed);
    return run->failed ? cli_fail("verify", "%ld of %zu problems of %s failed", run->failed,
                                  list->count, run->options->file)
                       : CLI_OK;
}

static int run_list(struct run *run, const struct benchdnn_list *list)
{
    run->name_width = shape_title_width(list);
    for (size_t i = 0; i < list->count; i++) {
        const struct benchdnn_entry *entry = &list->entries[i];
        bool passed = !entry->error[0];
        if (passed)
            passed = run_problem(run, entry);
        else
            printf("FAILED %s: %s (%s)\n", entry->text, entry->error, entry->where);
        run->failed += !passed;
    }
    return report(run, list);
}

int verify_shapes(const struct verify_shapes_options *options)
{
    int code = shape_check_algorithm("verify", options->algorithm);
    if (code != CLI_OK)
        return code;
    struct run run = {.options = options};
    struct benchdnn_list list;
    run.layout = options->layout && strcmp(options->layout, "nhwc") == 0 ? CLG_NHWC : CLG_NCHW;
    clg_status status = benchdnn_read(options->file, &list);
    if (status != CLG_OK)
        return cli_fail_status("verify", status);
    clg_context_desc desc = {.device = options->device};
    if (list.count == 0)
        code = cli_fail("verify", "%s holds no problem", options->file);
    else if ((status = clg_context_create(&desc, &run.ctx)) != CLG_OK)
        code = cli_fail_status("verify", status);
    else
        code = run_list(&run, &list);
    clg_context_destroy(run.ctx);
    tally_free(&run.tally);
    tally_free(&run.not_done);
    benchdnn_free(&list);
    return code;
}
