#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "runtime/gemm.h"
#include "runtime/tensor.h"

/* ---- Contexts: the kernels of both families on the one device ---- */

enum { NUM_FAMILIES = 2 };
static const char *const families[NUM_FAMILIES] = {"cpu", "gpu"};
static clg_context *contexts[NUM_FAMILIES];

static int make_contexts(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_FAMILIES; i++) {
        setenv("CLGRAD_FAMILY", families[i], 1);
        if (clg_context_create(NULL, &contexts[i]) != CLG_OK)
            return -1;
    }
    unsetenv("CLGRAD_FAMILY");
    return 0;
}

static int drop_contexts(void **state)
{
    (void)state;
    for (int i = 0; i < NUM_FAMILIES; i++)
        clg_context_destroy(contexts[i]);
    return 0;
}

/* ---- Cases ---- */

struct shape {
    int m, n, k, batch;
    int gap;    /* elements between the rows of every matrix, and between the matrices of a batch */
    int offset; /* elements before the first matrix */
    float alpha;
    bool share_a; /* the batch's products have the same A */
};

static const struct shape shapes[] = {
    {1, 1, 1, 1, 0, 0, 1, false},      {1, 10, 64, 1, 0, 0, 1, false},
    {10, 1, 33, 1, 0, 3, 1, false},    {6, 64, 16, 1, 0, 0, 1, false},
    {7, 65, 17, 1, 0, 0, 2, false},    {5, 3, 300, 1, 2, 5, -1, false},
    {64, 10, 84, 1, 0, 0, 1, false},   {100, 33, 50, 1, 3, 1, 0.5f, false},
    {31, 130, 257, 1, 0, 0, 1, false}, {3, 5, 7, 4, 0, 0, 1, false},
    {17, 20, 31, 3, 5, 7, 1, false},   {9, 70, 19, 5, 1, 0, 2, true},
    {4, 6, 1100, 1, 0, 0, 1, false},   {20, 30, 600, 2, 3, 4, 0.5f, false},
    {130, 70, 40, 1, 0, 0, 1, false},  {65, 17, 5, 2, 0, 2, 1, false},
};

static struct clg__gemm_problem problem_of(const struct shape *s, bool transpose_a,
                                           bool transpose_b, enum clg__gemm_bias bias)
{
    struct clg__gemm_problem p = clg__gemm_dense(s->m, s->n, s->k, transpose_a, transpose_b);
    p.lda += s->gap;
    p.ldb += s->gap;
    p.ldc += s->gap;
    p.batch = s->batch;
    p.stride_a = s->share_a ? 0 : (int64_t)(transpose_a ? p.k : p.m) * p.lda + s->gap;
    p.stride_b = (int64_t)(transpose_b ? p.n : p.k) * p.ldb + s->gap;
    p.stride_c = (int64_t)p.m * p.ldc + s->gap;
    p.alpha = s->alpha;
    p.bias = bias;
    return p;
}

/* Host copies of the matrices with all their gaps, as floats hold them exactly. */
struct data {
    int64_t size_a, size_b, size_c, size_bias;
    double *a, *b, *c, *bias;
    double *want; /* C afterwards */
};

static void reference(const struct clg__gemm_problem *p, const struct data *d, int offset,
                      bool accumulate)
{
    memcpy(d->want, d->c, (size_t)d->size_c * sizeof *d->want);
    for (int i = 0; i < p->batch; i++) {
        const double *a = d->a + offset + i * p->stride_a, *b = d->b + offset + i * p->stride_b;
        double *c = d->want + offset + i * p->stride_c;
        for (int y = 0; y < p->m; y++)
            for (int x = 0; x < p->n; x++) {
                double sum = 0;
                for (int z = 0; z < p->k; z++)
                    sum += (p->transpose_a ? a[z * p->lda + y] : a[y * p->lda + z]) *
                           (p->transpose_b ? b[x * p->ldb + z] : b[z * p->ldb + x]);
                double *to = &c[y * p->ldc + x];
                *to = p->alpha * sum + (accumulate ? *to : 0);
                if (p->bias)
                    *to += d->bias[offset + (p->bias == CLG__GEMM_BIAS_ROWS ? y : x)];
            }
    }
}

/* Poison and sentinels: without `accumulate` what the product writes is NaN before, the gaps hold
 * 77 before and after. */
