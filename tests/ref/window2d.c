#include "ref/window2d.h"

/* Where weight (r, s) meets the input for output (p, 0). */
static int64_t in_offset(const struct ref_window2d *d, int64_t p, int64_t r, int64_t s)
{
    return (p * d->stride_h + r * d->dilation_h) * d->in_w + s * d->dilation_w;
}

void ref_window2d_gather(const struct ref_window2d *d, const double *in, const double *w,
                         double *out)
{
    for (int64_t p = 0; p < d->out_h; p++)
        for (int64_t r = 0; r < d->r; r++)
            for (int64_t s = 0; s < d->s; s++) {
                const double *in_row = in + in_offset(d, p, r, s);
                double *out_row = out + p * d->out_w;
                double weight = w[r * d->s + s];
                for (int64_t q = 0; q < d->out_w; q++)
                    out_row[q] += in_row[q * d->stride_w] * weight;
            }
}

void ref_window2d_scatter(const struct ref_window2d *d, const double *out, const double *w,
                          double *in)
{
    for (int64_t p = 0; p < d->out_h; p++)
        for (int64_t r = 0; r < d->r; r++)
            for (int64_t s = 0; s < d->s; s++) {
                double *in_row = in + in_offset(d, p, r, s);
                const double *out_row = out + p * d->out_w;
                double weight = w[r * d->s + s];
                for (int64_t q = 0; q < d->out_w; q++)
                    in_row[q * d->stride_w] += out_row[q] * weight;
            }
}

void ref_window2d_correlate(const struct ref_window2d *d, const double *in, const double *out,
                            double *w)
{
    for (int64_t p = 0; p < d->out_h; p++)
        for (int64_t r = 0; r < d->r; r++)
            for (int64_t s = 0; s < d->s; s++) {
                const double *in_row = in + in_offset(d, p, r, s);
                const double *out_row = out + p * d->out_w;
                double sum = 0;
                for (int64_t q = 0; q < d->out_w; q++)
                    sum += in_row[q * d->stride_w] * out_row[q];
                w[r * d->s + s] += sum;
            }
}
