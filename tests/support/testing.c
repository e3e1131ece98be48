#include "support/testing.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>

static clg_context *shared;

clg_context *testing_context(void)
{
    if (!shared) {
        /* PoCL goes on behind a division by zero, the host's too; here it fails the test. */
        void (*handler)(int) = signal(SIGFPE, SIG_DFL);
        OK(clg_context_create(NULL, &shared));
        signal(SIGFPE, handler);
    }
    return shared;
}

bool testing_small(void)
{
    const char *small = getenv("CLGRAD_TEST_SMALL");
    return small && *small && strcmp(small, "0") != 0;
}

bool testing_interpreted(void)
{
    const char *small = getenv("CLGRAD_TEST_SMALL");
    return small && strcmp(small, "2") == 0;
}

int testing_teardown(void **state)
{
    (void)state;
    clg_context_destroy(shared);
    shared = NULL;
    return 0;
}

void testing_ok(clg_status status, const char *call, const char *file, int line)
{
    if (status == CLG_OK)
        return;
    print_error("%s:\n  %s: %s\n", call, clg_status_name(status), clg_last_error());
    _fail(file, line);
}

void testing_fails(clg_status expected, const char *part, clg_status status, const char *call,
                   const char *file, int line)
{
    if (status == expected && strstr(clg_last_error(), part))
        return;
    print_error("%s:\n  expected %s with \"%s\"\n  got      %s with \"%s\"\n", call,
                clg_status_name(expected), part, clg_status_name(status),
                status == CLG_OK ? "" : clg_last_error());
    _fail(file, line);
}

clg_tensor *testing_tensor(const clg_tensor_desc *desc, const float *host)
{
    clg_tensor *tensor;
    OK(clg_tensor_create(testing_context(), desc, &tensor));
    if (host)
        OK(clg_tensor_upload(tensor, host, NULL));
    else if (desc->type == CLG_FLOAT32)
        OK(clg_tensor_fill(tensor, NAN, NULL));
    return tensor;
}

clg_tensor *testing_labels(int64_t n, const int32_t *host)
{
    clg_tensor_desc desc = {CLG_INT32, CLG_NCHW, 1, {n}};
    clg_tensor *tensor;
    OK(clg_tensor_create(testing_context(), &desc, &tensor));
    OK(clg_tensor_upload(tensor, host, NULL));
    return tensor;
}

/* Where logical element i (C order over N C H W) lies in the tensor's memory. */
static int64_t place(const clg_tensor_desc *desc, int64_t i)
{
    if (desc->layout != CLG_NHWC)
        return i;
    int64_t channels = desc->dims[1], plane = desc->dims[2] * desc->dims[3];
    int64_t n = i / (channels * plane), c = i / plane % channels, at = i % plane;
    return (n * plane + at) * channels + c;
}

clg_tensor *testing_tensor_from(const clg_tensor_desc *desc, const double *host)
{
    int64_t count;
    OK(clg_tensor_desc_count(desc, &count));
    float *data = ref_array_float_zeros(count);
    for (int64_t i = 0; i < count; i++)
        data[place(desc, i)] = (float)host[i];
    clg_tensor *tensor = testing_tensor(desc, data);
    free(data);
    return tensor;
}

float *testing_download(const clg_tensor *tensor)
{
    int64_t count = clg_tensor_count(tensor);
    float *raw = ref_array_float_zeros(count);
    float *data = ref_array_float_zeros(count);
    OK(clg_tensor_download(tensor, raw, NULL));
    for (int64_t i = 0; i < count; i++)
        data[i] = raw[place(clg_tensor_get_desc(tensor), i)];
    free(raw);
    return data;
}

double *testing_uniform(int64_t n, uint64_t seed)
{
    double *data = ref_array_zeros(n);
    struct ref_random random = {seed};
    ref_random_fill_uniform(&random, data, n);
    return data;
}

double *testing_integers(int64_t n, int64_t m, uint64_t seed)
{
    double *data = ref_array_zeros(n);
    struct ref_random random = {seed};
    ref_random_fill_integers(&random, m, data, n);
    return data;
}

static void report(const char *label, const struct ref_error *error)
{
    if (error->passed)
        return;
    print_error("%s: index %lld is %.9g, expected %.9g (relative L2 error %.3g, largest error "
                "%.3g)\n",
                label, (long long)error->first_bad, error->got, error->want, error->rel_l2,
                error->max_abs);
    fail();
}

void testing_expect_close_tol(const char *label, const clg_tensor *tensor, const double *reference,
                              double rel_l2, double abs)
{
    float *data = testing_download(tensor);
    struct ref_error error = ref_compare(data, reference, clg_tensor_count(tensor), rel_l2, abs);
    free(data);
    report(label, &error);
}

void testing_expect_close(const char *label, const clg_tensor *tensor, const double *reference)
{
    testing_expect_close_tol(label, tensor, reference, REF_REL_L2_TOL, REF_ABS_TOL);
}

void testing_expect_exact(const char *label, const clg_tensor *tensor, const double *reference)
{
    float *data = testing_download(tensor);
    struct ref_error error = ref_compare_exact(data, reference, clg_tensor_count(tensor));
    free(data);
    report(label, &error);
}

void testing_expect_same_bits(const char *label, const clg_tensor *a, const clg_tensor *b)
{
    assert_int_equal(clg_tensor_count(a), clg_tensor_count(b));
    float *left = testing_download(a), *right = testing_download(b);
    for (int64_t i = 0; i < clg_tensor_count(a); i++)
        if (memcmp(&left[i], &right[i], sizeof left[i]) != 0) {
            print_error("%s: index %lld is %.9g and %.9g\n", label, (long long)i, (double)left[i],
                        (double)right[i]);
            fail();
        }
    free(left);
    free(right);
}
