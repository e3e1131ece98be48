/* How far a float32 result may be from its double-precision reference. */
#ifndef CLG_REF_COMPARE_H
#define CLG_REF_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

/* The project's tolerances; pass them unless a test has a reason of its own. */
#define REF_REL_L2_TOL 1e-5
#define REF_ABS_TOL 1e-4

struct ref_error {
    double rel_l2;     /* ||out - ref|| / ||ref||; 0 when both are 0 */
    double max_abs;    /* max |out - ref| */
    double max_ref;    /* max |ref| */
    int64_t first_bad; /* index of the element to show; -1 when passed */
    double got, want;  /* out and ref there */
    bool passed;
};

/* Passes when ||out - ref|| <= rel_l2_tol ||ref|| and max |out - ref| <= abs_tol max(1, max |ref|).
 * A NaN in either array fails. An infinite reference must be met exactly and counts in no norm.
 * first_bad is the first element that breaks the second rule, or the one with the largest error
 * when only the first rule is broken. */
struct ref_error ref_compare(const float *out, const double *ref, int64_t n, double rel_l2_tol,
                             double abs_tol);

/* Passes when every out[i] equals ref[i] as a number; for small-integer data. */
struct ref_error ref_compare_exact(const float *out, const double *ref, int64_t n);

#endif
