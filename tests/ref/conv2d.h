/* 2d convolution, which here is cross-correlation, as in every framework.
 *
 *   y[n,k,p,q] = b[k] + sum over c,r,s of
 *                xp[n, c, p*stride_h + r*dilation_h, q*stride_w + s*dilation_w] * w[k,c,r,s]
 *
 * with xp the padded x, and c running over the C/groups channels of filter k's group.
 * x, dx [N,C,H,W]; w, dw [K,C/groups,R,S]; b, db [K]; y, dy [N,K,P,Q]. Outputs are overwritten. */
#ifndef CLG_REF_CONV2D_H
#define CLG_REF_CONV2D_H

#include "ref/reshape2d.h"

#include <stdint.h>

struct ref_conv2d {
    int64_t n, c, h, w; /* x */
    int64_t k, r, s;    /* filters and their window */
    int64_t stride_h, stride_w;
    int64_t pad_top, pad_left, pad_bottom, pad_right;
    int64_t dilation_h, dilation_w; /* 1 is dense */
    int64_t groups;
    enum ref_pad_mode pad_mode;
    double pad_value; /* with REF_PAD_CONSTANT */
};

/* Output height P and width Q: floor((padded size - dilated window) / stride) + 1. */
int64_t ref_conv2d_p(const struct ref_conv2d *d);
int64_t ref_conv2d_q(const struct ref_conv2d *d);

/* b may be NULL. */
void ref_conv2d_forward(const struct ref_conv2d *d, const double *x, const double *w,
                        const double *b, double *y);

/* dxp[n, c, p*stride_h + r*dilation_h, q*stride_w + s*dilation_w] += dy[n,k,p,q] * w[k,c,r,s];
 * dx is dxp with its padding folded back. */
void ref_conv2d_backward_data(const struct ref_conv2d *d, const double *w, const double *dy,
                              double *dx);

/* dw[k,c,r,s] = sum over n,p,q of
 *               dy[n,k,p,q] * xp[n, c, p*stride_h + r*dilation_h, q*stride_w + s*dilation_w] */
void ref_conv2d_backward_filter(const struct ref_conv2d *d, const double *x, const double *dy,
                                double *dw);

/* db[k] = sum over n,p,q of dy[n,k,p,q] */
void ref_conv2d_backward_bias(const struct ref_conv2d *d, const double *dy, double *db);

#endif
