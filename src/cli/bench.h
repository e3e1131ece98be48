/* What the measurements of `clgrad bench` share. */
#ifndef CLG_CLI_BENCH_H
#define CLG_CLI_BENCH_H

#include "clgrad/tensor.h"
#include "cli/options.h"

/* One per line of benches.def; argv[0] is the name. Returns the exit code. */
#define CLG_BENCH(name, help) int bench_##name(int argc, char **argv);
#include "cli/benches.def"
#undef CLG_BENCH

/* --seconds, how long each measurement goes on; `variable` is a double that holds the default. */
#define CLI_OPTION_SECONDS(variable)                                                               \
    {                                                                                              \
        .name = "seconds", .type = CLI_NUMBER, .value = &(variable), .placeholder = "S",           \
        .help = "of each measurement, at least five runs (0.3)", .least = 0, .most = 3600          \
    }

/* --json; `variable` is a bool. */
#define CLI_OPTION_JSON_LINES(variable)                                                            \
    {                                                                                              \
        .name = "json", .type = CLI_FLAG, .value = &(variable),                                    \
        .help = "print one JSON object a line"                                                     \
    }

/* Pins PoCL's threads to cores, for contexts made later, unless the environment variable
 * POCL_AFFINITY says something already: two of them on one core would halve every figure. */
void bench_pin_threads(void);

/*
 * The context of a measurement, its threads pinned.
 * Errors: those of clg_context_create.
 */
clg_status bench_open(const char *device, clg_context **ctx);

/* A tensor of uniformly random elements in [-1, 1); the same seed gives the same ones.
 * Errors: those of clg_tensor_create and clg_tensor_upload. */
clg_status bench_tensor(clg_context *ctx, const clg_tensor_desc *desc, uint64_t seed,
                        clg_tensor **tensor);

/* "nchw", "nhwc" */
const char *bench_layout_name(clg_layout layout);
/* CLG_NHWC for "nhwc". */
clg_layout bench_layout(const char *name);

/* Whether the name contains the text; NULL is in every name. */
bool bench_matches(const char *name, const char *text);

#endif
