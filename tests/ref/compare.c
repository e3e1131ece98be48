#include "ref/compare.h"

#include <math.h>

/* |out - ref|; infinite where no finite error makes sense: NaN, or a missed infinity. */
static double error_of(float out, double ref)
{
    double got = (double)out;
    if (got == ref)
        return 0;
    double error = fabs(got - ref);
    return isnan(error) ? INFINITY : error;
}

static struct ref_error measure(const float *out, const double *ref, int64_t n)
{
    struct ref_error e = {.first_bad = -1};
    double error_squares = 0, ref_squares = 0;
    for (int64_t i = 0; i < n; i++) {
        double error = error_of(out[i], ref[i]);
        error_squares += error * error;
        e.max_abs = fmax(e.max_abs, error);
        if (isfinite(ref[i])) {
            ref_squares += ref[i] * ref[i];
            e.max_ref = fmax(e.max_ref, fabs(ref[i]));
        }
    }
    e.rel_l2 = error_squares == 0 ? 0 : sqrt(error_squares) / sqrt(ref_squares);
    return e;
}

/* The first index whose error exceeds the limit, or -1. */
static int64_t first_above(const float *out, const double *ref, int64_t n, double limit)
{
    for (int64_t i = 0; i < n; i++)
        if (error_of(out[i], ref[i]) > limit)
            return i;
    return -1;
}

static int64_t largest_error(const float *out, const double *ref, int64_t n)
{
    int64_t largest = 0;
    for (int64_t i = 1; i < n; i++)
        if (error_of(out[i], ref[i]) > error_of(out[largest], ref[largest]))
            largest = i;
    return largest;
}

struct ref_error ref_compare(const float *out, const double *ref, int64_t n, double rel_l2_tol,
                             double abs_tol)
{
    struct ref_error e = measure(out, ref, n);
    e.first_bad = first_above(out, ref, n, abs_tol * fmax(1, e.max_ref));
    if (e.first_bad < 0 && !(e.rel_l2 <= rel_l2_tol))
        e.first_bad = largest_error(out, ref, n);
    e.passed = e.first_bad < 0;
    if (!e.passed) {
        e.got = (double)out[e.first_bad];
        e.want = ref[e.first_bad];
    }
    return e;
}

struct ref_error ref_compare_exact(const float *out, const double *ref, int64_t n)
{
    struct ref_error e = measure(out, ref, n);
    e.first_bad = first_above(out, ref, n, 0);
    e.passed = e.first_bad < 0;
    if (!e.passed) {
        e.got = (double)out[e.first_bad];
        e.want = ref[e.first_bad];
    }
    return e;
}
