#include "runtime/algorithm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* One line per refused algorithm for the message. */
struct reasons {
    char text[1024];
    size_t used;
};

static void add_reason(struct reasons *reasons, const char *name, const char *why)
{
    if (reasons->used >= sizeof reasons->text - 1)
        return;
    int n = snprintf(reasons->text + reasons->used, sizeof reasons->text - reasons->used,
                     "%s%s: %s", reasons->used ? "; " : "", name, why);
    reasons->used += n > 0 ? (size_t)n : 0;
}

struct candidate {
    const struct clg__algorithm *algorithm;
    size_t variant;
    size_t workspace;
    double seconds;
};

enum { MAX_CANDIDATES = 64 };

struct candidates {
    struct candidate items[MAX_CANDIDATES];
    size_t count;
};

static void consider(struct candidates *list, struct reasons *reasons, const clg_context *ctx,
                     const struct clg__selection *selection, const struct clg__algorithm *algorithm,
                     size_t variant)
{
    const struct clg__variant *form = &selection->variants[variant];
    const char *why = "not for this problem";
    if (!algorithm->supports(form->problem, &ctx->info, &why)) {
        add_reason(reasons, algorithm->name, why);
        return;
    }
    size_t workspace = form->extra_workspace;
    if (algorithm->workspace)
        workspace += algorithm->workspace(form->problem, &ctx->info);
    size_t limit =
        selection->workspace_limit ? selection->workspace_limit : (size_t)ctx->info.max_allocation;
    if (workspace > limit) {
        char text[96];
        snprintf(text, sizeof text, "needs %zu bytes of workspace, the limit is %zu", workspace,
                 limit);
        add_reason(reasons, algorithm->name, text);
        return;
    }
    if (list->count == MAX_CANDIDATES)
        return;
    double seconds = algorithm->cost(form->problem, &ctx->info) + form->extra_seconds;
    if (!algorithm->fuses_relu)
        seconds += selection->unfused_seconds;
    /* Insertion keeps the list sorted and ties in table order. */
    size_t at = list->count++;
    while (at > 0 && list->items[at - 1].seconds > seconds) {
        list->items[at] = list->items[at - 1];
        at--;
    }
    list->items[at] = (struct candidate){algorithm, variant, workspace, seconds};
}

static clg_status fail_unknown(const struct clg__selection *selection)
{
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; selection->table[i] && used < sizeof names - 1; i++) {
        int n = snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                         selection->table[i]->name);
        used += n > 0 ? (size_t)n : 0;
    }
    return clg__fail(CLG_INVALID_ARGUMENT, "%s has no algorithm \"%s\"; it has: %s",
                     selection->what, selection->name, names);
}

/* Host memory and defects are not the algorithm's fault: another one would not do better. */
static bool worth_another_try(clg_status status)
{
    return status != CLG_OUT_OF_HOST_MEMORY && status != CLG_INTERNAL_ERROR;
}

static clg_status prepare_first(clg_context *ctx, const struct clg__selection *selection,
                                const struct candidates *list, struct clg__instance *instance)
{
    clg_status status = CLG_INTERNAL_ERROR;
    for (size_t i = 0; i < list->count; i++) {
        const struct candidate *item = &list->items[i];
        *instance = (struct clg__instance){item->algorithm, item->variant, item->workspace,
                                           item->seconds, NULL};
        status = clg__scratch_reserve(ctx, item->workspace);
        if (status == CLG_OK)
            status = item->algorithm->prepare(ctx, selection->variants[item->variant].problem,
                                              &instance->state);
        if (status == CLG_OK)
            return CLG_OK;
        clg__instance_release(instance);
        if (!worth_another_try(status))
            break;
    }
    return clg__fail_in(status, "%s", selection->what);
}

/* Lists what supports the problem, the fastest by estimate first; at least one candidate. */
static clg_status list_candidates(const clg_context *ctx, const struct clg__selection *selection,
                                  struct candidates *list)
{
    struct reasons reasons = {.used = 0};
    bool known = selection->name == NULL;
    list->count = 0;
    for (size_t i = 0; selection->table[i]; i++) {
        const struct clg__algorithm *algorithm = selection->table[i];
        if (selection->name && strcmp(selection->name, algorithm->name) != 0)
            continue;
        known = true;
        for (size_t v = 0; v < selection->num_variants; v++)
            consider(list, &reasons, ctx, selection, algorithm, v);
    }
    if (!known)
        return fail_unknown(selection);
    if (list->count == 0)
        return clg__fail(CLG_UNSUPPORTED, "%s: no algorithm takes this problem: %s",
                         selection->what, reasons.text);
    return CLG_OK;
}

clg_status clg__select(clg_context *ctx, const struct clg__selection *selection,
                       struct clg__instance *instance)
{
    struct candidates list;
    *instance = (struct clg__instance){.algorithm = NULL};
    CLG__TRY(list_candidates(ctx, selection, &list));
    return prepare_first(ctx, selection, &list, instance);
}

clg_status clg__select_estimate(const clg_context *ctx, const struct clg__selection *selection,
                                double *seconds)
{
    struct candidates list;
    CLG__TRY(list_candidates(ctx, selection, &list));
    *seconds = list.items[0].seconds;
    return CLG_OK;
}

void clg__instance_release(struct clg__instance *instance)
{
    if (instance->algorithm && instance->algorithm->release && instance->state)
        instance->algorithm->release(instance->state);
    *instance = (struct clg__instance){.algorithm = NULL};
}

size_t clg__algorithm_names(const struct clg__algorithm *const *table, const char **names,
                            size_t capacity)
{
    size_t count = 0;
    for (; table[count]; count++)
        if (count < capacity)
            names[count] = table[count]->name;
    return count;
}
