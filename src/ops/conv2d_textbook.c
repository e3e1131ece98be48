/*
 * The road that the lectures teach, step by step, each step an operation of its own:
 *   forward          pad x, convolve with stride 1, drop all but every stride-th row and column
 *   backward_data    zero-dilate dy by stride - 1, pad by window - 1, rotate the filter by 180
 *                    degrees, convolve ("full convolution"), cut the padding of x off
 *   backward_filter  zero-dilate dy, convolve x with it, keep every dilation-th tap
 * A dilated filter is a filter with zeros between its taps. It multiplies all these zeros: slow,
 * and easy to believe. Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep
 * learning", 2016.
 */
#include "ops/conv2d_problem.h"

#include "base/error.h"
#include "correlate_args.clh"
#include "ops/channel_sum.h"
#include "ops/conv2d_cost.h"
#include "ops/dilate2d.h"
#include "ops/downsample2d.h"
#include "ops/flip2d.h"
#include "ops/pad2d.h"
#include "runtime/loops.h"

/* The intermediate results, each in its slot of the workspace. */
enum slot { IMAGE, IMAGE_PADDED, FILTER, FILTER_FLIPPED, RESULT, SUM, NUM_SLOTS };

/* Sizes that all three directions share. */
struct sizes {
    int64_t window_h, window_w;   /* the filter with its dilation */
    int64_t full_h, full_w;       /* y before rows are dropped, dy with zeros in between */
    int64_t used_h, used_w;       /* the part of the padded x that windows touch */
    size_t slot_count[NUM_SLOTS]; /* elements; 0: not used */
};

static struct sizes sizes_of(const struct conv2d_args *a, clg_conv2d_direction direction)
{
    struct sizes z = {
        .window_h = clg__conv2d_window_h(a),
        .window_w = clg__conv2d_window_w(a),
        .full_h = (int64_t)(a->p - 1) * a->stride_h + 1,
        .full_w = (int64_t)(a->q - 1) * a->stride_w + 1,
    };
    z.used_h = z.full_h + z.window_h - 1;
    z.used_w = z.full_w + z.window_w - 1;
    size_t x_planes = (size_t)a->n * (size_t)a->c, y_planes = (size_t)a->n * (size_t)a->k;
    size_t w_planes = (size_t)a->k * (size_t)(a->c / a->groups);
    size_t used = (size_t)z.used_h * (size_t)z.used_w, full = (size_t)z.full_h * (size_t)z.full_w;
    size_t window = (size_t)z.window_h * (size_t)z.window_w;
    if (direction == CLG_CONV2D_FORWARD) {
        z.slot_count[IMAGE] = x_planes * used;
        z.slot_count[FILTER] = w_planes * window;
        z.slot_count[RESULT] = y_planes * full;
        z.slot_count[SUM] = (size_t)clg__conv2d_y_count(a);
    } else if (direction == CLG_CONV2D_BACKWARD_DATA) {
        z.slot_count[IMAGE] = y_planes * full;
        z.slot_count[IMAGE_PADDED] =
            y_planes * (size_t)(z.used_h + z.window_h - 1) * (size_t)(z.used_w + z.window_w - 1);
        z.slot_count[FILTER] = z.slot_count[FILTER_FLIPPED] = w_planes * window;
        z.slot_count[RESULT] = x_planes * used;
        z.slot_count[SUM] = (size_t)clg__conv2d_x_count(a);
    } else {
        z.slot_count[IMAGE] = x_planes * used;
        z.slot_count[FILTER] = y_planes * full;
        z.slot_count[RESULT] = w_planes * window;
        z.slot_count[SUM] = (size_t)clg__conv2d_w_count(a);
    }
    return z;
}

/* Where a slot starts in the workspace; NUM_SLOTS gives the bytes of all. */
static size_t slot_at(const struct sizes *sizes, enum slot slot)
{
    size_t at = 0;
    for (int i = 0; i < (int)slot; i++)
        at += (sizes->slot_count[i] * sizeof(float) + 255) / 256 * 256;
    return at;
}