static void prepare_c(const struct clg__gemm_problem *p, struct data *d, int offset,
                      bool accumulate)
{
    double *values = testing_integers(d->size_c, 4, 5);
    for (int64_t i = 0; i < d->size_c; i++)
        d->c[i] = 77;
    for (int i = 0; i < p->batch; i++)
        for (int y = 0; y < p->m; y++)
            for (int x = 0; x < p->n; x++) {
                int64_t at = offset + i * p->stride_c + (int64_t)y * p->ldc + x;
                d->c[at] = accumulate ? values[at] : (double)NAN;
            }
    free(values);
}

static struct data make_data(const struct clg__gemm_problem *p, int offset, bool accumulate,
                             double *(*random)(int64_t, uint64_t))
{
    struct data d = {
        .size_a = offset + (p->batch - 1) * p->stride_a +
                  (int64_t)(p->transpose_a ? p->k : p->m) * p->lda,
        .size_b = offset + (p->batch - 1) * p->stride_b +
                  (int64_t)(p->transpose_b ? p->n : p->k) * p->ldb,
        .size_c = offset + (p->batch - 1) * p->stride_c + (int64_t)p->m * p->ldc,
        .size_bias = offset + (p->m > p->n ? p->m : p->n),
    };
    d.a = random(d.size_a, 1);
    d.b = random(d.size_b, 2);
    d.bias = random(d.size_bias, 3);
    d.c = ref_array_zeros(d.size_c);
    d.want = ref_array_zeros(d.size_c);
    prepare_c(p, &d, offset, accumulate);
    reference(p, &d, offset, accumulate);
    return d;
}

static void free_data(struct data *d)
{
    free(d->a);
    free(d->b);
    free(d->bias);
    free(d->c);
    free(d->want);
}

static double *small_integers(int64_t n, uint64_t seed)
{
    return testing_integers(n, 3, seed);
}

/* ---- One run ---- */

static clg_buffer *upload(clg_context *ctx, const double *host, int64_t size)
{
    clg_buffer *buffer;
    float *data = ref_array_narrow(host, size);
    OK(clg_buffer_create(ctx, (size_t)size * 4, &buffer));
    OK(clg_buffer_upload(buffer, 0, (size_t)size * 4, data, NULL));
    free(data);
    return buffer;
}

static void run_on(clg_context *ctx, struct clg__gemm *gemm, const struct data *d, int offset,
                   const clg_run *run, float *out)
{
    clg_buffer *a = upload(ctx, d->a, d->size_a), *b = upload(ctx, d->b, d->size_b);
    clg_buffer *c = upload(ctx, d->c, d->size_c), *bias = upload(ctx, d->bias, d->size_bias);
    size_t skip = (size_t)offset * 4;
    struct clg__stream stream;
    OK(clg__stream_begin(&stream, ctx, run, clg__gemm_workspace(gemm)));
    const struct clg__operands operands = {
        .out = {clg__mem_at(clg__buffer_mem(c), skip)},
        .in = {clg__mem_at(clg__buffer_mem(a), skip), clg__mem_at(clg__buffer_mem(b), skip),
               clg__mem_at(clg__buffer_mem(bias), skip)},
        .workspace = stream.workspace,
        .accumulate = stream.accumulate,
    };
    OK(clg__stream_end(&stream, clg__gemm_enqueue(gemm, &stream, &operands)));
    OK(clg_context_finish(ctx));
    OK(clg_buffer_download(c, 0, (size_t)d->size_c * 4, out, NULL));
    clg_buffer_destroy(a);
    clg_buffer_destroy(b);
    clg_buffer_destroy(c);
    clg_buffer_destroy(bias);
}

static void expect(const char *label, const struct ref_error *error)
{
    if (error->passed)
        return;
    print_error("%s: element %lld of C's buffer is %.9g, expected %.9g (relative L2 error %.3g)\n",
                label, (long long)error->first_bad, error->got, error->want, error->rel_l2);
    fail();
}

/* Creates the product if the algorithm takes it. */
static struct clg__gemm *create(clg_context *ctx, const struct clg__gemm_problem *p,
                                const char *algorithm)
{
    struct clg__gemm *gemm;
    clg_status status = clg__gemm_create(ctx, p, algorithm, 0, &gemm);
    if (status == CLG_UNSUPPORTED) {
        assert_null(gemm);
        return NULL;
    }
    OK(status);
    return gemm;
}

