/* NumPy's .npy files: one array of numbers each. */
#ifndef CLGRAD_NPY_H
#define CLGRAD_NPY_H

#include "clgrad/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CLG_NPY_MAX_DIMS = 8 };

/* Element types: NumPy's f4, f8, i4, i8 and u1. */
typedef enum clg_npy_type {
    CLG_NPY_F32,
    CLG_NPY_F64,
    CLG_NPY_I32,
    CLG_NPY_I64,
    CLG_NPY_U8
} clg_npy_type;

/* A dense array in C order (the last dimension varies fastest), elements in the host's byte order.
 */
typedef struct clg_npy_array {
    clg_npy_type type;
    int ndim;                       /* 0 (one number) to CLG_NPY_MAX_DIMS */
    int64_t dims[CLG_NPY_MAX_DIMS]; /* the first ndim are used; may be 0 */
    void *data;                     /* aligned for its type */
} clg_npy_array;

/* Bytes of one element; 0 for a value that is no clg_npy_type. */
CLG_API size_t clg_npy_type_size(clg_npy_type type);

/* Number of elements, 1 for ndim 0; -1 when it is not a valid shape or too large to count. */
CLG_API int64_t clg_npy_count(const clg_npy_array *array);

/*
 * Reads an .npy file of version 1, 2 or 3, of either byte order, in C or Fortran order; the array
 * always comes back in C order and the host's byte order. It owns `data`: clg_npy_free. On failure
 * *array is all zero.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_IO_ERROR (missing or unreadable), CLG_BAD_FORMAT (bad
 * magic, version or header, a negative or overflowing dimension, less or more data than the header
 * says), CLG_UNSUPPORTED (another element type, more than CLG_NPY_MAX_DIMS dimensions),
 * CLG_OUT_OF_HOST_MEMORY.
 */
CLG_API clg_status clg_npy_read(const char *path, clg_npy_array *array) CLG_WARN_UNUSED;

/*
 * Writes a version 1 file in C order. The file appears whole or not at all: it is written under a
 * temporary name in the same folder and renamed. The array is only read.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL, an unknown type, ndim or a dimension out of range, no data),
 * CLG_TOO_LARGE, CLG_IO_ERROR, CLG_OUT_OF_HOST_MEMORY.
 */
CLG_API clg_status clg_npy_write(const char *path, const clg_npy_array *array) CLG_WARN_UNUSED;

/* Frees `data` as clg_npy_read allocated it and zeroes *array. Accepts NULL. */
CLG_API void clg_npy_free(clg_npy_array *array);

/*
 * out[i] = element i, for all clg_npy_count(array) elements, from any type. Rounds to the nearest
 * float (or double, for i8); an f8 too large for a float becomes an infinity. The caller owns out.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL or not a valid array), CLG_TOO_LARGE.
 */
CLG_API clg_status clg_npy_to_float(const clg_npy_array *array, float *out) CLG_WARN_UNUSED;
CLG_API clg_status clg_npy_to_double(const clg_npy_array *array, double *out) CLG_WARN_UNUSED;

/*
 * The same for 32-bit integers, from any type: every element must be a whole number within
 * -2^31 .. 2^31-1. What out holds after a failure is not specified.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL, not a valid array, or an element that is no 32-bit integer;
 * the message names the first such element), CLG_TOO_LARGE.
 */
CLG_API clg_status clg_npy_to_int32(const clg_npy_array *array, int32_t *out) CLG_WARN_UNUSED;

#ifdef __cplusplus
}
#endif

#endif
