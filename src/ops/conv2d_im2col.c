/*
 * Convolution as a matrix product: im2col writes every window of an image as a column, a product
 * with the filter does the rest; kernels in im2col.cl, products by runtime/gemm.h. `im2col` takes
 * the product that the device likes best, `im2col_clblast` always CLBlast's. A 1x1 convolution
 * without stride and padding is a product as it stands. Works on chunks of images, so that the
 * matrix stays small. Source: Chellapilla, Puri and Simard, "High performance convolutional neural
 * networks for document processing", 2006.
 */
#include "ops/conv2d_problem.h"

#include "base/error.h"
#include "ops/conv2d_cost.h"
#include "runtime/gemm.h"

struct sizes {
    int filters, channels; /* of one group */
    int window, pixels;    /* taps of a window, outputs of a plane */
    bool pointwise;        /* the image is its own matrix */
    int64_t matrix;        /* elements of one image's matrix, all groups */
    int chunk;             /* images whose matrices exist at a time */
};

static struct sizes sizes_of(const struct conv2d_args *a)
{
    enum { MATRIX_FLOATS = 8 * 1024 * 1024 };
    struct sizes z = {
        .filters = a->k / a->groups,
        .channels = a->c / a->groups,
        .window = a->r * a->s,
        .pixels = a->p * a->q,
        .pointwise = a->r == 1 && a->s == 1 && a->stride_h == 1 && a->stride_w == 1 &&
                     a->pad_top == 0 && a->pad_left == 0 && a->p == a->h && a->q == a->w,
    };
    z.matrix = (int64_t)a->c * z.window * z.pixels;
    int64_t fits = MATRIX_FLOATS / z.matrix;
    z.chunk = fits < 1 ? 1 : fits > a->n ? a->n : (int)fits;
    return z;
}

/* The product of one group for `images` images at once; the filter gradient takes one. */
static struct clg__gemm_problem product(const struct conv2d_args *a, const struct sizes *z,
                                        clg_conv2d_direction direction, int images)
{
    const int rows = z->channels * z->window;
    const int64_t of_y = (int64_t)a->k * z->pixels;
    struct clg__gemm_problem p;
    if (direction == CLG_CONV2D_FORWARD) {
        p = clg__gemm_dense(z->filters, z->pixels, rows, false, false);
        p.stride_a = 0;
        p.stride_b = z->matrix;
        p.stride_c = of_y;
        p.bias = CLG__GEMM_BIAS_ROWS;
    } else if (direction == CLG_CONV2D_BACKWARD_DATA) {
        p = clg__gemm_dense(rows, z->pixels, z->filters, true, false);
        p.stride_a = 0;
        p.stride_b = of_y;
        p.stride_c = z->matrix;
    } else {
        return clg__gemm_dense(z->filters, rows, z->pixels, false, true);
    }
    p.batch = images;
    return p;
}

static size_t gemm_bytes(const struct conv2d_args *a, const struct sizes *z,
                         clg_conv2d_direction direction, const clg_device_info *device,
                         const char *gemm)
{
    struct clg__gemm_problem p = product(a, z, direction, z->chunk);
    size_t bytes;
    clg__gemm_cost(&p, device, gemm, &bytes);
    return (bytes + 255) / 256 * 256;
}

static bool supports_with(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device, const char **why_not, const char *gemm)
{
    struct sizes z = sizes_of(a);
    if (!clg__conv2d_meets(a, device, CLG__NCHW_ONLY, why_not))
        return false;
    *why_not = "the matrix of one image has 2^31 elements or more";
    if (z.matrix > INT32_MAX)
        return false;
    struct clg__gemm_problem p = product(a, &z, direction, z.chunk);
    size_t bytes;
    *why_not = "the matrix product refuses";
    return clg__gemm_cost(&p, device, gemm, &bytes) < 1e30;
}

