/* Measures candidates for clg__select, and brings in what is known of them already. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "clgrad/buffer.h"
#include "runtime/candidates.h"
#include "runtime/timing.h"

enum {
    LEAST_RUNS = 3,
    MOST_RUNS = 11,
    MOST_IN_A_ROW = 16, /* runs between two waits */
    WAIT_MS = 10,       /* until the store is asked again for another process's result */
    MOST_WAITS = 1000
};

/* Until so many seconds are over the runs go on; runs shorter than a fraction of it are enqueued
 * several in a row, as a training step does. */
static const double enough_seconds = 0.1, short_seconds = 1e-3;
/* A candidate that takes so many times the best one's time is not measured to the end, one whose
 * estimate is so many times the best time not at all. */
static const double hopeless_time = 4, hopeless_estimate = 30;

enum { PROBLEM_SIZE = 512 };

/* The memory that candidates are measured on. */
struct trial {
    clg_context *ctx;
    const struct clg__selection *selection;
    const char *problem; /* in the store */
    clg_buffer *buffers[CLG__MAX_OUT + CLG__MAX_IN];
    int num_buffers;
    clg_buffer *workspace;
    struct clg__operands operands;
    /* Of the candidate in turn. */
    struct clg__instance instance;
    void *frame;
    int in_a_row;
};

/* ---- One candidate ---- */

/* Filled, because what is left of others may hold denormal numbers, which are slow. */
static clg_status add_buffer(struct trial *trial, size_t bytes, struct clg__mem *mem)
{
    static const float half = 0.5f;
    if (bytes == 0)
        return CLG_OK;
    clg_buffer **buffer = &trial->buffers[trial->num_buffers];
    CLG__TRY(clg_buffer_create(trial->ctx, bytes, buffer));
    trial->num_buffers++;
    *mem = clg__buffer_mem(*buffer);
    return clg_buffer_fill(*buffer, 0, bytes / sizeof half * sizeof half, &half, sizeof half, NULL);
}

static clg_status make_operands(struct trial *trial)
{
    const struct clg__subject *subject = trial->selection->subject;
    for (int i = 0; i < CLG__MAX_OUT; i++)
        CLG__TRY(add_buffer(trial, subject->out[i], &trial->operands.out[i]));
    for (int i = 0; i < CLG__MAX_IN; i++)
        CLG__TRY(add_buffer(trial, subject->in[i], &trial->operands.in[i]));
    return CLG_OK;
}

static void release_operands(struct trial *trial)
{
    for (int i = 0; i < trial->num_buffers; i++)
        clg_buffer_destroy(trial->buffers[i]);
}

static clg_status run(void *pointer)
{
    struct trial *trial = pointer;
    const struct clg__frame *frame = trial->selection->subject->frame;
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, trial->ctx, NULL, 0));
    stream.workspace = trial->operands.workspace;
    stream.profiling = false; /* not the caller's work */
    for (int i = 0; i < trial->in_a_row; i++)
        CLG__TRY(frame ? frame->enqueue(trial->frame, &stream, &trial->operands)
                       : trial->instance.algorithm->enqueue(trial->instance.state, &stream,
                                                            &trial->operands));
    return clg__stream_end(&stream, CLG_OK);
}

/* The median, in seconds; `best` is that of the best candidate so far, or 0. */
static clg_status time_runs(struct trial *trial, double best, double *seconds)
{
    struct clg__times times = {.count = 0};
    trial->in_a_row = 1;
    CLG__TRY(clg__time_once(trial->ctx, run, trial, &times)); /* the driver may compile here */
    times.count = 0;
    CLG__TRY(clg__time_once(trial->ctx, run, trial, &times));
    *seconds = times.seconds[0];
    if (best > 0 && *seconds > hopeless_time * best)
        return CLG_OK;
    while (trial->in_a_row < MOST_IN_A_ROW && *seconds * trial->in_a_row < short_seconds)
        trial->in_a_row *= 2;
    times.count = 0;
    times.wall = 0;
    while (times.count < LEAST_RUNS || (times.count < MOST_RUNS && times.wall < enough_seconds))
        CLG__TRY(clg__time_once(trial->ctx, run, trial, &times));
    *seconds = clg__summarise(&times).median / trial->in_a_row;
    return CLG_OK;
}