static void check_exactly(int family, const char *algorithm, const struct shape *s,
                          const struct clg__gemm_problem *p, bool accumulate, int *done)
{
    struct clg__gemm *gemm = create(contexts[family], p, algorithm);
    if (!gemm)
        return;
    (*done)++;
    char label[160];
    snprintf(label, sizeof label,
             "%s, %s kernels, m %d n %d k %d batch %d gap %d%s%s, bias %d, accumulate %d",
             algorithm, families[family], s->m, s->n, s->k, s->batch, s->gap,
             p->transpose_a ? ", A transposed" : "", p->transpose_b ? ", B transposed" : "",
             (int)p->bias, accumulate);
    struct data d = make_data(p, s->offset, accumulate, small_integers);
    float *got = ref_array_float_zeros(d.size_c);
    clg_run run = {.accumulate = accumulate};
    run_on(contexts[family], gemm, &d, s->offset, &run, got);
    struct ref_error error = ref_compare_exact(got, d.want, d.size_c);
    expect(label, &error);
    free(got);
    free_data(&d);
    clg__gemm_destroy(gemm);
}

static void check_algorithm(int family, const char *algorithm, int *done)
{
    int turn = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int flags = 0; flags < 4; flags++, turn++) {
            if (testing_small() && shapes[i].m * shapes[i].n * shapes[i].k > 30000)
                continue;
            struct clg__gemm_problem p =
                problem_of(&shapes[i], flags & 1, flags & 2, (enum clg__gemm_bias)(turn % 3));
            check_exactly(family, algorithm, &shapes[i], &p, turn % 2, done);
            check_exactly(family, algorithm, &shapes[i], &p, !(turn % 2), done);
        }
}

static void every_algorithm_multiplies_integers_exactly(void **state)
{
    (void)state;
    const char *names[8];
    size_t count = clg__algorithm_names(clg__gemm_algorithms, names, 8);
    for (size_t i = 0; i < count; i++)
        for (int family = 0; family < NUM_FAMILIES; family++) {
            /* CLBlast does not know of our families, and compiles for seconds on a CPU. */
            bool same = strcmp(names[i], "clblast") == 0;
            if (same && (family > 0 || testing_small()))
                continue;
            int done = 0;
            check_algorithm(family, names[i], &done);
            assert_true(done > 0);
        }
}

/* ---- Sizes at which the algorithms change their ways ---- */

static void check_closely(int family, const char *algorithm, const struct shape *s, int flags)
{
    struct clg__gemm_problem p = problem_of(s, flags & 1, flags & 2, CLG__GEMM_BIAS_COLUMNS);
    struct clg__gemm *gemm = create(contexts[family], &p, algorithm);
    if (!gemm)
        return;
    struct data d = make_data(&p, s->offset, false, testing_uniform);
    float *got = ref_array_float_zeros(d.size_c);
    run_on(contexts[family], gemm, &d, s->offset, NULL, got);
    struct ref_error error = ref_compare(got, d.want, d.size_c, 1e-6, 1e-5);
    expect(algorithm, &error);
    free(got);
    free_data(&d);
    clg__gemm_destroy(gemm);
}

static void our_sums_keep_errors_small_however_long_they_are(void **state)
{
    (void)state;
    static const struct shape large[] = {
        {40, 70, 20000, 1, 0, 0, 1, false},
        {1, 1, 100000, 1, 0, 0, 1, false},
        {500, 70, 300, 1, 1, 1, 1, false},
    };
    if (testing_small())
        skip();
    for (int family = 0; family < NUM_FAMILIES; family++)
        for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
            for (int flags = 0; flags < 4; flags++) {
                check_closely(family, "tiled", &large[i], flags);
                check_closely(family, "tiled_split", &large[i], flags);
            }
}

/* CLBlast's second way, with a temporary buffer, at sizes that are and are not those of its tiles;
 * the workspace begins its object or does not. */
