#include "clgrad/npy.h"

#include "base/error.h"
#include "io/atomic_file.h"
#include "io/bytes.h"
#include "io/npy_header.h"
#include "io/read_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t clg_npy_type_size(clg_npy_type type)
{
    switch (type) {
    case CLG_NPY_F32:
    case CLG_NPY_I32:
        return 4;
    case CLG_NPY_F64:
    case CLG_NPY_I64:
        return 8;
    case CLG_NPY_U8:
        return 1;
    }
    return 0;
}

int64_t clg_npy_count(const clg_npy_array *array)
{
    size_t count = 0;
    if (!array || array->ndim < 0 || array->ndim > CLG_NPY_MAX_DIMS ||
        !clg__dims_to_bytes(array->ndim, array->dims, 1, &count))
        return -1;
    return (int64_t)count;
}

static clg_status check_array(const clg_npy_array *array, size_t *bytes)
{
    if (!array)
        return clg__fail(CLG_INVALID_ARGUMENT, "the npy array is NULL");
    const size_t element = clg_npy_type_size(array->type);
    if (element == 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "%d is no clg_npy_type", (int)array->type);
    if (array->ndim < 0 || array->ndim > CLG_NPY_MAX_DIMS)
        return clg__fail(CLG_INVALID_ARGUMENT, "an npy array has 0 to %d dimensions, not %d",
                         CLG_NPY_MAX_DIMS, array->ndim);
    for (int i = 0; i < array->ndim; i++)
        if (array->dims[i] < 0)
            return clg__fail(CLG_INVALID_ARGUMENT, "dimension %d of the npy array is %lld", i,
                             (long long)array->dims[i]);
    if (!clg__dims_to_bytes(array->ndim, array->dims, element, bytes))
        return clg__fail(CLG_TOO_LARGE, "the npy array's size in bytes overflows");
    if (*bytes > 0 && !array->data)
        return clg__fail(CLG_INVALID_ARGUMENT, "the npy array has no data");
    return CLG_OK;
}

static void swap_elements(uint8_t *data, size_t bytes, size_t element)
{
    for (uint8_t *p = data; p < data + bytes; p += element)
        for (size_t i = 0; i < element / 2; i++) {
            const uint8_t byte = p[i];
            p[i] = p[element - 1 - i];
            p[element - 1 - i] = byte;
        }
}

/* out in C order from in, whose first dimension varies fastest; no dimension is 0. */
static void fortran_to_c(const clg_npy_array *shape, const uint8_t *in, uint8_t *out, size_t bytes)
{
    const size_t element = clg_npy_type_size(shape->type);
    size_t stride[CLG_NPY_MAX_DIMS] = {0}, index[CLG_NPY_MAX_DIMS] = {0}, from = 0;
    for (int i = 0; i < shape->ndim; i++)
        stride[i] = i == 0 ? element : stride[i - 1] * (size_t)shape->dims[i - 1];
    for (size_t to = 0; to < bytes; to += element) {
        memcpy(out + to, in + from, element);
        for (int i = shape->ndim - 1; i >= 0; i--) {
            from += stride[i];
            if (++index[i] < (size_t)shape->dims[i])
                break;
            from -= stride[i] * index[i];
            index[i] = 0;
        }
    }
}

/* Turns the file's bytes into the array's data; takes over *file when it succeeds. */
static clg_status take_data(const struct clg__npy_header *header, uint8_t **file, size_t bytes,
                            clg_npy_array *array)
{
    const size_t element = clg_npy_type_size(header->type);
    array->type = header->type;
    array->ndim = header->ndim;
    memcpy(array->dims, header->dims, sizeof array->dims);
    if (header->fortran_order && header->ndim > 1 && bytes > 0) {
        array->data = malloc(bytes);
        if (!array->data)
            return clg__fail_alloc("a transposed npy array");
        fortran_to_c(array, *file + header->data_offset, array->data, bytes);
    } else {
        memmove(*file, *file + header->data_offset, bytes);
        array->data = *file;
        *file = NULL;
    }
    if (header->big_endian == clg__host_is_little_endian())
        swap_elements(array->data, bytes, element);
    return CLG_OK;
}

clg_status clg_npy_read(const char *path, clg_npy_array *array)
{
    clg_status status = CLG_OK;
    struct clg__npy_header header;
    uint8_t *file = NULL;
    size_t size = 0, bytes = 0;
    if (array)
        *array = (clg_npy_array){0};
    if (!path || !array)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_npy_read: path or array is NULL");
    CLG__TRY(clg__read_file(path, &file, &size));
    CLG__TRY_GOTO(clg__npy_header_parse(path, file, size, &header));
    if (!clg__dims_to_bytes(header.ndim, header.dims, clg_npy_type_size(header.type), &bytes)) {
        status = clg__fail(CLG_BAD_FORMAT, "'%s': the size of its %d dimensions overflows", path,
                           header.ndim);
        goto fail;
    }
    if (size - header.data_offset != bytes) {
        status = clg__fail(CLG_BAD_FORMAT,
                           "'%s' has %zu bytes of data, but its header says %zu: it is %s", path,
                           size - header.data_offset, bytes,
                           size - header.data_offset < bytes ? "cut short" : "too long");
        goto fail;
    }
    CLG__TRY_GOTO(take_data(&header, &file, bytes, array));
    free(file);
    return CLG_OK;
fail:
    free(file);
    *array = (clg_npy_array){0};
    return status;
}

