#include "ops/channel_sum.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/elements.h"

enum { CHUNK = 512 }; /* pixels an item of the first pass sums; the kernel's -D CHUNK */

struct clg__channel_sum {
    int64_t count;
    int channels, pixels;
    int chunks_per_image, chunks;
    int lanes; /* floats of a vector */
    bool channels_last;
    struct clg__elements elements;
    struct clg__kernel *first, *join, *add, *accumulate;
};

clg_status clg__channel_sum_create(clg_context *ctx, const clg_tensor_desc *desc,
                                   struct clg__channel_sum **out)
{
    *out = NULL;
    struct clg__channel_sum *sum = calloc(1, sizeof *sum);
    if (!sum)
        return clg__fail_alloc("a channel sum");
    sum->channels = (int)desc->dims[1];
    sum->pixels = (int)(desc->dims[2] * desc->dims[3]);
    sum->count = desc->dims[0] * sum->channels * sum->pixels;
    sum->channels_last = desc->layout == CLG_NHWC;
    sum->chunks_per_image = (sum->pixels + CHUNK - 1) / CHUNK;
    sum->chunks = (int)desc->dims[0] * sum->chunks_per_image;
    if (sum->channels_last) /* a chunk may hold the end of one image and the start of the next */
        sum->chunks = (int)((desc->dims[0] * sum->pixels + CHUNK - 1) / CHUNK);
    sum->elements = clg__elements_of(ctx, sum->count, 2);
    sum->lanes = clg__elements_lanes(ctx);
    char options[64];
    snprintf(options, sizeof options, "-DCHUNK=%d %s", CHUNK, clg__elements_options(ctx));
    const struct {
        const char *name;
        struct clg__kernel **kernel;
    } kernels[] = {{sum->channels_last ? "channel_sum_last" : "channel_sum_first", &sum->first},
                   {sum->channels_last ? "channel_sum_join_last" : "channel_sum_join", &sum->join},
                   {"channel_add", &sum->add},
                   {"accumulate", &sum->accumulate}};
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        clg_status status =
            clg__kernel_create(ctx, "channel_sum", kernels[i].name, options, kernels[i].kernel);
        if (status != CLG_OK) {
            clg__channel_sum_destroy(sum);
            return status;
        }
    }
    *out = sum;
    return CLG_OK;
}

void clg__channel_sum_destroy(struct clg__channel_sum *sum)
{
    if (!sum)
        return;
    clg__kernel_destroy(sum->first);
    clg__kernel_destroy(sum->join);
    clg__kernel_destroy(sum->add);
    clg__kernel_destroy(sum->accumulate);
    free(sum);
}

size_t clg__channel_sum_workspace(const struct clg__channel_sum *sum)
{
    return (size_t)sum->channels * (size_t)sum->chunks * sizeof(float);
}

/* One item for each of n, and as groups of a CPU-like device, which does not share out less. */
static struct clg__grid items(const struct clg__channel_sum *sum, int64_t n)
{
    return sum->lanes == 1 ? clg__grid_1d(n) : (struct clg__grid){1, {(size_t)n}, {1}};
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static clg_status enqueue_chunks(struct clg__channel_sum *sum, struct clg__stream *stream,
                                 struct clg__mem partial, struct clg__mem in)
{
    const int64_t chunks = sum->chunks;
    if (sum->channels_last)
        return CLG__LAUNCH(stream, sum->first,
                           items(sum, ceil_div(sum->channels, 4 * sum->lanes) * chunks),
                           clg__arg_mem(partial), clg__arg_mem(in), clg__arg_int(sum->channels),
                           clg__arg_int(sum->count / sum->channels), clg__arg_int(chunks));
    return CLG__LAUNCH(stream, sum->first, clg__grid_1d(sum->channels * chunks),
                       clg__arg_mem(partial), clg__arg_mem(in), clg__arg_int(sum->channels),
                       clg__arg_int(sum->pixels), clg__arg_int(sum->chunks_per_image),
                       clg__arg_int(chunks));
}

clg_status clg__channel_sum_enqueue(struct clg__channel_sum *sum, struct clg__stream *stream,
                                    struct clg__mem out, struct clg__mem in,
                                    struct clg__mem workspace, bool accumulate)
{
    CLG__TRY(enqueue_chunks(sum, stream, workspace, in));
    struct clg__grid grid = sum->channels_last ? items(sum, ceil_div(sum->channels, sum->lanes))
                                               : clg__grid_1d(sum->channels);
    return CLG__LAUNCH(stream, sum->join, grid, clg__arg_mem(out), clg__arg_mem(workspace),
                       clg__arg_int(sum->channels), clg__arg_int(sum->chunks),
                       clg__arg_int(accumulate));
}

clg_status clg__channel_add_enqueue(struct clg__channel_sum *sum, struct clg__stream *stream,
                                    struct clg__mem y, struct clg__mem b)
{
    return CLG__LAUNCH(stream, sum->add, sum->elements.grid, clg__arg_mem(y), clg__arg_mem(b),
                       clg__arg_elements(&sum->elements), clg__arg_int(sum->channels),
                       clg__arg_int(sum->channels_last ? sum->channels : sum->pixels),
                       clg__arg_int(sum->channels_last));
}

clg_status clg__accumulate_enqueue(struct clg__channel_sum *sum, struct clg__stream *stream,
                                   struct clg__mem out, struct clg__mem in)
{
    return CLG__LAUNCH(stream, sum->accumulate, sum->elements.grid, clg__arg_mem(out),
                       clg__arg_mem(in), clg__arg_elements(&sum->elements));
}
