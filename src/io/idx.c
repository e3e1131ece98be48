#include "clgrad/idx.h"

#include "base/error.h"
#include "io/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { UNSIGNED_BYTE = 0x08, CHUNK = 1 << 20 };

/* An open file; zlib reads plain files through the same calls. */
struct source {
    const char *path;
    gzFile stream;
};

static clg_status open_source(const char *path, struct source *source)
{
    errno = 0;
    *source = (struct source){path, gzopen(path, "rb")};
    if (source->stream)
        return CLG_OK;
    if (errno == 0 || errno == ENOMEM)
        return clg__fail_alloc(path);
    return clg__fail(CLG_IO_ERROR, "cannot open '%s': %s", path, strerror(errno));
}

/* Reads up to `size` <= CHUNK bytes; fewer, in *got, only at the file's end. */
static clg_status read_some(struct source *source, void *data, size_t size, size_t *got)
{
    int code = Z_OK;
    errno = 0;
    const int count = gzread(source->stream, data, (unsigned)size);
    const int reason = errno;
    *got = count > 0 ? (size_t)count : 0;
    if (*got == size)
        return CLG_OK;
    const char *text = gzerror(source->stream, &code);
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
        return CLG_OK;
    case Z_ERRNO:
        return clg__fail(CLG_IO_ERROR, "cannot read '%s': %s", source->path, strerror(reason));
    case Z_MEM_ERROR:
        return clg__fail_alloc(source->path);
    case Z_BUF_ERROR:
        return clg__fail(CLG_BAD_FORMAT, "'%s' is cut short: its gzip data has no end",
                         source->path);
    default:
        return clg__fail(CLG_BAD_FORMAT, "'%s' has damaged gzip data: %s", source->path, text);
    }
}

static clg_status read_header(struct source *source, clg_idx *idx)
{
    uint8_t magic[4], dims[4 * CLG_IDX_MAX_DIMS];
    size_t got = 0;
    CLG__TRY(read_some(source, magic, sizeof magic, &got));
    if (got < sizeof magic || magic[0] != 0 || magic[1] != 0 || magic[3] < 1 ||
        magic[3] > CLG_IDX_MAX_DIMS)
        return clg__fail(CLG_BAD_FORMAT,
                         "'%s' is not an IDX file: its first %zu bytes are no magic 0x801 to 0x804",
                         source->path, got);
    if (magic[2] != UNSIGNED_BYTE)
        return clg__fail(CLG_UNSUPPORTED,
                         "'%s': IDX element type 0x%02x is not supported, only "
                         "unsigned bytes (0x08) are",
                         source->path, magic[2]);
    idx->ndim = magic[3];
    const size_t size = 4 * (size_t)idx->ndim;
    CLG__TRY(read_some(source, dims, size, &got));
    if (got < size)
        return clg__fail(CLG_BAD_FORMAT, "'%s' is cut short after %zu bytes, in its header",
                         source->path, sizeof magic + got);
    for (int i = 0; i < idx->ndim; i++)
        idx->dims[i] = (int64_t)clg__load_be32(dims + 4 * i);
    return CLG_OK;
}

/* The buffer grows with what is read, so that a header that lies cannot claim all memory. */
static clg_status read_data(struct source *source, size_t size, uint8_t **data)
{
    size_t capacity = size < CHUNK ? size : CHUNK, used = 0, got = 0;
    *data = malloc(capacity > 0 ? capacity : 1);
    if (!*data)
        return clg__fail_alloc(source->path);
    while (used < size) {
        if (used == capacity) {
            capacity = capacity > size / 2 ? size : 2 * capacity;
            uint8_t *larger = realloc(*data, capacity);
            if (!larger)
                return clg__fail_alloc(source->path);
            *data = larger;
        }
        const size_t want = capacity - used < CHUNK ? capacity - used : CHUNK;
        CLG__TRY(read_some(source, *data + used, want, &got));
        used += got;
        if (got < want)
            return clg__fail(CLG_BAD_FORMAT,
                             "'%s' is cut short: %zu bytes of data, but its header says %zu",
                             source->path, used, size);
    }
    return CLG_OK;
}

/* Also has zlib check the sum at the end of gzip data. */
static clg_status check_end(struct source *source, size_t size)
{
    uint8_t byte;
    size_t got = 0;
    CLG__TRY(read_some(source, &byte, 1, &got));
    if (got > 0)
        return clg__fail(CLG_BAD_FORMAT,
                         "'%s' is too long: its header says %zu bytes of data, but more follow",
                         source->path, size);
    return CLG_OK;
}

clg_status clg_idx_read(const char *path, clg_idx *idx)
{
    clg_status status = CLG_OK;
    struct source source;
    size_t size = 0;
    if (idx)
        *idx = (clg_idx){0};
    if (!path || !idx)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_idx_read: path or idx is NULL");
    CLG__TRY(open_source(path, &source));
    CLG__TRY_GOTO(read_header(&source, idx));
    if (!clg__dims_to_bytes(idx->ndim, idx->dims, 1, &size)) {
        status = clg__fail(CLG_BAD_FORMAT, "'%s': the size of its %d dimensions overflows", path,
                           idx->ndim);
        goto fail;
    }
    CLG__TRY_GOTO(read_data(&source, size, &idx->data));
    CLG__TRY_GOTO(check_end(&source, size));
    gzclose(source.stream);
    return CLG_OK;
fail:
    gzclose(source.stream);
    clg_idx_free(idx);
    return status;
}

void clg_idx_free(clg_idx *idx)
{
    if (!idx)
        return;
    free(idx->data);
    *idx = (clg_idx){0};
}
