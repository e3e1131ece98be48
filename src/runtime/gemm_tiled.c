#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "runtime/estimate.h"
#include "runtime/gemm_algorithms.h"
#include "runtime/loops.h"
#include "runtime/prepared.h"

enum {
    CPU_GROUPS_A_UNIT = 16, /* enough to keep the units evenly busy */
    CPU_MIN_DEPTH = 64,
    CPU_MAX_DEPTH = 256,
    OTHER_PROGRAM_CYCLES = 8000, /* what it must save, as each tile is a program to compile */
    STEP = 16                    /* a vector: what CPU-like devices cut k into multiples of */
};

static int divide_up(int64_t a, int64_t b)
{
    return (int)((a + b - 1) / b);
}

/* The size of `parts` parts of `count`, as even as multiples of `step` allow. */
static int even_part(int count, int parts, int step)
{
    return divide_up(divide_up(count, parts), step) * step;
}

/* ---- Tiling ---- */

static size_t cpu_local_bytes(int vectors, int depth)
{
    return (size_t)depth * (size_t)vectors * sizeof(cl_float16);
}

/* Register tiles: rows and vectors of 16 columns. 24 of AVX-512's 32 vector registers hold sums;
 * narrower devices have 16 registers of half a vector. */
static const struct cpu_tile {
    int rows, vectors;
} cpu_tiles[] = {{6, 4}, {8, 3}, {12, 2}, {12, 1}}, narrow_cpu_tile = {6, 1};

/* Cycles that the unit with the most work needs for all its groups. */
static double cpu_cycles(const struct clg__gemm_problem *p, const struct clg__gemm_tiling *t,
                         int units)
{
    const double sums = t->tile_rows * t->vectors, loads = t->tile_rows + t->vectors;
    const double passes = divide_up(p->k, t->depth);
    /* Two multiply-adds or loads a cycle; a tile's beginning, end and stores. */
    const double tile = p->k * (0.48 * sums + 0.05 * loads) + passes * (30 + 2.5 * sums);
    const double packing = p->k * t->vectors * (p->transpose_b ? 6 : 1.5);
    const double launched = 400; /* what a group costs */
    double group = divide_up(t->rows_per_group, t->tile_rows) * tile + packing + launched;
    double groups = (double)t->row_blocks * t->panels * p->batch;
    return group * (groups <= units ? 1 : groups / units + 0.25);
}

/* Blocks of rows so that the units are evenly busy and B is not packed too often. */
static void choose_rows(const struct clg__gemm_problem *p, int units, struct clg__gemm_tiling *t)
{
    enum { CACHED_FLOATS = 16 * 1024 }; /* of C, where a group goes over it more than once */
    const int tiles = divide_up(p->m, t->tile_rows);
    const int wanted = divide_up((int64_t)CPU_GROUPS_A_UNIT * units, (int64_t)t->panels * p->batch);
    const int least =
        p->k > t->depth ? divide_up((int64_t)p->m * t->tile_columns, CACHED_FLOATS) : 1;
    t->cycles = INFINITY;
    for (int blocks = least; blocks <= least + wanted && blocks <= tiles; blocks++) {
        struct clg__gemm_tiling next = *t;
        next.rows_per_group = divide_up(tiles, blocks) * t->tile_rows;
        next.row_blocks = divide_up(p->m, next.rows_per_group);
        next.cycles = cpu_cycles(p, &next, units);
        if (next.cycles < t->cycles)
            *t = next;
    }
}

static struct clg__gemm_tiling cpu_tiling(const struct clg__gemm_problem *p,
                                          const clg_device_info *device)
{
    const bool narrow = device->vector_width_float < 16;
    const size_t choices = narrow ? 1 : sizeof cpu_tiles / sizeof cpu_tiles[0];
    struct clg__gemm_tiling best = {.cycles = INFINITY};
    for (size_t i = 0; i < choices; i++) {
        const struct cpu_tile tile = narrow ? narrow_cpu_tile : cpu_tiles[i];
        struct clg__gemm_tiling t = {
            .tile_rows = tile.rows,
            .tile_columns = 16 * tile.vectors,
            .vectors = tile.vectors,
            .depth = CPU_MAX_DEPTH,
            .panels = divide_up(p->n, 16 * tile.vectors),
        };
        while (t.depth > CPU_MIN_DEPTH &&
               cpu_local_bytes(t.vectors, t.depth) > device->local_memory / 2)
            t.depth /= 2;
        choose_rows(p, (int)device->compute_units, &t);
        const bool common = best.tile_rows == cpu_tiles[0].rows;
        if (t.cycles < best.cycles - (common ? OTHER_PROGRAM_CYCLES : 0))
            best = t;
    }
    return best;
}

