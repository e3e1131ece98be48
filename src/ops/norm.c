#include "ops/norm.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "ops/plan.h"
#include "runtime/tensor.h"

/* Rows of the tables: saved is mean, its rest, rstd; coefficients are those two and scale, slope,
 * shift, beta (scale and shift for forward). */
enum { SAVED_ROWS = 3, COEFFICIENT_ROWS = 6, MOMENTS = 4, SUMS = 2 };

clg_status clg__norm_check(const char *call, const clg_tensor_desc *x, float eps)
{
    int64_t count;
    CLG__TRY(clg__check_float(call, "x", x, &count));
    if (!(eps >= 0) || !isfinite(eps))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: eps is %g, 0 or more is needed", call,
                         (double)eps);
    return CLG_OK;
}

clg_status clg__norm_image_problem(const char *call, struct clg__norm_problem *problem)
{
    const clg_tensor_desc *x = &problem->x;
    char text[CLG__DESC_TEXT];
    if (x->ndim < 2)
        return clg__fail(CLG_INVALID_SHAPE, "%s: x is %s, at least two dimensions N C are needed",
                         call, clg__desc_text(x, text));
    problem->images = x->dims[0];
    problem->channels = x->dims[1];
    problem->length = 1;
    for (int i = 2; i < x->ndim; i++)
        problem->length *= x->dims[i];
    problem->channels_last =
        problem->channels > 1 && (x->layout == CLG_NHWC || problem->length == 1);
    problem->gamma = clg_desc_1d(problem->channels);
    return CLG_OK;
}

/* ---- The three kinds: what each pass sees, and how partial results belong together ---- */

/* Every element for itself; the table of coefficients has `row` columns. */
static clg_status init_passes(struct clg__norm *norm, const struct clg__norm_view *data, int row)
{
    struct clg__norm_view view = *data;
    const char *apply = "norm_column_apply", *gradient = "norm_column_gradient";
    const char *source = "norm_columns";
    if (!data->channels_last) { /* planes in the order of memory */
        view.images = data->images * data->channels;
        view.channels = 1;
        source = "norm_planes", apply = "norm_plane_apply", gradient = "norm_plane_gradient";
    }
    CLG__TRY(clg__norm_stage_init(&norm->apply, norm->ctx, &view, CLG__NORM_PASS, source, apply));
    CLG__TRY(
        clg__norm_stage_init(&norm->gradient, norm->ctx, &view, CLG__NORM_PASS, source, gradient));
    struct clg__norm_stage *stages[] = {&norm->apply, &norm->gradient};
    for (int i = 0; i < 2; i++)
        if (data->channels_last) {
            stages[i]->args.columns.row = row;
            stages[i]->args.columns.image_step = (int)data->channels;
        } else {
            stages[i]->args.planes.row = row;
            stages[i]->args.planes.image_step = 1;
            stages[i]->args.planes.channels_per_entry = 1;
        }
    return CLG_OK;
}

static clg_status init_batch(struct clg__norm *norm)
{
    const struct clg__norm_problem *p = &norm->problem;
    struct clg__norm_view view = {p->images, p->channels, p->length, p->channels_last, false, true};
    int64_t copies = p->channels_last ? clg__norm_pixels_a_row(norm->ctx, p->channels) : 1;
    if (p->channels_last || p->channels == 1) { /* all pixels of all images are alike */
        view.length *= view.images;
        view.images = 1;
    }
    const char *source = p->channels_last ? "norm_columns" : "norm_planes";
    CLG__TRY(clg__norm_stage_init(&norm->moments, norm->ctx, &view, CLG__NORM_SUM_OVER_IMAGES,
                                  source,
                                  p->channels_last ? "norm_column_moments" : "norm_plane_moments"));
    CLG__TRY(clg__norm_stage_init(&norm->sums, norm->ctx, &view, CLG__NORM_SUM_OVER_IMAGES, source,
                                  p->channels_last ? "norm_column_sums" : "norm_plane_sums"));
    if (p->channels_last) {
        norm->sums.args.columns.row = (int)p->channels;
    } else {
        norm->sums.args.planes.row = (int)p->channels;
        norm->sums.args.planes.channels_per_entry = 1;
    }
    int channels = (int)p->channels;
    double count = (double)p->images * (double)p->length;
    norm->join_moments_args = (struct norm_join){.sets = channels,
                                                 .groups = channels,
                                                 .channels = channels,
                                                 .chunks = (int)norm->moments.chunks,
                                                 .partials = (int)norm->moments.partials,
                                                 .width = 1,
                                                 .entries = 1,
                                                 .copies = (int)copies,
                                                 .gamma_count = channels,
                                                 .count = (float)count,
                                                 .eps = p->eps,
                                                 .momentum = p->momentum,
                                                 .unbias = (float)(count / (count - 1))};
    norm->join_sums_args = norm->join_moments_args;
    norm->join_sums_args.chunks = (int)norm->sums.chunks;
    norm->join_sums_args.partials = (int)norm->sums.partials;
    CLG__TRY(init_passes(norm, &view, (int)(copies * channels)));
    if (!p->relu)
        return CLG_OK;
    int mask = p->residual ? NORM_MASK_BY_Y : NORM_MASK_BY_X;
    clg__norm_stage_set_relu(&norm->apply, 0, NORM_MASK_NONE);
    clg__norm_stage_set_relu(&norm->sums, -INFINITY, mask);
    clg__norm_stage_set_relu(&norm->gradient, -INFINITY, mask);
    return CLG_OK;
}

