/* Byte order and overflow-checked sizes, for the file formats. */
#ifndef CLG_IO_BYTES_H
#define CLG_IO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool clg__host_is_little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

static inline uint64_t clg__load_le(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static inline uint32_t clg__load_be32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static inline void clg__store_le(uint8_t *bytes, int count, uint64_t value)
{
    for (int i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

/*
 * *bytes = product of dims * element_size (ndim 0: one element). False when a dimension is negative
 * or the product does not fit in an int64_t and a size_t.
 */
static inline bool clg__dims_to_bytes(int ndim, const int64_t *dims, size_t element_size,
                                      size_t *bytes)
{
    const uint64_t limit = SIZE_MAX < INT64_MAX ? (uint64_t)SIZE_MAX : (uint64_t)INT64_MAX;
    uint64_t total = element_size;
    for (int i = 0; i < ndim; i++) {
        if (dims[i] < 0 || (dims[i] != 0 && total > limit / (uint64_t)dims[i]))
            return false;
        total *= (uint64_t)dims[i];
    }
    *bytes = (size_t)total;
    return true;
}

#endif
