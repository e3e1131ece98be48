#include "ops/channel_sum.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/elements.h"
#include "ops/planes.h"

enum { CHUNK = 512 }; /* pixels an item of the first pass sums; the kernel's -D CHUNK */

struct clg__channel_sum {
    int64_t count;
    int channels, pixels;
    int chunks_per_image, chunks;
    int lanes; /* floats of a vector */
    bool channels_last, gpu;
    struct clg__elements elements;
    struct clg__kernel *first, *join, *add, *accumulate;
};

/* ---- GPU-like devices: groups of work-items for slices ---- */

/* A run of channel_sum_groups. */
struct slices {
    int64_t count;    /* of slices */
    int pixels, span; /* of a channel, and in a slice */
    int plane;        /* pixels that are neighbours */
    int lanes;        /* channels of a group */
};

/* At most `most` slices, of which each gives a work-item some loads to do. */
static struct slices slices_of(int channels, int64_t pixels, int64_t plane, int64_t most)
{
    enum { ITEMS = 256, MOST_LANES = 32, LEAST = 16 };
    struct slices slices = {.pixels = (int)pixels, .plane = (int)plane, .lanes = 1};
    while (plane == 1 && slices.lanes < MOST_LANES && slices.lanes < channels)
        slices.lanes *= 2;
    const int64_t least = LEAST * ITEMS / slices.lanes, even = (pixels + most - 1) / most;
    slices.span = (int)(even > least ? even : least);
    slices.count = (pixels + slices.span - 1) / slices.span;
    return slices;
}

static struct slices first_slices(const struct clg__channel_sum *sum)
{
    enum { MOST_SLICES = 256 };
    return slices_of(sum->channels, sum->count / sum->channels,
                     sum->channels_last ? 1 : sum->pixels, MOST_SLICES);
}

static clg_status enqueue_slices(int channels, struct clg__stream *stream,
                                 struct clg__kernel *kernel, struct clg__mem out,
                                 struct clg__mem in, struct slices slices, bool accumulate)
{
    enum { ITEMS = 256 };
    const struct clg__divisor plane = clg__divisor_of(slices.plane);
    const int64_t blocks = (channels + slices.lanes - 1) / slices.lanes;
    return CLG__LAUNCH(
        stream, kernel,
        ((struct clg__grid){2, {(size_t)slices.count * ITEMS, (size_t)blocks}, {ITEMS, 1}}),
        clg__arg_mem(out), clg__arg_mem(in), clg__arg_struct(&plane, sizeof plane),
        clg__arg_int(channels), clg__arg_int(slices.pixels), clg__arg_int(slices.span),
        clg__arg_int(slices.lanes), clg__arg_int(accumulate));
}

clg_status clg__slices_join_enqueue(struct clg__stream *stream, struct clg__kernel *kernel,
                                    struct clg__mem out, struct clg__mem parts, int count,
                                    int slices, bool accumulate)
{
    return enqueue_slices(count, stream, kernel, out, parts, slices_of(count, slices, 1, 1),
                          accumulate);
}

static clg_status enqueue_groups(struct clg__channel_sum *sum, struct clg__stream *stream,
                                 struct clg__mem out, struct clg__mem in, struct clg__mem workspace,
                                 bool accumulate)
{
    const struct slices slices = first_slices(sum);
    const bool joins = slices.count > 1;
    CLG__TRY(enqueue_slices(sum->channels, stream, sum->first, joins ? workspace : out, in, slices,
                            !joins && accumulate));
    return joins ? clg__slices_join_enqueue(stream, sum->join, out, workspace, sum->channels,
                                            sum->chunks, accumulate)
                 : CLG_OK;
}

/* ---- The plan ---- */

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
    sum->gpu = ctx->info.family == CLG_FAMILY_GPU;
    if (sum->gpu)
        sum->chunks = (int)first_slices(sum).count;
    char options[64];
    snprintf(options, sizeof options, "-DCHUNK=%d %s", CHUNK, clg__elements_options(ctx));
    const char *source = sum->gpu ? "channel_sum_groups" : "channel_sum";
    const char *first = sum->channels_last ? "channel_sum_last" : "channel_sum_first";
    const char *join = sum->channels_last ? "channel_sum_join_last" : "channel_sum_join";
    const struct {
        const char *source, *name, *options;
        struct clg__kernel **kernel;
    } kernels[] = {{source, sum->gpu ? source : first, sum->gpu ? "" : options, &sum->first},
                   {source, sum->gpu ? source : join, sum->gpu ? "" : options, &sum->join},
                   {"channel_sum", "channel_add", options, &sum->add},
                   {"channel_sum", "accumulate", options, &sum->accumulate}};
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        clg_status status = clg__kernel_create(ctx, kernels[i].source, kernels[i].name,
                                               kernels[i].options, kernels[i].kernel);
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

/* One item for each of n, as groups: a CPU-like device does not share out less. */
static struct clg__grid item_groups(int64_t n)
{
    return (struct clg__grid){1, {(size_t)n}, {1}};
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
                           item_groups(ceil_div(sum->channels, 4 * sum->lanes) * chunks),
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
    if (sum->gpu)
        return enqueue_groups(sum, stream, out, in, workspace, accumulate);
    CLG__TRY(enqueue_chunks(sum, stream, workspace, in));
    struct clg__grid grid = sum->channels_last ? item_groups(ceil_div(sum->channels, sum->lanes))
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
