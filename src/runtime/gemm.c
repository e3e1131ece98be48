#include "runtime/gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "runtime/gemm_algorithms.h"

struct clg__gemm {
    clg_context *ctx;
    struct clg__gemm_problem problem;
    struct clg__instance instance;
};

const struct clg__algorithm *const clg__gemm_algorithms[] = {
    &clg__gemm_clblast, &clg__gemm_tiled_split, &clg__gemm_tiled, NULL};

struct clg__gemm_problem clg__gemm_dense(int m, int n, int k, bool transpose_a, bool transpose_b)
{
    return (struct clg__gemm_problem){
        .m = m,
        .n = n,
        .k = k,
        .transpose_a = transpose_a,
        .transpose_b = transpose_b,
        .lda = transpose_a ? m : k,
        .ldb = transpose_b ? k : n,
        .ldc = n,
        .batch = 1,
        .alpha = 1,
    };
}

/* A stored matrix; kernels index inside one with 32 bits. */
static clg_status check_matrix(const char *name, int rows, int columns, int ld, int64_t stride)
{
    if (ld < columns)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "matrix product: the rows of %s are %d apart and have %d elements", name,
                         ld, columns);
    if (stride < 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "matrix product: the stride of %s is %lld", name,
                         (long long)stride);
    int64_t elements = (int64_t)(rows - 1) * ld + columns;
    if (elements > INT32_MAX)
        return clg__fail(CLG_TOO_LARGE,
                         "matrix product: %s spans %lld elements, at most 2147483647 are possible",
                         name, (long long)elements);
    return CLG_OK;
}

static clg_status check_problem(const struct clg__gemm_problem *p)
{
    if (p->m < 1 || p->n < 1 || p->k < 1 || p->batch < 1)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "matrix product: m %d, n %d, k %d, batch %d: at least 1 is needed", p->m,
                         p->n, p->k, p->batch);
    if (p->batch > 1 && p->stride_c == 0)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "matrix product: %d products would be written to the same C", p->batch);
    if (!isfinite(p->alpha))
        return clg__fail(CLG_INVALID_ARGUMENT, "matrix product: alpha is %g", (double)p->alpha);
    if ((unsigned)p->bias > CLG__GEMM_BIAS_ROWS)
        return clg__fail(CLG_INVALID_ARGUMENT, "matrix product: bias %d is unknown", (int)p->bias);
    CLG__TRY(check_matrix("A", p->transpose_a ? p->k : p->m, p->transpose_a ? p->m : p->k, p->lda,
                          p->stride_a));
    CLG__TRY(check_matrix("B", p->transpose_b ? p->n : p->k, p->transpose_b ? p->k : p->n, p->ldb,
                          p->stride_b));
    return check_matrix("C", p->m, p->n, p->ldc, p->stride_c);
}

/* Bytes from the first element to behind the last one. */
static size_t span_of(int rows, int columns, int ld, int64_t stride, int batch)
{
    int64_t elements = (int64_t)(batch - 1) * stride + (int64_t)(rows - 1) * ld + columns;
    return (size_t)elements * sizeof(float);
}

enum { KEY_SIZE = 320, COMMAND_SIZE = 200 };

/* As far as times depend on it. alpha does not matter. */
static void describe(const struct clg__gemm_problem *p, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "m%dn%dk%d%s%s%s batch %d ld %d,%d,%d stride %lld,%lld,%lld", p->m,
             p->n, p->k, p->transpose_a ? " ta" : "", p->transpose_b ? " tb" : "",
             p->bias ? " bias" : "", p->batch, p->lda, p->ldb, p->ldc, (long long)p->stride_a,
             (long long)p->stride_b, (long long)p->stride_c);
}

/* The same, measured by the program; it takes matrices without gaps, one behind the other. */
static const char *write_command(const struct clg__gemm_problem *p, char text[COMMAND_SIZE])
{
    const struct clg__gemm_problem dense =
        clg__gemm_dense(p->m, p->n, p->k, p->transpose_a, p->transpose_b);
    bool shared_a = p->batch > 1 && p->stride_a == 0;
    bool gaps = p->lda != dense.lda || p->ldb != dense.ldb || p->ldc != dense.ldc;
    bool apart = p->batch > 1 &&
                 ((!shared_a && p->stride_a != (int64_t)p->m * p->k) ||
                  p->stride_b != (int64_t)p->k * p->n || p->stride_c != (int64_t)p->m * p->n);
    if (gaps || apart || p->bias == CLG__GEMM_BIAS_ROWS)
        return NULL;
    snprintf(text, COMMAND_SIZE, "clgrad bench gemm --m %d --n %d --k %d --batch %d%s%s%s%s", p->m,
             p->n, p->k, p->batch, p->transpose_a ? " --ta" : "", p->transpose_b ? " --tb" : "",
             shared_a ? " --shared-a" : "", p->bias ? " --bias" : "");
    return text;
}

