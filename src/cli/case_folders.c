#include "cli/case_folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

enum { MAX_PATH = 4096, MAX_DEPTH = 32 };

void name_list_free(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct name_list){NULL, 0};
}

static clg_status add(struct name_list *list, const char *text, size_t length)
{
    char **names = realloc(list->names, (list->count + 1) * sizeof *names);
    if (names)
        list->names = names;
    char *copy = names ? malloc(length + 1) : NULL;
    if (!copy)
        return clg__fail_alloc("a list of files");
    memcpy(copy, text, length);
    copy[length] = '\0';
    list->names[list->count++] = copy;
    return CLG_OK;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void sort(struct name_list *list)
{
    if (list->count > 1)
        qsort(list->names, list->count, sizeof *list->names, by_text);
}

bool path_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* All entries but those that begin with a dot. */
static clg_status entries(const char *folder, struct name_list *list)
{
    DIR *dir = opendir(folder);
    *list = (struct name_list){NULL, 0};
    if (!dir)
        return clg__fail(CLG_IO_ERROR, "the folder %s: %s", folder, strerror(errno));
    clg_status status = CLG_OK;
    errno = 0;
    for (struct dirent *entry = readdir(dir); entry && status == CLG_OK; entry = readdir(dir)) {
        if (entry->d_name[0] != '.')
            status = add(list, entry->d_name, strlen(entry->d_name));
        errno = 0;
    }
    if (status == CLG_OK && errno)
        status = clg__fail(CLG_IO_ERROR, "the folder %s: %s", folder, strerror(errno));
    closedir(dir);
    sort(list);
    if (status != CLG_OK)
        name_list_free(list);
    return status;
}

static bool join(char *path, const char *folder, const char *name)
{
    int length = snprintf(path, MAX_PATH, "%s/%s", folder, name);
    return length >= 0 && length < MAX_PATH;
}

static bool contains(const struct name_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

static clg_status collect(const char *folder, int depth, struct name_list *cases)
{
    struct name_list inside;
    char path[MAX_PATH];
    if (depth > MAX_DEPTH)
        return clg__fail(CLG_IO_ERROR, "%s: more than %d folders deep", folder, MAX_DEPTH);
    CLG__TRY(entries(folder, &inside));
    clg_status status = CLG_OK;
    if (contains(&inside, "args") || contains(&inside, "expect"))
        status = add(cases, folder, strlen(folder));
    for (size_t i = 0; i < inside.count && status == CLG_OK; i++) {
        if (strcmp(inside.names[i], "expect") == 0)
            continue;
        if (!join(path, folder, inside.names[i]))
            status = clg__fail(CLG_IO_ERROR, "a path below %s is too long", folder);
        else if (path_is_folder(path))
            status = collect(path, depth + 1, cases);
    }
    name_list_free(&inside);
    return status;
}

clg_status case_folders_find(const char *folder, struct name_list *list)
{
    *list = (struct name_list){NULL, 0};
    clg_status status = collect(folder, 0, list);
    sort(list);
    if (status != CLG_OK)
        name_list_free(list);
    return status;
}

clg_status npy_names_find(const char *folder, struct name_list *list)
{
    struct name_list inside;
    *list = (struct name_list){NULL, 0};
    CLG__TRY(entries(folder, &inside));
    clg_status status = CLG_OK;
    for (size_t i = 0; i < inside.count && status == CLG_OK; i++) {
        size_t length = strlen(inside.names[i]);
        if (length > 4 && strcmp(inside.names[i] + length - 4, ".npy") == 0)
            status = add(list, inside.names[i], length - 4);
    }
    name_list_free(&inside);
    if (status != CLG_OK)
        name_list_free(list);
    return status;
}
