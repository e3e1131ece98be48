/* IDX files, the format of MNIST and its relatives, plain or compressed with gzip. */
#ifndef CLGRAD_IDX_H
#define CLGRAD_IDX_H

#include "clgrad/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CLG_IDX_MAX_DIMS = 4 };

/* An array of unsigned bytes in C order (the last dimension varies fastest). */
typedef struct clg_idx {
    int ndim;                       /* 1 (labels) to CLG_IDX_MAX_DIMS; 3 for images N H W */
    int64_t dims[CLG_IDX_MAX_DIMS]; /* the first ndim are used; may be 0 */
    uint8_t *data;
} clg_idx;

/*
 * Reads an IDX file of unsigned bytes (magic 0x801 to 0x804), whether gzip or plain. *idx owns
 * `data`: clg_idx_free. On failure *idx is all zero.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_IO_ERROR (missing or unreadable), CLG_BAD_FORMAT (bad
 * magic, overflowing dimensions, damaged gzip data, less or more data than the header says),
 * CLG_UNSUPPORTED (elements other than unsigned bytes), CLG_OUT_OF_HOST_MEMORY.
 */
CLG_API clg_status clg_idx_read(const char *path, clg_idx *idx) CLG_WARN_UNUSED;

/* Frees `data` and zeroes *idx. Accepts NULL. */
CLG_API void clg_idx_free(clg_idx *idx);

#ifdef __cplusplus
}
#endif

#endif
