#include "runtime/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cl_error.h"
#include "runtime/context.h"

static clg_profile_entry *entry_of(struct clg__profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->count; i++)
        if (strncmp(profile->entries[i].name, name, sizeof profile->entries[i].name - 1) == 0)
            return &profile->entries[i];
    if (profile->count == profile->capacity) {
        size_t capacity = profile->capacity ? 2 * profile->capacity : 32;
        clg_profile_entry *entries = realloc(profile->entries, capacity * sizeof *entries);
        if (!entries)
            return NULL;
        profile->entries = entries;
        profile->capacity = capacity;
    }
    clg_profile_entry *entry = &profile->entries[profile->count++];
    memset(entry, 0, sizeof *entry);
    snprintf(entry->name, sizeof entry->name, "%s", name);
    return entry;
}

static clg_status sum_one(struct clg__profile *profile, const struct clg__profile_pending *pending)
{
    cl_ulong start = 0, end = 0;
    CLG__TRY_CL(clWaitForEvents(1, &pending->event), "clWaitForEvents");
    cl_event first = pending->before ? pending->before : pending->event;
    cl_profiling_info begin =
        pending->before ? CL_PROFILING_COMMAND_END : CL_PROFILING_COMMAND_START;
    CLG__TRY_CL(clGetEventProfilingInfo(first, begin, sizeof start, &start, NULL),
                "clGetEventProfilingInfo");
    CLG__TRY_CL(
        clGetEventProfilingInfo(pending->event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL),
        "clGetEventProfilingInfo");
    clg_profile_entry *entry = entry_of(profile, pending->name);
    if (!entry)
        return clg__fail_alloc("the profile");
    entry->launches++;
    entry->nanoseconds += end - start;
    return CLG_OK;
}

static void release_pending(const struct clg__profile_pending *pending)
{
    clReleaseEvent(pending->event);
    if (pending->before)
        clReleaseEvent(pending->before);
}

/* Every pending event is released, also after a failure. */
static clg_status sum_pending(struct clg__profile *profile)
{
    clg_status status = CLG_OK;
    for (size_t i = 0; i < profile->pending_count; i++) {
        if (status == CLG_OK)
            status = sum_one(profile, &profile->pending[i]);
        release_pending(&profile->pending[i]);
    }
    profile->pending_count = 0;
    return status;
}

static bool finished(cl_event event)
{
    cl_int state = CL_QUEUED;
    clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    return state == CL_COMPLETE;
}

/* Sums up the events that have finished; the others stay in their order. */
static clg_status sum_finished(struct clg__profile *profile)
{
    size_t left = 0;
    clg_status status = CLG_OK;
    for (size_t i = 0; i < profile->pending_count; i++) {
        struct clg__profile_pending *pending = &profile->pending[i];
        if (status == CLG_OK && finished(pending->event)) {
            status = sum_one(profile, pending);
            release_pending(pending);
        } else {
            profile->pending[left++] = *pending;
        }
    }
    profile->pending_count = left;
    return status;
}

static clg_status make_room(struct clg__profile *profile)
{
    if (profile->pending_count < profile->pending_capacity)
        return CLG_OK;
    CLG__TRY(sum_finished(profile));
    if (profile->pending_capacity > 0 && profile->pending_count <= profile->pending_capacity / 2)
        return CLG_OK;
    size_t capacity = profile->pending_capacity ? 2 * profile->pending_capacity : 256;
    struct clg__profile_pending *pending = realloc(profile->pending, capacity * sizeof *pending);
    if (!pending)
        return clg__fail_alloc("the profile");
    profile->pending = pending;
    profile->pending_capacity = capacity;
    return CLG_OK;
}

clg_status clg__profile_add(struct clg__profile *profile, const char *name, cl_event before,
                            cl_event event)
{
    const struct clg__profile_pending pending = {name, before, event};
    clg_status status = make_room(profile);
    if (status != CLG_OK) {
        release_pending(&pending);
        return status;
    }
    profile->pending[profile->pending_count++] = pending;
    return CLG_OK;
}

void clg__profile_clear(struct clg__profile *profile)
{
    for (size_t i = 0; i < profile->pending_count; i++)
        release_pending(&profile->pending[i]);
    free(profile->entries);
    free(profile->pending);
    memset(profile, 0, sizeof *profile);
}

static int longest_first(const void *left, const void *right)
{
    const clg_profile_entry *a = left, *b = right;
    if (a->nanoseconds != b->nanoseconds)
        return a->nanoseconds < b->nanoseconds ? 1 : -1;
    return strcmp(a->name, b->name);
}

static clg_status require_profiling(const char *call, const clg_context *ctx)
{
    if (!ctx)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: ctx is NULL", call);
    if (!ctx->profiling)
        return clg__fail(CLG_INVALID_STATE, "%s: the context was created without profiling", call);
    return CLG_OK;
}

clg_status clg_profile_read(clg_context *ctx, clg_profile_entry *entries, size_t capacity,
                            size_t *count)
{
    if (!count || (!entries && capacity > 0))
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_profile_read: count or entries is NULL");
    CLG__TRY(require_profiling("clg_profile_read", ctx));
    CLG__TRY(sum_pending(&ctx->profile));
    struct clg__profile *profile = &ctx->profile;
    if (profile->count > 0)
        qsort(profile->entries, profile->count, sizeof *profile->entries, longest_first);
    for (size_t i = 0; i < profile->count && i < capacity; i++)
        entries[i] = profile->entries[i];
    *count = profile->count;
    return CLG_OK;
}

clg_status clg_profile_reset(clg_context *ctx)
{
    CLG__TRY(require_profiling("clg_profile_reset", ctx));
    clg__profile_clear(&ctx->profile);
    return CLG_OK;
}