static struct clg__gemm_tiling gpu_tiling(const struct clg__gemm_problem *p,
                                          const clg_device_info *device, bool split)
{
    const struct clg__gpu_products products = {.count = p->batch,
                                               .results = p->batch,
                                               .rows = p->m,
                                               .columns = p->n,
                                               .depth = p->k,
                                               .whole = !split};
    const struct clg__gpu_tiling tiling = clg__gpu_tiling(&products, device);
    return (struct clg__gemm_tiling){
        .tile_rows = tiling.tile_m,
        .tile_columns = tiling.tile_n,
        .rows_per_group = tiling.tile_m,
        .row_blocks = divide_up(p->m, tiling.tile_m),
        .panels = divide_up(p->n, tiling.tile_n),
        .gpu = tiling,
    };
}

struct clg__gemm_tiling clg__gemm_tiling(const struct clg__gemm_problem *problem,
                                         const clg_device_info *device, bool split)
{
    return device->family == CLG_FAMILY_GPU ? gpu_tiling(problem, device, split)
                                            : cpu_tiling(problem, device);
}

bool clg__gemm_tiled_supports(const struct clg__gemm_problem *problem, int slices,
                              const clg_device_info *device, const char **why_not)
{
    if (device->family == CLG_FAMILY_GPU) {
        return CLG__ACCEPTS(
            why_not,
            {!clg__gpu_tiles_fit(device, 0),
             "the device's work-groups or its local memory are too small"},
            {!clg__loops_fit(device, CLG__GEMM_LOOPS * divide_up(problem->k, slices)),
             CLG__LOOPS_END_EARLY});
    }
    struct clg__gemm_tiling t = clg__gemm_tiling(problem, device, false);
    *why_not = "the device's local memory is too small";
    return cpu_local_bytes(t.vectors, t.depth) <= device->local_memory;
}

int clg__gemm_slices(int k, int slices)
{
    return divide_up(k, even_part(k, slices, STEP));
}

double clg__gemm_cpu_seconds(const struct clg__gemm_problem *problem, const clg_device_info *device,
                             int slices)
{
    struct clg__gemm_tiling t = clg__gemm_tiling(problem, device, false);
    struct clg__gemm_problem part = *problem;
    part.k = divide_up(problem->k, slices);
    part.batch *= slices;
    /* At 64 operations a cycle. */
    double flop = cpu_cycles(&part, &t, (int)device->compute_units) * 64 * device->compute_units;
    return flop / clg__device_peak_flops(device) + CLG__LAUNCH_SECONDS;
}

/* ---- Kernel ---- */

struct clg__gemm_tiles {
    const struct clg__gemm_problem *problem;
    struct clg__gemm_tiling tiling;
    size_t items; /* of a group */
    struct clg__kernel *kernel;
};

clg_status clg__gemm_tiles_create(clg_context *ctx, const struct clg__gemm_problem *problem,
                                  bool split, struct clg__gemm_tiles **out)
{
    *out = NULL;
    struct clg__gemm_tiles *tiles = calloc(1, sizeof *tiles);
    if (!tiles)
        return clg__fail_alloc("a matrix product's tiles");
    tiles->problem = problem;
    tiles->tiling = clg__gemm_tiling(problem, &ctx->info, split);
    bool gpu = ctx->info.family == CLG_FAMILY_GPU;
    tiles->items = gpu ? (size_t)tiles->tiling.gpu.items : 1;
    char options[CLG__GPU_TILE_OPTIONS];
    if (gpu)
        clg__gpu_tile_options(&tiles->tiling.gpu, true, &ctx->info, options);
    else
        snprintf(options, sizeof options, "-DROWS=%d -DVECTORS=%d", tiles->tiling.tile_rows,
                 tiles->tiling.vectors);
    const char *name = gpu ? "gemm_tiled_gpu" : "gemm_tiled_cpu";
    clg_status status =
        gpu ? clg__kernel_create(ctx, name, "gemm_tiled_gpu", options, &tiles->kernel)
            : clg__kernel_create(ctx, name, "gemm_tiled_cpu", options, &tiles->kernel);
    if (status != CLG_OK) {
        clg__gemm_tiles_destroy(tiles);
        return status;
    }
    *out = tiles;
    return CLG_OK;
}

