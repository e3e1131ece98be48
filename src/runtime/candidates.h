/* What clg__select chooses from: the pairs of algorithm and variant, and why others are not. */
#ifndef CLG_RUNTIME_CANDIDATES_H
#define CLG_RUNTIME_CANDIDATES_H

#include "runtime/algorithm.h"

enum { CLG__MAX_CANDIDATES = 64, CLG__CANDIDATE_NAME = 64 };

struct clg__candidate {
    const struct clg__algorithm *algorithm;
    size_t variant;
    size_t workspace;
    double estimate; /* seconds */
    double measured; /* seconds; 0: not measured */
};

struct clg__refusal {
    const struct clg__algorithm *algorithm;
    size_t variant;
    char why[120];
};

/* The best candidate first. */
struct clg__candidates {
    struct clg__candidate items[CLG__MAX_CANDIDATES];
    size_t count;
    struct clg__refusal refused[CLG__MAX_CANDIDATES];
    size_t num_refused;
};

/* "tile", or "tile/nhwc" where variants have labels. Returns text. */
const char *clg__candidate_name(const struct clg__selection *selection,
                                const struct clg__algorithm *algorithm, size_t variant,
                                char text[CLG__CANDIDATE_NAME]);

/* Puts a candidate where its time, measured before estimated, belongs; ties in the order of
 * insertion. */
void clg__candidates_insert(struct clg__candidates *list, struct clg__candidate item);
void clg__candidates_refuse(struct clg__candidates *list, const struct clg__algorithm *algorithm,
                            size_t variant, const char *why);

/* Whether another candidate may do better after this failure: host memory and defects are not the
 * algorithm's fault. */
bool clg__worth_another_try(clg_status status);

/*
 * Brings in what the tuning store knows; with `measure`, and when the context or the selection asks
 * for it, measures what the store does not know. Measured candidates come first, by their times;
 * those that failed or crashed are refused. Without a key in the selection nothing changes. Errors:
 * CLG_OUT_OF_HOST_MEMORY, CLG_INTERNAL_ERROR; all others mean that nothing is known.
 */
clg_status clg__candidates_tune(clg_context *ctx, const struct clg__selection *selection,
                                bool measure, struct clg__candidates *list);

/* The log's topic "plan": the instance, and the alternatives. */
void clg__candidates_log(const clg_context *ctx, const struct clg__selection *selection,
                         const struct clg__candidates *list, const struct clg__instance *instance);

#endif
