/* The header of an .npy file: magic, version, and a Python dictionary in text. */
#ifndef CLG_IO_NPY_HEADER_H
#define CLG_IO_NPY_HEADER_H

#include "base/error.h"
#include "clgrad/npy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clg__npy_header {
    clg_npy_type type;
    bool big_endian;
    bool fortran_order;
    int ndim;
    int64_t dims[CLG_NPY_MAX_DIMS];
    size_t data_offset; /* bytes from the start of the file */
};

/* Room for any header that clg__npy_header_format makes. */
enum { CLG__NPY_HEADER_SIZE = 384 };

/* Parses the start of a file of `size` bytes. Errors as clg_npy_read says; `path` names the file.
 */
clg_status clg__npy_header_parse(const char *path, const uint8_t *file, size_t size,
                                 struct clg__npy_header *header) CLG_WARN_UNUSED;

/* Writes the header for a valid array, in the host's byte order; returns its size in bytes. */
size_t clg__npy_header_format(const clg_npy_array *array, char text[CLG__NPY_HEADER_SIZE]);

#endif
