/* Joining tensors: elementwise addition, and concatenation along the channels. Outputs are
 * overwritten. */
#ifndef CLG_REF_ADD_CONCAT_H
#define CLG_REF_ADD_CONCAT_H

#include <stdint.h>

/* y = a + b, n elements */
void ref_add_forward(int64_t n, const double *a, const double *b, double *y);

/* da = db = dy; either may be NULL. */
void ref_add_backward(int64_t n, const double *dy, double *da, double *db);

struct ref_concat {
    int64_t n, spatial;
    int64_t inputs;          /* how many tensors */
    const int64_t *channels; /* [inputs], of each */
};

/* y[n, channels before input i + c, ...] = x[i][n, c, ...]; x[i] is [N,channels[i],spatial] and y
 * is [N,sum of channels,spatial]. */
void ref_concat_forward(const struct ref_concat *d, const double *const *x, double *y);

/* dx[i][n, c, ...] = dy[n, channels before input i + c, ...]; a dx[i] may be NULL. */
void ref_concat_backward(const struct ref_concat *d, const double *dy, double *const *dx);

#endif