/* The statistics of group norm: sets that are contiguous are planes of one channel. */
static clg_status init_group_moments(struct clg__norm *norm, const struct clg__norm_view *view)
{
    const struct clg__norm_problem *p = &norm->problem;
    bool contiguous = !p->channels_last || p->length == 1 || p->groups == 1;
    int width = (int)(p->channels / p->groups);
    struct clg__norm_view runs = {norm->sets, 1, width * p->length, false, false, false};
    CLG__TRY(clg__norm_stage_init(&norm->moments, norm->ctx, contiguous ? &runs : view,
                                  CLG__NORM_SUM_BY_IMAGE,
                                  contiguous ? "norm_planes" : "norm_columns",
                                  contiguous ? "norm_plane_moments" : "norm_column_moments"));
    norm->join_moments_args =
        (struct norm_join){.sets = (int)norm->sets,
                           .groups = contiguous ? 1 : (int)p->groups,
                           .channels = contiguous ? 1 : (int)p->channels,
                           .chunks = (int)norm->moments.chunks,
                           .partials = (int)norm->moments.partials,
                           .width = contiguous ? 1 : width,
                           .entries = width,
                           .copies = 1,
                           .gamma_count = (int)p->channels,
                           .count = (float)((double)width * (double)p->length),
                           .eps = p->eps};
    return CLG_OK;
}

static clg_status init_group(struct clg__norm *norm)
{
    const struct clg__norm_problem *p = &norm->problem;
    struct clg__norm_view view = {p->images,        p->channels, p->length,
                                  p->channels_last, false,       false};
    int width = (int)(p->channels / p->groups);
    CLG__TRY(init_group_moments(norm, &view));
    CLG__TRY(clg__norm_stage_init(&norm->sums, norm->ctx, &view, CLG__NORM_SUM_BY_IMAGE,
                                  p->channels_last ? "norm_columns" : "norm_planes",
                                  p->channels_last ? "norm_column_sums" : "norm_plane_sums"));
    if (p->channels_last) { /* reads saved with one column a channel */
        norm->sums.args.columns.row = (int)(p->images * p->channels);
        norm->sums.args.columns.image_step = (int)p->channels;
        CLG__TRY(clg__norm_join_create(norm->ctx, false, "norm_spread", &norm->spread_saved));
    } else {
        norm->sums.args.planes.row = (int)norm->sets;
        norm->sums.args.planes.image_step = (int)p->groups;
        norm->sums.args.planes.channels_per_entry = width;
    }
    norm->join_sums_args = norm->join_moments_args;
    norm->join_sums_args.groups = (int)p->groups;
    norm->join_sums_args.channels = (int)p->channels;
    norm->join_sums_args.chunks = (int)norm->sums.chunks;
    norm->join_sums_args.partials = (int)norm->sums.partials;
    norm->join_sums_args.width = width;
    return init_passes(norm, &view, (int)(p->images * p->channels));
}

static clg_status init_rows(struct clg__norm *norm, struct clg__norm_stage *stage,
                            enum clg__norm_goal goal, const char *source, const char *kernel)
{
    const struct clg__norm_problem *p = &norm->problem;
    struct clg__norm_view rows = {p->images, 1, p->channels, false, false, false};
    CLG__TRY(clg__norm_stage_init(stage, norm->ctx, &rows, goal, source, kernel));
    stage->args.planes.row = (int)p->images;
    stage->args.planes.eps = p->eps;
    return CLG_OK;
}

