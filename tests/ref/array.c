#include "ref/array.h"

#include <stdlib.h>

static void *zeros(int64_t n, size_t size)
{
    void *array = calloc(n > 0 ? (size_t)n : 1, size);
    if (!array)
        abort();
    return array;
}

double *ref_array_zeros(int64_t n)
{
    return zeros(n, sizeof(double));
}

float *ref_array_float_zeros(int64_t n)
{
    return zeros(n, sizeof(float));
}

double *ref_array_widen(const float *x, int64_t n)
{
    double *copy = ref_array_zeros(n);
    for (int64_t i = 0; i < n; i++)
        copy[i] = (double)x[i];
    return copy;
}

float *ref_array_narrow(const double *x, int64_t n)
{
    float *copy = ref_array_float_zeros(n);
    for (int64_t i = 0; i < n; i++)
        copy[i] = (float)x[i];
    return copy;
}