static clg_status prepare(struct trial *trial, const struct clg__candidate *candidate)
{
    const struct clg__subject *subject = trial->selection->subject;
    const void *problem = trial->selection->variants[candidate->variant].problem;
    trial->instance = (struct clg__instance){.algorithm = candidate->algorithm,
                                             .variant = candidate->variant,
                                             .workspace = candidate->workspace};
    if (candidate->workspace > 0) {
        CLG__TRY(clg_buffer_create(trial->ctx, candidate->workspace, &trial->workspace));
        trial->operands.workspace = clg__buffer_mem(trial->workspace);
    }
    CLG__TRY(candidate->algorithm->prepare(trial->ctx, problem, &trial->instance.state));
    return subject->frame ? subject->frame->create(trial->ctx, subject->frame_problem,
                                                   &trial->instance, &trial->frame)
                          : CLG_OK;
}

static clg_status measure(struct trial *trial, const struct clg__candidate *candidate, double best,
                          double *seconds)
{
    clg_status status = prepare(trial, candidate);
    if (status == CLG_OK)
        status = time_runs(trial, best, seconds);
    if (trial->frame)
        trial->selection->subject->frame->destroy(trial->frame);
    clg__instance_release(&trial->instance);
    clg_buffer_destroy(trial->workspace);
    trial->workspace = NULL;
    trial->frame = NULL;
    trial->operands.workspace = (struct clg__mem){NULL, 0};
    return status;
}

/* What is to be kept of a measurement. Want of memory may be over next time: nothing. */
static void set_outcome(struct clg__tuning_record *record, clg_status status, double seconds)
{
    record->state = CLG__TUNING_UNKNOWN;
    if (status == CLG_OK) {
        record->state = CLG__TUNING_TIMED;
        record->seconds = seconds;
    } else if (clg__worth_another_try(status) && status != CLG_OUT_OF_DEVICE_MEMORY) {
        record->state = CLG__TUNING_FAILED;
        snprintf(record->message, sizeof record->message, "%s", clg_last_error());
    }
}

/* ---- All of them ---- */

static void wait_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000L}, NULL);
}

/* Claims the candidate of `record`; another process's result is waited for. */
static enum clg__tuning_state claim(struct clg__tuning_store *store, const char *problem,
                                    const char *candidate)
{
    enum clg__tuning_state state = clg__tuning_claim(store, problem, candidate);
    for (int i = 0; state == CLG__TUNING_RUNNING && i < MOST_WAITS; i++) {
        wait_a_little();
        state = clg__tuning_claim(store, problem, candidate);
    }
    return state;
}

/* *usable: whether the device still works after a failure. */
static clg_status measure_claimed(struct trial *trial, struct clg__tuning_store *store,
                                  const struct clg__candidate *candidate, double *best,
                                  bool *usable)
{
    struct clg__tuning_record record = {.state = CLG__TUNING_UNKNOWN};
    double seconds = 0;
    clg__candidate_name(trial->selection, candidate->algorithm, candidate->variant,
                        record.candidate);
    if (claim(store, trial->problem, record.candidate) != CLG__TUNING_UNKNOWN)
        return CLG_OK;
    trial->ctx->tuning.measuring = true;
    clg_status status = measure(trial, candidate, *best, &seconds);
    trial->ctx->tuning.measuring = false;
    set_outcome(&record, status, seconds);
    clg__tuning_finish(store, trial->problem, &record);
    if (record.state == CLG__TUNING_TIMED && (*best == 0 || seconds < *best))
        *best = seconds;
    *usable = status == CLG_OK || clg_context_finish(trial->ctx) == CLG_OK;
    return clg__worth_another_try(status) ? CLG_OK : status;
}

