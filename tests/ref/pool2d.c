#include "ref/pool2d.h"

#include <math.h>
#include <string.h>

static int64_t out_size(int64_t padded, int64_t window, int64_t stride)
{
    return padded < window ? 0 : (padded - window) / stride + 1;
}

int64_t ref_pool2d_p(const struct ref_pool2d *d)
{
    return out_size(d->h + 2 * d->pad_h, (d->size_h - 1) * d->dilation_h + 1, d->stride_h);
}

int64_t ref_pool2d_q(const struct ref_pool2d *d)
{
    return out_size(d->w + 2 * d->pad_w, (d->size_w - 1) * d->dilation_w + 1, d->stride_w);
}

/* The index within a plane of x of tap (r, s) of output (p, q), or -1 in the padding. */
static int64_t tap_index(const struct ref_pool2d *d, int64_t p, int64_t q, int64_t r, int64_t s)
{
    int64_t a = p * d->stride_h - d->pad_h + r * d->dilation_h;
    int64_t b = q * d->stride_w - d->pad_w + s * d->dilation_w;
    return a < 0 || a >= d->h || b < 0 || b >= d->w ? -1 : a * d->w + b;
}

/* The index within a plane of the tap that wins, or -1 when all are padding. */
static int64_t max_index(const struct ref_pool2d *d, const double *x, int64_t p, int64_t q)
{
    int64_t best = -1;
    for (int64_t r = 0; r < d->size_h; r++)
        for (int64_t s = 0; s < d->size_w; s++) {
            int64_t i = tap_index(d, p, q, r, s);
            if (i >= 0 && (best < 0 || x[i] > x[best] || isnan(x[i])))
                best = i;
        }
    return best;
}

static int64_t taps_inside(const struct ref_pool2d *d, int64_t p, int64_t q)
{
    int64_t count = 0;
    for (int64_t r = 0; r < d->size_h; r++)
        for (int64_t s = 0; s < d->size_w; s++)
            count += tap_index(d, p, q, r, s) >= 0;
    return count;
}

/* 1 / divisor, or 0 where no tap is inside. */
static double avg_scale(const struct ref_pool2d *d, int64_t p, int64_t q)
{
    int64_t count = d->count_include_pad ? d->size_h * d->size_w : taps_inside(d, p, q);
    return count == 0 ? 0 : 1 / (double)count;
}

void ref_pool2d_max_forward(const struct ref_pool2d *d, const double *x, double *y)
{
    int64_t out_h = ref_pool2d_p(d), out_w = ref_pool2d_q(d);
    for (int64_t plane = 0; plane < d->n * d->c; plane++) {
        const double *x_plane = x + plane * d->h * d->w;
        for (int64_t p = 0; p < out_h; p++)
            for (int64_t q = 0; q < out_w; q++) {
                int64_t i = max_index(d, x_plane, p, q);
                y[(plane * out_h + p) * out_w + q] = i < 0 ? -INFINITY : x_plane[i];
            }
    }
}

void ref_pool2d_max_backward(const struct ref_pool2d *d, const double *x, const double *dy,
                             double *dx)
{
    int64_t out_h = ref_pool2d_p(d), out_w = ref_pool2d_q(d);
    memset(dx, 0, (size_t)(d->n * d->c * d->h * d->w) * sizeof *dx);
    for (int64_t plane = 0; plane < d->n * d->c; plane++) {
        int64_t offset = plane * d->h * d->w;
        for (int64_t p = 0; p < out_h; p++)
            for (int64_t q = 0; q < out_w; q++) {
                int64_t i = max_index(d, x + offset, p, q);
                if (i >= 0)
                    dx[offset + i] += dy[(plane * out_h + p) * out_w + q];
            }
    }
}

void ref_pool2d_avg_forward(const struct ref_pool2d *d, const double *x, double *y)
{
    int64_t out_h = ref_pool2d_p(d), out_w = ref_pool2d_q(d);
    for (int64_t plane = 0; plane < d->n * d->c; plane++)
        for (int64_t p = 0; p < out_h; p++)
            for (int64_t q = 0; q < out_w; q++) {
                double sum = 0;
                for (int64_t r = 0; r < d->size_h; r++)
                    for (int64_t s = 0; s < d->size_w; s++) {
                        int64_t i = tap_index(d, p, q, r, s);
                        sum += i < 0 ? 0 : x[plane * d->h * d->w + i];
                    }
                y[(plane * out_h + p) * out_w + q] = sum * avg_scale(d, p, q);
            }
}

void ref_pool2d_avg_backward(const struct ref_pool2d *d, const double *dy, double *dx)
{
    int64_t out_h = ref_pool2d_p(d), out_w = ref_pool2d_q(d);
    memset(dx, 0, (size_t)(d->n * d->c * d->h * d->w) * sizeof *dx);
    for (int64_t plane = 0; plane < d->n * d->c; plane++)
        for (int64_t p = 0; p < out_h; p++)
            for (int64_t q = 0; q < out_w; q++) {
                double share = dy[(plane * out_h + p) * out_w + q] * avg_scale(d, p, q);
                for (int64_t r = 0; r < d->size_h; r++)
                    for (int64_t s = 0; s < d->size_w; s++) {
                        int64_t i = tap_index(d, p, q, r, s);
                        if (i >= 0)
                            dx[plane * d->h * d->w + i] += share;
                    }
            }
}