void clg__gemm_tiles_destroy(struct clg__gemm_tiles *tiles)
{
    if (!tiles)
        return;
    clg__kernel_destroy(tiles->kernel);
    free(tiles);
}

static struct gemm_args args_of(const struct clg__gemm_tiles *tiles,
                                const struct clg__operands *operands, int slices)
{
    const struct clg__gemm_problem *p = tiles->problem;
    const struct clg__gemm_tiling *t = &tiles->tiling;
    struct gemm_args args = {
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .lda = p->lda,
        .ldb = p->ldb,
        .ldc = slices > 1 ? p->n : p->ldc,
        .transpose_a = p->transpose_a,
        .transpose_b = p->transpose_b,
        .rows_per_group = t->rows_per_group,
        .slices = slices,
        .span = t->gpu.span > 0 ? t->gpu.span : even_part(p->k, slices, STEP),
        .bias = slices > 1 || !operands->in[2].object ? 0 : (int)p->bias,
        .accumulate = slices > 1 ? 0 : operands->accumulate,
        .sums = slices == 1 && operands->out[1].object != NULL,
        .relu = slices > 1 ? 0 : p->relu,
        .alpha = slices > 1 ? 1 : p->alpha,
    };
    if (t->depth > 0)
        args.depth = even_part(args.span, divide_up(args.span, t->depth), STEP);
    return args;
}

clg_status clg__gemm_tiles_enqueue(struct clg__gemm_tiles *tiles, struct clg__stream *stream,
                                   const struct clg__operands *operands, int slices)
{
    const struct clg__gemm_problem *p = tiles->problem;
    const struct gemm_args args = args_of(tiles, operands, slices);
    const struct clg__grid grid = {3,
                                   {(size_t)tiles->tiling.panels * tiles->items,
                                    (size_t)tiles->tiling.row_blocks,
                                    (size_t)p->batch * (size_t)slices},
                                   {tiles->items, 1, 1}};
    const struct clg__arg launched[] = {
        clg__arg_mem(operands->out[0]),
        clg__arg_mem(operands->in[0]),
        clg__arg_mem(operands->in[1]),
        clg__arg_mem(operands->in[2]),
        clg__arg_struct(&args, sizeof args),
        clg__arg_long(p->stride_a),
        clg__arg_long(p->stride_b),
        clg__arg_long(slices > 1 ? (int64_t)p->m * p->n : p->stride_c),
        clg__arg_mem(operands->out[1]),
        clg__arg_local(cpu_local_bytes(tiles->tiling.vectors, args.depth)),
    };
    const size_t count = sizeof launched / sizeof launched[0];
    bool cpu = tiles->tiling.depth > 0; /* its kernel takes the sums and the panel's memory, too */
    return clg__launch(stream, tiles->kernel, grid, launched, cpu ? count : count - 2);
}

/* ---- The algorithm without slices ---- */

static bool tiled_supports(const void *problem, const clg_device_info *device, const char **why_not)
{
    return clg__gemm_tiled_supports(problem, 1, device, why_not);
}

static double tiled_cost(const void *problem, const clg_device_info *device)
{
    return device->family == CLG_FAMILY_GPU ? clg__gemm_tiling(problem, device, false).gpu.seconds
                                            : clg__gemm_cpu_seconds(problem, device, 1);
}

static clg_status tiled_prepare(clg_context *ctx, const void *problem, void **state)
{
    struct clg__gemm_tiles *tiles;
    clg_status status = clg__gemm_tiles_create(ctx, problem, false, &tiles);
    *state = tiles;
    return status;
}

static clg_status tiled_enqueue(void *state, struct clg__stream *stream,
                                const struct clg__operands *operands)
{
    return clg__gemm_tiles_enqueue(state, stream, operands, 1);
}

static void tiled_release(void *state)
{
    clg__gemm_tiles_destroy(state);
}

const struct clg__algorithm clg__gemm_tiled = {
    .name = "tiled",
    .exact = true,
    .fuses_relu = true,
    .sums_bias = true,
    .supports = tiled_supports,
    .cost = tiled_cost,
    .prepare = tiled_prepare,
    .enqueue = tiled_enqueue,
    .release = tiled_release,
};