static size_t workspace_with(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device, const char *gemm)
{
    struct sizes z = sizes_of(a);
    size_t matrices = z.pointwise ? 0 : (size_t)z.matrix * (size_t)z.chunk * sizeof(float);
    return gemm_bytes(a, &z, direction, device, gemm) + matrices;
}

/* Bytes that take as long to move as one element of the matrix takes to make or to add up. On GPUs
 * it is written and read again; on CPUs the product reads it from a cache, and the runs of a row's
 * columns take their time to begin, or, with a stride, go element by element. */
static double moved_bytes(const struct conv2d_args *a, clg_conv2d_direction direction,
                          const clg_device_info *device)
{
    /* On GPUs the divisions of an element's index take more than its bytes. */
    if (device->family != CLG_FAMILY_CPU)
        return direction == CLG_CONV2D_BACKWARD_DATA ? 24 : 36;
    double bytes = (4 + 80.0 / a->q) * (a->stride_w > 1 ? 3 : 1);
    return direction == CLG_CONV2D_BACKWARD_DATA ? 2 * bytes : bytes;
}

static double cost_with(const struct conv2d_args *a, clg_conv2d_direction direction,
                        const clg_device_info *device, const char *gemm)
{
    struct sizes z = sizes_of(a);
    struct clg__gemm_problem p = product(a, &z, direction, z.chunk);
    bool filter = direction == CLG_CONV2D_BACKWARD_FILTER;
    double products = a->groups * (filter ? a->n : (double)a->n / z.chunk);
    size_t bytes;
    double seconds = products * clg__gemm_cost(&p, device, gemm, &bytes);
    /* Panels of x and dy are copied before they are multiplied: on CPUs memory's time adds up. */
    if (device->family == CLG_FAMILY_CPU)
        seconds += (double)(clg__conv2d_x_count(a) + clg__conv2d_y_count(a)) * sizeof(float) /
                   clg__device_bandwidth(device);
    if (!z.pointwise)
        seconds += moved_bytes(a, direction, device) * (double)z.matrix * a->n /
                   clg__device_bandwidth(device);
    return seconds;
}

struct state {
    struct clg__kernels kernels; /* im2col or col2im; none for a product as it stands */
    const struct conv2d_args *args;
    clg_conv2d_direction direction;
    struct sizes sizes;
    struct clg__gemm *full, *rest; /* for a full chunk of images and for what is left */
    bool runs;                     /* the kernel for CPU-like devices */
    size_t matrix_at;              /* bytes, in the workspace */
};

static void release(void *pointer)
{
    struct state *state = pointer;
    clg__gemm_destroy(state->full);
    clg__gemm_destroy(state->rest);
    clg__prepared_release(state);
}

static clg_status create_product(clg_context *ctx, const struct state *s, int images,
                                 const char *gemm, struct clg__gemm **out)
{
    struct clg__gemm_problem p = product(s->args, &s->sizes, s->direction, images);
    return clg__gemm_create(ctx, &p, gemm, s->matrix_at ? s->matrix_at : CLG__GEMM_NO_WORKSPACE,
                            out);
}

static clg_status prepare_with(clg_context *ctx, const struct conv2d_args *a,
                               clg_conv2d_direction direction, void **out, const char *gemm)
{
    static const char *const names[2][2] = {{"im2col", "im2col_runs"}, {"col2im", "col2im_runs"}};
    const struct sizes z = sizes_of(a);
    const bool runs = ctx->info.family == CLG_FAMILY_CPU;
    const char *name = names[direction == CLG_CONV2D_BACKWARD_DATA][runs];
    const struct clg__kernel_spec kernel = {"im2col", z.pointwise ? NULL : name, ""};
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), &kernel, 1, out));
    struct state *s = *out;
    s->args = a;
    s->direction = direction;
    s->sizes = z;
    s->runs = runs;
    s->matrix_at = gemm_bytes(a, &z, direction, &ctx->info, gemm);
    const int rest = a->n % z.chunk;
    clg_status status;
    CLG__TRY_GOTO(create_product(ctx, s, z.chunk, gemm, &s->full));
    if (rest > 0)
        CLG__TRY_GOTO(create_product(ctx, s, rest, gemm, &s->rest));
    return CLG_OK;
