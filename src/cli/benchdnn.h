/*
 * Convolution problems in the notation of oneDNN's benchdnn, as its published lists have them:
 *
 *     mb64ic16ih32oc32oh16kh3sh2ph1n"resnet20:down"
 *
 * mb batch, g groups, ic oc channels over all groups; i input, o output, k window, s stride,
 * p padding at the front, d dilation (0 is dense), each with d h w for depth, height, width; n
 * name. Underscores may stand between entries. An axis is given as a whole or not at all:
 *   - only widths are given: height and depth are 1; heights and no widths: squares; depths and
 *     nothing else: cubes. i and k are needed, s is 1, d is 0 by default;
 *   - o is computed where it is missing, and so is p: 0 without o, else the half of what o needs;
 *   - the padding at the end is what makes o true; negative: the input's end is not used.
 * mb is 2 by default, g is 1. Source: oneDNN, tests/benchdnn/doc/driver_conv.md, knobs_desc.md.
 */
#ifndef CLG_CLI_BENCHDNN_H
#define CLG_CLI_BENCHDNN_H

#include <stddef.h>
#include <stdint.h>

#include "clgrad/status.h"

enum { BENCHDNN_DEPTH, BENCHDNN_HEIGHT, BENCHDNN_WIDTH, BENCHDNN_AXES };

struct benchdnn_axis {
    int64_t in, out, kernel, stride;
    int64_t dilation; /* 1 is dense */
    int64_t pad_begin, pad_end;
};

struct benchdnn_problem {
    char name[64]; /* "" when it has none */
    int64_t batch, groups, in_channels, out_channels;
    struct benchdnn_axis axes[BENCHDNN_AXES];
};

/* Reads one problem. Errors: CLG_BAD_FORMAT; the message says what is missing or not understood. */
clg_status benchdnn_parse(const char *text, struct benchdnn_problem *problem);

struct benchdnn_entry {
    char *text;      /* as in the list */
    char where[96];  /* "file:line" */
    char error[192]; /* why the problem could not be read; "" when it could */
    struct benchdnn_problem problem;
};

struct benchdnn_list {
    struct benchdnn_entry *entries;
    size_t count;
    long ignored;            /* options other than those below */
    char ignored_names[160]; /* some of them, for a message */
};

/*
 * Reads a list: words between blanks, # begins a comment that ends with the line, a word that ends
 * in a backslash goes on with the next one. Of the options, --batch=FILE (another list, from the
 * same folder or the working folder), --mb=N,... and --reset are followed, the rest is counted. A
 * problem that cannot be read is an entry with an error. The list is empty after a failure.
 * Errors: CLG_IO_ERROR, CLG_BAD_FORMAT (lists that include each other), CLG_OUT_OF_HOST_MEMORY.
 */
clg_status benchdnn_read(const char *path, struct benchdnn_list *list);
/* The same with one problem in it, given as text. Errors: CLG_OUT_OF_HOST_MEMORY. */
clg_status benchdnn_read_one(const char *text, struct benchdnn_list *list);
void benchdnn_free(struct benchdnn_list *list);

#endif
