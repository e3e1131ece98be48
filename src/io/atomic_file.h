/*
 * Files that appear whole or not at all: written under a temporary name in the same folder, then
 * flushed to the disk and renamed over the final one. Readers, and a crash, see the old file or the
 * new one. A name that is a symbolic link is replaced, not followed.
 *
 *     struct clg__atomic_file file;
 *     CLG__TRY(clg__atomic_file_begin(&file, path));
 *     CLG__TRY_GOTO(clg__atomic_file_write(&file, data, size));
 *     return clg__atomic_file_commit(&file);
 * fail:
 *     clg__atomic_file_abort(&file);
 */
#ifndef CLG_IO_ATOMIC_FILE_H
#define CLG_IO_ATOMIC_FILE_H

#include "base/error.h"

#include <stddef.h>
#include <stdio.h>

struct clg__atomic_file {
    FILE *stream;    /* open for writing between begin and commit or abort; also for direct use */
    char *path;      /* the final name */
    char *temporary; /* the name until the commit */
};

/*
 * Creates the temporary, under a name that no other process or thread uses. On failure nothing is
 * left behind and the file must not be used. Errors: CLG_IO_ERROR, CLG_OUT_OF_HOST_MEMORY.
 */
clg_status clg__atomic_file_begin(struct clg__atomic_file *file, const char *path) CLG_WARN_UNUSED;

/* Appends `size` bytes. CLG_IO_ERROR on failure; the caller then aborts. */
clg_status clg__atomic_file_write(struct clg__atomic_file *file, const void *data,
                                  size_t size) CLG_WARN_UNUSED;

/*
 * Flushes, renames and flushes the folder. Ends the use of `file` either way: on CLG_IO_ERROR the
 * temporary is gone and the old file is untouched, unless the message says that only the folder
 * could not be flushed.
 */
clg_status clg__atomic_file_commit(struct clg__atomic_file *file) CLG_WARN_UNUSED;

/* Removes the temporary; the last error's message stays. Harmless after a commit. */
void clg__atomic_file_abort(struct clg__atomic_file *file);

#endif
