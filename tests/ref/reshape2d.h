/* Steps that move the elements of planes without arithmetic: dilate, downsample, pad, flip.
 * Arrays are [planes, h, w] in C order; a NCHW tensor has N*C planes. Outputs are overwritten. */
#ifndef CLG_REF_RESHAPE2D_H
#define CLG_REF_RESHAPE2D_H

#include <stdint.h>

struct ref_stride2d {
    int64_t planes, h, w; /* of x */
    int64_t stride_h, stride_w;
};

/* stride - 1 zeros between neighbours: y[a*stride_h, b*stride_w] = x[a, b], other elements 0.
 * y is [planes, (h-1)*stride_h + 1, (w-1)*stride_w + 1]. */
void ref_dilate2d(const struct ref_stride2d *p, const double *x, double *y);
int64_t ref_dilate2d_size(int64_t size, int64_t stride);

/* Every stride-th element: y[a, b] = x[a*stride_h, b*stride_w].
 * y is [planes, ceil(h/stride_h), ceil(w/stride_w)]. */
void ref_downsample2d(const struct ref_stride2d *p, const double *x, double *y);
int64_t ref_downsample2d_size(int64_t size, int64_t stride);

/* Each plane turned by 180 degrees: y[a, b] = x[h-1-a, w-1-b]. */
void ref_flip2d(int64_t planes, int64_t h, int64_t w, const double *x, double *y);

/* What lies outside of a plane of size n at index i, as in torch.nn.functional.pad. */
enum ref_pad_mode {
    REF_PAD_ZEROS,
    REF_PAD_CONSTANT,  /* the pad value */
    REF_PAD_REFLECT,   /* c b a b c b a: mirrored, the edge not repeated */
    REF_PAD_REPLICATE, /* a a a b c c c: the nearest element */
    REF_PAD_CIRCULAR   /* b c a b c a b: periodic */
};

struct ref_pad2d {
    int64_t planes, h, w; /* of x */
    int64_t top, left, bottom, right;
    enum ref_pad_mode mode;
    double value; /* with REF_PAD_CONSTANT */
};

/* The index in [0, size) that element i in (-inf, inf) copies, or -1 for the pad value. */
int64_t ref_pad2d_index(enum ref_pad_mode mode, int64_t i, int64_t size);

/* y[a, b] = x[index(a - top), index(b - left)], y [planes, top + h + bottom, left + w + right]. */
void ref_pad2d_forward(const struct ref_pad2d *p, const double *x, double *y);

/* dx = the sum of dy over all elements of y that copied it; dy as y, dx [planes, h, w]. */
void ref_pad2d_backward(const struct ref_pad2d *p, const double *dy, double *dx);

#endif