static void clblast_takes_its_temporary_memory_from_the_workspace(void **state)
{
    (void)state;
    static const struct shape large[] = {{920, 900, 910, 1, 0, 0, 1, false},
                                         {896, 896, 896, 1, 0, 0, 1, false},
                                         {910, 930, 897, 2, 1, 1, 1, true}};
    if (testing_small())
        skip();
    clg_context *ctx = contexts[0];
    for (int i = 0; i < 3; i++) {
        struct clg__gemm_problem p = problem_of(&large[i], i == 1, i != 1, CLG__GEMM_BIAS_ROWS);
        struct clg__gemm *gemm = create(ctx, &p, "clblast"), *own = create(ctx, &p, "tiled");
        if (!gemm)
            skip();
        const int64_t size = (int64_t)1 << 21;
        struct data d = {.size_a = size, .size_b = size, .size_c = size, .size_bias = 2000};
        d.a = small_integers(d.size_a, 1);
        d.b = small_integers(d.size_b, 2);
        d.c = small_integers(d.size_c, 3);
        d.bias = small_integers(d.size_bias, 4);
        float *got = ref_array_float_zeros(d.size_c), *want = ref_array_float_zeros(d.size_c);
        clg_run run = {.accumulate = i == 2};
        run_on(ctx, own, &d, 4 * i, &run, want);
        run_on(ctx, gemm, &d, 4 * i, &run, got);
        assert_memory_equal(got, want, (size_t)d.size_c * 4);

        clg_buffer *whole;
        size_t bytes = clg__gemm_workspace(gemm), offset;
        OK(clg_buffer_create(ctx, bytes + 20, &whole));
        cl_mem object = clg_buffer_cl_mem(whole, &offset);
        OK(clg_buffer_wrap(ctx, object, 20, bytes, &run.workspace));
        memset(got, 0, (size_t)d.size_c * 4);
        for (int twice = 0; twice < 2; twice++)
            run_on(ctx, gemm, &d, 4 * i, &run, got);
        assert_memory_equal(got, want, (size_t)d.size_c * 4);
        clg_buffer_destroy(run.workspace);
        clg_buffer_destroy(whole);
        clg__gemm_destroy(gemm);
        clg__gemm_destroy(own);
        free(got);
        free(want);
        free_data(&d);
    }
}

static void two_runs_give_the_same_bits(void **state)
{
    (void)state;
    const struct shape large = {40, 50, 2000, 2, 0, 0, 1, false};
    const struct shape small = {4, 5, 512, 2, 0, 0, 1, false};
    const struct shape shape = testing_small() ? small : large;
    struct clg__gemm_problem p = problem_of(&shape, true, true, CLG__GEMM_NO_BIAS);
    static const char *const names[] = {"tiled", "tiled_split"};
    for (int i = 0; i < 2 * NUM_FAMILIES; i++) {
        clg_context *ctx = contexts[i / 2];
        struct clg__gemm *gemm = create(ctx, &p, names[i % 2]);
        if (!gemm)
            continue;
        struct data d = make_data(&p, 0, false, testing_uniform);
        float *first = ref_array_float_zeros(d.size_c), *second = ref_array_float_zeros(d.size_c);
        run_on(ctx, gemm, &d, 0, NULL, first);
        run_on(ctx, gemm, &d, 0, NULL, second);
        assert_memory_equal(first, second, (size_t)d.size_c * 4);
        free(first);
        free(second);
        free_data(&d);
        clg__gemm_destroy(gemm);
    }
}

/* ---- Queues, profile, choice, errors ---- */

static void it_works_on_an_out_of_order_queue_and_is_profiled(void **state)
{
    (void)state;
    static const struct shape shape = {5, 30, 1100, 1, 0, 0, 1, false};
    cl_int code;
    cl_context cl = clg_context_cl_context(contexts[0]);
    cl_device_id device = clg_context_cl_device(contexts[0]);
    cl_command_queue queue = clCreateCommandQueue(
        cl, device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS)
        skip();
    clg_context_desc desc = {
        .profiling = true, .cl_context = cl, .cl_device = device, .cl_queue = queue};
    clg_context *ctx;
    OK(clg_context_create(&desc, &ctx));
    struct clg__gemm_problem p = problem_of(&shape, false, true, CLG__GEMM_BIAS_ROWS);
    const char *names[8];
    size_t count = clg__algorithm_names(clg__gemm_algorithms, names, 8);
    for (size_t i = 0; i < count; i++) {
        if (testing_small() && strcmp(names[i], "clblast") == 0)
            continue;
        struct clg__gemm *gemm = create(ctx, &p, names[i]);
        if (!gemm)
            continue;
        struct data d = make_data(&p, 0, false, small_integers);
        float *got = ref_array_float_zeros(d.size_c);
        OK(clg_profile_reset(ctx));
        run_on(ctx, gemm, &d, 0, NULL, got);
        struct ref_error error = ref_compare_exact(got, d.want, d.size_c);
        expect(names[i], &error);
        clg_profile_entry entries[4];
        size_t profiled;
        OK(clg_profile_read(ctx, entries, 4, &profiled));
        assert_true(profiled > 0);
        assert_true(entries[0].nanoseconds > 0);
        size_t library = 0; /* CLBlast's kernels together are one entry, not under their names */
        for (size_t j = 0; j < profiled; j++)
            library += strcmp(entries[j].name, "clblast_gemm") == 0;
        assert_int_equal(library, strcmp(names[i], "clblast") == 0);
        free(got);
        free_data(&d);
        clg__gemm_destroy(gemm);
    }
    clg_context_destroy(ctx);
    clReleaseCommandQueue(queue);
}

