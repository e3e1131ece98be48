#include "ops/norm_stage.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* The widths that the kernels are built with: items of a group, fewer for rows, which may be short,
 * and elements that an item takes at once. MOST_VECTORS are the sums that
 * norm_columns_cpu_sums.cl has room for, SIDE those that it keeps in registers. */
enum {
    GPU_LANES = 128,
    GPU_ROW_LANES = 64,
    GPU_VECTOR = 4,
    CPU_VECTOR = 16,
    SIDE = 4,
    MOST_VECTORS = 32
};

/* Elements of a tile: enough tiles to feed every core several times, and enough elements to hide
 * what starting a tile costs. The upper end keeps sums over a tile short; a tile of columns leaves
 * a partial result for each channel, and the rows above it shall be many more than that. */
enum { LEAST_TILE = 1024, MOST_TILE = 8192, MOST_OF_COLUMNS = 65536, TILES_PER_CORE = 16 };
/* The sums of columns on a GPU-like device: tiles for each unit, if that leaves no more than
 * MOST_CHUNKS partial results of a channel to join; a tile has 16 vectors of channels, and rows for
 * all its items several times. */
enum { TILES_PER_UNIT = 8, MOST_CHUNKS = 512, LANES_OF_SUMS = 16, LEAST_ROWS = 32 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static bool is_gpu(const clg_context *ctx)
{
    return ctx->info.family == CLG_FAMILY_GPU;
}

/* Elements that an item takes at once. */
static int vector_of(const clg_context *ctx)
{
    return is_gpu(ctx) ? GPU_VECTOR : CPU_VECTOR;
}

static int lanes_of(const clg_context *ctx, int most)
{
    int lanes = is_gpu(ctx) ? most : 1;
    while (lanes > 1 && (size_t)lanes > ctx->info.max_work_group_size)
        lanes /= 2;
    return lanes;
}

/* The first power of two from `n` on, at most `most`, which is one. */
static int power_of_two(int64_t n, int most)
{
    int power = 1;
    while (power < n && power < most)
        power *= 2;
    return power;
}

static int64_t tile_elements(const clg_context *ctx, const struct clg__norm_view *view,
                             int64_t most)
{
    int64_t all = view->images * view->channels * view->length;
    int64_t even = all / ((int64_t)ctx->info.compute_units * TILES_PER_CORE);
    return clamp(even / CPU_VECTOR * CPU_VECTOR, LEAST_TILE, most);
}

bool clg__norm_fits_tile(const clg_context *ctx, const struct clg__norm_view *view)
{
    return view->length <= tile_elements(ctx, view, MOST_TILE);
}

static void cut_planes(struct clg__norm_stage *stage, const struct clg__norm_view *view,
                       enum clg__norm_goal goal, int64_t elements, int lanes, int vector)
{
    int64_t parts = ceil_div(view->length, elements);
    int64_t part = view->length;
    if (parts > 1) {
        part = ceil_div(ceil_div(view->length, parts), CPU_VECTOR) * CPU_VECTOR;
        parts = ceil_div(view->length, part);
    }
    int64_t images = 1;
    if (parts == 1 && goal != CLG__NORM_SUM_BY_IMAGE)
        images = clamp(elements / view->length, 1, view->images);
    int64_t stacks = ceil_div(view->images, images);
    stage->args.planes = (struct norm_planes){.images = (int)view->images,
                                              .channels = (int)view->channels,
                                              .length = (int)view->length,
                                              .images_per_tile = (int)images,
                                              .parts = (int)parts,
                                              .part_length = (int)part,
                                              .lanes = power_of_two(ceil_div(part, vector), lanes)};
    stage->args_size = sizeof stage->args.planes;
    stage->tiles = stage->partials = stacks * view->channels * parts;
    stage->args.planes.partials = (int)stage->partials;
    stage->chunks = goal == CLG__NORM_SUM_BY_IMAGE ? parts : stacks * parts;
}

/* The channels that a CPU-like device sums together: whole vectors, and the last part, too, has one
 * at least. So the last vector of a row, which begins further left to be full, stays in its part.
 */
static int64_t even_part(int64_t channels)
{
    const int64_t most = (int64_t)CPU_VECTOR * MOST_VECTORS;
    if (channels <= most)
        return channels < 1 ? 1 : channels;
    int64_t part = ceil_div(ceil_div(channels, ceil_div(channels, most)), CPU_VECTOR) * CPU_VECTOR;
    while (part > CPU_VECTOR && channels - (ceil_div(channels, part) - 1) * part < CPU_VECTOR)
        part -= CPU_VECTOR;
    return part;
}

int64_t clg__norm_pixels_a_row(const clg_context *ctx, int64_t channels)
{
    const int64_t most = (int64_t)CPU_VECTOR * MOST_VECTORS;
    if (is_gpu(ctx))
        return 1;
    for (int vectors = SIDE; vectors >= 1; vectors -= SIDE - 1) {
        int64_t pixels = 1;
        while (pixels * channels % (vectors * CPU_VECTOR) != 0 && pixels * channels <= most)
            pixels *= 2;
        if (pixels * channels <= most)
            return pixels;
    }
    return 1;
}

/* Rows of a tile, when there are `parts` tiles for the same rows of all images. */
static int64_t rows_of_sums(const clg_context *ctx, int64_t length, int64_t parts)
{
    int64_t tiles = ceil_div((int64_t)ctx->info.compute_units * TILES_PER_UNIT, parts);
    return clamp(ceil_div(length, clamp(tiles, 1, MOST_CHUNKS)), LEAST_ROWS, length);
}

static void cut_columns(struct clg__norm_stage *stage, const clg_context *ctx,
                        const struct clg__norm_view *view, enum clg__norm_goal goal, int vector)
{
    bool sums = goal != CLG__NORM_PASS;
    int64_t elements = tile_elements(ctx, view, sums ? MOST_OF_COLUMNS : MOST_TILE);
    int64_t pixels = view->statistics_by_row || (!sums && !view->copies_tables)
                         ? 1
                         : clg__norm_pixels_a_row(ctx, view->channels);
    int64_t channels = pixels * view->channels, length = view->length / pixels;
    int64_t part = stage->lanes > 1 ? vector * power_of_two(ceil_div(channels, vector),
                                                            lanes_of(ctx, LANES_OF_SUMS))
                                    : even_part(channels);
    if (!sums)
        part = channels < 2 * elements ? channels : elements;
    int64_t rows = elements / part;
    if (is_gpu(ctx) && sums)
        rows = rows_of_sums(ctx, length, view->images * ceil_div(channels, part));
    rows = clamp(rows, 1, length ? length : 1);
    int64_t all = view->images * view->channels * view->length;
    stage->args.columns =
        (struct norm_columns){.images = (int)view->images,
                              .rows = (int)length,
                              .channels = (int)channels,
                              .repeat = (int)pixels,
                              .rest = (int)(view->length % pixels * view->channels),
                              .tiles = (int)(length ? ceil_div(length, rows) : 1),
                              .rows_per_tile = (int)rows,
                              .parts = (int)ceil_div(channels, part),
                              .part_channels = (int)part,
                              .lanes = power_of_two(ceil_div(part, vector), stage->lanes),
                              .statistics_by_row = view->statistics_by_row,
                              .stream = 2 * sizeof(float) * (uint64_t)all > ctx->info.global_cache};
    stage->args_size = sizeof stage->args.columns;
    stage->chunks = stage->args.columns.tiles;
    stage->partials = view->images * stage->chunks * view->channels;
    stage->args.columns.partials = (int)stage->partials;
    stage->tiles = view->images * stage->chunks * stage->args.columns.parts;
}

clg_status clg__norm_stage_init(struct clg__norm_stage *stage, clg_context *ctx,
                                const struct clg__norm_view *view, enum clg__norm_goal goal,
                                const char *source, const char *kernel)
{
    static const char *const columns[2][2] = {{"norm_columns_cpu", "norm_columns_cpu_sums"},
                                              {"norm_columns", "norm_columns"}};
    bool rows = strcmp(source, "norm_rows") == 0;
    int lanes = lanes_of(ctx, rows ? GPU_ROW_LANES : GPU_LANES), vector = vector_of(ctx);
    char options[64];
    stage->lanes = lanes;
    stage->columns = view->channels_last;
    if (view->channels_last) {
        if (is_gpu(ctx) && view->channels % vector != 0)
            vector = 1;
        cut_columns(stage, ctx, view, goal, vector);
        source = columns[is_gpu(ctx)][goal != CLG__NORM_PASS];
    } else {
        cut_planes(stage, view, goal, tile_elements(ctx, view, MOST_TILE), lanes, vector);
    }
    snprintf(options, sizeof options, "-DLANES=%d -DVEC=%d", lanes, vector);
    clg__norm_stage_set_relu(stage, -INFINITY, NORM_MASK_NONE);
    return clg__kernel_create(ctx, source, kernel, options, &stage->kernel);
}

void clg__norm_stage_set_relu(struct clg__norm_stage *stage, float lowest, int mask)
{
    if (stage->columns) {
        stage->args.columns.lowest = lowest;
        stage->args.columns.mask = mask;
    } else {
        stage->args.planes.lowest = lowest;
        stage->args.planes.mask = mask;
    }
}

void clg__norm_stage_release(struct clg__norm_stage *stage)
{
    clg__kernel_destroy(stage->kernel);
    stage->kernel = NULL;
}

static struct clg__grid grid_of(int64_t tiles, int lanes)
{
    return (struct clg__grid){1, {(size_t)tiles * (size_t)lanes}, {(size_t)lanes}};
}

clg_status clg__norm_stage_launch(const struct clg__norm_stage *stage, struct clg__stream *stream,
                                  const struct clg__mem *memory, size_t count)
{
    enum { MOST_ARGS = 10 };
    struct clg__arg args[MOST_ARGS];
    if (count >= MOST_ARGS)
        return clg__fail(CLG_INTERNAL_ERROR, "a normalisation kernel with %zu tensors", count);
    for (size_t i = 0; i < count; i++)
        args[i] = clg__arg_mem(memory[i]);
    args[count] = clg__arg_struct(&stage->args, stage->args_size);
    return clg__launch(stream, stage->kernel, grid_of(stage->tiles, stage->lanes), args, count + 1);
}

/* The sets of a work-item. */
static int sets_of(const clg_context *ctx, bool channels)
{
    return channels && !is_gpu(ctx) ? CPU_VECTOR : 1;
}

clg_status clg__norm_join_create(clg_context *ctx, bool channels, const char *kernel,
                                 struct clg__kernel **out)
{
    char options[64];
    snprintf(options, sizeof options, "-DLANES=%d -DVEC=%d", lanes_of(ctx, GPU_LANES),
             sets_of(ctx, channels));
    return clg__kernel_create(ctx, "norm_join", kernel, options, out);
}

struct clg__grid clg__norm_join_grid(const clg_context *ctx, bool channels, int64_t sets)
{
    return grid_of(ceil_div(sets, sets_of(ctx, channels)), lanes_of(ctx, GPU_LANES));
}
