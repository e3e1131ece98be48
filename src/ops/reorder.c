#include "clgrad/reorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ops/elements.h"
#include "ops/plan.h"
#include "ops/reorder.h"
#include "runtime/tensor.h"

enum { BLOCK = 16 };

/* A work-item of reorder_blocks moves about so many blocks, 32 KiB: enough that starting it costs
 * little against the work, and few enough that small tensors still feed every core. */
enum { REGION_BLOCKS = 32 };

/* The transposition of `matrices` matrices of rows x columns. */
struct clg__reorder {
    int64_t matrices, rows, columns;
    struct clg__kernel *kernel;
    struct clg__elements elements;
    enum { COPY, BLOCKS, TILES } method;
    int tile; /* of TILES: one side */
};

struct clg_reorder {
    clg_context *ctx;
    clg_reorder_desc desc;
    struct clg__reorder *reorder;
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

clg_status clg__reorder_create(clg_context *ctx, int64_t n, int64_t c, int64_t h, int64_t w,
                               clg_layout from, clg_layout to, struct clg__reorder **out)
{
    static const char *const kernels[] = {"reorder_copy", "reorder_blocks", "reorder_tiles"};
    *out = NULL;
    struct clg__reorder *reorder = calloc(1, sizeof *reorder);
    if (!reorder)
        return clg__fail_alloc("a layout change");
    reorder->matrices = n;
    reorder->rows = from == CLG_NCHW ? c : h * w;
    reorder->columns = from == CLG_NCHW ? h * w : c;
    reorder->elements = clg__elements_of(ctx, n * c * h * w, 2);
    reorder->method = from == to || c == 1 || h * w == 1   ? COPY
                      : ctx->info.family == CLG_FAMILY_GPU ? TILES
                                                           : BLOCKS;
    reorder->tile = reorder->rows > BLOCK && reorder->columns > BLOCK ? 2 * BLOCK : BLOCK;
    const bool tiles = reorder->method == TILES;
    char options[32];
    snprintf(options, sizeof options, "-DTILE=%d", reorder->tile);
    clg_status status =
        clg__kernel_create(ctx, tiles ? "reorder_tiles" : "reorder", kernels[reorder->method],
                           tiles ? options : clg__elements_options(ctx), &reorder->kernel);
    if (status == CLG_OK)
        *out = reorder;
    else
        free(reorder);
    return status;
}

void clg__reorder_destroy(struct clg__reorder *reorder)
{
    if (!reorder)
        return;
    clg__kernel_destroy(reorder->kernel);
    free(reorder);
}

/* How many regions of about `most` blocks along one side; each but the last one has *own rows or
 * columns. */
static int64_t regions_of(int64_t size, int64_t most, int64_t *own)
{
    int64_t blocks = size / BLOCK, regions = blocks / most > 1 ? blocks / most : 1;
    *own = blocks / regions * BLOCK;
    return regions;
}

static clg_status enqueue_blocks(const struct clg__reorder *r, struct clg__stream *stream,
                                 struct clg__mem y, struct clg__mem x)
{
    /* As many blocks along the rows of the output as there are, and then as many such rows. */
    int64_t down = r->rows / BLOCK < REGION_BLOCKS ? r->rows / BLOCK : REGION_BLOCKS;
    int64_t rows, columns;
    int64_t row_regions = regions_of(r->rows, REGION_BLOCKS, &rows);
    int64_t column_regions = regions_of(r->columns, REGION_BLOCKS / (down ? down : 1), &columns);
    struct clg__grid grid = {
        3, {(size_t)row_regions, (size_t)column_regions, (size_t)r->matrices}, {1, 1, 1}};
    return CLG__LAUNCH(stream, r->kernel, grid, clg__arg_mem(y), clg__arg_mem(x),
                       clg__arg_int(r->rows), clg__arg_int(r->columns), clg__arg_int(rows),
                       clg__arg_int(columns), clg__arg_int(r->elements.arg.stream));
}

clg_status clg__reorder_enqueue(struct clg__reorder *r, struct clg__stream *stream,
                                struct clg__mem y, struct clg__mem x)
{
    if (r->method == BLOCKS)
        return enqueue_blocks(r, stream, y, x);
    if (r->method == COPY)
        return CLG__LAUNCH(stream, r->kernel, r->elements.grid, clg__arg_mem(y), clg__arg_mem(x),
                           clg__arg_elements(&r->elements));
    enum { ITEMS = 256 };
    const size_t tile = (size_t)r->tile, down = ITEMS / tile;
    struct clg__grid grid = {3,
                             {(size_t)ceil_div(r->rows, r->tile) * tile,
                              (size_t)ceil_div(r->columns, r->tile) * down, (size_t)r->matrices},
                             {tile, down, 1}};
    return CLG__LAUNCH(stream, r->kernel, grid, clg__arg_mem(y), clg__arg_mem(x),
                       clg__arg_int(r->rows), clg__arg_int(r->columns));
}

static clg_status check_desc(const clg_reorder_desc *desc)
{
    char from[CLG__DESC_TEXT], to[CLG__DESC_TEXT];
    CLG__TRY(clg__check_float_4d("clg_reorder_create", "from", &desc->from));
    CLG__TRY(clg__check_float_4d("clg_reorder_create", "to", &desc->to));
    if (memcmp(desc->from.dims, desc->to.dims, 4 * sizeof desc->to.dims[0]) != 0)
        return clg__fail(CLG_INVALID_SHAPE, "clg_reorder_create: from is %s, to is %s",
                         clg__desc_text(&desc->from, from), clg__desc_text(&desc->to, to));
    return CLG_OK;
}

clg_status clg_reorder_create(clg_context *ctx, const clg_reorder_desc *desc, clg_reorder **out)
{
    CLG__TRY(clg__check_create("clg_reorder_create", ctx, desc, out));
    *out = NULL;
    CLG__TRY(check_desc(desc));
    clg_reorder *plan = calloc(1, sizeof *plan);
    if (!plan)
        return clg__fail_alloc("a reorder plan");
    plan->ctx = clg__context_retain(ctx);
    plan->desc = *desc;
    const int64_t *dims = desc->from.dims;
    clg_status status;
    CLG__TRY_GOTO(clg__reorder_create(ctx, dims[0], dims[1], dims[2], dims[3], desc->from.layout,
                                      desc->to.layout, &plan->reorder));
    *out = plan;
    return CLG_OK;
fail:
    clg_reorder_destroy(plan);
    return status;
}

void clg_reorder_destroy(clg_reorder *plan)
{
    if (!plan)
        return;
    clg__reorder_destroy(plan->reorder);
    clg_context_destroy(plan->ctx);
    free(plan);
}

clg_status clg_reorder_forward(clg_reorder *plan, clg_tensor *y, const clg_tensor *x,
                               const clg_run *run)
{
    static const char call[] = "clg_reorder_forward";
    CLG__TRY(clg__check_plan(call, plan));
    CLG__TRY(clg__expect_tensor(call, "y", plan->ctx, y, &plan->desc.to));
    CLG__TRY(clg__expect_tensor(call, "x", plan->ctx, x, &plan->desc.from));
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, plan->ctx, run, 0));
    clg_status status =
        clg__reorder_enqueue(plan->reorder, &stream, clg__tensor_mem(y), clg__tensor_mem(x));
    return clg__stream_end(&stream, status);
}
