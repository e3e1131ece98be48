#include "ref/conv_transpose2d.h"

#include "ref/array.h"
#include "ref/reshape2d.h"
#include "ref/window2d.h"

#include <stdlib.h>
#include <string.h>

static int64_t out_size(int64_t size, int64_t stride, int64_t window, int64_t pads)
{
    return (size - 1) * stride + window + pads;
}

int64_t ref_conv_transpose2d_p(const struct ref_conv_transpose2d *d)
{
    int64_t window = (d->r - 1) * d->dilation_h + 1;
    return out_size(d->h, d->stride_h, window, d->out_pad_h - 2 * d->pad_h);
}

int64_t ref_conv_transpose2d_q(const struct ref_conv_transpose2d *d)
{
    int64_t window = (d->s - 1) * d->dilation_w + 1;
    return out_size(d->w, d->stride_w, window, d->out_pad_w - 2 * d->pad_w);
}

/* From y to yp; the way back cuts the padding off. */
static struct ref_pad2d padding_of(const struct ref_conv_transpose2d *d)
{
    return (struct ref_pad2d){.planes = d->n * d->k,
                              .h = ref_conv_transpose2d_p(d),
                              .w = ref_conv_transpose2d_q(d),
                              .top = d->pad_h,
                              .left = d->pad_w,
                              .bottom = d->pad_h,
                              .right = d->pad_w,
                              .mode = REF_PAD_ZEROS};
}

/* yp takes the part of the window's input, x that of its output. */
static struct ref_window2d window_of(const struct ref_conv_transpose2d *d)
{
    return (struct ref_window2d){.in_w = ref_conv_transpose2d_q(d) + 2 * d->pad_w,
                                 .out_h = d->h,
                                 .out_w = d->w,
                                 .r = d->r,
                                 .s = d->s,
                                 .stride_h = d->stride_h,
                                 .stride_w = d->stride_w,
                                 .dilation_h = d->dilation_h,
                                 .dilation_w = d->dilation_w};
}

static int64_t yp_size(const struct ref_conv_transpose2d *d)
{
    return (ref_conv_transpose2d_p(d) + 2 * d->pad_h) * (ref_conv_transpose2d_q(d) + 2 * d->pad_w);
}

/* Offsets, in elements, of one plane each. Channel c meets filter gk of its group. */
static int64_t x_plane(const struct ref_conv_transpose2d *d, int64_t n, int64_t c)
{
    return (n * d->c + c) * d->h * d->w;
}

static int64_t yp_plane(const struct ref_conv_transpose2d *d, int64_t n, int64_t c, int64_t gk)
{
    int64_t group = c / (d->c / d->groups);
    int64_t k = group * (d->k / d->groups) + gk;
    return (n * d->k + k) * yp_size(d);
}

static int64_t w_plane(const struct ref_conv_transpose2d *d, int64_t c, int64_t gk)
{
    return (c * (d->k / d->groups) + gk) * d->r * d->s;
}

void ref_conv_transpose2d_forward(const struct ref_conv_transpose2d *d, const double *x,
                                  const double *w, const double *b, double *y)
{
    struct ref_pad2d padding = padding_of(d);
    struct ref_window2d window = window_of(d);
    double *yp = ref_array_zeros(d->n * d->k * yp_size(d));
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t c = 0; c < d->c; c++)
            for (int64_t gk = 0; gk < d->k / d->groups; gk++)
                ref_window2d_scatter(&window, x + x_plane(d, n, c), w + w_plane(d, c, gk),
                                     yp + yp_plane(d, n, c, gk));
    ref_pad2d_backward(&padding, yp, y);
    free(yp);
    int64_t plane = padding.h * padding.w;
    if (b)
        for (int64_t i = 0; i < d->n * d->k * plane; i++)
            y[i] += b[i / plane % d->k];
}

void ref_conv_transpose2d_backward_data(const struct ref_conv_transpose2d *d, const double *w,
                                        const double *dy, double *dx)
{
    struct ref_pad2d padding = padding_of(d);
    struct ref_window2d window = window_of(d);
    double *dyp = ref_array_zeros(d->n * d->k * yp_size(d));
    ref_pad2d_forward(&padding, dy, dyp);
    memset(dx, 0, (size_t)(d->n * d->c * d->h * d->w) * sizeof *dx);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t c = 0; c < d->c; c++)
            for (int64_t gk = 0; gk < d->k / d->groups; gk++)
                ref_window2d_gather(&window, dyp + yp_plane(d, n, c, gk), w + w_plane(d, c, gk),
                                    dx + x_plane(d, n, c));
    free(dyp);
}

void ref_conv_transpose2d_backward_filter(const struct ref_conv_transpose2d *d, const double *x,
                                          const double *dy, double *dw)
{
    struct ref_pad2d padding = padding_of(d);
    struct ref_window2d window = window_of(d);
    double *dyp = ref_array_zeros(d->n * d->k * yp_size(d));
    ref_pad2d_forward(&padding, dy, dyp);
    memset(dw, 0, (size_t)(d->c * (d->k / d->groups) * d->r * d->s) * sizeof *dw);
    for (int64_t n = 0; n < d->n; n++)
        for (int64_t c = 0; c < d->c; c++)
            for (int64_t gk = 0; gk < d->k / d->groups; gk++)
                ref_window2d_correlate(&window, dyp + yp_plane(d, n, c, gk), x + x_plane(d, n, c),
                                       dw + w_plane(d, c, gk));
    free(dyp);
}

void ref_conv_transpose2d_backward_bias(const struct ref_conv_transpose2d *d, const double *dy,
                                        double *db)
{
    int64_t plane = ref_conv_transpose2d_p(d) * ref_conv_transpose2d_q(d);
    memset(db, 0, (size_t)d->k * sizeof *db);
    for (int64_t i = 0; i < d->n * d->k * plane; i++)
        db[i / plane % d->k] += dy[i];
}
