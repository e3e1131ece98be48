/* How element-wise kernels (kernels_cl/elements.clh) are shared out to work-items. */
#ifndef CLG_OPS_ELEMENTS_H
#define CLG_OPS_ELEMENTS_H

#include "runtime/kernel.h"

struct clg__elements {
    /* `struct elements` of kernels_cl/elements.clh */
    struct clg__elements_arg {
        cl_int count, own, stream;
    } arg;
    struct clg__grid grid;
};

/* LANES, and the -D of it for kernels that include elements.clh, a literal. */
int clg__elements_lanes(const clg_context *ctx);
const char *clg__elements_options(const clg_context *ctx);

/* For `count` elements in each of `tensors` tensors, inputs and outputs. */
struct clg__elements clg__elements_of(const clg_context *ctx, int64_t count, int tensors);

static inline struct clg__arg clg__arg_elements(const struct clg__elements *elements)
{
    return clg__arg_struct(&elements->arg, sizeof elements->arg);
}

#endif
