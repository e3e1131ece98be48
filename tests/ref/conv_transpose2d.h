/* Transposed 2d convolution: the data gradient of a convolution with filters w, as a forward step.
 *
 *   yp[n, k, i*stride_h + r*dilation_h, j*stride_w + s*dilation_w] += x[n,c,i,j] * w[c,k,r,s]
 *   y = yp without its first and last pad_h rows and pad_w columns, plus b[k]
 *
 * out_pad adds rows and columns at the end. Channel c reaches the K/groups filters of its group.
 * x, dx [N,C,H,W]; w, dw [C,K/groups,R,S]; b, db [K]; y, dy [N,K,P,Q]. Outputs are overwritten. */
#ifndef CLG_REF_CONV_TRANSPOSE2D_H
#define CLG_REF_CONV_TRANSPOSE2D_H

#include <stdint.h>

struct ref_conv_transpose2d {
    int64_t n, c, h, w; /* x */
    int64_t k, r, s;    /* output channels and the window */
    int64_t stride_h, stride_w;
    int64_t pad_h, pad_w;
    int64_t out_pad_h, out_pad_w;
    int64_t dilation_h, dilation_w; /* 1 is dense */
    int64_t groups;
};

/* Output height P and width Q: (size-1)*stride - 2*pad + (window-1)*dilation + out_pad + 1. */
int64_t ref_conv_transpose2d_p(const struct ref_conv_transpose2d *d);
int64_t ref_conv_transpose2d_q(const struct ref_conv_transpose2d *d);

/* b may be NULL. */
void ref_conv_transpose2d_forward(const struct ref_conv_transpose2d *d, const double *x,
                                  const double *w, const double *b, double *y);

/* With dyp the dy padded by zeros on all sides, pad_h rows and pad_w columns:
 * dx[n,c,i,j] = sum over k,r,s of
 *               dyp[n, k, i*stride_h + r*dilation_h, j*stride_w + s*dilation_w] * w[c,k,r,s] */
void ref_conv_transpose2d_backward_data(const struct ref_conv_transpose2d *d, const double *w,
                                        const double *dy, double *dx);

/* dw[c,k,r,s] = sum over n,i,j of
 *               x[n,c,i,j] * dyp[n, k, i*stride_h + r*dilation_h, j*stride_w + s*dilation_w] */
void ref_conv_transpose2d_backward_filter(const struct ref_conv_transpose2d *d, const double *x,
                                          const double *dy, double *dw);

/* db[k] = sum over n,p,q of dy[n,k,p,q] */
void ref_conv_transpose2d_backward_bias(const struct ref_conv_transpose2d *d, const double *dy,
                                        double *db);

#endif
