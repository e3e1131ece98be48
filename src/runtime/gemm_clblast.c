#include <stdlib.h>

/* The library's header is written for any OpenCL version; ours says which. */
#include "runtime/cl.h"

#include <clblast_c.h>

#include "runtime/cl_error.h"
#include "runtime/estimate.h"
#include "runtime/gemm_algorithms.h"
#include "runtime/loops.h"

/*
 * What CLBlast does, as far as it matters here. Products below a device-dependent size run as one
 * kernel ("direct"). Larger ones first copy operands that are transposed, not a multiple of the
 * tile or not at offset 0 into one temporary buffer, and C out of it afterwards. Its kernels are
 * compiled at the first call in an OpenCL context and kept for later ones.
 */

/* X(code, name, status) for the codes that are not OpenCL's own. */
#define CLBLAST_ERROR_LIST(X)                                                                      \
    X(CLBlastNotImplemented, UNSUPPORTED)                                                          \
    X(CLBlastInvalidMatrixA, INTERNAL_ERROR)                                                       \
    X(CLBlastInvalidMatrixB, INTERNAL_ERROR)                                                       \
    X(CLBlastInvalidMatrixC, INTERNAL_ERROR)                                                       \
    X(CLBlastInvalidDimension, INTERNAL_ERROR)                                                     \
    X(CLBlastInvalidLeadDimA, INTERNAL_ERROR)                                                      \
    X(CLBlastInvalidLeadDimB, INTERNAL_ERROR)                                                      \
    X(CLBlastInvalidLeadDimC, INTERNAL_ERROR)                                                      \
    X(CLBlastInsufficientMemoryA, INVALID_ARGUMENT)                                                \
    X(CLBlastInsufficientMemoryB, INVALID_ARGUMENT)                                                \
    X(CLBlastInsufficientMemoryC, INVALID_ARGUMENT)                                                \
    X(CLBlastInsufficientMemoryTemp, INTERNAL_ERROR)                                               \
    X(CLBlastInvalidBatchCount, INTERNAL_ERROR)                                                    \
    X(CLBlastInvalidLocalMemUsage, UNSUPPORTED)                                                    \
    X(CLBlastDatabaseError, UNSUPPORTED)                                                           \
    X(CLBlastUnknownError, OPENCL_ERROR)                                                           \
    X(CLBlastUnexpectedError, OPENCL_ERROR)

static clg_status fail_clblast(CLBlastStatusCode code, const char *call)
{
    static const struct {
        CLBlastStatusCode code;
        clg_status status;
        const char *name;
    } errors[] = {
#define CLBLAST_ERROR_ROW(code, status) {code, CLG_##status, #code},
        CLBLAST_ERROR_LIST(CLBLAST_ERROR_ROW)
#undef CLBLAST_ERROR_ROW
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == code)
            return clg__fail(errors[i].status, "%s: %s (%d)", call, errors[i].name, (int)code);
    return clg__fail_cl((cl_int)code, call);
}

#define TRY_CLBLAST(code, call)                                                                    \
    do {                                                                                           \
        CLBlastStatusCode try_code_ = (code);                                                      \
        if (try_code_ != CLBlastSuccess)                                                           \
            return fail_clblast(try_code_, call);                                                  \
    } while (0)

static CLBlastTranspose transposed(bool yes)
{
    return yes ? CLBlastTransposeYes : CLBlastTransposeNo;
}

/* Bytes of CLBlast's temporary buffer at worst, which is when no matrix begins its object; 0: the
 * product is a direct one. */
static clg_status temporary_bytes(const struct clg__gemm_problem *p, cl_command_queue queue,
                                  size_t *bytes)
{
    TRY_CLBLAST(CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, transposed(p->transpose_a),
                                           transposed(p->transpose_b), (size_t)p->m, (size_t)p->n,
                                           (size_t)p->k, 1, (size_t)p->lda, 1, (size_t)p->ldb, 1,
                                           (size_t)p->ldc, &queue, bytes),
                "CLBlastSGemmTempBufferSize");
    return CLG_OK;
}

