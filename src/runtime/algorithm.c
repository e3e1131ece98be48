#include "runtime/algorithm.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "runtime/candidates.h"

static void consider(struct clg__candidates *list, const clg_context *ctx,
                     const struct clg__selection *selection, const struct clg__algorithm *algorithm,
                     size_t variant)
{
    const struct clg__variant *form = &selection->variants[variant];
    const char *why = "not for this problem";
    if (!algorithm->supports(form->problem, &ctx->info, &why)) {
        clg__candidates_refuse(list, algorithm, variant, why);
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
        clg__candidates_refuse(list, algorithm, variant, text);
        return;
    }
    double seconds = algorithm->cost(form->problem, &ctx->info) + form->extra_seconds;
    if (!algorithm->fuses_relu)
        seconds += selection->unfused_seconds;
    clg__candidates_insert(list,
                           (struct clg__candidate){algorithm, variant, workspace, seconds, 0});
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

static clg_status fail_refused(const struct clg__selection *selection,
                               const struct clg__candidates *list)
{
    char reasons[1024] = "";
    size_t used = 0;
    for (size_t i = 0; i < list->num_refused && used < sizeof reasons - 1; i++) {
        int n = snprintf(reasons + used, sizeof reasons - used, "%s%s: %s", i ? "; " : "",
                         list->refused[i].algorithm->name, list->refused[i].why);
        used += n > 0 ? (size_t)n : 0;
    }
    return clg__fail(CLG_UNSUPPORTED, "%s: no algorithm takes this problem: %s", selection->what,
                     reasons);
}

static clg_status prepare_first(clg_context *ctx, const struct clg__selection *selection,
                                const struct clg__candidates *list, struct clg__instance *instance)
{
    clg_status status = CLG_INTERNAL_ERROR;
    for (size_t i = 0; i < list->count; i++) {
        const struct clg__candidate *item = &list->items[i];
        *instance = (struct clg__instance){.algorithm = item->algorithm,
                                           .variant = item->variant,
                                           .workspace = item->workspace,
                                           .estimate = item->estimate,
                                           .measured = item->measured};
        status = clg__scratch_reserve(ctx, item->workspace);
        if (status == CLG_OK)
            status = item->algorithm->prepare(ctx, selection->variants[item->variant].problem,
                                              &instance->state);
        if (status == CLG_OK)
            return CLG_OK;
        clg__instance_release(instance);
        if (!clg__worth_another_try(status))
            break;
    }
    return clg__fail_in(status, "%s", selection->what);
}

/* Lists what supports the problem, the fastest by estimate first; at least one candidate. */
static clg_status list_candidates(const clg_context *ctx, const struct clg__selection *selection,
                                  struct clg__candidates *list)
{
    bool known = selection->name == NULL;
    list->count = list->num_refused = 0;
    for (size_t i = 0; selection->table[i]; i++) {
        const struct clg__algorithm *algorithm = selection->table[i];
        if (selection->name && strcmp(selection->name, algorithm->name) != 0)
            continue;
        known = true;
        for (size_t v = 0; v < selection->num_variants; v++)
            consider(list, ctx, selection, algorithm, v);
    }
    if (!known)
        return fail_unknown(selection);
    return list->count > 0 ? CLG_OK : fail_refused(selection, list);
}

clg_status clg__select(clg_context *ctx, const struct clg__selection *selection,
                       struct clg__instance *instance)
{
    struct clg__candidates list;
    *instance = (struct clg__instance){.algorithm = NULL};
    CLG__TRY(list_candidates(ctx, selection, &list));
    CLG__TRY(clg__candidates_tune(ctx, selection, true, &list));
    if (list.count == 0)
        return fail_refused(selection, &list);
    CLG__TRY(prepare_first(ctx, selection, &list, instance));
    clg__candidates_log(ctx, selection, &list, instance);
    return CLG_OK;
}

clg_status clg__select_forecast(clg_context *ctx, const struct clg__selection *selection,
                                struct clg__forecast *forecast)
{
    struct clg__candidates list;
    CLG__TRY(list_candidates(ctx, selection, &list));
    forecast->estimate = list.items[0].estimate;
    CLG__TRY(clg__candidates_tune(ctx, selection, false, &list));
    if (list.count == 0)
        return fail_refused(selection, &list);
    forecast->measured = list.items[0].measured;
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
