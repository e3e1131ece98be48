#include "ops/conv2d_subject.h"

#include <stdio.h>

enum { PROBLEM_SIZE = 200 };

const char *clg__conv2d_layout_label(const struct conv2d_args *args)
{
    static const char *const labels[2][2] = {{"nchw", "nchw-nhwc"}, {"nhwc-nchw", "nhwc"}};
    return labels[args->x_channels_last != 0][args->y_channels_last != 0];
}

/* The padding at the end is what makes the output's size true. */
static void write_problem(const struct conv2d_args *a, char text[PROBLEM_SIZE])
{
    char groups[16] = "";
    if (a->groups > 1)
        snprintf(groups, sizeof groups, "g%d", a->groups);
    snprintf(text, PROBLEM_SIZE, "%smb%dic%dih%diw%doc%doh%dow%dkh%dkw%dsh%dsw%dph%dpw%ddh%ddw%d",
             groups, a->n, a->c, a->h, a->w, a->k, a->p, a->q, a->r, a->s, a->stride_h, a->stride_w,
             a->pad_top, a->pad_left, a->dilation_h - 1, a->dilation_w - 1);
}

/* The same, measured by the program; it takes x and y in one layout, and no negative padding. */
static const char *write_command(const struct conv2d_args *a, clg_conv2d_direction direction,
                                 const char *problem, char *text, size_t size)
{
    static const char *const names[] = {"fwd", "bwd_data", "bwd_filter"};
    if (a->pad_top < 0 || a->pad_left < 0 || a->x_channels_last != a->y_channels_last)
        return NULL;
    snprintf(text, size, "clgrad bench conv2d --problem %s --dir %s --layout %s", problem,
             names[direction], clg__conv2d_layout_label(a));
    return text;
}

struct clg__subject clg__conv2d_subject(const struct conv2d_args *a, clg_conv2d_direction direction,
                                        struct clg__conv2d_text *text)
{
    char problem[PROBLEM_SIZE];
    write_problem(a, problem);
    bool relu = direction == CLG_CONV2D_FORWARD && a->relu;
    snprintf(text->key, sizeof text->key, "%s %s%s", problem, clg__conv2d_layout_label(a),
             relu ? " relu" : "");
    const size_t x = (size_t)clg__conv2d_x_count(a) * sizeof(float);
    const size_t w = (size_t)clg__conv2d_w_count(a) * sizeof(float);
    const size_t y = (size_t)clg__conv2d_y_count(a) * sizeof(float);
    struct clg__subject subject = {
        .key = text->key,
        .command = write_command(a, direction, problem, text->command, sizeof text->command),
        .flop = clg__conv2d_flop(a),
        .bytes = (double)x + (double)w + (double)y,
    };
    switch (direction) {
    case CLG_CONV2D_FORWARD:
        subject.out[0] = y;
        subject.in[0] = x;
        subject.in[1] = w;
        subject.in[2] = (size_t)a->k * sizeof(float);
        break;
    case CLG_CONV2D_BACKWARD_DATA:
        subject.out[0] = x;
        subject.in[0] = y;
        subject.in[1] = w;
        break;
    case CLG_CONV2D_BACKWARD_FILTER:
        subject.out[0] = w;
        subject.in[0] = x;
        subject.in[1] = y;
        break;
    }
    return subject;
}
