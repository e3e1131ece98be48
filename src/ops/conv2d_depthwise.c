/* Depthwise convolution for CPU-like devices, channels last, forward and gradient of the input;
 * kernels in conv2d_depthwise.cl. */
#include "ops/conv2d_depthwise.h"

#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "base/ints.h"
#include "conv2d_depthwise_args.clh"
#include "ops/conv2d_cost.h"

/* What a program is built for; see the kernel. */
struct shape {
    int px, taps, step;
    bool keep;
};

struct layout {
    struct conv2d_depthwise_args args;
    struct shape shape;
    int row_groups, images;
    size_t kept_bytes;
};

static int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

/* Dense windows of 3 and 5 columns keep each input in a register. */
static struct shape choose_shape(const struct conv2d_args *a, bool gradient)
{
    enum { MAX_R = 7, LONG = 14, SHORT = 7, CONFLICTING_PITCH = 256 };
    int width = gradient ? clg__divide_up(a->w, a->stride_w) : a->q;
    bool wasteful =
        clg__divide_up(width, LONG) * LONG > clg__divide_up(width, SHORT) * SHORT * 9 / 8;
    struct shape shape = {.px = wasteful ? SHORT : LONG, .step = 1};
    if (a->dilation_h != 1 || a->dilation_w != 1 || a->r > MAX_R || (a->s != 3 && a->s != 5))
        return shape;
    if (gradient ? a->stride_h * a->stride_w > 1 : a->stride_w > 2)
        return shape;
    shape.taps = a->s;
    shape.step = gradient ? 1 : a->stride_w;
    shape.keep = shape.step == 1 && a->c % CONFLICTING_PITCH == 0;
    return shape;
}

/* Chunks of channels whose input stays in the first-level cache from one output row to the next,
 * and rows for a few groups a unit. */
static void choose_chunks(struct layout *l, int units)
{
    enum { CACHED_FLOATS = 8192, LEAST = 64, MOST = 256, GROUPS_A_UNIT = 16, FEW = 4, MANY = 28 };
    struct conv2d_depthwise_args *t = &l->args;
    int columns = (l->shape.px - 1) * l->shape.step + t->s;
    int chunk = CACHED_FLOATS / columns / t->r;
    t->chunk = clamp(chunk, LEAST, MOST) / 16 * 16;
    int groups = clg__divide_up(GROUPS_A_UNIT * units, l->images);
    t->rows = clamp(clg__divide_up(t->out_h, groups), FEW, MANY);
    l->row_groups = clg__divide_up(t->out_h, t->rows);
    l->kept_bytes = sizeof(float) * 16;
    if (l->shape.keep)
        l->kept_bytes = sizeof(float) * (size_t)(t->r * t->chunk) * (size_t)columns;
}

static struct layout lay_out(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    bool gradient = direction == CLG_CONV2D_BACKWARD_DATA;
    struct layout l = {.shape = choose_shape(a, gradient), .images = a->n};
    struct conv2d_depthwise_args *t = &l.args;
    *t = (struct conv2d_depthwise_args){
        .c = a->c,
        .in_h = gradient ? a->p : a->h,
        .in_w = gradient ? a->q : a->w,
        .out_h = gradient ? a->h : a->p,
        .out_w = gradient ? a->w : a->q,
        .r = a->r,
        .s = a->s,
        .stride_h = a->stride_h,
        .stride_w = a->stride_w,
        .dilation_h = a->dilation_h,
        .dilation_w = a->dilation_w,
        .pad_top = a->pad_top,
        .pad_left = a->pad_left,
        .gradient = gradient,
        .relu = !gradient && a->relu,
    };
    int64_t result = gradient ? clg__conv2d_x_count(a) : clg__conv2d_y_count(a);
    t->stream = a->c % 16 == 0 && sizeof(float) * (uint64_t)result > device->global_cache / 2;
    choose_chunks(&l, (int)device->compute_units);
    return l;
}

bool clg__depthwise_supports(const struct conv2d_args *a, const clg_device_info *device,
                             const char **why_not)
{
    return clg__conv2d_meets(a, device, CLG__ON_CPU | CLG__NHWC_ONLY, why_not) &&
           CLG__ACCEPTS(why_not,
                        {a->groups != a->c || a->k != a->c, "one filter for each channel only"},
                        {a->c < 16, "at least 16 channels"});
}