static bool textbook_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                              const clg_device_info *device, const char **why_not)
{
    if (!clg__conv2d_meets(a, device, CLG__NCHW_ONLY, why_not))
        return false;
    struct sizes sizes = sizes_of(a, direction);
    *why_not = "a step's result would have 2^31 elements or more";
    for (int i = 0; i < NUM_SLOTS; i++)
        if (sizes.slot_count[i] > INT32_MAX)
            return false;
    const bool filter = direction == CLG_CONV2D_BACKWARD_FILTER;
    const int terms = filter                            ? a->n
                      : direction == CLG_CONV2D_FORWARD ? a->c / a->groups
                                                        : a->k / a->groups;
    const double loops = clg__loops_nested(terms, (double)(filter ? sizes.full_h : sizes.window_h),
                                           (double)(filter ? sizes.full_w : sizes.window_w));
    *why_not = CLG__LOOPS_END_EARLY;
    return clg__loops_fit(device, loops);
}

static size_t textbook_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 const clg_device_info *device)
{
    (void)device;
    struct sizes sizes = sizes_of(a, direction);
    return slot_at(&sizes, NUM_SLOTS);
}

/* The terms of the convolution over the zeros, at the speed of the direct kernel's inner loop. */
static double textbook_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                            const clg_device_info *device)
{
    struct sizes z = sizes_of(a, direction);
    double terms = (double)z.slot_count[RESULT];
    terms *= direction == CLG_CONV2D_BACKWARD_FILTER
                 ? (double)a->n * (double)z.full_h * (double)z.full_w
                 : (double)(z.window_h * z.window_w) *
                       (direction == CLG_CONV2D_FORWARD ? a->c : a->k) / a->groups;
    return clg__conv2d_seconds(device, 2 * terms, 0.02, 8);
}

/* A step from one place to another; a place is a slot, or an operand of the caller's. */
struct step {
    struct clg__planes_map *map;
    struct clg__mem (*from)(const struct clg__operands *operands);
    enum slot from_slot, to_slot; /* from_slot counts without `from` */
};

enum { MAX_STEPS = 4 };

struct state {
    struct clg__kernels kernels; /* one: correlate */
    struct sizes sizes;
    struct step steps[MAX_STEPS]; /* before the convolution */
    size_t num_steps;
    struct correlate_args shape;
    enum slot image, filter;      /* what is convolved with what */
    struct clg__planes_map *last; /* from RESULT to the operand */
    struct clg__channel_sum *accumulate;
};

static struct clg__mem first_input(const struct clg__operands *operands)
{
    return operands->in[0];
}

static struct clg__mem second_input(const struct clg__operands *operands)
{
    return operands->in[1];
}

static void release(void *pointer)
{
    struct state *state = pointer;
    for (size_t i = 0; i < state->num_steps; i++)
        clg__planes_map_destroy(state->steps[i].map);
    clg__planes_map_destroy(state->last);
    clg__channel_sum_destroy(state->accumulate);
    clg__prepared_release(state);
}

static struct clg__planes planes(int64_t count, int64_t h, int64_t w)
{
    return (struct clg__planes){count, h, w, 1};
}

static clg_status pad(clg_context *ctx, struct clg__planes x, int64_t top, int64_t left,
                      int64_t to_h, int64_t to_w, struct clg__planes_map **map)
{
    const struct clg__pad2d p = {
        x, {top, left, to_h - x.h - top, to_w - x.w - left}, CLG_PAD_ZEROS, 0.0f};
    return clg__pad2d_forward_create(ctx, &p, map);
}

static clg_status dilate(clg_context *ctx, struct clg__planes x, int64_t by_h, int64_t by_w,
                         struct clg__planes_map **map)
{
    const int64_t by[2] = {by_h, by_w};
    return clg__dilate2d_create(ctx, &x, by, clg__dilate2d_size(x.h, by_h),
                                clg__dilate2d_size(x.w, by_w), map);
}

static clg_status drop(clg_context *ctx, struct clg__planes x, int64_t by_h, int64_t by_w,
                       struct clg__planes_map **map)
{
    const int64_t by[2] = {by_h, by_w};
    return clg__downsample2d_create(ctx, &x, by, clg__downsample2d_size(x.h, by_h),
                                    clg__downsample2d_size(x.w, by_w), map);
}

/* Adds a step that is about to be created: the caller fills its map at once. */
static struct clg__planes_map **add_step(struct state *state,
                                         struct clg__mem (*from)(const struct clg__operands *),
                                         enum slot from_slot, enum slot to_slot)
{
    struct step *step = &state->steps[state->num_steps++];
    *step = (struct step){NULL, from, from_slot, to_slot};
    return &step->map;
}

