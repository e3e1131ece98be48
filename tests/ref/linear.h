/* y = x w^T + b. x, dx [n,in]; w, dw [out,in]; b, db [out]; y, dy [n,out]. Outputs are
 * overwritten. */
#ifndef CLG_REF_LINEAR_H
#define CLG_REF_LINEAR_H

#include <stdint.h>

struct ref_linear {
    int64_t n, in, out;
};

/* y[n,o] = b[o] + sum over i of x[n,i] w[o,i]; b may be NULL. */
void ref_linear_forward(const struct ref_linear *d, const double *x, const double *w,
                        const double *b, double *y);

/* dx[n,i] = sum over o of dy[n,o] w[o,i] */
void ref_linear_backward_data(const struct ref_linear *d, const double *w, const double *dy,
                              double *dx);

/* dw[o,i] = sum over n of dy[n,o] x[n,i] */
void ref_linear_backward_filter(const struct ref_linear *d, const double *x, const double *dy,
                                double *dw);

/* db[o] = sum over n of dy[n,o] */
void ref_linear_backward_bias(const struct ref_linear *d, const double *dy, double *db);

#endif