fail:
    release(s);
    *out = NULL;
    return status;
}

static struct clg__mem floats_on(struct clg__mem mem, int64_t floats)
{
    return clg__mem_at(mem, (size_t)floats * sizeof(float));
}

/* Fills the matrices of `count` images from `first` on; or gives the images themselves. */
static clg_status gather(struct state *s, struct clg__stream *stream,
                         const struct clg__operands *op, int first, int count,
                         struct clg__mem *matrix)
{
    const struct conv2d_args *a = s->args;
    if (s->sizes.pointwise) {
        *matrix = floats_on(op->in[0], first * s->sizes.matrix);
        return CLG_OK;
    }
    *matrix = clg__mem_at(op->workspace, s->matrix_at);
    if (s->runs) {
        const struct clg__grid rows = {
            3, {(size_t)(a->r * a->s), (size_t)a->c, (size_t)count}, {1, 1, 1}};
        return CLG__LAUNCH(stream, s->kernels.at[0], rows, clg__arg_mem(*matrix),
                           clg__arg_mem(op->in[0]), clg__arg_struct(a, sizeof *a),
                           clg__arg_int(first));
    }
    return CLG__LAUNCH(stream, s->kernels.at[0],
                       clg__grid_many(&stream->ctx->info, count * s->sizes.matrix),
                       clg__arg_mem(*matrix), clg__arg_mem(op->in[0]),
                       clg__arg_struct(a, sizeof *a), clg__arg_int(first), clg__arg_int(count));
}

static clg_status forward_chunk(struct state *s, struct clg__stream *stream,
                                const struct clg__operands *op, int first, int count)
{
    const struct sizes *z = &s->sizes;
    struct clg__gemm *gemm = count == z->chunk ? s->full : s->rest;
    struct clg__mem matrix;
    CLG__TRY(gather(s, stream, op, first, count, &matrix));
    for (int g = 0; g < s->args->groups; g++) {
        struct clg__operands product = {
            .out = {floats_on(op->out[0],
                              ((int64_t)first * s->args->k + g * z->filters) * z->pixels)},
            .in = {floats_on(op->in[1], (int64_t)g * z->filters * z->channels * z->window),
                   floats_on(matrix, (int64_t)g * z->channels * z->window * z->pixels),
                   floats_on(op->in[2], (int64_t)g * z->filters)},
            .workspace = op->workspace,
            .accumulate = op->accumulate,
        };
        CLG__TRY(clg__gemm_enqueue(gemm, stream, &product));
    }
    return CLG_OK;
}

static clg_status backward_data_chunk(struct state *s, struct clg__stream *stream,
                                      const struct clg__operands *op, int first, int count)
{
    const struct conv2d_args *a = s->args;
    const struct sizes *z = &s->sizes;
    struct clg__gemm *gemm = count == z->chunk ? s->full : s->rest;
    struct clg__mem matrix = z->pointwise ? floats_on(op->out[0], first * z->matrix)
                                          : clg__mem_at(op->workspace, s->matrix_at);
    for (int g = 0; g < a->groups; g++) {
        struct clg__operands product = {
            .out = {floats_on(matrix, (int64_t)g * z->channels * z->window * z->pixels)},
            .in = {floats_on(op->in[1], (int64_t)g * z->filters * z->channels * z->window),
                   floats_on(op->in[0], ((int64_t)first * a->k + g * z->filters) * z->pixels)},
            .workspace = op->workspace,
            .accumulate = z->pointwise && op->accumulate,
        };
        CLG__TRY(clg__gemm_enqueue(gemm, stream, &product));
    }
    if (z->pointwise)
        return CLG_OK;
    if (s->runs) {
        const struct clg__grid rows = {3, {(size_t)a->h, (size_t)a->c, (size_t)count}, {1, 1, 1}};
        return CLG__LAUNCH(stream, s->kernels.at[0], rows, clg__arg_mem(op->out[0]),
                           clg__arg_mem(matrix), clg__arg_struct(a, sizeof *a), clg__arg_int(first),
                           clg__arg_int(op->accumulate));
    }
    return CLG__LAUNCH(stream, s->kernels.at[0],
                       clg__grid_many(&stream->ctx->info, (int64_t)count * a->c * a->h * a->w),
                       clg__arg_mem(op->out[0]), clg__arg_mem(matrix),
                       clg__arg_struct(a, sizeof *a), clg__arg_int(first), clg__arg_int(count),
                       clg__arg_int(op->accumulate));
}

