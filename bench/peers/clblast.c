/* CLBlast's convolution, a matrix product that gathers its matrix, on the device that clgrad takes
 * by itself (CLGRAD_DEVICE): forward, NCHW, one group, no bias. */
#include "peer.h"

#include <stdlib.h>

#include "cli/bench.h"
#include "runtime/cl.h"

#include <clblast_c.h>

struct peer_conv {
    struct peer_problem problem;
    clg_buffer *x, *w, *y;
};

static clg_context *context(void)
{
    static clg_context *ctx; /* CLBlast keeps its kernels for each context */
    if (!ctx && bench_open(NULL, &ctx) != CLG_OK)
        ctx = NULL;
    return ctx;
}

/* Random numbers in [-1, 1). */
static clg_buffer *filled(clg_context *ctx, int64_t count)
{
    const size_t bytes = (size_t)count * sizeof(float);
    clg_buffer *buffer = NULL;
    float *values = malloc(bytes);
    for (int64_t i = 0; values && i < count; i++)
        values[i] = (float)rand() / (float)RAND_MAX * 2 - 1;
    if (values && clg_buffer_create(ctx, bytes, &buffer) == CLG_OK &&
        clg_buffer_upload(buffer, 0, bytes, values, NULL) != CLG_OK) {
        clg_buffer_destroy(buffer);
        buffer = NULL;
    }
    free(values);
    return buffer;
}

/* It knows one number of padding for both sides, and makes the output as large as fits. */
static bool is_taken(const struct peer_problem *p)
{
    bool taken = p->direction == 0 && p->groups == 1;
    for (int i = 0; i < 2; i++) {
        int64_t window = p->dilation[i] * (p->kernel[i] - 1) + 1;
        int64_t out = (p->in[i] + 2 * p->pad_begin[i] - window) / p->stride[i] + 1;
        taken = taken && p->pad_begin[i] >= 0 && out == p->out[i];
    }
    return taken;
}

const char *peer_name(void)
{
    return "CLBlast";
}

const char *peer_algorithm(const struct peer_conv *conv)
{
    (void)conv;
    return "convgemm";
}

struct peer_conv *peer_make(const struct peer_problem *p, enum peer_form form)
{
    clg_context *ctx = context();
    if (!ctx || form != PEER_PLAIN || !is_taken(p))
        return NULL;
    struct peer_conv *conv = calloc(1, sizeof *conv);
    if (!conv)
        return NULL;
    conv->problem = *p;
    conv->x = filled(ctx, p->n * p->c * p->in[0] * p->in[1]);
    conv->w = filled(ctx, p->k * p->c * p->kernel[0] * p->kernel[1]);
    conv->y = filled(ctx, p->n * p->k * p->out[0] * p->out[1]);
    if (conv->x && conv->w && conv->y && peer_run(conv))
        return conv;
    peer_destroy(conv);
    return NULL;
}

bool peer_run(struct peer_conv *conv)
{
    const struct peer_problem *p = &conv->problem;
    cl_command_queue queue = clg_context_cl_queue(context());
    size_t x_at, w_at, y_at;
    cl_mem x = clg_buffer_cl_mem(conv->x, &x_at), w = clg_buffer_cl_mem(conv->w, &w_at);
    cl_mem y = clg_buffer_cl_mem(conv->y, &y_at);
    CLBlastStatusCode code = CLBlastSconvgemm(
        CLBlastKernelModeCrossCorrelation, (size_t)p->c, (size_t)p->in[0], (size_t)p->in[1],
        (size_t)p->kernel[0], (size_t)p->kernel[1], (size_t)p->pad_begin[0],
        (size_t)p->pad_begin[1], (size_t)p->stride[0], (size_t)p->stride[1], (size_t)p->dilation[0],
        (size_t)p->dilation[1], (size_t)p->k, (size_t)p->n, x, x_at / sizeof(float), w,
        w_at / sizeof(float), y, y_at / sizeof(float), &queue, NULL);
    return code == CLBlastSuccess && clg_context_finish(context()) == CLG_OK;
}

void peer_destroy(struct peer_conv *conv)
{
    if (!conv)
        return;
    clg_buffer_destroy(conv->x);
    clg_buffer_destroy(conv->w);
    clg_buffer_destroy(conv->y);
    free(conv);
}
