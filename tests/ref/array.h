/* Arrays for references and tests. Sizes count elements. Out of memory aborts: this is test code.
 */
#ifndef CLG_REF_ARRAY_H
#define CLG_REF_ARRAY_H

#include <stdint.h>

/* n zeros; the caller frees them. Never NULL, also for n = 0. */
double *ref_array_zeros(int64_t n);
float *ref_array_float_zeros(int64_t n);

/* A double copy of n floats (exact) and a float copy of n doubles (rounded); the caller frees. */
double *ref_array_widen(const float *x, int64_t n);
float *ref_array_narrow(const double *x, int64_t n);

#endif