static int64_t packed_count(const struct conv2d_args *a)
{
    return clg__conv2d_w_count(a) + a->c;
}

static bool depthwise_supports(const struct conv2d_args *a, clg_conv2d_direction direction,
                               const clg_device_info *device, const char **why_not)
{
    if (!clg__depthwise_supports(a, device, why_not))
        return false;
    *why_not = "the packed filter has 2^31 elements or more";
    if (packed_count(a) > INT32_MAX)
        return false;
    *why_not = "the rows of a window do not fit into local memory";
    return lay_out(a, direction, device).kept_bytes <= device->local_memory / 2;
}

static size_t depthwise_workspace(const struct conv2d_args *a, clg_conv2d_direction direction,
                                  const clg_device_info *device)
{
    (void)device, (void)direction;
    return (size_t)packed_count(a) * sizeof(float);
}

double clg__depthwise_moving(const struct conv2d_args *a, const clg_device_info *device)
{
    double floats = (double)clg__conv2d_x_count(a) + (double)clg__conv2d_y_count(a);
    return 0.35 * floats * sizeof(float) / clg__device_bandwidth(device);
}

/* Dense windows load each input once, others for each multiply-add. */
static double depthwise_cost(const struct conv2d_args *a, clg_conv2d_direction direction,
                             const clg_device_info *device)
{
    struct layout l = lay_out(a, direction, device);
    double fraction = l.shape.taps > 0 ? 0.7 : 0.45;
    double computing = clg__conv2d_seconds(device, clg__conv2d_flop(a), fraction, 0);
    return fmax(computing, clg__depthwise_moving(a, device)) + 2 * CLG__LAUNCH_SECONDS;
}

enum { KERNEL, PACK };

struct state {
    struct clg__kernels kernels;
    struct layout layout;
};

static clg_status depthwise_prepare(clg_context *ctx, const struct conv2d_args *a,
                                    clg_conv2d_direction direction, void **state)
{
    const struct layout l = lay_out(a, direction, &ctx->info);
    const struct shape *s = &l.shape;
    char options[64];
    snprintf(options, sizeof options, "-DPX=%d -DTAPS=%d -DSTEP=%d -DKEEP=%d", s->px, s->taps,
             s->step, s->keep);
    const struct clg__kernel_spec kernels[] = {
        [KERNEL] = {"conv2d_depthwise", "conv2d_depthwise", options},
        [PACK] = {"conv2d_depthwise", "conv2d_depthwise_pack", options},
    };
    CLG__TRY(clg__prepared_create(ctx, sizeof(struct state), kernels, 2, state));
    ((struct state *)*state)->layout = l;
    return CLG_OK;
}

/* in[0] is x or dy; in[2] the bias or nothing. */
static clg_status enqueue(void *pointer, struct clg__stream *stream, const struct clg__operands *op)
{
    struct state *state = pointer;
    const struct conv2d_depthwise_args *t = &state->layout.args;
    const int images = state->layout.images;
    CLG__TRY(CLG__LAUNCH(stream, state->kernels.at[PACK], clg__grid_1d(t->c),
                         clg__arg_mem(op->workspace), clg__arg_mem(op->in[1]), clg__arg_int(t->c),
                         clg__arg_int((int64_t)t->r * t->s)));
    const struct clg__grid grid = {2, {(size_t)state->layout.row_groups, (size_t)images}, {1, 1}};
    return CLG__LAUNCH(stream, state->kernels.at[KERNEL], grid, clg__arg_mem(op->out[0]),
                       clg__arg_mem(op->in[0]), clg__arg_mem(op->workspace),
                       clg__arg_mem(op->in[2]), clg__arg_struct(t, sizeof *t),
                       clg__arg_int(op->in[2].object != NULL), clg__arg_int(op->accumulate),
                       clg__arg_local(state->layout.kept_bytes));
}

CLG__CONV2D_ALGORITHM(depthwise, forward, CLG_CONV2D_FORWARD, .exact = true, .fuses_relu = true);
CLG__CONV2D_ALGORITHM(depthwise, backward_data, CLG_CONV2D_BACKWARD_DATA, .exact = true);
