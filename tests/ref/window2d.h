/* One plane and one filter window: the inner step of conv2d and conv_transpose2d.
 *
 * Output element (p, q) meets input element (p*stride_h + r*dilation_h, q*stride_w + s*dilation_w)
 * through weight (r, s). The input plane is already padded, so that every index is inside it.
 * All three functions add to their output. */
#ifndef CLG_REF_WINDOW2D_H
#define CLG_REF_WINDOW2D_H

#include <stdint.h>

struct ref_window2d {
    int64_t in_w;         /* row length of the input plane */
    int64_t out_h, out_w; /* output plane */
    int64_t r, s;         /* window */
    int64_t stride_h, stride_w;
    int64_t dilation_h, dilation_w;
};

/* out(p, q) += in(..) * w(r, s) */
void ref_window2d_gather(const struct ref_window2d *d, const double *in, const double *w,
                         double *out);

/* in(..) += out(p, q) * w(r, s), the transpose of gather */
void ref_window2d_scatter(const struct ref_window2d *d, const double *out, const double *w,
                          double *in);

/* w(r, s) += in(..) * out(p, q) */
void ref_window2d_correlate(const struct ref_window2d *d, const double *in, const double *out,
                            double *w);

#endif
