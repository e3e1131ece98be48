#include "ref/conv2d.h"

#include "ref/array.h"
#include "ref/window2d.h"

#include <stdlib.h>
#include <string.h>

static int64_t padded_h(const struct ref_conv2d *d)
{
    return d->pad_top + d->h + d->pad_bottom;
}

static int64_t padded_w(const struct ref_conv2d *d)
{
    return d->pad_left + d->w + d->pad_right;
}

int64_t ref_conv2d_p(const struct ref_conv2d *d)
{
    int64_t window = (d->r - 1) * d->dilation_h + 1;
    return padded_h(d) < window ? 0 : (padded_h(d) - window) / d->stride_h + 1;
}

int64_t ref_conv2d_q(const struct ref_conv2d *d)
{
    int64_t window = (d->s - 1) * d->dilation_w + 1;
    return padded_w(d) < window ? 0 : (padded_w(d) - window) / d->stride_w + 1;
}

static struct ref_pad2d padding_of(const struct ref_conv2d *d)
{
    return (struct ref_pad2d){.planes = d->n * d->c,
                              .h = d->h,
                              .w = d->w,
                              .top = d->pad_top,
                              .left = d->pad_left,
                              .bottom = d->pad_bottom,
                              .right = d->pad_right,
                              .mode = d->pad_mode,
                              .value = d->pad_value};
}

static struct ref_window2d window_of(const struct ref_conv2d *d)
{
    return (struct ref_window2d){.in_w = padded_w(d),
                                 .out_h = ref_conv2d_p(d),
                                 .out_w = ref_conv2d_q(d),
                                 .r = d->r,
                                 .s = d->s,
                                 .stride_h = d->stride_h,
                                 .stride_w = d->stride_w,
                                 .dilation_h = d->dilation_h,
                                 .dilation_w = d->dilation_w};
}

/* Offsets, in elements, of one plane each. Filter k meets channel gc of its group. */
static int64_t xp_plane(const struct ref_conv2d *d, int64_t n, int64_t k, int64_t gc)
{
    int64_t group = k / (d->k / d->groups);
    int64_t c = group * (d->c / d->groups) + gc;
    return (n * d->c + c) * padded_h(d) * padded_w(d);
}

static int64_t y_plane(const struct ref_conv2d *d, int64_t n, int64_t k)
{
    return (n * d->k + k) * ref_conv2d_p(d) * ref_conv2d_q(d);
}

static int64_t w_plane(const struct ref_conv2d *d, int64_t k, int64_t gc)
{
    return (k * (d->c / d->groups) + gc) * d->r * d->s;
}

static double *padded_zeros(const struct ref_conv2d *d)
{
    return ref_array_zeros(d->n * d->c * padded_h(d) * padded_w(d));
}

void ref_conv2d_forward(const struct ref_conv2d *d, const double *x, const double *w,
                        const double *b, double *y)
{
    struct ref_pad2d padding = padding_of(d);
    struct ref_window2d window = window_of(d);
    double *xp = padded_zeros(d);
    ref_pad2d_forward(&padding, x, xp);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t k = 0; k < d->k; k++) {
            double *y_nk = y + y_plane(d, n, k);
            for (int64_t i = 0; i < window.out_h * window.out_w; i++)
                y_nk[i] = b ? b[k] : 0;
            for (int64_t gc = 0; gc < d->c / d->groups; gc++)
                ref_window2d_gather(&window, xp + xp_plane(d, n, k, gc), w + w_plane(d, k, gc),
                                    y_nk);
        }
    free(xp);
}

void ref_conv2d_backward_data(const struct ref_conv2d *d, const double *w, const double *dy,
                              double *dx)
{
    struct ref_pad2d padding = padding_of(d);
    struct ref_window2d window = window_of(d);
    double *dxp = padded_zeros(d);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t k = 0; k < d->k; k++)
            for (int64_t gc = 0; gc < d->c / d->groups; gc++)
                ref_window2d_scatter(&window, dy + y_plane(d, n, k), w + w_plane(d, k, gc),
                                     dxp + xp_plane(d, n, k, gc));
    ref_pad2d_backward(&padding, dxp, dx);
    free(dxp);
}

void ref_conv2d_backward_filter(const struct ref_conv2d *d, const double *x, const double *dy,
                                double *dw)
{
    struct ref_pad2d padding = padding_of(d);
    struct ref_window2d window = window_of(d);
    double *xp = padded_zeros(d);
    ref_pad2d_forward(&padding, x, xp);
    memset(dw, 0, (size_t)(d->k * (d->c / d->groups) * d->r * d->s) * sizeof *dw);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t k = 0; k < d->k; k++)
            for (int64_t gc = 0; gc < d->c / d->groups; gc++)
                ref_window2d_correlate(&window, xp + xp_plane(d, n, k, gc), dy + y_plane(d, n, k),
                                       dw + w_plane(d, k, gc));
    free(xp);
}

void ref_conv2d_backward_bias(const struct ref_conv2d *d, const double *dy, double *db)
{
    int64_t plane = ref_conv2d_p(d) * ref_conv2d_q(d);
    for (int64_t k = 0; k < d->k; k++) {
        db[k] = 0;
        for (int64_t n = 0; n < d->n; n++)
            for (int64_t i = 0; i < plane; i++)
                db[k] += dy[y_plane(d, n, k) + i];
    }
}