clg_status clg_npy_write(const char *path, const clg_npy_array *array)
{
    clg_status status = CLG_OK;
    struct clg__atomic_file file;
    char header[CLG__NPY_HEADER_SIZE];
    size_t bytes = 0;
    if (!path)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_npy_write: path is NULL");
    CLG__TRY(check_array(array, &bytes));
    const size_t header_size = clg__npy_header_format(array, header);
    CLG__TRY(clg__atomic_file_begin(&file, path));
    CLG__TRY_GOTO(clg__atomic_file_write(&file, header, header_size));
    CLG__TRY_GOTO(clg__atomic_file_write(&file, array->data, bytes));
    return clg__atomic_file_commit(&file);
fail:
    clg__atomic_file_abort(&file);
    return status;
}

void clg_npy_free(clg_npy_array *array)
{
    if (!array)
        return;
    free(array->data);
    *array = (clg_npy_array){0};
}

/* Checks what the converters share; *count is the number of elements. */
static clg_status check_conversion(const clg_npy_array *array, const void *out, size_t *count)
{
    size_t bytes = 0;
    CLG__TRY(check_array(array, &bytes));
    *count = bytes / clg_npy_type_size(array->type);
    if (*count > 0 && !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "the output of an npy conversion is NULL");
    return CLG_OK;
}

/* The loop that every pair of types needs. */
#define CONVERT(from, to)                                                                          \
    do {                                                                                           \
        const from *in = array->data;                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = (to)in[i];                                                                    \
    } while (0)

#define CONVERT_ANY(to)                                                                            \
    switch (array->type) {                                                                         \
    case CLG_NPY_F32:                                                                              \
        CONVERT(float, to);                                                                        \
        break;                                                                                     \
    case CLG_NPY_F64:                                                                              \
        CONVERT(double, to);                                                                       \
        break;                                                                                     \
    case CLG_NPY_I32:                                                                              \
        CONVERT(int32_t, to);                                                                      \
        break;                                                                                     \
    case CLG_NPY_I64:                                                                              \
        CONVERT(int64_t, to);                                                                      \
        break;                                                                                     \
    case CLG_NPY_U8:                                                                               \
        CONVERT(uint8_t, to);                                                                      \
        break;                                                                                     \
    }

clg_status clg_npy_to_float(const clg_npy_array *array, float *out)
{
    size_t count = 0;
    CLG__TRY(check_conversion(array, out, &count));
    CONVERT_ANY(float)
    return CLG_OK;
}

clg_status clg_npy_to_double(const clg_npy_array *array, double *out)
{
    size_t count = 0;
    CLG__TRY(check_conversion(array, out, &count));
    CONVERT_ANY(double)
    return CLG_OK;
}

static clg_status int64_to_int32(const int64_t *in, size_t count, int32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (in[i] < INT32_MIN || in[i] > INT32_MAX)
            return clg__fail(CLG_INVALID_ARGUMENT, "element %zu is %lld, no 32-bit integer", i,
                             (long long)in[i]);
        out[i] = (int32_t)in[i];
    }
    return CLG_OK;
}

static clg_status real_to_int32(const clg_npy_array *array, size_t count, int32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const double value = array->type == CLG_NPY_F32 ? (double)((const float *)array->data)[i]
                                                        : ((const double *)array->data)[i];
        if (!(value >= INT32_MIN && value <= INT32_MAX) || trunc(value) != value)
            return clg__fail(CLG_INVALID_ARGUMENT, "element %zu is %.17g, no 32-bit integer", i,
                             value);
        out[i] = (int32_t)value;
    }
    return CLG_OK;
}

clg_status clg_npy_to_int32(const clg_npy_array *array, int32_t *out)
{
    size_t count = 0;
    CLG__TRY(check_conversion(array, out, &count));
    switch (array->type) {
    case CLG_NPY_F32:
    case CLG_NPY_F64:
        return real_to_int32(array, count, out);
    case CLG_NPY_I64:
        return int64_to_int32(array->data, count, out);
    case CLG_NPY_I32:
        CONVERT(int32_t, int32_t);
        break;
    case CLG_NPY_U8:
        CONVERT(uint8_t, int32_t);
        break;
    }
    return CLG_OK;
}