static void the_choice_keeps_to_the_workspace_limit_and_to_what_is_estimated(void **state)
{
    (void)state;
    static const struct shape shape = {8, 8, 4000, 1, 0, 0, 1, false};
    struct clg__gemm_problem p = problem_of(&shape, false, false, CLG__GEMM_NO_BIAS);
    /* The choice of GPU-like devices is CLBlast. */
    for (int family = 0; family < (testing_small() ? 1 : NUM_FAMILIES); family++) {
        struct clg__gemm *gemm;
        const clg_device_info *device = clg_context_device(contexts[family]);
        OK(clg__gemm_create(contexts[family], &p, NULL, CLG__GEMM_NO_WORKSPACE, &gemm));
        assert_string_equal(clg__gemm_algorithm(gemm), "tiled");
        assert_int_equal(clg__gemm_workspace(gemm), 0);
        clg__gemm_destroy(gemm);
        size_t bytes;
        assert_true(isfinite(clg__gemm_cost(&p, device, NULL, &bytes)));
        OK(clg__gemm_create(contexts[family], &p, NULL, bytes ? bytes : CLG__GEMM_NO_WORKSPACE,
                            &gemm));
        assert_true(clg__gemm_workspace(gemm) <= bytes);
        clg__gemm_destroy(gemm);
        assert_true(isinf(clg__gemm_cost(&p, device, "magic", &bytes)));
    }
    struct clg__gemm *gemm;
    OK(clg__gemm_create(contexts[0], &p, "tiled", 0, &gemm));
    clg__gemm_destroy(gemm);
    FAILS(CLG_INVALID_ARGUMENT, "it has: clblast, tiled_split, tiled",
          clg__gemm_create(contexts[0], &p, "magic", 0, &gemm));
    FAILS(CLG_UNSUPPORTED, "bytes of workspace, the limit is 1",
          clg__gemm_create(contexts[0], &p, "tiled_split", CLG__GEMM_NO_WORKSPACE, &gemm));
    assert_null(gemm);
}

static void bad_problems_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = contexts[0];
    const struct clg__gemm_problem good = clg__gemm_dense(2, 3, 4, false, false);
    struct clg__gemm_problem p = good;
    struct clg__gemm *gemm;
    p.k = 0;
    FAILS(CLG_INVALID_ARGUMENT, "k 0", clg__gemm_create(ctx, &p, NULL, 0, &gemm));
    assert_null(gemm);
    p = good;
    p.batch = 2;
    FAILS(CLG_INVALID_ARGUMENT, "same C", clg__gemm_create(ctx, &p, NULL, 0, &gemm));
    p = good;
    p.lda = 3;
    FAILS(CLG_INVALID_ARGUMENT, "rows of A are 3 apart and have 4",
          clg__gemm_create(ctx, &p, NULL, 0, &gemm));
    p = good;
    p.stride_b = -5;
    FAILS(CLG_INVALID_ARGUMENT, "stride of B is -5", clg__gemm_create(ctx, &p, NULL, 0, &gemm));
    p = good;
    p.ldc = 2147483647;
    FAILS(CLG_TOO_LARGE, "C spans 2147483650", clg__gemm_create(ctx, &p, NULL, 0, &gemm));
    p = good;
    p.alpha = NAN;
    FAILS(CLG_INVALID_ARGUMENT, "alpha is nan", clg__gemm_create(ctx, &p, NULL, 0, &gemm));
    p = good;
    p.bias = (enum clg__gemm_bias)9;
    FAILS(CLG_INVALID_ARGUMENT, "bias 9", clg__gemm_create(ctx, &p, NULL, 0, &gemm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_multiplies_integers_exactly),
        cmocka_unit_test(our_sums_keep_errors_small_however_long_they_are),
        cmocka_unit_test(clblast_takes_its_temporary_memory_from_the_workspace),
        cmocka_unit_test(two_runs_give_the_same_bits),
        cmocka_unit_test(it_works_on_an_out_of_order_queue_and_is_profiled),
        cmocka_unit_test(the_choice_keeps_to_the_workspace_limit_and_to_what_is_estimated),
        cmocka_unit_test(bad_problems_are_refused_with_the_numbers),
    };
    return cmocka_run_group_tests(tests, make_contexts, drop_contexts);
}
