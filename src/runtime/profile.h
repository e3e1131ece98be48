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
        cl_event event;
    } * pending;
    size_t pending_count;
    size_t pending_capacity;
};

/* Takes over the event, also when it fails. Never waits: the list of pending events grows, or
 * shrinks by those that have finished. `name` is stored by pointer until then, so it must be a
 * string that lives as long as the program. */
clg_status clg__profile_add(struct clg__profile *profile, const char *name, cl_event event);

/* Releases everything. */
void clg__profile_clear(struct clg__profile *profile);

#endif
