/*
 * The safetensors format: named tensors in one file. 8 bytes of header length (little-endian), a
 * JSON header {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {"key": "value"}}, then
 * the tensors' bytes without gaps. Values are little-endian, in C order.
 */
#ifndef CLGRAD_SAFETENSORS_H
#define CLGRAD_SAFETENSORS_H

#include "clgrad/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CLG_SAFETENSORS_MAX_DIMS = 8 };

/* Element types by their name in the file: X(name, bytes of one element). */
#define CLG_SAFETENSORS_TYPE_LIST(X)                                                               \
    X(BOOL, 1)                                                                                     \
    X(U8, 1)                                                                                       \
    X(I8, 1)                                                                                       \
    X(F8_E5M2, 1)                                                                                  \
    X(F8_E4M3, 1)                                                                                  \
    X(U16, 2)                                                                                      \
    X(I16, 2)                                                                                      \
    X(F16, 2)                                                                                      \
    X(BF16, 2)                                                                                     \
    X(U32, 4)                                                                                      \
    X(I32, 4)                                                                                      \
    X(F32, 4)                                                                                      \
    X(U64, 8)                                                                                      \
    X(I64, 8)                                                                                      \
    X(F64, 8)                                                                                      \
    X(C64, 8)

/* CLG_SAFETENSORS_F32 and so on. */
typedef enum clg_safetensors_type {
#define CLG_SAFETENSORS_ENUM(name, size) CLG_SAFETENSORS_##name,
    CLG_SAFETENSORS_TYPE_LIST(CLG_SAFETENSORS_ENUM)
#undef CLG_SAFETENSORS_ENUM
} clg_safetensors_type;

/* One tensor of a file to write, or of a file that was read. */
typedef struct clg_safetensors_tensor {
    const char *name; /* UTF-8; any but "__metadata__" */
    clg_safetensors_type type;
    int ndim;                               /* 0 (one number) to CLG_SAFETENSORS_MAX_DIMS */
    int64_t dims[CLG_SAFETENSORS_MAX_DIMS]; /* the first ndim are used; may be 0 */
    const void *data;                       /* may be NULL when there are no bytes */
    size_t size; /* bytes of data; set by the reader, ignored by the writer */
} clg_safetensors_tensor;

/* One entry of the "__metadata__". */
typedef struct clg_safetensors_pair {
    const char *key;   /* UTF-8 */
    const char *value; /* UTF-8 */
} clg_safetensors_pair;

/* A file in memory. */
typedef struct clg_safetensors clg_safetensors;

/* "F32" and so on; NULL for a value that is no clg_safetensors_type. */
CLG_API const char *clg_safetensors_type_name(clg_safetensors_type type);

/* Bytes of one element; 0 for a value that is no clg_safetensors_type. */
CLG_API size_t clg_safetensors_type_size(clg_safetensors_type type);

/*
 * Writes `count` tensors in the given order and `pairs` metadata entries; the header is padded to a
 * multiple of 8 bytes. The file appears whole or not at all: it is written under a temporary name
 * in the same folder and renamed. Everything is only read.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL, a reserved, repeated or non-UTF-8 name, an unknown type, ndim
 * or a dimension out of range), CLG_TOO_LARGE (a size overflows, a header above 100 MB),
 * CLG_UNSUPPORTED (a big-endian host), CLG_IO_ERROR, CLG_OUT_OF_HOST_MEMORY.
 */
CLG_API clg_status clg_safetensors_write(const char *path, const clg_safetensors_tensor *tensors,
                                         size_t count, const clg_safetensors_pair *metadata,
                                         size_t pairs) CLG_WARN_UNUSED;

/*
 * Reads a whole file into memory and checks all of it: the header's length, its JSON, every type,
 * shape and range of bytes; the ranges must fill the data without gap or overlap. *file belongs to
 * the caller: clg_safetensors_close. On failure it is NULL.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_IO_ERROR (missing or unreadable), CLG_BAD_FORMAT (any of
 * the above, or an unknown type), CLG_UNSUPPORTED (more than CLG_SAFETENSORS_MAX_DIMS dimensions, a
 * big-endian host), CLG_OUT_OF_HOST_MEMORY.
 */
CLG_API clg_status clg_safetensors_open(const char *path, clg_safetensors **file) CLG_WARN_UNUSED;

/* Frees the file and everything that points into it. Accepts NULL. */
CLG_API void clg_safetensors_close(clg_safetensors *file);

/* Number of tensors; 0 for NULL. */
CLG_API size_t clg_safetensors_count(const clg_safetensors *file);

/*
 * The tensor at `index`, in the order of the data; NULL when there is none. It and its name and
 * data live until clg_safetensors_close. `data` is aligned for its type when its offset within the
 * file's data is a multiple of the element's size, as it always is when all tensors have one type;
 * otherwise take elements with memcpy.
 */
CLG_API const clg_safetensors_tensor *clg_safetensors_at(const clg_safetensors *file, size_t index);

/* The tensor of that name, as above; NULL when there is none. */
CLG_API const clg_safetensors_tensor *clg_safetensors_find(const clg_safetensors *file,
                                                           const char *name);

/* The metadata value of that key, valid until clg_safetensors_close; NULL when there is none. */
CLG_API const char *clg_safetensors_metadata(const clg_safetensors *file, const char *key);

/* The metadata entry at `index`; false when there is none. Valid until clg_safetensors_close. */
CLG_API bool clg_safetensors_metadata_at(const clg_safetensors *file, size_t index,
                                         clg_safetensors_pair *pair);

#ifdef __cplusplus
}
#endif

#endif
