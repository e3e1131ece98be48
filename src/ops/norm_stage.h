/* One pass of a normalisation over its data: a kernel and how the data is cut into tiles. */
#ifndef CLG_OPS_NORM_STAGE_H
#define CLG_OPS_NORM_STAGE_H

#include "norm_args.clh"
#include "runtime/kernel.h"

struct clg__norm_stage {
    struct clg__kernel *kernel;
    union {
        struct norm_planes planes;
        struct norm_columns columns;
    } args;
    bool columns;     /* which of the two */
    size_t args_size; /* bytes */
    int64_t tiles;
    int64_t partials; /* entries in a row of partial results */
    int64_t chunks;   /* partial results of a channel, of one image or over all */
    int lanes;        /* items a tile */
};

/* What a stage does with its data. Partial results lie as [images][chunks][channels], or as
 * [chunks][channels] when they go over images. */
enum clg__norm_goal {
    CLG__NORM_SUM_OVER_IMAGES, /* for channels_last, the view must have one image */
    CLG__NORM_SUM_BY_IMAGE,
    CLG__NORM_PASS /* every element for itself */
};

/* Memory as [images][channels][length], or with channels_last [images][length][channels]. */
struct clg__norm_view {
    int64_t images, channels, length;
    bool channels_last;
    bool statistics_by_row; /* layer norm's rows are the pixels of this view */
    bool copies_tables;     /* coefficients come in clg__norm_pixels_a_row copies */
};

/* On CPU-like devices so many pixels of few channels are side by side in a row of norm_columns_cpu,
 * so that rows are whole vectors; else 1. */
int64_t clg__norm_pixels_a_row(const clg_context *ctx, int64_t channels);

/* Cuts the data into tiles and compiles `kernel` of kernels_cl/<source>.cl; with channels_last the
 * family chooses the source. The members of args
 * about tables (row, image_step, channels_per_entry) are the caller's to fill. */
clg_status clg__norm_stage_init(struct clg__norm_stage *stage, clg_context *ctx,
                                const struct clg__norm_view *view, enum clg__norm_goal goal,
                                const char *source, const char *kernel);
/* Whether a plane is one tile or less. */
bool clg__norm_fits_tile(const clg_context *ctx, const struct clg__norm_view *view);

/* What relu does to the stage: y is at least `lowest`, 0 or -INFINITY; mask: NORM_MASK_... */
void clg__norm_stage_set_relu(struct clg__norm_stage *stage, float lowest, int mask);

void clg__norm_stage_release(struct clg__norm_stage *stage);

/* The memory parameters in order; the geometry comes after them. */
clg_status clg__norm_stage_launch(const struct clg__norm_stage *stage, struct clg__stream *stream,
                                  const struct clg__mem *memory, size_t count);
#define CLG__NORM_STAGE_LAUNCH(stage, stream, ...)                                                 \
    clg__norm_stage_launch(stage, stream, (const struct clg__mem[]){__VA_ARGS__},                  \
                           sizeof((const struct clg__mem[]){__VA_ARGS__}) /                        \
                               sizeof(struct clg__mem))

/* A kernel of norm_join.cl, and the grid of those that take a tile for each set. channels: sets are
 * the channels of a tensor, which CPU-like devices take 16 at a time. */
clg_status clg__norm_join_create(clg_context *ctx, bool channels, const char *kernel,
                                 struct clg__kernel **out);
struct clg__grid clg__norm_join_grid(const clg_context *ctx, bool channels, int64_t sets);

#endif