static struct clg__subject subject_of(const struct clg__gemm_problem *p, const char *key,
                                      const char *repeat)
{
    struct clg__subject subject = {
        .key = key,
        .command = repeat,
        .flop = 2.0 * p->m * p->n * p->k * p->batch,
        .out = {span_of(p->m, p->n, p->ldc, p->stride_c, p->batch)},
        .in = {span_of(p->transpose_a ? p->k : p->m, p->transpose_a ? p->m : p->k, p->lda,
                       p->stride_a, p->batch),
               span_of(p->transpose_b ? p->n : p->k, p->transpose_b ? p->k : p->n, p->ldb,
                       p->stride_b, p->batch),
               p->bias == CLG__GEMM_NO_BIAS
                   ? 0
                   : (size_t)(p->bias == CLG__GEMM_BIAS_ROWS ? p->m : p->n) * sizeof(float)},
    };
    subject.bytes = (double)subject.out[0] + (double)subject.in[0] + (double)subject.in[1];
    return subject;
}

clg_status clg__gemm_create(clg_context *ctx, const struct clg__gemm_problem *problem,
                            const char *algorithm, size_t workspace_limit, struct clg__gemm **out)
{
    *out = NULL;
    CLG__TRY(check_problem(problem));
    struct clg__gemm *gemm = calloc(1, sizeof *gemm);
    if (!gemm)
        return clg__fail_alloc("a matrix product");
    gemm->ctx = clg__context_retain(ctx);
    gemm->problem = *problem;
    const struct clg__variant variant = {.problem = &gemm->problem};
    char key[KEY_SIZE], repeat[COMMAND_SIZE];
    describe(problem, key);
    const struct clg__subject subject = subject_of(problem, key, write_command(problem, repeat));
    const struct clg__selection selection = {
        .what = "matrix product",
        .table = clg__gemm_algorithms,
        .variants = &variant,
        .num_variants = 1,
        .name = algorithm,
        .workspace_limit = workspace_limit,
        .subject = &subject,
    };
    clg_status status = clg__select(ctx, &selection, &gemm->instance);
    if (status != CLG_OK) {
        clg__gemm_destroy(gemm);
        return status;
    }
    *out = gemm;
    return CLG_OK;
}

void clg__gemm_destroy(struct clg__gemm *gemm)
{
    if (!gemm)
        return;
    clg__instance_release(&gemm->instance);
    clg_context_destroy(gemm->ctx);
    free(gemm);
}

const char *clg__gemm_algorithm(const struct clg__gemm *gemm)
{
    return gemm->instance.algorithm->name;
}

bool clg__gemm_fuses_relu(const struct clg__gemm *gemm)
{
    return gemm->instance.algorithm->fuses_relu;
}

bool clg__gemm_sums_a(const struct clg__gemm *gemm)
{
    return gemm->instance.algorithm->sums_bias && gemm->ctx->info.family == CLG_FAMILY_CPU &&
           gemm->problem.batch == 1;
}

size_t clg__gemm_workspace(const struct clg__gemm *gemm)
{
    return gemm->instance.workspace;
}

clg_status clg__gemm_enqueue(struct clg__gemm *gemm, struct clg__stream *stream,
                             const struct clg__operands *operands)
{
    return gemm->instance.algorithm->enqueue(gemm->instance.state, stream, operands);
}

double clg__gemm_cost(const struct clg__gemm_problem *problem, const clg_device_info *device,
                      const char *algorithm, size_t *workspace)
{
    double least = INFINITY;
    *workspace = SIZE_MAX;
    for (size_t i = 0; clg__gemm_algorithms[i]; i++) {
        const struct clg__algorithm *candidate = clg__gemm_algorithms[i];
        const char *why;
        if ((algorithm && strcmp(algorithm, candidate->name) != 0) ||
            !candidate->supports(problem, device, &why))
            continue;
        double seconds = candidate->cost(problem, device);
        if (seconds < least) {
            least = seconds;
            *workspace = candidate->workspace ? candidate->workspace(problem, device) : 0;
        }
    }
    return least;
}
