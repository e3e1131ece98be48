/* What forward and the input gradient know about their geometry. */
#include "ops/conv2d_implicit.h"

#include "runtime/loops.h"

enum { MAX_TABLE = 1 << 22 };

/* Forward in the words of phases: there is one. */
static struct conv2d_phase forward_axis(int outputs, int taps, int dilation)
{
    return (struct conv2d_phase){
        .outputs = outputs, .taps = taps, .first_tap = 0, .tap_step = 1, .in_step = dilation};
}

static int phases_of(int stride, int size)
{
    return stride < size ? stride : size;
}

int clg__implicit_phases(const struct conv2d_args *a, bool forward,
                         struct clg__implicit_axes axes[CLG__IMPLICIT_PHASES])
{
    int count = 0;
    if (forward) {
        axes[count++] = (struct clg__implicit_axes){forward_axis(a->p, a->r, a->dilation_h),
                                                    forward_axis(a->q, a->s, a->dilation_w)};
        return count;
    }
    for (int h = 0; h < phases_of(a->stride_h, a->h); h++)
        for (int w = 0; w < phases_of(a->stride_w, a->w) && count < CLG__IMPLICIT_PHASES; w++)
            axes[count++] = (struct clg__implicit_axes){
                clg__conv2d_phase(h, a->h, a->r, a->pad_top, a->dilation_h, a->stride_h),
                clg__conv2d_phase(w, a->w, a->s, a->pad_left, a->dilation_w, a->stride_w)};
    return count;
}

bool clg__implicit_table_fits(const struct conv2d_args *a, bool forward,
                              const clg_device_info *device, const char **why_not)
{
    int64_t phases = (int64_t)phases_of(a->stride_h, a->h) * (int64_t)phases_of(a->stride_w, a->w);
    int64_t terms = (int64_t)(forward ? a->c : a->k) / a->groups * a->r * a->s;
    return CLG__ACCEPTS(
        why_not, {!forward && phases > CLG__IMPLICIT_PHASES, "more than 64 phases of the stride"},
        {terms > MAX_TABLE, "more than 2^22 products in a sum"},
        {!clg__loops_fit(device, CLG__GEMM_LOOPS * (double)terms), CLG__LOOPS_END_EARLY});
}

struct implicit_pack_args clg__implicit_filters(const struct conv2d_args *a, bool forward)
{
    const int filters = a->k / a->groups, channels = a->c / a->groups, window = a->r * a->s;
    const int rows = forward ? filters : channels;
    return (struct implicit_pack_args){
        .rows = rows,
        .channels = forward ? channels : filters,
        .filter_row = forward ? channels * window : window,
        .filter_channel = forward ? window : channels * window,
        .filter_group = filters * channels * window,
        .pitch = clg__implicit_up(rows, CLG__IMPLICIT_VECTOR),
    };
}

struct implicit_tap clg__implicit_tap(const struct conv2d_args *a, bool forward,
                                      const struct clg__implicit_axes *p, int c, int i, int j)
{
    int row = p->rows.first_in + i * p->rows.in_step;
    int column = p->columns.first_in + j * p->columns.in_step;
    int in_channel = forward ? a->x_c : a->y_k, in_row = forward ? a->x_h : a->y_p;
    int in_column = forward ? a->x_w : a->y_q;
    int window = a->r * a->s;
    int filter = (p->rows.first_tap + i * p->rows.tap_step) * a->s + p->columns.first_tap +
                 j * p->columns.tap_step;
    /* Far outside of the tensor the offset may wrap around: it is not read then. */
    uint32_t offset = (uint32_t)c * (uint32_t)in_channel + (uint32_t)row * (uint32_t)in_row +
                      (uint32_t)column * (uint32_t)in_column;
    return (struct implicit_tap){(int)offset, row, column,
                                 c * (forward ? window : a->c / a->groups * window) + filter};
}

static void set_forward(const struct conv2d_args *a, struct implicit_args *g)
{
    g->step_row = a->stride_h;
    g->step_column = a->stride_w;
    g->start_row = -a->pad_top;
    g->start_column = -a->pad_left;
    g->in_rows = a->h;
    g->in_columns = a->w;
    g->in_image = a->x_n;
    g->in_row = a->x_h;
    g->in_column = a->x_w;
    g->in_channel = a->x_c;
    g->in_group = a->c / a->groups * a->x_c;
    g->out_image = a->y_n;
    g->out_row = a->y_p;
    g->out_column = a->y_q;
    g->out_channel = a->y_k;
    g->filter_row = a->c / a->groups * a->r * a->s;
    g->relu = a->relu;
}

static void set_backward_data(const struct conv2d_args *a, struct implicit_args *g)
{
    g->step_row = g->step_column = 1;
    g->in_rows = a->p;
    g->in_columns = a->q;
    g->in_image = a->y_n;
    g->in_row = a->y_p;
    g->in_column = a->y_q;
    g->in_channel = a->y_k;
    g->in_group = a->k / a->groups * a->y_k;
    g->out_image = a->x_n;
    g->out_row = a->stride_h * a->x_h;
    g->out_column = a->stride_w * a->x_w;
    g->out_channel = a->x_c;
    g->filter_row = a->r * a->s;
}

struct implicit_args clg__implicit_args(const struct conv2d_args *a, bool forward,
                                        const struct implicit_phase *phases, int count)
{
    const struct implicit_pack_args filters = clg__implicit_filters(a, forward);
    struct implicit_args args = {.rows = filters.rows,
                                 .slices = 1,
                                 .phases = count,
                                 .filter_group = filters.filter_group,
                                 .pitch = filters.pitch};
    for (int i = 0; i < count; i++)
        if (phases[i].columns > args.columns)
            args.columns = phases[i].columns;
    if (forward)
        set_forward(a, &args);
    else
        set_backward_data(a, &args);
    return args;
}

struct implicit_phase clg__implicit_phase(const struct conv2d_args *a, bool forward,
                                          const struct clg__implicit_axes *axes, int index)
{
    int across = phases_of(a->stride_w, a->w), taps = axes->rows.taps * axes->columns.taps;
    return (struct implicit_phase){
        .columns = a->n * axes->rows.outputs * axes->columns.outputs,
        .depth = (forward ? a->c : a->k) / a->groups * taps,
        .taps = taps,
        .pixel_rows = axes->rows.outputs,
        .pixel_columns = axes->columns.outputs,
        .out_first = index / across * a->x_h + index % across * a->x_w,
    };
}

bool clg__implicit_has_vectors(const struct implicit_args *g, const struct implicit_phase *f)
{
    enum { VECTOR = CLG__IMPLICIT_VECTOR };
    const int plane = f->pixel_rows * f->pixel_columns;
    const bool rows = f->pixel_columns % VECTOR == 0 && g->out_row % VECTOR == 0;
    const bool planes = g->out_row == f->pixel_columns && plane % VECTOR == 0;
    return g->out_column == 1 && (rows || planes) && f->out_first % VECTOR == 0 &&
           g->out_image % VECTOR == 0 && g->out_channel % VECTOR == 0;
}
