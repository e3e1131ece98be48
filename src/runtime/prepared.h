/*
 * What most algorithms prepare: some kernels and a layout. Such an algorithm's state starts with a
 * struct clg__kernels, and what is common to all of them is here: memory, failures, release.
 */
#ifndef CLG_RUNTIME_PREPARED_H
#define CLG_RUNTIME_PREPARED_H

#include "runtime/kernel.h"

enum { CLG__MAX_KERNELS = 4 };

struct clg__kernels {
    struct clg__kernel *at[CLG__MAX_KERNELS]; /* in the order of their specs; NULL behind them */
};

/* The parameters of clg__kernel_create. A NULL name: this kernel is not needed. */
struct clg__kernel_spec {
    const char *source, *name, *options;
};

/* Allocates `size` bytes of zeros and creates the kernels at their start. *state is NULL after a
 * failure. Errors: CLG_OUT_OF_HOST_MEMORY, those of clg__kernel_create. */
clg_status clg__prepared_create(clg_context *ctx, size_t size, const struct clg__kernel_spec *specs,
                                size_t count, void **state);

/* Kernels and memory; NULL is allowed. */
void clg__prepared_release(void *state);

/* Why an algorithm may refuse a problem. */
struct clg__objection {
    bool applies;
    const char *why;
};

/* Whether none of them applies; otherwise *why_not is the first that does. */
bool clg__accepts(const struct clg__objection *objections, size_t count, const char **why_not);

#define CLG__ACCEPTS(why_not, ...)                                                                 \
    clg__accepts((const struct clg__objection[]){__VA_ARGS__},                                     \
                 sizeof((const struct clg__objection[]){__VA_ARGS__}) /                            \
                     sizeof(struct clg__objection),                                                \
                 why_not)

#endif
