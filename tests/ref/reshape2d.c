#include "ref/reshape2d.h"

#include <stdlib.h>
#include <string.h>

int64_t ref_dilate2d_size(int64_t size, int64_t stride)
{
    return (size - 1) * stride + 1;
}

void ref_dilate2d(const struct ref_stride2d *p, const double *x, double *y)
{
    int64_t out_h = ref_dilate2d_size(p->h, p->stride_h);
    int64_t out_w = ref_dilate2d_size(p->w, p->stride_w);
    memset(y, 0, (size_t)(p->planes * out_h * out_w) * sizeof *y);
    for (int64_t plane = 0; plane < p->planes; plane++)
        for (int64_t a = 0; a < p->h; a++)
            for (int64_t b = 0; b < p->w; b++)
                y[(plane * out_h + a * p->stride_h) * out_w + b * p->stride_w] =
                    x[(plane * p->h + a) * p->w + b];
}

int64_t ref_downsample2d_size(int64_t size, int64_t stride)
{
    return (size + stride - 1) / stride;
}

void ref_downsample2d(const struct ref_stride2d *p, const double *x, double *y)
{
    int64_t out_h = ref_downsample2d_size(p->h, p->stride_h);
    int64_t out_w = ref_downsample2d_size(p->w, p->stride_w);
    for (int64_t plane = 0; plane < p->planes; plane++)
        for (int64_t a = 0; a < out_h; a++)
            for (int64_t b = 0; b < out_w; b++)
                y[(plane * out_h + a) * out_w + b] =
                    x[(plane * p->h + a * p->stride_h) * p->w + b * p->stride_w];
}

void ref_flip2d(int64_t planes, int64_t h, int64_t w, const double *x, double *y)
{
    for (int64_t plane = 0; plane < planes; plane++)
        for (int64_t a = 0; a < h; a++)
            for (int64_t b = 0; b < w; b++)
                y[(plane * h + a) * w + b] = x[(plane * h + h - 1 - a) * w + w - 1 - b];
}

/* The remainder in [0, m), also for a negative i. */
static int64_t modulo(int64_t i, int64_t m)
{
    return ((i % m) + m) % m;
}

int64_t ref_pad2d_index(enum ref_pad_mode mode, int64_t i, int64_t size)
{
    if (i >= 0 && i < size)
        return i;
    switch (mode) {
    case REF_PAD_REFLECT: {
        if (size == 1)
            return 0;
        int64_t period = 2 * (size - 1);
        int64_t j = modulo(i, period);
        return j < size ? j : period - j;
    }
    case REF_PAD_REPLICATE:
        return i < 0 ? 0 : size - 1;
    case REF_PAD_CIRCULAR:
        return modulo(i, size);
    case REF_PAD_ZEROS:
    case REF_PAD_CONSTANT:
        break;
    }
    return -1;
}

/* For each index of a padded axis the index it copies, or -1. The caller frees. */
static int64_t *axis_map(enum ref_pad_mode mode, int64_t before, int64_t size, int64_t after)
{
    int64_t padded = before + size + after;
    int64_t *map = malloc((size_t)(padded > 0 ? padded : 1) * sizeof *map);
    if (!map)
        abort();
    for (int64_t i = 0; i < padded; i++)
        map[i] = ref_pad2d_index(mode, i - before, size);
    return map;
}

void ref_pad2d_forward(const struct ref_pad2d *p, const double *x, double *y)
{
    int64_t out_h = p->top + p->h + p->bottom, out_w = p->left + p->w + p->right;
    int64_t *row = axis_map(p->mode, p->top, p->h, p->bottom);
    int64_t *column = axis_map(p->mode, p->left, p->w, p->right);
    double value = p->mode == REF_PAD_CONSTANT ? p->value : 0;
    for (int64_t plane = 0; plane < p->planes; plane++)
        for (int64_t a = 0; a < out_h; a++)
            for (int64_t b = 0; b < out_w; b++)
                y[(plane * out_h + a) * out_w + b] =
                    row[a] < 0 || column[b] < 0 ? value
                                                : x[(plane * p->h + row[a]) * p->w + column[b]];
    free(row);
    free(column);
}

void ref_pad2d_backward(const struct ref_pad2d *p, const double *dy, double *dx)
{
    int64_t out_h = p->top + p->h + p->bottom, out_w = p->left + p->w + p->right;
    int64_t *row = axis_map(p->mode, p->top, p->h, p->bottom);
    int64_t *column = axis_map(p->mode, p->left, p->w, p->right);
    memset(dx, 0, (size_t)(p->planes * p->h * p->w) * sizeof *dx);
    for (int64_t plane = 0; plane < p->planes; plane++)
        for (int64_t a = 0; a < out_h; a++)
            for (int64_t b = 0; b < out_w; b++)
                if (row[a] >= 0 && column[b] >= 0)
                    dx[(plane * p->h + row[a]) * p->w + column[b]] +=
                        dy[(plane * out_h + a) * out_w + b];
    free(row);
    free(column);
}
