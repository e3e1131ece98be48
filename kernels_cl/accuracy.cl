/*
 * The class with the largest score of each row, and whether that is its label.
 * One group of GROUP work-items a row; reduce.cl counts the hits. Local memory: GROUP pairs.
 */
#include "common.clh"

#ifndef GROUP
#define GROUP 64
#endif
#include "group_reduce.clh"
#include "best_score.clh"

/* predictions: [rows], or null; hits: [rows], 1 where the prediction is the label, or null. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
accuracy_rows(OUT(int, predictions), OUT(int, hits), IN(float, x), IN(int, labels),
              const int classes, const int want_predictions, const int want_hits)
{
    __local struct score scratch[GROUP];
    const int lane = get_local_id(0), row = get_group_id(0);
    __global const float *scores = AT(x) + row * classes;
    struct score best = {-INFINITY, classes}; /* every real score wins: its index is smaller */
    for (uint k = lane; k < (uint)classes; k += GROUP) {
        const struct score candidate = {scores[k], (int)k};
        best = better(best, candidate);
    }
    best = group_best(scratch, best);
    if (lane == 0 && want_predictions)
        AT(predictions)[row] = best.k;
    if (lane == 0 && want_hits)
        AT(hits)[row] = best.k == AT(labels)[row];
}
