/* What every device test needs: a context, tensors from host data, comparisons that say where. */
#ifndef CLG_TESTING_H
#define CLG_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clgrad/clgrad.h"
#include "ref/array.h"
#include "ref/compare.h"
#include "ref/random.h"

/* The context that the tests of one program share, on the default device; made at the first call.
 * CLGRAD_TEST_SMALL=1 in the environment says that the device is very slow (an interpreter, a
 * software rasteriser): testing_small() is then true, and tests leave out their large problems.
 * CLGRAD_TEST_SMALL=2 says that something checks each access of the kernels: testing_interpreted()
 * is then true as well, and tests leave out repetitions that take the same way with other numbers.
 */
clg_context *testing_context(void);
bool testing_small(void);
bool testing_interpreted(void);
/* Releases it; for cmocka's group teardown. */
int testing_teardown(void **state);

/* Fails the test with clg_last_error when a call did not return CLG_OK. */
#define OK(call) testing_ok((call), #call, __FILE__, __LINE__)
void testing_ok(clg_status status, const char *call, const char *file, int line);

/* Fails the test unless the call returns `expected` and its message contains `part`. */
#define FAILS(expected, part, call)                                                                \
    testing_fails((expected), (part), (call), #call, __FILE__, __LINE__)
void testing_fails(clg_status expected, const char *part, clg_status status, const char *call,
                   const char *file, int line);

/* A tensor with the data of `host` (in the tensor's own layout), or poisoned with NaN if NULL. */
clg_tensor *testing_tensor(const clg_tensor_desc *desc, const float *host);
clg_tensor *testing_labels(int64_t n, const int32_t *host);
/* A float32 tensor from logical N C H W (C order) doubles; converts the layout if it is NHWC. */
clg_tensor *testing_tensor_from(const clg_tensor_desc *desc, const double *host);
/* The tensor's elements in logical (C) order; free() it. */
float *testing_download(const clg_tensor *tensor);

/* Random doubles whose values floats hold exactly: uniform in [-1, 1), or integers in [-m, m]. */
double *testing_uniform(int64_t n, uint64_t seed);
double *testing_integers(int64_t n, int64_t m, uint64_t seed);

/* Compare with a reference in logical order: within the project's tolerance, or exactly equal. A
 * failure prints `label` (algorithm and problem), the first bad index and both values. */
void testing_expect_close(const char *label, const clg_tensor *tensor, const double *reference);
void testing_expect_close_tol(const char *label, const clg_tensor *tensor, const double *reference,
                              double rel_l2, double abs);
void testing_expect_exact(const char *label, const clg_tensor *tensor, const double *reference);
/* Both tensors hold the same bits. */
void testing_expect_same_bits(const char *label, const clg_tensor *a, const clg_tensor *b);

#endif
