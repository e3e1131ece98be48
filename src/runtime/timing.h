/* How long enqueued work takes, measured from outside: enqueue and finish, again and again. */
#ifndef CLG_RUNTIME_TIMING_H
#define CLG_RUNTIME_TIMING_H

#include "clgrad/context.h"

enum { CLG__MAX_TIMES = 1024 };

/* Seconds of single runs, as many as there were; with `runs` above 1, averages over that many runs
 * that were enqueued before one wait. All zeros is a good start. */
struct clg__times {
    int count;
    int runs;    /* enqueued for each wait; 0 is 1 */
    bool queued; /* clg__time chooses `runs`: short work is measured as a training step has it */
    double seconds[CLG__MAX_TIMES];
    double wall, cpu; /* of all of them together; cpu adds up the threads of the process */
};

/* Enqueues the work, without waiting for it. */
typedef clg_status clg__work(void *subject);

/* How many runs to enqueue for each wait when one takes `seconds`: what makes a millisecond, so
 * that waiting costs little beside it, and at most 64. */
int clg__runs_a_wait(double seconds);

/* Runs the work, `times->runs` times, and adds the time of one. With more than CLG__MAX_TIMES runs
 * the times stay as they are. Errors: those of the work and of clg_context_finish. */
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