static clg_status init_parts_of_rows(struct clg__norm *norm)
{
    const struct clg__norm_problem *p = &norm->problem;
    CLG__TRY(init_rows(norm, &norm->moments, CLG__NORM_SUM_BY_IMAGE, "norm_planes",
                       "norm_plane_moments"));
    CLG__TRY(init_rows(norm, &norm->sums, CLG__NORM_SUM_BY_IMAGE, "norm_rows", "norm_row_sums"));
    CLG__TRY(init_rows(norm, &norm->apply, CLG__NORM_PASS, "norm_rows", "norm_row_apply"));
    CLG__TRY(init_rows(norm, &norm->gradient, CLG__NORM_PASS, "norm_rows", "norm_row_gradient"));
    norm->join_moments_args = (struct norm_join){.sets = (int)p->images,
                                                 .groups = 1,
                                                 .channels = 1,
                                                 .chunks = (int)norm->moments.chunks,
                                                 .partials = (int)norm->moments.partials,
                                                 .width = 1,
                                                 .gamma_count = 1,
                                                 .count = (float)p->channels,
                                                 .eps = p->eps};
    norm->join_sums_args = norm->join_moments_args;
    norm->join_sums_args.chunks = (int)norm->sums.chunks;
    norm->join_sums_args.partials = (int)norm->sums.partials;
    norm->join_sums_args.entries = norm->join_sums_args.copies = 1;
    return CLG_OK;
}

static clg_status init_layer(struct clg__norm *norm)
{
    const struct clg__norm_problem *p = &norm->problem;
    struct clg__norm_view rows = {p->images, 1, p->channels, false, false, false};
    struct clg__norm_view columns = {1, p->channels, p->images, true, true, false};
    CLG__TRY(clg__norm_stage_init(&norm->column_sums, norm->ctx, &columns,
                                  CLG__NORM_SUM_OVER_IMAGES, "norm_columns", "norm_column_sums"));
    norm->column_sums.args.columns.row = (int)p->images;
    norm->whole_rows = clg__norm_fits_tile(norm->ctx, &rows);
    if (!norm->whole_rows)
        return init_parts_of_rows(norm);
    CLG__TRY(init_rows(norm, &norm->apply, CLG__NORM_PASS, "norm_rows", "norm_row_forward"));
    return init_rows(norm, &norm->gradient, CLG__NORM_PASS, "norm_rows", "norm_row_backward");
}

/* ---- The plan ---- */

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Workspace: partial results, then coefficients, then `saved` with one column a channel. */
static void lay_out_workspace(struct clg__norm *norm)
{
    const struct clg__norm_problem *p = &norm->problem;
    const struct norm_join *sums = &norm->join_sums_args;
    size_t partial =
        most((size_t)norm->moments.partials * MOMENTS, (size_t)norm->sums.partials * SUMS);
    partial = most(partial, (size_t)norm->column_sums.partials * SUMS);
    size_t entries = (size_t)sums->sets * (size_t)sums->entries;
    bool spread = norm->spread_saved || p->kind == CLG__NORM_BATCH;
    norm->coefficients = partial * 4;
    norm->spread = norm->coefficients + COEFFICIENT_ROWS * entries * (size_t)sums->copies * 4;
    norm->workspace = norm->spread + (spread ? SAVED_ROWS * entries * 4 : 0);
}

clg_status clg__norm_init(struct clg__norm *norm, clg_context *ctx,
                          const struct clg__norm_problem *problem)
{
    static clg_status (*const init_kind[])(struct clg__norm *) = {init_batch, init_group,
                                                                  init_layer};
    *norm = (struct clg__norm){.ctx = clg__context_retain(ctx), .problem = *problem};
    norm->sets = problem->kind == CLG__NORM_BATCH   ? problem->channels
                 : problem->kind == CLG__NORM_GROUP ? problem->images * problem->groups
                                                    : problem->images;
    norm->saved_desc = clg_desc_2d(SAVED_ROWS, norm->sets);
    CLG__TRY(clg_tensor_create(ctx, &norm->saved_desc, &norm->saved));
    CLG__TRY(init_kind[problem->kind](norm));
    bool channels = problem->kind == CLG__NORM_BATCH;
    if (!norm->whole_rows) {
        CLG__TRY(clg__norm_join_create(ctx, channels, "norm_join_moments", &norm->join_moments));
        CLG__TRY(clg__norm_join_create(ctx, channels, "norm_join_sums", &norm->join_sums));
    }
    CLG__TRY(clg__norm_join_create(ctx, channels, "norm_parameter_gradients",
                                   &norm->parameter_gradients));
    if (channels)
        CLG__TRY(clg__norm_join_create(ctx, channels, "norm_evaluation", &norm->evaluation));
    lay_out_workspace(norm);
    return clg__scratch_reserve(ctx, norm->workspace);
}

void clg__norm_release(struct clg__norm *norm)
{
    clg__norm_stage_release(&norm->moments);
    clg__norm_stage_release(&norm->sums);
    clg__norm_stage_release(&norm->apply);
    clg__norm_stage_release(&norm->gradient);
    clg__norm_stage_release(&norm->column_sums);
    clg__kernel_destroy(norm->join_moments);
    clg__kernel_destroy(norm->join_sums);
    clg__kernel_destroy(norm->parameter_gradients);
    clg__kernel_destroy(norm->evaluation);
    clg__kernel_destroy(norm->spread_saved);
    clg_tensor_destroy(norm->saved);
    clg_context_destroy(norm->ctx);
}
