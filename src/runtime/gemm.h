/*
 * Matrix products, C = alpha op(A) op(B) + bias + (C or 0), for one matrix or a batch of them:
 * the only way to CLBlast, and an own implementation where that is faster or where it fails.
 *
 *     struct clg__gemm_problem problem = clg__gemm_dense(m, n, k, false, true);
 *     CLG__TRY(clg__gemm_create(ctx, &problem, NULL, 0, &gemm));      (plan's create)
 *     ... clg__gemm_workspace(gemm) bytes for clg__stream_begin ...
 *     CLG__TRY(clg__gemm_enqueue(gemm, &stream, &operands));          (plan's run)
 */
#ifndef CLG_RUNTIME_GEMM_H
#define CLG_RUNTIME_GEMM_H

#include "runtime/algorithm.h"

enum clg__gemm_bias {
    CLG__GEMM_NO_BIAS,
    CLG__GEMM_BIAS_COLUMNS, /* n values, one for each column of C */
    CLG__GEMM_BIAS_ROWS     /* m values, one for each row of C */
};

/*
 * float32 matrices in C order: op(A) has m rows and k columns, op(B) k and n, C m and n. A
 * transposed operand is stored the other way round: A as k rows of m elements, B as n rows of k.
 * Leading dimensions and strides count elements. The bias is the same for the whole batch.
 */
struct clg__gemm_problem {
    int m, n, k;
    bool transpose_a, transpose_b;
    int lda, ldb, ldc; /* from one stored row to the next, at least a row's length */
    int batch;         /* how many products, at least 1 */
    /* From one matrix of the batch to the next. 0 for A or B: all products share it. The C's must
     * not overlap. */
    int64_t stride_a, stride_b, stride_c;
    float alpha;
    enum clg__gemm_bias bias;
    bool relu; /* see clg__gemm_fuses_relu */
};

/* One product of matrices without gaps, alpha 1, no bias. */
struct clg__gemm_problem clg__gemm_dense(int m, int n, int k, bool transpose_a, bool transpose_b);

/* The algorithms, preferred first, the one that takes everything and needs no workspace last.
 * Operands: out C; in A, B, the bias, which a run may leave out (a NULL object). Without
 * `accumulate` C is not read. Matrices may begin at any float of an object; C must not overlap the
 * inputs. */
extern const struct clg__algorithm *const clg__gemm_algorithms[];

struct clg__gemm;

/* For `workspace_limit`: an algorithm that needs none. */
#define CLG__GEMM_NO_WORKSPACE ((size_t)1)

/*
 * Checks, selects and compiles. algorithm: a name from the table; NULL: choose. workspace_limit:
 * bytes; 0: what the device can allocate. *gemm is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (a size, stride or leading dimension that does not fit, no algorithm
 * of that name), CLG_TOO_LARGE (a matrix of 2^31 elements or more), those of clg__select.
 */
clg_status clg__gemm_create(clg_context *ctx, const struct clg__gemm_problem *problem,
                            const char *algorithm, size_t workspace_limit, struct clg__gemm **gemm);
void clg__gemm_destroy(struct clg__gemm *gemm); /* NULL is allowed */

const char *clg__gemm_algorithm(const struct clg__gemm *gemm); /* its name */

/* Whether the algorithm makes C = max(C, 0) at last, a NaN for a NaN, if the problem asks for relu;
 * where it does not, the caller has to. */
bool clg__gemm_fuses_relu(const struct clg__gemm *gemm);

/* Whether the algorithm also gives the sums of op(A)'s rows, m values in out[1], when that is not
 * NULL; `accumulate` holds for them, too. For a single product. */
bool clg__gemm_sums_a(const struct clg__gemm *gemm);

/* Bytes of operands.workspace. Memory at the very start of an OpenCL object serves best: CLBlast
 * takes an object without an offset, for another place a sub-buffer is made at the first run. */
size_t clg__gemm_workspace(const struct clg__gemm *gemm);

/* Enqueues the product; operands as in the table. Errors: OpenCL's and CLBlast's failures. */
clg_status clg__gemm_enqueue(struct clg__gemm *gemm, struct clg__stream *stream,
                             const struct clg__operands *operands);

/*
 * For algorithms of other operations that contain a product: estimated seconds and the bytes of
 * workspace of the algorithm that clg__gemm_create would try first (or of the named one). A product
 * created with that many bytes as its limit, CLG__GEMM_NO_WORKSPACE if they are 0, is never
 * refused for its workspace. Both are infinite or SIZE_MAX for an unknown name or a problem that
 * the named algorithm refuses.
 */
double clg__gemm_cost(const struct clg__gemm_problem *problem, const clg_device_info *device,
                      const char *algorithm, size_t *workspace);

#endif