/* ---- Estimates ---- */

/* CLBlast's tiles are at most 128 by 128 by 32 elements, and it unrolls k at most 16-fold. */
enum { LARGEST_TILE = 128, MANY_FLOP = 1 << 27 };

/* On a GPU: what a call takes, and each element of a sum when there is nothing else to do, as it
 * never cuts k. */
#define CALL_SECONDS 2e-5
#define PRODUCT_SECONDS 5e-8

static size_t padded(int size)
{
    return ((size_t)size + LARGEST_TILE - 1) / LARGEST_TILE * LARGEST_TILE;
}

/* CLBlast's kernels index with ints, over a batch and inside its temporary buffer too. */
static bool fits_int(const struct clg__gemm_problem *p)
{
    double m = (double)padded(p->m), n = (double)padded(p->n), k = (double)padded(p->k);
    int64_t stride = p->stride_a > p->stride_b ? p->stride_a : p->stride_b;
    stride = stride > p->stride_c ? stride : p->stride_c;
    return m * k + k * n + m * n <= INT32_MAX && (double)stride * p->batch <= INT32_MAX;
}

static bool supports(const void *problem, const clg_device_info *device, const char **why_not)
{
    if (!fits_int(problem)) {
        *why_not = "CLBlast indexes with 32 bits";
        return false;
    }
    if (device->max_work_group_size < 64) {
        *why_not = "the device's work-groups are too small";
        return false;
    }
    *why_not = CLG__LOOPS_END_EARLY;
    return clg__loops_fit(device, CLG__GEMM_LOOPS * ((const struct clg__gemm_problem *)problem)->k);
}

/* At most: without asking the device, which takes a queue. */
static size_t workspace(const void *problem, const clg_device_info *device)
{
    const struct clg__gemm_problem *p = problem;
    size_t m = padded(p->m), n = padded(p->n), k = padded(p->k);
    return (m * k + k * n + m * n) * sizeof(float) + device->buffer_alignment;
}

static double cost(const void *problem, const clg_device_info *device)
{
    const struct clg__gemm_problem *p = problem;
    bool gpu = device->family == CLG_FAMILY_GPU;
    double flop = 2.0 * p->m * p->n * p->k;
    bool direct = flop < MANY_FLOP;
    /* The tuned kernels keep vectors of work-items busy; a CPU runs those one after the other, and
     * whole tiles of them. */
    double fraction = !gpu ? 0.1 : direct ? 0.1 : 0.25;
    if (!gpu)
        flop = 2.0 * ((p->m + 63) / 64 * 64.0) * ((p->n + 63) / 64 * 64.0) * p->k;
    double launches = direct ? 1 : 4.0 * p->batch;
    double waiting = gpu ? (CALL_SECONDS + PRODUCT_SECONDS * p->k) * (direct ? 1 : p->batch) : 0;
    return waiting + flop * p->batch / (clg__device_peak_flops(device) * fraction) +
           (launches + (p->bias != CLG__GEMM_NO_BIAS)) * CLG__LAUNCH_SECONDS;
}

/* ---- One call ---- */

struct matrices {
    struct clg__mem a, b, c;
    cl_mem temporary; /* NULL for a direct product */
};

static clg_status multiply(const struct clg__gemm_problem *p, const struct matrices *at,
                           bool accumulate, cl_command_queue queue, cl_event *event)
{
    TRY_CLBLAST(CLBlastSgemmWithTempBuffer(
                    CLBlastLayoutRowMajor, transposed(p->transpose_a), transposed(p->transpose_b),
                    (size_t)p->m, (size_t)p->n, (size_t)p->k, p->alpha, at->a.object,
                    at->a.offset / sizeof(float), (size_t)p->lda, at->b.object,
                    at->b.offset / sizeof(float), (size_t)p->ldb, accumulate ? 1.0f : 0.0f,
                    at->c.object, at->c.offset / sizeof(float), (size_t)p->ldc, &queue, event,
                    at->temporary),
                "CLBlastSgemmWithTempBuffer");
    return CLG_OK;
}

