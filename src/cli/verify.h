/* The two halves of `clgrad verify`. They print their report and return the exit code. */
#ifndef CLG_CLI_VERIFY_H
#define CLG_CLI_VERIFY_H

#include "cli/command.h"

/* Runs every case at `folder` or below. algorithm: NULL is the library's choice, "all" every
 * algorithm and the library's choice; operations that lack the named one run with their own. */
int verify_cases(const char *device, const char *folder, const char *algorithm);

struct verify_shapes_options {
    const char *device;
    const char *file;      /* in benchdnn's notation */
    const char *direction; /* fwd, bwd_data, bwd_filter; NULL or all: each */
    const char *algorithm; /* as above */
    const char *layout;    /* nchw, nhwc; NULL: nchw */
    int64_t batch;         /* instead of the problems' own; 0: theirs */
};

/* Runs every problem of the list against the naive reference. */
int verify_shapes(const struct verify_shapes_options *options);

#endif
