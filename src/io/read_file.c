#include "io/read_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One byte over a regular file's size, so that its end is seen without growing the buffer. */
static size_t first_capacity(FILE *stream)
{
    struct stat info;
    if (fstat(fileno(stream), &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= 0 &&
        (uintmax_t)info.st_size < SIZE_MAX / 2)
        return (size_t)info.st_size + 1;
    return 65536;
}

static clg_status read_stream(FILE *stream, const char *path, uint8_t **data, size_t *size)
{
    clg_status status = CLG_OK;
    size_t capacity = first_capacity(stream), used = 0;
    uint8_t *buffer = malloc(capacity);
    if (!buffer)
        return clg__fail_alloc(path);
    for (;;) {
        errno = 0;
        used += fread(buffer + used, 1, capacity - used, stream);
        if (ferror(stream)) {
            status = clg__fail(CLG_IO_ERROR, "cannot read '%s': %s", path, strerror(errno));
            goto fail;
        }
        if (used < capacity)
            break;
        uint8_t *larger = capacity < SIZE_MAX / 2 ? realloc(buffer, 2 * capacity) : NULL;
        if (!larger) {
            status = clg__fail_alloc(path);
            goto fail;
        }
        buffer = larger;
        capacity *= 2;
    }
    *data = buffer;
    *size = used;
    return CLG_OK;
fail:
    free(buffer);
    return status;
}

clg_status clg__read_file(const char *path, uint8_t **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return clg__fail(CLG_IO_ERROR, "cannot open '%s': %s", path, strerror(errno));
    clg_status status = read_stream(stream, path, data, size);
    fclose(stream);
    return status;
}
