/* How long enqueued work takes, measured from outside: enqueue and finish, again and again. */
#ifndef CLG_RUNTIME_TIMING_H
#define CLG_RUNTIME_TIMING_H

#include "clgrad/context.h"

enum { CLG__MAX_TIMES = 1024 };

/* Seconds of single runs, as many as there were. */
struct clg__times {
    int count;
    double seconds[CLG__MAX_TIMES];
    double wall, cpu; /* of all of them together; cpu adds up the threads of the process */
};

/* Enqueues the work, without waiting for it. */
typedef clg_status clg__work(void *subject);

/* Runs the work once and adds its time. With more than CLG__MAX_TIMES runs the times stay as they
 * are. Errors: those of the work and of clg_context_finish. */
clg_status clg__time_once(clg_context *ctx, clg__work *work, void *subject,
                          struct clg__times *times);

/* Warms up with three runs, then measures at least five and until `seconds` are over. */
clg_status clg__time(clg_context *ctx, double seconds, clg__work *work, void *subject,
                     struct clg__times *times);

struct clg__summary {
    double median, min, max; /* seconds */
    double cpus;             /* how many processors were at work, on average */
};

/* Of at least one time. Sorts the times. */
struct clg__summary clg__summarise(struct clg__times *times);

#endif
