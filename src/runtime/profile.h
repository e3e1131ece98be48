/* Collects an event per launch and sums device time by kernel name. */
#ifndef CLG_RUNTIME_PROFILE_H
#define CLG_RUNTIME_PROFILE_H

#include "clgrad/profile.h"

enum { CLG__PROFILE_PENDING = 512 };

struct clg__profile {
    clg_profile_entry *entries;
    size_t count;
    size_t capacity;
    struct clg__profile_pending {
        const char *name; /* of a live kernel or a literal: copied when the event is summed up */
        cl_event event;
    } pending[CLG__PROFILE_PENDING];
    size_t pending_count;
};

/* Takes over the event; waits for all pending events when the list is full. `name` is stored by
 * pointer until then, so it must be a string that lives as long as the program. */
clg_status clg__profile_add(struct clg__profile *profile, const char *name, cl_event event);

/* Releases everything. */
void clg__profile_clear(struct clg__profile *profile);

#endif
