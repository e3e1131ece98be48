#include "cli/benchdnn.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { UNSET = -1 };

/* So large that every published problem fits, so small that no sum or product here overflows. */
static const int64_t largest_size = INT64_C(1000000000000), largest_step = 1000000;

static const char axis_letters[BENCHDNN_AXES] = {'d', 'h', 'w'};

/* Where a number is stored, by the entry's letters: "mb", or i, o, k, s, p, d with an axis. */
static int64_t *find(struct benchdnn_problem *problem, const char *text, size_t *length)
{
    *length = 2;
    if (strncmp(text, "mb", 2) == 0)
        return &problem->batch;
    if (strncmp(text, "ic", 2) == 0)
        return &problem->in_channels;
    if (strncmp(text, "oc", 2) == 0)
        return &problem->out_channels;
    for (int i = 0; i < BENCHDNN_AXES && text[0]; i++) {
        struct benchdnn_axis *axis = &problem->axes[i];
        if (text[1] != axis_letters[i])
            continue;
        switch (text[0]) {
        case 'i':
            return &axis->in;
        case 'o':
            return &axis->out;
        case 'k':
            return &axis->kernel;
        case 's':
            return &axis->stride;
        case 'p':
            return &axis->pad_begin;
        case 'd':
            return &axis->dilation;
        default:
            return NULL;
        }
    }
    *length = 1;
    return text[0] == 'g' ? &problem->groups : NULL;
}

static clg_status read_number(const char **at, int64_t largest, int64_t *value)
{
    if (!isdigit((unsigned char)**at))
        return clg__fail(CLG_BAD_FORMAT, "a number is expected at \"%.40s\"", *at);
    for (*value = 0; isdigit((unsigned char)**at); ++*at) {
        *value = *value * 10 + (**at - '0');
        if (*value > largest)
            return clg__fail(CLG_BAD_FORMAT, "a number is larger than %lld", (long long)largest);
    }
    return CLG_OK;
}

static void read_name(const char *text, char *name, size_t size)
{
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    snprintf(name, size, "%.*s", (int)(length < size ? length : size), text);
}

static clg_status read_entries(const char *text, struct benchdnn_problem *problem)
{
    for (const char *at = text; *at;) {
        size_t length;
        if (*at == '_') {
            at++;
            continue;
        }
        int64_t *value = find(problem, at, &length);
        if (!value && *at == 'n') {
            read_name(at + 1, problem->name, sizeof problem->name);
            return CLG_OK;
        }
        if (!value)
            return clg__fail(CLG_BAD_FORMAT, "\"%.40s\" is not understood", at);
        bool step = *at == 's' || *at == 'd';
        at += length;
        CLG__TRY(read_number(&at, step ? largest_step : largest_size, value));
    }
    return CLG_OK;
}

static int64_t window(const struct benchdnn_axis *axis)
{
    return (axis->kernel - 1) * (axis->dilation + 1) + 1;
}

static bool is_absent(const struct benchdnn_axis *axis)
{
    return axis->in <= 0 && axis->kernel <= 0 && axis->out <= 0 && axis->dilation <= 0 &&
           axis->stride == 1 && axis->pad_begin < 1;
}

/* Checks what an axis needs and computes its output size or padding. */
static clg_status complete(struct benchdnn_axis *axis, char letter)
{
    if (axis->in <= 0)
        return clg__fail(CLG_BAD_FORMAT, "i%c is missing or 0", letter);
    if (axis->kernel <= 0)
        return clg__fail(CLG_BAD_FORMAT, "k%c is missing or 0", letter);
    if (axis->stride <= 0)
        return clg__fail(CLG_BAD_FORMAT, "s%c is 0", letter);
    if (axis->dilation == UNSET)
        axis->dilation = 0;
    if (axis->out > 0) {
        if (axis->pad_begin == UNSET)
            axis->pad_begin = ((axis->out - 1) * axis->stride - axis->in + window(axis)) / 2;
        return CLG_OK;
    }
    if (axis->pad_begin == UNSET)
        axis->pad_begin = 0;
    int64_t room = axis->in + 2 * axis->pad_begin - window(axis);
    if (room < 0)
        return clg__fail(CLG_BAD_FORMAT,
                         "the window of %lld is larger than the padded input of %lld, and o%c is "
                         "not given",
                         (long long)window(axis),
                         (long long)axis->in + 2 * (long long)axis->pad_begin, letter);
    axis->out = room / axis->stride + 1;
    return CLG_OK;
}

/* Squares, cubes, and axes that a problem does not have. */
static clg_status fill_axes(struct benchdnn_axis *axes, const bool *given)
{
    const struct benchdnn_axis flat = {
        .in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 0, .pad_begin = 0};
    bool depth = given[BENCHDNN_DEPTH], height = given[BENCHDNN_HEIGHT];
    bool width = given[BENCHDNN_WIDTH];
    if (!depth && !height && !width)
        return clg__fail(CLG_BAD_FORMAT, "no size is given: iw and kw, or ih and kh, are needed");
    if (depth && height != width)
        return clg__fail(CLG_BAD_FORMAT, "with depths, both heights and widths are needed, or "
                                         "none of them");
    if (!depth)
        axes[BENCHDNN_DEPTH] = flat;
    if (!height)
        axes[BENCHDNN_HEIGHT] = depth ? axes[BENCHDNN_DEPTH] : flat;
    if (!width)
        axes[BENCHDNN_WIDTH] = axes[BENCHDNN_HEIGHT];
    return CLG_OK;
}

/* The padding at the end follows from the sizes. Rows that no window reaches need no cropping. */
static void set_pad_end(struct benchdnn_axis *axis)
{
    int64_t needed = (axis->out - 1) * axis->stride + window(axis);
    axis->pad_end = needed - axis->in - axis->pad_begin;
    if (axis->pad_end < 0) {
        axis->pad_end += axis->stride - 1;
        if (axis->pad_end > 0)
            axis->pad_end = 0;
    }
    axis->dilation++;
}

clg_status benchdnn_parse(const char *text, struct benchdnn_problem *problem)
{
    const struct benchdnn_axis unset = {.stride = 1, .dilation = UNSET, .pad_begin = UNSET};
    bool given[BENCHDNN_AXES];
    *problem = (struct benchdnn_problem){.batch = 2, .groups = 1, .axes = {unset, unset, unset}};
    CLG__TRY(read_entries(text, problem));
    if (problem->in_channels <= 0 || problem->out_channels <= 0)
        return clg__fail(CLG_BAD_FORMAT, "%s is missing or 0",
                         problem->in_channels <= 0 ? "ic" : "oc");
    if (problem->groups <= 0 || problem->batch <= 0)
        return clg__fail(CLG_BAD_FORMAT, "%s is 0", problem->groups <= 0 ? "g" : "mb");
    for (int i = 0; i < BENCHDNN_AXES; i++) {
        given[i] = !is_absent(&problem->axes[i]);
        if (given[i])
            CLG__TRY(complete(&problem->axes[i], axis_letters[i]));
    }
    CLG__TRY(fill_axes(problem->axes, given));
    for (int i = 0; i < BENCHDNN_AXES; i++)
        set_pad_end(&problem->axes[i]);
    return CLG_OK;
}
