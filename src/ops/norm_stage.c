#include "ops/norm_stage.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"

/* The widths that norm_planes.cl and norm_columns.cl are built with. A CPU-like device holds the
 * sums of a few vectors of channels in registers, those of many in its first cache. */
enum { GPU_LANES = 64, CPU_VECTOR = 16, FEW_VECTORS = 4, MOST_VECTORS = 32 };

/* Elements of a tile: enough tiles to feed every core several times, and enough elements to hide
 * what starting a tile costs. The upper end keeps sums over a tile short; a tile of columns leaves
 * a partial result for each channel, and the rows above it shall be many more than that. */
enum { LEAST_TILE = 1024, MOST_TILE = 8192, MOST_OF_COLUMNS = 65536, TILES_PER_CORE = 16 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static int lanes_of(const clg_context *ctx)
{
    int lanes = ctx->info.family == CLG_FAMILY_GPU ? GPU_LANES : 1;
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
                       enum clg__norm_goal goal, int64_t elements, int lanes)
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
                                              .lanes = power_of_two(part, lanes)};
    stage->args_size = sizeof stage->args.planes;
    stage->tiles = stage->partials = stacks * view->channels * parts;
    stage->args.planes.partials = (int)stage->partials;
    stage->chunks = goal == CLG__NORM_SUM_BY_IMAGE ? parts : stacks * parts;
}

/* How many channels the items of a GPU-like tile take side by side: a power of two, and not many
 * more in all than there are. */
static int lanes_across(int64_t channels, int lanes)
{
    enum { LEAST = 16 };
    int width = power_of_two(channels, lanes);
    while (width > LEAST && ceil_div(channels, width) * width * 4 > channels * 5)
        width /= 2;
    return width;
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

static void cut_columns(struct clg__norm_stage *stage, const struct clg__norm_view *view,
                        enum clg__norm_goal goal, int64_t elements, int lanes)
{
    int64_t part = lanes > 1 ? lanes_across(view->channels, lanes) : even_part(view->channels);
    if (goal == CLG__NORM_PASS)
        part = view->channels < 2 * elements ? view->channels : elements;
    int64_t rows = clamp(elements / part, 1, view->length);
    stage->args.columns = (struct norm_columns){.images = (int)view->images,
                                                .rows = (int)view->length,
                                                .channels = (int)view->channels,
                                                .tiles = (int)ceil_div(view->length, rows),
                                                .rows_per_tile = (int)rows,
                                                .parts = (int)ceil_div(view->channels, part),
                                                .part_channels = (int)part,
                                                .lanes = power_of_two(part, lanes)};
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
    int lanes = lanes_of(ctx), vector = lanes > 1 ? 1 : CPU_VECTOR;
    bool sums_of_columns = view->channels_last && goal != CLG__NORM_PASS;
    int64_t elements = tile_elements(ctx, view, sums_of_columns ? MOST_OF_COLUMNS : MOST_TILE);
    char options[96];
    stage->lanes = lanes;
    stage->columns = view->channels_last;
    if (!view->channels_last) {
        cut_planes(stage, view, goal, elements, lanes);
        clg__norm_stage_set_relu(stage, -INFINITY, NORM_MASK_NONE);
        snprintf(options, sizeof options, "-DLANES=%d -DVEC=%d", lanes, vector);
        return clg__kernel_create(ctx, source, kernel, options, &stage->kernel);
    }
    cut_columns(stage, view, goal, elements, lanes);
    clg__norm_stage_set_relu(stage, -INFINITY, NORM_MASK_NONE);
    while (vector > view->channels)
        vector /= 2;
    int64_t vectors = lanes > 1 ? 1 : ceil_div(view->channels, vector);
    snprintf(options, sizeof options, "-DLANES=%d -DVEC=%d -DVECS=%d -DSTATISTICS_BY_ROW=%d", lanes,
             vector, (int)(vectors <= FEW_VECTORS ? vectors : MOST_VECTORS),
             view->statistics_by_row);
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

clg_status clg__norm_join_create(clg_context *ctx, const char *kernel, struct clg__kernel **out)
{
    char options[32];
    snprintf(options, sizeof options, "-DLANES=%d -DVEC=1", lanes_of(ctx));
    return clg__kernel_create(ctx, "norm_join", kernel, options, out);
}

struct clg__grid clg__norm_join_grid(const clg_context *ctx, int64_t sets)
{
    return grid_of(sets, lanes_of(ctx));
}
