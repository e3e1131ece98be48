#include "runtime/candidates.h"

#include <stdio.h>

#include "runtime/log.h"

const char *clg__candidate_name(const struct clg__selection *selection,
                                const struct clg__algorithm *algorithm, size_t variant,
                                char text[CLG__CANDIDATE_NAME])
{
    const char *label = selection->variants[variant].label;
    snprintf(text, CLG__CANDIDATE_NAME, "%s%s%s", algorithm->name, label ? "/" : "",
             label ? label : "");
    return text;
}

/* Whether a is surely better than b. */
static bool precedes(const struct clg__candidate *a, const struct clg__candidate *b)
{
    if ((a->measured > 0) != (b->measured > 0))
        return a->measured > 0;
    return a->measured > 0 ? a->measured < b->measured : a->estimate < b->estimate;
}

void clg__candidates_insert(struct clg__candidates *list, struct clg__candidate item)
{
    if (list->count == CLG__MAX_CANDIDATES)
        return;
    size_t at = list->count++;
    while (at > 0 && precedes(&item, &list->items[at - 1])) {
        list->items[at] = list->items[at - 1];
        at--;
    }
    list->items[at] = item;
}

void clg__candidates_refuse(struct clg__candidates *list, const struct clg__algorithm *algorithm,
                            size_t variant, const char *why)
{
    if (list->num_refused == CLG__MAX_CANDIDATES)
        return;
    struct clg__refusal *refusal = &list->refused[list->num_refused++];
    *refusal = (struct clg__refusal){.algorithm = algorithm, .variant = variant};
    snprintf(refusal->why, sizeof refusal->why, "%s", why);
}

bool clg__worth_another_try(clg_status status)
{
    return status != CLG_OUT_OF_HOST_MEMORY && status != CLG_INTERNAL_ERROR;
}

/* ---- Log ---- */

static const char topic[] = "plan";

static const char *times_text(double estimate, double measured, char text[80])
{
    int n = snprintf(text, 80, "estimated %.4g ms", 1e3 * estimate);
    if (measured > 0 && n > 0)
        snprintf(text + n, 80 - (size_t)n, ", measured %.4g ms", 1e3 * measured);
    return text;
}

void clg__candidates_log(const clg_context *ctx, const struct clg__selection *selection,
                         const struct clg__candidates *list, const struct clg__instance *instance)
{
    char name[CLG__CANDIDATE_NAME], times[80];
    const struct clg__subject *subject = selection->subject;
    if (!clg__log_wants(&ctx->log, topic) || ctx->tuning.measuring)
        return;
    clg__log_line(&ctx->log, topic, "%s %s: %s, %s, %zu bytes of workspace%s", selection->what,
                  subject ? subject->key : "",
                  clg__candidate_name(selection, instance->algorithm, instance->variant, name),
                  times_text(instance->estimate, instance->measured, times), instance->workspace,
                  selection->name ? ", asked for by name" : "");
    if (subject)
        clg__log_line(&ctx->log, topic, "    work: %.6g FLOP, %.6g bytes", subject->flop,
                      subject->bytes);
    for (size_t i = 0; i < list->count; i++) {
        const struct clg__candidate *item = &list->items[i];
        if (item->algorithm != instance->algorithm || item->variant != instance->variant)
            clg__log_line(&ctx->log, topic, "    also possible: %s, %s, %zu bytes of workspace",
                          clg__candidate_name(selection, item->algorithm, item->variant, name),
                          times_text(item->estimate, item->measured, times), item->workspace);
    }
    for (size_t i = 0; i < list->num_refused; i++) {
        const struct clg__refusal *item = &list->refused[i];
        clg__log_line(&ctx->log, topic, "    not possible: %s: %s",
                      clg__candidate_name(selection, item->algorithm, item->variant, name),
                      item->why);
    }
    if (subject && subject->command)
        clg__log_line(&ctx->log, topic, "    to repeat: %s --algo %s", subject->command,
                      instance->algorithm->name);
}
