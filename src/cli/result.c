#include "cli/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static const uint32_t poison = UINT32_C(0x7fe5dead);

clg_status result_poison(clg_tensor *tensor)
{
    size_t offset;
    clg_buffer *buffer = clg_tensor_buffer(tensor, &offset);
    return clg_buffer_fill(buffer, offset, clg_tensor_bytes(tensor), &poison, sizeof poison, NULL);
}

/* Where logical element i lies in the tensor's memory. */
static int64_t place_of(const clg_tensor_desc *desc, int64_t i)
{
    if (desc->layout != CLG_NHWC)
        return i;
    int64_t channels = desc->dims[1], plane = desc->dims[2] * desc->dims[3];
    int64_t n = i / (channels * plane), c = i / plane % channels, at = i % plane;
    return (n * plane + at) * channels + c;
}

static clg_status check_written(const char *name, const uint32_t *bits, int64_t count)
{
    int64_t left_out = 0, first = -1;
    for (int64_t i = 0; i < count; i++)
        if (bits[i] == poison) {
            left_out++;
            first = first < 0 ? i : first;
        }
    if (left_out == 0)
        return CLG_OK;
    return clg__fail(CLG_INTERNAL_ERROR,
                     "%s: %lld of %lld elements were not written, the first one at index %lld",
                     name, (long long)left_out, (long long)count, (long long)first);
}

/* Words of the tensor's memory to floats in logical order. */
static void convert(const clg_tensor *tensor, const uint32_t *bits, float *data)
{
    const clg_tensor_desc *desc = clg_tensor_get_desc(tensor);
    int64_t count = clg_tensor_count(tensor);
    for (int64_t i = 0; i < count; i++) {
        uint32_t word = bits[place_of(desc, i)];
        int32_t integer;
        memcpy(&integer, &word, sizeof integer);
        memcpy(&data[i], &word, sizeof word);
        if (desc->type == CLG_INT32)
            data[i] = (float)integer;
    }
}

clg_status result_read(const clg_tensor *tensor, const char *name, float **data)
{
    size_t bytes = clg_tensor_bytes(tensor);
    uint32_t *bits = malloc(bytes);
    *data = malloc(bytes);
    clg_status status = *data && bits ? CLG_OK : clg__fail_alloc(name);
    if (status == CLG_OK)
        status = clg_tensor_download(tensor, bits, NULL);
    if (status == CLG_OK)
        status = check_written(name, bits, clg_tensor_count(tensor));
    if (status == CLG_OK)
        convert(tensor, bits, *data);
    free(bits);
    if (status != CLG_OK) {
        free(*data);
        *data = NULL;
    }
    return status;
}

clg_status result_upload(clg_tensor *tensor, const float *data)
{
    const clg_tensor_desc *desc = clg_tensor_get_desc(tensor);
    if (desc->layout == CLG_NCHW)
        return clg_tensor_upload(tensor, data, NULL);
    float *ordered = malloc(clg_tensor_bytes(tensor));
    if (!ordered)
        return clg__fail_alloc("an input");
    int64_t count = clg_tensor_count(tensor);
    for (int64_t i = 0; i < count; i++)
        ordered[place_of(desc, i)] = data[i];
    clg_status status = clg_tensor_upload(tensor, ordered, NULL);
    free(ordered);
    return status;
}

const char *result_place(const clg_tensor_desc *desc, int64_t index, char *text, size_t size)
{
    int64_t at[CLG_MAX_DIMS] = {0}, rest = index;
    for (int i = desc->ndim - 1; i >= 0; i--) {
        at[i] = rest % desc->dims[i];
        rest /= desc->dims[i];
    }
    int used = snprintf(text, size, "index %lld (", (long long)index);
    for (int i = 0; i < desc->ndim && used > 0 && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, "%s%lld%s", i ? "," : "",
                         (long long)at[i], i + 1 == desc->ndim ? ")" : "");
    return text;
}