/* Image after image: each adds its product to dw, in order. */
static clg_status backward_filter_chunk(struct state *s, struct clg__stream *stream,
                                        const struct clg__operands *op, int first, int count)
{
    const struct conv2d_args *a = s->args;
    const struct sizes *z = &s->sizes;
    struct clg__mem matrices;
    CLG__TRY(gather(s, stream, op, first, count, &matrices));
    for (int n = 0; n < count; n++)
        for (int g = 0; g < a->groups; g++) {
            int64_t dy = ((int64_t)(first + n) * a->k + g * z->filters) * z->pixels;
            int64_t rows = (int64_t)g * z->channels * z->window;
            struct clg__operands product = {
                .out = {floats_on(op->out[0], rows * z->filters)},
                .in = {floats_on(op->in[1], dy),
                       floats_on(matrices, n * z->matrix + rows * z->pixels)},
                .workspace = op->workspace,
                .accumulate = op->accumulate || first + n > 0,
            };
            CLG__TRY(clg__gemm_enqueue(s->full, stream, &product));
        }
    return CLG_OK;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    static clg_status (*const chunks[])(struct state *, struct clg__stream *,
                                        const struct clg__operands *, int, int) = {
        forward_chunk, backward_data_chunk, backward_filter_chunk};
    struct state *s = pointer;
    for (int first = 0; first < s->args->n; first += s->sizes.chunk) {
        int left = s->args->n - first;
        CLG__TRY(chunks[s->direction](s, stream, op, first,
                                      left < s->sizes.chunk ? left : s->sizes.chunk));
    }
    return CLG_OK;
}

/* The two algorithms differ in the product's name. */
#define WITH_GEMM(name_, gemm_)                                                                    \
    static bool name_##_supports(const struct conv2d_args *a, clg_conv2d_direction direction,      \
                                 const clg_device_info *device, const char **why_not)              \
    {                                                                                              \
        return supports_with(a, direction, device, why_not, gemm_);                                \
    }                                                                                              \
    static size_t name_##_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,   \
                                    const clg_device_info *device)                                 \
    {                                                                                              \
        return workspace_with(a, direction, device, gemm_);                                        \
    }                                                                                              \
    static double name_##_cost(const struct conv2d_args *a, clg_conv2d_direction direction,        \
                               const clg_device_info *device)                                      \
    {                                                                                              \
        return cost_with(a, direction, device, gemm_);                                             \
    }                                                                                              \
    static clg_status name_##_prepare(clg_context *ctx, const struct conv2d_args *a,               \
                                      clg_conv2d_direction direction, void **state)                \
    {                                                                                              \
        return prepare_with(ctx, a, direction, state, gemm_);                                      \
    }

WITH_GEMM(im2col, NULL)
WITH_GEMM(im2col_clblast, "clblast")

#define ALL_DIRECTIONS(name_)                                                                      \
    CLG__CONV2D_ALGORITHM_OWNING(name_, forward, CLG_CONV2D_FORWARD, .exact = true);               \
    CLG__CONV2D_ALGORITHM_OWNING(name_, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);   \
    CLG__CONV2D_ALGORITHM_OWNING(name_, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true);

ALL_DIRECTIONS(im2col)
ALL_DIRECTIONS(im2col_clblast)