/* A batch of direct products is one launch, and needs no temporary buffer either. */
static clg_status multiply_batch(const struct clg__gemm_problem *p, const struct matrices *at,
                                 bool accumulate, cl_command_queue queue, cl_event *event)
{
    TRY_CLBLAST(CLBlastSgemmStridedBatched(
                    CLBlastLayoutRowMajor, transposed(p->transpose_a), transposed(p->transpose_b),
                    (size_t)p->m, (size_t)p->n, (size_t)p->k, p->alpha, at->a.object,
                    at->a.offset / sizeof(float), (size_t)p->lda, (size_t)p->stride_a, at->b.object,
                    at->b.offset / sizeof(float), (size_t)p->ldb, (size_t)p->stride_b,
                    accumulate ? 1.0f : 0.0f, at->c.object, at->c.offset / sizeof(float),
                    (size_t)p->ldc, (size_t)p->stride_c, (size_t)p->batch, &queue, event),
                "CLBlastSgemmStridedBatched");
    return CLG_OK;
}

/* The batch; the event is that of the last launch. */
static clg_status multiply_all(const struct clg__gemm_problem *p, const struct matrices *at,
                               bool accumulate, cl_command_queue queue, cl_event *event)
{
    if (p->batch > 1 && !at->temporary)
        return multiply_batch(p, at, accumulate, queue, event);
    for (int i = 0; i < p->batch; i++) {
        const struct matrices one = {clg__mem_at(at->a, (size_t)(i * p->stride_a) * sizeof(float)),
                                     clg__mem_at(at->b, (size_t)(i * p->stride_b) * sizeof(float)),
                                     clg__mem_at(at->c, (size_t)(i * p->stride_c) * sizeof(float)),
                                     at->temporary};
        CLG__TRY(multiply(p, &one, accumulate, queue, i == p->batch - 1 ? event : NULL));
    }
    return CLG_OK;
}

/* ---- Warming up: the first call in a context compiles, and that must not happen in a run ---- */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* The flags of `p` on other sizes, with gaps between rows where `p` has some. */
static struct clg__gemm_problem resized(const struct clg__gemm_problem *p, int m, int n, int k)
{
    struct clg__gemm_problem twin = clg__gemm_dense(m, n, k, p->transpose_a, p->transpose_b);
    twin.lda += p->lda > (p->transpose_a ? p->m : p->k);
    twin.ldb += p->ldb > (p->transpose_b ? p->k : p->n);
    twin.ldc += p->ldc > p->n;
    return twin;
}

/* A product that takes the same kernels as `p`, which is direct or not, and takes little time. */
static clg_status small_twin(const struct clg__gemm_problem *p, bool direct, cl_command_queue queue,
                             struct clg__gemm_problem *twin)
{
    if (direct) {
        *twin = resized(p, smaller(p->m, 8), smaller(p->n, 8), smaller(p->k, 8));
        twin->batch = smaller(p->batch, 2);
        twin->stride_a = twin->stride_b = 0;
        twin->stride_c = (int64_t)twin->m * twin->ldc;
        return CLG_OK;
    }
    for (int side = LARGEST_TILE; side <= 4096; side *= 2) {
        size_t bytes;
        *twin = resized(p, side + p->m % LARGEST_TILE, side + p->n % LARGEST_TILE,
                        side + p->k % LARGEST_TILE);
        CLG__TRY(temporary_bytes(twin, queue, &bytes));
        if (bytes > 0)
            return CLG_OK;
    }
    *twin = *p;
    twin->batch = 1;
    return CLG_OK;
}