static clg_status prepare_forward_steps(clg_context *ctx, const struct conv2d_args *a,
                                        struct state *s)
{
    const struct sizes *z = &s->sizes;
    const int channels = a->c / a->groups, filters = a->k / a->groups;
    const int used = (int)(z->used_h * z->used_w), full = (int)(z->full_h * z->full_w);
    const int window = (int)(z->window_h * z->window_w);
    s->image = IMAGE;
    s->filter = FILTER;
    s->shape = (struct correlate_args){
        .groups = a->groups,
        .outer = a->n,
        .channels = filters,
        .terms = channels,
        .in_group = channels * used,
        .in_outer = a->c * used,
        .in_term = used,
        .filter_group = filters * channels * window,
        .filter_channel = channels * window,
        .filter_term = window,
        .out_group = filters * full,
        .out_outer = a->k * full,
        .out_channel = full,
    };
    CLG__TRY(pad(ctx, planes((int64_t)a->n * a->c, a->h, a->w), a->pad_top, a->pad_left, z->used_h,
                 z->used_w, add_step(s, first_input, IMAGE, IMAGE)));
    CLG__TRY(dilate(ctx, planes((int64_t)a->k * channels, a->r, a->s), a->dilation_h, a->dilation_w,
                    add_step(s, second_input, FILTER, FILTER)));
    return drop(ctx, planes((int64_t)a->n * a->k, z->full_h, z->full_w), a->stride_h, a->stride_w,
                &s->last);
}

static clg_status prepare_backward_data_steps(clg_context *ctx, const struct conv2d_args *a,
                                              struct state *s)
{
    const struct sizes *z = &s->sizes;
    const int channels = a->c / a->groups, filters = a->k / a->groups;
    const int64_t padded_h = z->used_h + z->window_h - 1, padded_w = z->used_w + z->window_w - 1;
    const int padded = (int)(padded_h * padded_w), used = (int)(z->used_h * z->used_w);
    const int window = (int)(z->window_h * z->window_w);
    s->image = IMAGE_PADDED;
    s->filter = FILTER_FLIPPED;
    s->shape = (struct correlate_args){
        .groups = a->groups,
        .outer = a->n,
        .channels = channels,
        .terms = filters,
        .in_group = filters * padded,
        .in_outer = a->k * padded,
        .in_term = padded,
        .filter_group = filters * channels * window,
        .filter_channel = window,
        .filter_term = channels * window,
        .out_group = channels * used,
        .out_outer = a->c * used,
        .out_channel = used,
    };
    const struct clg__planes dy = planes((int64_t)a->n * a->k, a->p, a->q);
    const struct clg__planes full = planes(dy.planes, z->full_h, z->full_w);
    const struct clg__planes w = planes((int64_t)a->k * channels, a->r, a->s);
    const struct clg__planes taps = planes(w.planes, z->window_h, z->window_w);
    CLG__TRY(dilate(ctx, dy, a->stride_h, a->stride_w, add_step(s, first_input, IMAGE, IMAGE)));
    CLG__TRY(pad(ctx, full, z->window_h - 1, z->window_w - 1, padded_h, padded_w,
                 add_step(s, NULL, IMAGE, IMAGE_PADDED)));
    CLG__TRY(
        dilate(ctx, w, a->dilation_h, a->dilation_w, add_step(s, second_input, FILTER, FILTER)));
    CLG__TRY(clg__flip2d_create(ctx, &taps, add_step(s, NULL, FILTER, FILTER_FLIPPED)));
    return pad(ctx, planes((int64_t)a->n * a->c, z->used_h, z->used_w), -a->pad_top, -a->pad_left,
               a->h, a->w, &s->last);
}

static clg_status prepare_backward_filter_steps(clg_context *ctx, const struct conv2d_args *a,
                                                struct state *s)
{
    const struct sizes *z = &s->sizes;
    const int channels = a->c / a->groups, filters = a->k / a->groups;
    const int used = (int)(z->used_h * z->used_w), full = (int)(z->full_h * z->full_w);
    const int window = (int)(z->window_h * z->window_w);
    s->image = IMAGE;
    s->filter = FILTER;
    s->shape = (struct correlate_args){
        .groups = a->groups,
        .outer = channels,
        .channels = filters,
        .terms = a->n,
        .in_group = channels * used,
        .in_outer = used,
        .in_term = a->c * used,
        .filter_group = filters * full,
        .filter_channel = full,
        .filter_term = a->k * full,
        .out_group = filters * channels * window,
        .out_outer = window,
        .out_channel = channels * window,
    };
    CLG__TRY(pad(ctx, planes((int64_t)a->n * a->c, a->h, a->w), a->pad_top, a->pad_left, z->used_h,
                 z->used_w, add_step(s, first_input, IMAGE, IMAGE)));
    CLG__TRY(dilate(ctx, planes((int64_t)a->n * a->k, a->p, a->q), a->stride_h, a->stride_w,
                    add_step(s, second_input, FILTER, FILTER)));
    return drop(ctx, planes((int64_t)a->k * channels, z->window_h, z->window_w), a->dilation_h,
                a->dilation_w, &s->last);
}

