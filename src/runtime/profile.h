/* Collects an event per launch and sums device time by kernel name. */
#ifndef CLG_RUNTIME_PROFILE_H
#define CLG_RUNTIME_PROFILE_H

#include "clgrad/profile.h"

struct clg__profile {
    clg_profile_entry *entries;
    size_t count;
    size_t capacity;
    /* Launched and not yet summed up. */
    struct clg__profile_pending {
        const char *name;
        cl_event before; /* NULL, or what ended before the commands that `event` is the last of */
        cl_event event;
    } * pending;
    size_t pending_count;
    size_t pending_capacity;
};

/* Takes over the events, also when it fails. Never waits: the list of pending events grows, or
 * shrinks by those that have finished. Counts the time of the command of `event`, or, unless
 * `before` is NULL, that from the end of `before` to the end of `event`. `name` is stored by
 * pointer until then, so it must be a string that lives as long as the program. */
clg_status clg__profile_add(struct clg__profile *profile, const char *name, cl_event before,
                            cl_event event);

/* Releases everything. */
void clg__profile_clear(struct clg__profile *profile);

#endif
