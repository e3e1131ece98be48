/* Finds the stored cases of `clgrad verify`. */
#ifndef CLG_CLI_CASE_FOLDERS_H
#define CLG_CLI_CASE_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "clgrad/status.h"

/* Sorted names, each for free(). */
struct name_list {
    char **names;
    size_t count;
};

/*
 * The paths of all case folders at `folder` or below: those that hold `args` or `expect`, so that a
 * half-copied case is found and fails. Symbolic links are followed.
 * Errors: CLG_IO_ERROR (a folder cannot be read, or is nested too deeply),
 * CLG_OUT_OF_HOST_MEMORY. The list is empty then.
 */
clg_status case_folders_find(const char *folder, struct name_list *list);

/* The names x of the files x.npy in a folder. Errors: the same. */
clg_status npy_names_find(const char *folder, struct name_list *list);

void name_list_free(struct name_list *list);

/* Whether the path is a file or a folder. */
bool path_is_file(const char *path);
bool path_is_folder(const char *path);

#endif
