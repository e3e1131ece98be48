/*
 * Many numbers to one, the last stage of losses and counts; each kernel runs as one group of GROUP
 * work-items. Local memory: GROUP numbers.
 */
#include "common.clh"

#define GROUP 64
#define RUN 64
#define PLUS(a, b) ((a) + (b))
#include "group_reduce.clh"

GROUP_REDUCE(group_sum, float, PLUS)
GROUP_REDUCE(group_count, int, PLUS)

/* y = (y +) sum of x / divisor; a divisor of 0 means the one in `counted`. Also
 * correct = (correct +) the number of hits that are not 0, unless correct is null. Each work-item
 * adds up short runs before it adds those, so that rounding errors stay small over millions of
 * numbers; no compensated sums, which would turn an infinite loss into a NaN. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
mean(OUT(float, y), OUT(int, correct), IN(float, x), IN(int, hits), IN(int, counted),
     const int count, const int divisor, const int accumulate)
{
    __local float scratch[GROUP];
    __local int count_scratch[GROUP];
    const int lane = get_local_id(0);
    const int rounds = (count - 1) / GROUP + 1;
    float sum = 0.0f;
    for (int first = 0; first < rounds; first += RUN) {
        float run = 0.0f;
        const int last = min(rounds - first, RUN);
        for (int round = 0; round < last; round++) {
            const uint i = (uint)(first + round) * GROUP + lane;
            run += i < (uint)count ? AT(x)[i] : 0.0f;
        }
        sum += run;
    }
    const float total = group_sum(scratch, sum);
    if (lane == 0) {
        const float mean = total / (float)(divisor > 0 ? divisor : AT(counted)[0]);
        AT(y)[0] = accumulate ? AT(y)[0] + mean : mean;
    }
    int hit = 0;
    for (uint i = lane; correct_object && i < (uint)count; i += GROUP)
        hit += AT(hits)[i] != 0;
    const int all_hits = group_count(count_scratch, hit);
    if (lane == 0 && correct_object)
        AT(correct)[0] = (accumulate ? AT(correct)[0] : 0) + all_hits;
}

/* y = (y +) the number of x[i] that are not `value`. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
count_other(OUT(int, y), IN(int, x), const int count, const int value, const int accumulate)
{
    __local int scratch[GROUP];
    int others = 0;
    for (uint i = get_local_id(0); i < (uint)count; i += GROUP)
        others += AT(x)[i] != value;
    const int total = group_count(scratch, others);
    if (get_local_id(0) == 0)
        AT(y)[0] = (accumulate ? AT(y)[0] : 0) + total;
}
