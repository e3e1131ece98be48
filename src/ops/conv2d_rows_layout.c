#include "ops/conv2d_rows.h"

void clg__rows_forward(const struct conv2d_args *a, struct conv2d_rows_args *t)
{
    *t = (struct conv2d_rows_args){
        .n = a->n,
        .c = a->c,
        .h = a->h,
        .w = a->w,
        .k = a->k,
        .relu = a->relu,
        .in_n = a->x_n,
        .in_c = a->x_c,
        .in_h = a->x_h,
        .in_w = a->x_w,
        .out_n = a->y_n,
        .out_k = a->y_k,
        .out_h = a->y_p,
        .out_w = a->y_q,
        .filter_k = a->c * a->r * a->s,
        .filter_c = a->r * a->s,
        .filter_r = a->s,
        .step_h = a->stride_h,
        .step_w = a->stride_w,
        .phases_h = 1,
        .phases_w = 1,
        .rows = {{a->p, a->r, 0, 1, -a->pad_top, a->dilation_h}},
        .columns = {{a->q, a->s, 0, 1, -a->pad_left, a->dilation_w}},
    };
}

struct clg__reach clg__reach_of(const struct conv2d_phase *phases, int count)
{
    struct clg__reach reach = {INT32_MAX, INT32_MIN, 1};
    for (int i = 0; i < count; i++) {
        const struct conv2d_phase *f = &phases[i];
        int last = f->first_in + (f->taps - 1) * f->in_step;
        if (f->outputs > reach.outputs)
            reach.outputs = f->outputs;
        if (f->taps == 0 || f->outputs == 0)
            continue;
        reach.first = f->first_in < reach.first ? f->first_in : reach.first;
        reach.last = last > reach.last ? last : reach.last;
    }
    if (reach.first > reach.last)
        reach.first = reach.last = 0;
    return reach;
}
