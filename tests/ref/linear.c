#include "ref/linear.h"

#include <string.h>

void ref_linear_forward(const struct ref_linear *d, const double *x, const double *w,
                        const double *b, double *y)
{
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t o = 0; o < d->out; o++) {
            double sum = b ? b[o] : 0;
            for (int64_t i = 0; i < d->in; i++)
                sum += x[n * d->in + i] * w[o * d->in + i];
            y[n * d->out + o] = sum;
        }
}

void ref_linear_backward_data(const struct ref_linear *d, const double *w, const double *dy,
                              double *dx)
{
    memset(dx, 0, (size_t)(d->n * d->in) * sizeof *dx);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t o = 0; o < d->out; o++)
            for (int64_t i = 0; i < d->in; i++)
                dx[n * d->in + i] += dy[n * d->out + o] * w[o * d->in + i];
}

void ref_linear_backward_filter(const struct ref_linear *d, const double *x, const double *dy,
                                double *dw)
{
    memset(dw, 0, (size_t)(d->out * d->in) * sizeof *dw);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t o = 0; o < d->out; o++)
            for (int64_t i = 0; i < d->in; i++)
                dw[o * d->in + i] += dy[n * d->out + o] * x[n * d->in + i];
}

void ref_linear_backward_bias(const struct ref_linear *d, const double *dy, double *db)
{
    memset(db, 0, (size_t)d->out * sizeof *db);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t o = 0; o < d->out; o++)
            db[o] += dy[n * d->out + o];
}