static clg_status create_zeros(cl_context cl, cl_command_queue queue, size_t bytes, cl_mem *mem)
{
    static const cl_float zero = 0;
    cl_int code;
    *mem = clCreateBuffer(cl, CL_MEM_READ_WRITE, bytes, NULL, &code);
    CLG__TRY_CL(code, "clCreateBuffer");
    CLG__TRY_CL(
        clEnqueueFillBuffer(queue, *mem, &zero, sizeof zero, 0, bytes / 4 * 4, 0, NULL, NULL),
        "clEnqueueFillBuffer");
    return CLG_OK;
}

/* Runs the twin in memory of its own and waits for it. */
static clg_status warm_up(clg_context *ctx, const struct clg__gemm_problem *p, bool direct,
                          cl_command_queue queue)
{
    struct clg__gemm_problem twin;
    CLG__TRY(small_twin(p, direct, queue, &twin));
    size_t a = (size_t)(twin.transpose_a ? twin.k : twin.m) * (size_t)twin.lda;
    size_t b = (size_t)(twin.transpose_b ? twin.n : twin.k) * (size_t)twin.ldb;
    size_t c = (size_t)twin.m * (size_t)twin.ldc * (size_t)twin.batch;
    cl_mem memory = NULL, temporary = NULL;
    clg_status status = create_zeros(ctx->cl, queue, (a + b + c) * sizeof(float), &memory);
    if (status == CLG_OK && !direct)
        status = create_zeros(ctx->cl, queue, workspace(&twin, &ctx->info), &temporary);
    const struct matrices at = {
        {memory, 0}, {memory, a * sizeof(float)}, {memory, (a + b) * sizeof(float)}, temporary};
    /* Accumulating takes one kernel more than overwriting, which reads no C. */
    if (status == CLG_OK)
        status = multiply_all(&twin, &at, true, queue, NULL);
    cl_int code = clFinish(queue);
    if (status == CLG_OK && code != CL_SUCCESS)
        status = clg__fail_cl(code, "clFinish");
    if (temporary)
        clReleaseMemObject(temporary);
    if (memory)
        clReleaseMemObject(memory);
    return status;
}

/* ---- The algorithm ---- */

struct state {
    clg_context *ctx;
    const struct clg__gemm_problem *problem;
    size_t temporary;         /* bytes; 0: none */
    struct clg__kernel *fill; /* puts the bias into C; NULL without a bias */
    /* The workspace of the last run as CLBlast takes it, when it did not begin its object. */
    struct clg__mem place;
    cl_mem sub_buffer;
};

static void release(void *opaque)
{
    struct state *state = opaque;
    if (state->sub_buffer)
        clReleaseMemObject(state->sub_buffer);
    clg__kernel_destroy(state->fill);
    free(state);
}

static clg_status compile_on(struct state *state, cl_command_queue queue)
{
    const struct clg__gemm_problem *p = state->problem;
    CLG__TRY(temporary_bytes(p, queue, &state->temporary));
    if (state->temporary + state->ctx->info.buffer_alignment > workspace(p, &state->ctx->info))
        return clg__fail(CLG_UNSUPPORTED,
                         "CLBlast wants %zu bytes of temporary memory, more than was expected",
                         state->temporary);
    CLG__TRY(warm_up(state->ctx, p, state->temporary == 0, queue));
    return p->bias == CLG__GEMM_NO_BIAS ? CLG_OK
                                        : clg__gemm_finish_create(state->ctx, &state->fill);
}

/* On a queue of its own: the context's may be busy with the scratch buffer, and it may be the
 * caller's, which is not for clgrad to finish. */
static clg_status compile(struct state *state)
{
    cl_int code;
    cl_command_queue queue = clCreateCommandQueue(state->ctx->cl, state->ctx->device, 0, &code);
    CLG__TRY_CL(code, "clCreateCommandQueue");
    clg_status status = compile_on(state, queue);
    clReleaseCommandQueue(queue);
    return status;
}

