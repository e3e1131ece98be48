/*
 * Softmax and cross entropy of [rows, classes] logits: losses of the rows, probabilities, gradient,
 * and whether the largest logit is the label's.
 * FLAGS say which are wanted; the others are null and never touched. reduce.cl makes the mean loss.
 * One group of GROUP work-items a row, in three passes over it: maximum, sums, results. The first
 * two passes end before the third writes, so that the results may overwrite x. Labels are compared,
 * and used as an index only when they are one. Local memory: GROUP floats and pairs.
 */
#include "common.clh"

#ifndef GROUP
#define GROUP 64
#endif
#define PLUS(a, b) ((a) + (b))
#include "group_reduce.clh"

GROUP_REDUCE(group_sum, float, PLUS)
GROUP_REDUCE(group_max, float, fmax)
#include "best_score.clh"

#define WANT_LOSSES 1
#define WANT_PROBABILITIES 2
#define WANT_DX 4
#define ADD_DX 8
#define WANT_HITS 16

/* divisor: the number of samples in the mean, or 0 for the one in `counted`. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
softmax_cross_entropy(OUT(float, losses), OUT(int, hits), OUT(float, probabilities),
                      OUT(float, dx), IN(float, x), IN(int, labels), IN(int, counted),
                      const int classes, const int divisor, const float smoothing,
                      const int ignore, const int ignore_index, const float dloss,
                      const int flags)
{
    __local float scratch[GROUP];
    __local struct score score_scratch[GROUP];
    const int lane = get_local_id(0), row = get_group_id(0);
    const int start = row * classes;
    __global const float *logits = AT(x) + start;
    __global float *probability_row = AT(probabilities) + start, *dx_row = AT(dx) + start;
    const int label = AT(labels)[row];
    const float samples = (float)(divisor > 0 ? divisor : AT(counted)[0]);

    float largest = -INFINITY; /* fmax passes over a NaN; the sum of the exponentials finds it */
    struct score best = {-INFINITY, classes};
    for (uint k = lane; k < (uint)classes; k += GROUP) {
        const struct score candidate = {logits[k], (int)k};
        largest = fmax(largest, candidate.value);
        if (flags & WANT_HITS)
            best = better(best, candidate);
    }
    const float maximum = group_max(scratch, largest);
    best = group_best(score_scratch, best);

    const int ignored = ignore && label == ignore_index;
    const int is_class = label >= 0 && label < classes;
    const float label_logit = is_class ? logits[label] - maximum : NAN;
    float exponentials = 0.0f, logit_sum = 0.0f;
    for (uint k = lane; k < (uint)classes; k += GROUP) {
        const float logit = logits[k] - maximum;
        exponentials += exp(logit);
        logit_sum += logit;
    }
    exponentials = group_sum(scratch, exponentials);
    logit_sum = group_sum(scratch, logit_sum);
    barrier(CLK_GLOBAL_MEM_FENCE); /* every item has read its label's logit, an element of others */

    if ((flags & WANT_HITS) && lane == 0)
        AT(hits)[row] = best.k == label;
    if ((flags & WANT_LOSSES) && lane == 0) {
        const float log_sum = log(exponentials);
        float loss = (1.0f - smoothing) * (log_sum - label_logit);
        if (smoothing > 0.0f) /* without it, a logit of minus infinity is no matter */
            loss += smoothing * (log_sum - logit_sum / (float)classes);
        AT(losses)[row] = ignored ? 0.0f : loss;
    }
    const float factor = dloss / samples;
    const float base = smoothing / (float)classes;
    const float share = 1.0f / exponentials;
    for (uint k = lane; k < (uint)classes; k += GROUP) {
        /* The gradient is a fused step from what a probability is made of, so that its bits do not
         * depend on what else a compiler makes of them. */
        const float part = exp(logits[k] - maximum);
        const float target = ((int)k == label ? 1.0f - smoothing : 0.0f) + base;
        if (flags & WANT_PROBABILITIES)
            probability_row[k] = part * share;
        if (flags & WANT_DX) {
            const float gradient = is_class ? fma(part, share, -target) * factor : NAN;
            dx_row[k] = (flags & ADD_DX ? dx_row[k] : 0.0f) + (ignored ? 0.0f : gradient);
        }
    }
}
