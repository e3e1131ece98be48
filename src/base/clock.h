/* Time, for measurements. */
#ifndef CLG_BASE_CLOCK_H
#define CLG_BASE_CLOCK_H

#include <time.h>

/* Seconds since some moment; never goes back. */
static inline double clg__now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Seconds that all threads of the process have computed, together. */
static inline double clg__cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
