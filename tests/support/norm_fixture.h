/* What the tests of the three normalisations share: input on which statistics go wrong, and a
 * problem's tensors with the reference's results beside them. */
#ifndef CLG_TESTING_NORM_FIXTURE_H
#define CLG_TESTING_NORM_FIXTURE_H

#include "ref/norm.h"
#include "support/testing.h"

enum norm_data {
    NORM_DATA_UNIFORM,    /* in [-1, 1) */
    NORM_DATA_LARGE_MEAN, /* mean 1e4, deviation 1: squares around zero would cancel */
    NORM_DATA_TINY,       /* variance far below eps */
    NORM_DATA_OUTLIER,    /* the very first value is far from all others */
    NORM_DATA_COUNT
};

const char *norm_data_name(enum norm_data kind);

struct norm_fixture {
    clg_tensor_desc shape, gamma_shape;
    int64_t count, gamma_count;
    double *x, *dy, *gamma, *beta; /* gamma and beta NULL when the problem has none */
    clg_tensor *tx, *tdy, *tgamma, *tbeta;
    clg_tensor *y; /* poisoned, as the gradients */
    clg_norm_gradients grads;
    double *want_y; /* for the reference to fill */
    struct ref_norm_grads want;
};

struct norm_fixture norm_fixture_create(const clg_tensor_desc *shape,
                                        const clg_tensor_desc *gamma_shape, bool affine,
                                        enum norm_data kind);
void norm_fixture_destroy(struct norm_fixture *fixture);

/* Compare within the project's tolerance; a failure is reported as "<what> of <label>". */
void norm_expect(const char *label, const char *what, const clg_tensor *tensor, const double *want);
void norm_expect_y(const char *label, const struct norm_fixture *fixture);
void norm_expect_gradients(const char *label, const struct norm_fixture *fixture);

/* y and the gradients of both have the same bits. */
void norm_expect_same_bits(const struct norm_fixture *a, const struct norm_fixture *b);

#endif