static clg_status prepare(clg_context *ctx, const void *problem, void **out)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return clg__fail_alloc("a CLBlast product");
    state->ctx = ctx;
    state->problem = problem;
    clg_status status = compile(state);
    if (status != CLG_OK) {
        release(state);
        return status;
    }
    *out = state;
    return CLG_OK;
}

/* CLBlast takes an object without an offset. A sub-buffer must begin where the device wants it,
 * which workspace() leaves room for, and cannot be part of a sub-buffer. */
static clg_status temporary_in(struct state *state, struct clg__mem mem, cl_mem *temporary)
{
    *temporary = NULL;
    if (state->temporary == 0)
        return CLG_OK;
    if (mem.offset == 0) {
        *temporary = mem.object;
        return CLG_OK;
    }
    if (!state->sub_buffer || state->place.object != mem.object ||
        state->place.offset != mem.offset) {
        cl_mem parent = NULL;
        size_t start = 0;
        CLG__TRY_CL(clGetMemObjectInfo(mem.object, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof parent,
                                       &parent, NULL),
                    "clGetMemObjectInfo");
        if (parent)
            CLG__TRY_CL(clGetMemObjectInfo(mem.object, CL_MEM_OFFSET, sizeof start, &start, NULL),
                        "clGetMemObjectInfo");
        size_t alignment = state->ctx->info.buffer_alignment;
        start += mem.offset;
        if (alignment > 0)
            start = (start + alignment - 1) / alignment * alignment;
        const cl_buffer_region region = {start, state->temporary};
        cl_int code;
        cl_mem sub = clCreateSubBuffer(parent ? parent : mem.object, CL_MEM_READ_WRITE,
                                       CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
        CLG__TRY_CL(code, "clCreateSubBuffer");
        if (state->sub_buffer)
            clReleaseMemObject(state->sub_buffer);
        state->sub_buffer = sub;
        state->place = mem;
    }
    *temporary = state->sub_buffer;
    return CLG_OK;
}

static clg_status check_offsets(const struct clg__gemm_problem *p, const struct matrices *at)
{
    const size_t offsets[] = {at->a.offset, at->b.offset, at->c.offset};
    const int64_t strides[] = {p->stride_a, p->stride_b, p->stride_c};
    for (int i = 0; i < 3; i++) {
        int64_t last = (int64_t)(offsets[i] / sizeof(float)) + strides[i] * p->batch;
        if (last > INT32_MAX)
            return clg__fail(CLG_TOO_LARGE,
                             "CLBlast indexes with 32 bits, matrix %c begins at element %lld of "
                             "its object",
                             "ABC"[i], (long long)last);
    }
    return CLG_OK;
}

static clg_status enqueue(void *opaque, struct clg__stream *stream,
                          const struct clg__operands *operands)
{
    struct state *state = opaque;
    struct matrices at = {operands->in[0], operands->in[1], operands->out[0], NULL};
    CLG__TRY(check_offsets(state->problem, &at));
    CLG__TRY(temporary_in(state, operands->workspace, &at.temporary));
    bool with_bias = state->fill && operands->in[2].object;
    if (with_bias)
        CLG__TRY(clg__gemm_finish_enqueue(state->fill, stream, state->problem, operands,
                                          (struct clg__mem){NULL, 0}, 0, false));
    cl_event before, last = NULL;
    CLG__TRY(clg__stream_enter(stream, &before));
    clg_status status = multiply_all(state->problem, &at, operands->accumulate || with_bias,
                                     stream->queue, stream->profiling ? &last : NULL);
    clg_status recorded = clg__stream_record(stream, "clblast_gemm", before, last);
    return status != CLG_OK ? status : recorded;
}

const struct clg__algorithm clg__gemm_clblast = {
    .name = "clblast",
    .exact = true,
    .supports = supports,
    .workspace = workspace,
    .cost = cost,
    .prepare = prepare,
    .enqueue = enqueue,
    .release = release,
};
