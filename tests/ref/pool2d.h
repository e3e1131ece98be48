/* Max and average pooling over windows of size_h x size_w taps, as in PyTorch.
 *
 * Tap (r, s) of output (p, q) is x[n, c, p*stride_h - pad_h + r*dilation_h,
 *                                        q*stride_w - pad_w + s*dilation_w], or padding.
 * x, dx [N,C,H,W]; y, dy [N,C,P,Q]. Outputs are overwritten. */
#ifndef CLG_REF_POOL2D_H
#define CLG_REF_POOL2D_H

#include <stdbool.h>
#include <stdint.h>

struct ref_pool2d {
    int64_t n, c, h, w;
    int64_t size_h, size_w;
    int64_t stride_h, stride_w;
    int64_t pad_h, pad_w;
    int64_t dilation_h, dilation_w; /* 1 is dense */
    bool count_include_pad;         /* avg: divide by the whole window, padding counted */
};

/* P and Q: floor((size + 2*pad - dilated window) / stride) + 1. */
int64_t ref_pool2d_p(const struct ref_pool2d *d);
int64_t ref_pool2d_q(const struct ref_pool2d *d);

/* y = the largest tap; padding never wins (a window of nothing but padding gives -inf); a NaN tap
 * gives NaN. */
void ref_pool2d_max_forward(const struct ref_pool2d *d, const double *x, double *y);

/* dx = the sum of dy over the windows in which the element is the first largest, in row-major
 * order of the taps; a NaN counts as the largest, the last of several. */
void ref_pool2d_max_backward(const struct ref_pool2d *d, const double *x, const double *dy,
                             double *dx);

/* y = sum of the taps inside x / divisor; the divisor is size_h*size_w with count_include_pad, the
 * number of taps inside x without. A window of nothing but padding gives 0. */
void ref_pool2d_avg_forward(const struct ref_pool2d *d, const double *x, double *y);

/* dx = the sum of dy / divisor over the windows that hold the element. */
void ref_pool2d_avg_backward(const struct ref_pool2d *d, const double *dy, double *dx);

#endif
