#include "ref/add_concat.h"

#include <stddef.h>

void ref_add_forward(int64_t n, const double *a, const double *b, double *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

void ref_add_backward(int64_t n, const double *dy, double *da, double *db)
{
    for (int64_t i = 0; i < n; i++) {
        if (da)
            da[i] = dy[i];
        if (db)
            db[i] = dy[i];
    }
}

/* Channels of all inputs before the given one. */
static int64_t channels_before(const struct ref_concat *d, int64_t input)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < input; i++)
        sum += d->channels[i];
    return sum;
}

/* The index in y of element j of image n of an input. */
static int64_t y_index(const struct ref_concat *d, int64_t input, int64_t n, int64_t j)
{
    int64_t channel = n * channels_before(d, d->inputs) + channels_before(d, input);
    return channel * d->spatial + j;
}

void ref_concat_forward(const struct ref_concat *d, const double *const *x, double *y)
{
    for (int64_t i = 0; i < d->inputs; i++) {
        int64_t image = d->channels[i] * d->spatial;
        for (int64_t n = 0; n < d->n; n++)
            for (int64_t j = 0; j < image; j++)
                y[y_index(d, i, n, j)] = x[i][n * image + j];
    }
}

void ref_concat_backward(const struct ref_concat *d, const double *dy, double *const *dx)
{
    for (int64_t i = 0; i < d->inputs; i++) {
        int64_t image = d->channels[i] * d->spatial;
        for (int64_t n = 0; n < d->n && dx[i]; n++)
            for (int64_t j = 0; j < image; j++)
                dx[i][n * image + j] = dy[y_index(d, i, n, j)];
    }
}