/* The sizes of the planes that meet in the convolution follow from the direction. */
static void set_plane_sizes(struct state *s, clg_conv2d_direction direction)
{
    const struct sizes *z = &s->sizes;
    struct correlate_args *c = &s->shape;
    bool data = direction == CLG_CONV2D_BACKWARD_DATA;
    bool filter = direction == CLG_CONV2D_BACKWARD_FILTER;
    c->in_rows = (int)(data ? z->used_h + z->window_h - 1 : z->used_h);
    c->in_columns = (int)(data ? z->used_w + z->window_w - 1 : z->used_w);
    c->filter_rows = (int)(filter ? z->full_h : z->window_h);
    c->filter_columns = (int)(filter ? z->full_w : z->window_w);
    c->out_rows = c->in_rows - c->filter_rows + 1;
    c->out_columns = c->in_columns - c->filter_columns + 1;
}

static clg_status textbook_prepare(clg_context *ctx, const struct conv2d_args *a,
                                   clg_conv2d_direction direction, void **out)
{
    static clg_status (*const prepare_steps[])(clg_context *, const struct conv2d_args *,
                                               struct state *) = {
        prepare_forward_steps, prepare_backward_data_steps, prepare_backward_filter_steps};
    static const struct clg__kernel_spec correlate = {"conv2d_textbook", "correlate", ""};
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), &correlate, 1, out));
    struct state *s = *out;
    s->sizes = sizes_of(a, direction);
    const clg_tensor_desc sum = clg_desc_4d(1, 1, 1, (int64_t)s->sizes.slot_count[SUM]);
    clg_status status;
    CLG__TRY_GOTO(prepare_steps[direction](ctx, a, s));
    set_plane_sizes(s, direction);
    CLG__TRY_GOTO(clg__channel_sum_create(ctx, &sum, &s->accumulate));
    return CLG_OK;
fail:
    release(s);
    *out = NULL;
    return status;
}

static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    struct state *s = pointer;
    struct clg__mem at[NUM_SLOTS];
    for (int i = 0; i < NUM_SLOTS; i++)
        at[i] = clg__mem_at(op->workspace, slot_at(&s->sizes, (enum slot)i));
    for (size_t i = 0; i < s->num_steps; i++) {
        const struct step *step = &s->steps[i];
        CLG__TRY(clg__planes_map_enqueue(step->map, stream, at[step->to_slot],
                                         step->from ? step->from(op) : at[step->from_slot]));
    }
    const struct correlate_args *c = &s->shape;
    int64_t count = (int64_t)c->groups * c->outer * c->channels * c->out_rows * c->out_columns;
    CLG__TRY(CLG__LAUNCH(stream, s->kernels.at[0], clg__grid_many(&stream->ctx->info, count),
                         clg__arg_mem(at[RESULT]), clg__arg_mem(at[s->image]),
                         clg__arg_mem(at[s->filter]), clg__arg_mem(op->in[2]),
                         clg__arg_struct(c, sizeof *c), clg__arg_int(op->in[2].object != NULL)));
    struct clg__mem to = op->accumulate ? at[SUM] : op->out[0];
    CLG__TRY(clg__planes_map_enqueue(s->last, stream, to, at[RESULT]));
    return op->accumulate ? clg__accumulate_enqueue(s->accumulate, stream, op->out[0], to) : CLG_OK;
}

CLG__CONV2D_ALGORITHM_OWNING(textbook, forward, CLG_CONV2D_FORWARD, .exact = true);
CLG__CONV2D_ALGORITHM_OWNING(textbook, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
CLG__CONV2D_ALGORITHM_OWNING(textbook, backward_filter, CLG_CONV2D_BACKWARD_FILTER, .exact = true);
