#include "runtime/timing.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"

enum { WARM_UPS = 3, LEAST_RUNS = 5 };

int clg__runs_a_wait(double seconds)
{
    const double span = 1e-3, most = 64;
    double runs = seconds > 0 ? span / seconds : most;
    return runs > most ? (int)most : runs < 1 ? 1 : (int)runs;
}

clg_status clg__time_once(clg_context *ctx, clg__work *work, void *subject,
                          struct clg__times *times)
{
    const int runs = times->runs > 1 ? times->runs : 1;
    double cpu = clg__cpu_seconds(), start = clg__now();
    for (int i = 0; i < runs; i++)
        CLG__TRY(work(subject));
    CLG__TRY(clg_context_finish(ctx));
    double seconds = clg__now() - start;
    if (times->count == CLG__MAX_TIMES)
        return CLG_OK;
    times->seconds[times->count++] = seconds / runs;
    times->wall += seconds;
    times->cpu += clg__cpu_seconds() - cpu;
    return CLG_OK;
}

clg_status clg__time(clg_context *ctx, double seconds, clg__work *work, void *subject,
                     struct clg__times *times)
{
    times->runs = 1;
    for (int i = 0; i < WARM_UPS; i++) {
        times->count = 0;
        CLG__TRY(clg__time_once(ctx, work, subject, times));
    }
    if (times->queued)
        times->runs = clg__runs_a_wait(times->seconds[0]);
    times->count = 0;
    times->wall = times->cpu = 0;
    while (times->count < LEAST_RUNS || (times->wall < seconds && times->count < CLG__MAX_TIMES))
        CLG__TRY(clg__time_once(ctx, work, subject, times));
    return CLG_OK;
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

struct clg__summary clg__summarise(struct clg__times *times)
{
    int n = times->count;
    qsort(times->seconds, (size_t)n, sizeof times->seconds[0], ascending);
    return (struct clg__summary){
        .median = (times->seconds[(n - 1) / 2] + times->seconds[n / 2]) / 2,
        .min = times->seconds[0],
        .max = times->seconds[n - 1],
        .cpus = times->cpu / times->wall,
    };
}
