#include "io/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_TRIES = 100, SUFFIX_SIZE = 48 };

static clg_status fail_writing(const char *path, const char *step)
{
    return clg__fail(CLG_IO_ERROR, "cannot write '%s': %s: %s", path, step, strerror(errno));
}

/* Unlike mkstemp, open() gives the file the permissions of any newly made one. */
static int open_unique(char *name, size_t length)
{
    static atomic_uint serial;
    for (int i = 0; i < NAME_TRIES; i++) {
        snprintf(name + length, SUFFIX_SIZE, ".%ld-%u.tmp", (long)getpid(),
                 atomic_fetch_add(&serial, 1U));
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

clg_status clg__atomic_file_begin(struct clg__atomic_file *file, const char *path)
{
    clg_status status = CLG_OK;
    const size_t length = strlen(path);
    *file = (struct clg__atomic_file){0};
    file->path = malloc(length + 1);
    char *name = malloc(length + SUFFIX_SIZE);
    if (!file->path || !name) {
        status = clg__fail_alloc("a file name");
        goto fail;
    }
    memcpy(file->path, path, length + 1);
    memcpy(name, path, length);
    int fd = open_unique(name, length);
    if (fd < 0) {
        status = fail_writing(path, "making a temporary beside it");
        goto fail;
    }
    file->temporary = name;
    name = NULL;
    file->stream = fdopen(fd, "wb");
    if (!file->stream) {
        status = fail_writing(path, "opening a stream");
        close(fd);
        goto fail;
    }
    return CLG_OK;
fail:
    free(name);
    clg__atomic_file_abort(file);
    return status;
}

clg_status clg__atomic_file_write(struct clg__atomic_file *file, const void *data, size_t size)
{
    if (size > 0 && fwrite(data, 1, size, file->stream) != size)
        return fail_writing(file->path, "writing its data");
    return CLG_OK;
}

static clg_status sync_folder(char *path)
{
    clg_status status = CLG_OK;
    char *slash = strrchr(path, '/');
    const char *folder = slash == path ? "/" : path;
    if (slash)
        *slash = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_CLOEXEC);
    /* A folder that can be written but not read, or a file system that cannot flush one, is fine.
     */
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = clg__fail(CLG_IO_ERROR, "'%s' is written, but its folder was not flushed: %s",
                           slash ? slash + 1 : path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

static clg_status flush_stream(struct clg__atomic_file *file)
{
    clg_status status = CLG_OK;
    FILE *stream = file->stream;
    if (fflush(stream) != 0)
        status = fail_writing(file->path, "writing its data");
    else if (fsync(fileno(stream)) != 0 && errno != EINVAL)
        status = fail_writing(file->path, "flushing it");
    file->stream = NULL;
    if (fclose(stream) != 0 && status == CLG_OK)
        status = fail_writing(file->path, "closing it");
    return status;
}

clg_status clg__atomic_file_commit(struct clg__atomic_file *file)
{
    clg_status status = CLG_OK;
    CLG__TRY_GOTO(flush_stream(file));
    if (rename(file->temporary, file->path) != 0) {
        status = fail_writing(file->path, "renaming the temporary");
        goto fail;
    }
    free(file->temporary);
    file->temporary = NULL;
    status = sync_folder(file->path);
fail:
    clg__atomic_file_abort(file);
    return status;
}

void clg__atomic_file_abort(struct clg__atomic_file *file)
{
    if (file->stream)
        fclose(file->stream);
    if (file->temporary)
        unlink(file->temporary);
    free(file->temporary);
    free(file->path);
    *file = (struct clg__atomic_file){0};
}