/* The record of a candidate among those of its problem, or NULL. */
static const struct clg__tuning_record *record_of(const struct clg__selection *selection,
                                                  const struct clg__candidate *candidate,
                                                  const struct clg__tuning_record *records,
                                                  size_t count)
{
    char name[CLG__CANDIDATE_NAME];
    clg__candidate_name(selection, candidate->algorithm, candidate->variant, name);
    for (size_t i = 0; i < count; i++)
        if (strcmp(records[i].candidate, name) == 0)
            return &records[i];
    return NULL;
}

/* Measures the candidates without a record, in the order of the list. */
static clg_status measure_all(clg_context *ctx, const struct clg__selection *selection,
                              struct clg__tuning_store *store, const char *problem,
                              const struct clg__candidates *list,
                              const struct clg__tuning_record *records, size_t count)
{
    struct trial trial = {.ctx = ctx, .selection = selection, .problem = problem};
    clg_status status = CLG_OK;
    double best = 0;
    bool usable = true, made = false;
    for (size_t i = 0; i < count; i++)
        if (records[i].state == CLG__TUNING_TIMED && (best == 0 || records[i].seconds < best))
            best = records[i].seconds;
    for (size_t i = 0; i < list->count && status == CLG_OK && usable; i++) {
        const struct clg__candidate *candidate = &list->items[i];
        if (record_of(selection, candidate, records, count) ||
            (best > 0 && candidate->estimate > hopeless_estimate * best))
            continue;
        if (!made && make_operands(&trial) != CLG_OK)
            break; /* no memory to measure on: by estimate, then */
        made = true;
        status = measure_claimed(&trial, store, candidate, &best, &usable);
    }
    if (!usable)
        ctx->tuning.mode = CLG_TUNING_STORED;
    release_operands(&trial);
    return status;
}

/* Sorts the list anew by what is known; drops what failed. */
static void apply(const struct clg__selection *selection, struct clg__candidates *list,
                  const struct clg__tuning_record *records, size_t count)
{
    struct clg__candidate items[CLG__MAX_CANDIDATES];
    size_t num_items = list->count;
    memcpy(items, list->items, num_items * sizeof items[0]);
    list->count = 0;
    for (size_t i = 0; i < num_items; i++) {
        const struct clg__tuning_record *record = record_of(selection, &items[i], records, count);
        enum clg__tuning_state state = record ? record->state : CLG__TUNING_UNKNOWN;
        if (state == CLG__TUNING_FAILED || state == CLG__TUNING_CRASHED) {
            char why[sizeof list->refused[0].why];
            snprintf(why, sizeof why, "%s when it was measured: %.80s",
                     state == CLG__TUNING_FAILED ? "failed" : "crashed", record->message);
            clg__candidates_refuse(list, items[i].algorithm, items[i].variant, why);
            continue;
        }
        if (state == CLG__TUNING_TIMED)
            items[i].measured = record->seconds;
        clg__candidates_insert(list, items[i]);
    }
}

clg_status clg__candidates_tune(clg_context *ctx, const struct clg__selection *selection,
                                bool may_measure, struct clg__candidates *list)
{
    const struct clg__subject *subject = selection->subject;
    struct clg__tuning *tuning = &ctx->tuning;
    if (!subject || selection->name || (tuning->mode == CLG_TUNING_OFF && !subject->tune))
        return CLG_OK;
    bool wanted = may_measure && !tuning->measuring && list->count > 1 &&
                  (tuning->mode == CLG_TUNING_MEASURE || subject->tune);
    struct clg__tuning_store *store = clg__tuning_store(ctx, wanted);
    if (!store)
        return CLG_OK;
    struct clg__tuning_record records[CLG__MAX_CANDIDATES];
    char problem[PROBLEM_SIZE];
    snprintf(problem, sizeof problem, "%s %s", selection->what, subject->key);
    size_t count = clg__tuning_find(store, problem, records, CLG__MAX_CANDIDATES);
    if (wanted) {
        CLG__TRY(measure_all(ctx, selection, store, problem, list, records, count));
        count = clg__tuning_find(store, problem, records, CLG__MAX_CANDIDATES);
    }
    apply(selection, list, records, count);
    return CLG_OK;
}
