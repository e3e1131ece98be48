/* The kernels of kernels_cl/, embedded by the build. */
#ifndef CLG_RUNTIME_KERNEL_SOURCES_H
#define CLG_RUNTIME_KERNEL_SOURCES_H

#include <stddef.h>

struct clg__kernel_source {
    const char *name; /* file name without ".cl" */
    const char *text; /* NUL-terminated */
    size_t size;      /* bytes without the NUL */
};

/* Ends with an entry whose name is NULL. */
extern const struct clg__kernel_source clg__kernel_sources[];

#endif
