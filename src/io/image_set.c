#include "clgrad/image_set.h"

#include "base/error.h"
#include "clgrad/idx.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_NAMES = 4, TRIED_SIZE = 2048 };

static const char *const image_names[MAX_NAMES] = {
    "images-idx3-ubyte",
    "images.idx3-ubyte",
    "images-idx4-ubyte",
    "images.idx4-ubyte",
};
static const char *const label_names[MAX_NAMES] = {"labels-idx1-ubyte", "labels.idx1-ubyte"};
static const char *const suffixes[] = {"", ".gz"};

/* *path = the first of the names that exists, for free(); NULL when none does. */
static clg_status find_file(const char *folder, const char *part, const char *const *names,
                            char **path)
{
    char tried[TRIED_SIZE] = "";
    size_t used = 0;
    const size_t room = strlen(folder) + strlen(part) + 32;
    *path = malloc(room);
    if (!*path)
        return clg__fail_alloc("a file name");
    for (int i = 0; i < 2 * MAX_NAMES && names[i / 2]; i++) {
        struct stat info;
        snprintf(*path, room, "%s/%s-%s%s", folder, part, names[i / 2], suffixes[i % 2]);
        if (stat(*path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR))
            return CLG_OK;
        const int length = snprintf(tried + used, sizeof tried - used, "%s%s", i > 0 ? ", " : "",
                                    *path + strlen(folder) + 1);
        used += (size_t)length < sizeof tried - used ? (size_t)length : 0;
    }
    free(*path);
    *path = NULL;
    return clg__fail(CLG_IO_ERROR, "folder '%s' has none of: %s", folder, tried);
}

static clg_status load_images(const char *path, clg_image_set *set)
{
    clg_idx idx;
    CLG__TRY(clg_idx_read(path, &idx));
    const int64_t *dims = idx.dims;
    const int64_t channels = idx.ndim == 4 ? dims[1] : 1;
    clg_status status = CLG_OK;
    if (idx.ndim < 3) {
        status =
            clg__fail(CLG_BAD_FORMAT, "'%s' has %d dimensions, images have 3 or 4", path, idx.ndim);
        goto fail;
    }
    const int64_t height = dims[idx.ndim - 2], width = dims[idx.ndim - 1];
    if (dims[0] == 0 || channels == 0 || height == 0 || width == 0) {
        status =
            clg__fail(CLG_BAD_FORMAT, "'%s' is empty: %lld images, %lld x %lld x %lld", path,
                      (long long)dims[0], (long long)channels, (long long)height, (long long)width);
        goto fail;
    }
    if (channels > INT_MAX || height > INT_MAX || width > INT_MAX) {
        status = clg__fail(CLG_TOO_LARGE, "'%s': images of %lld x %lld x %lld are too large", path,
                           (long long)channels, (long long)height, (long long)width);
        goto fail;
    }
    set->count = dims[0];
    set->channels = (int)channels;
    set->height = (int)height;
    set->width = (int)width;
    set->pixels = idx.data;
    return CLG_OK;
fail:
    clg_idx_free(&idx);
    return status;
}

static clg_status load_labels(const char *path, clg_image_set *set)
{
    clg_idx idx;
    CLG__TRY(clg_idx_read(path, &idx));
    clg_status status = CLG_OK;
    if (idx.ndim != 1) {
        status = clg__fail(CLG_BAD_FORMAT, "'%s' has %d dimensions, labels have 1", path, idx.ndim);
        goto fail;
    }
    if (idx.dims[0] != set->count) {
        status = clg__fail(CLG_BAD_FORMAT, "'%s' has %lld labels for %lld images", path,
                           (long long)idx.dims[0], (long long)set->count);
        goto fail;
    }
    set->labels = calloc((size_t)set->count, sizeof *set->labels);
    if (!set->labels) {
        status = clg__fail_alloc("labels");
        goto fail;
    }
    for (int64_t i = 0; i < set->count; i++) {
        set->labels[i] = idx.data[i];
        if (set->classes <= idx.data[i])
            set->classes = idx.data[i] + 1;
    }
fail:
    clg_idx_free(&idx);
    return status;
}

clg_status clg_image_set_load_idx(const char *folder, const char *part, clg_image_set *set)
{
    clg_status status = CLG_OK;
    char *images = NULL, *labels = NULL;
    if (set)
        *set = (clg_image_set){0};
    if (!folder || !part || !set)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_image_set_load_idx: an argument is NULL");
    CLG__TRY_GOTO(find_file(folder, part, image_names, &images));
    CLG__TRY_GOTO(find_file(folder, part, label_names, &labels));
    CLG__TRY_GOTO(load_images(images, set));
    CLG__TRY_GOTO(load_labels(labels, set));
fail:
    free(images);
    free(labels);
    if (status != CLG_OK)
        clg_image_set_free(set);
    return status;
}

void clg_image_set_free(clg_image_set *set)
{
    if (!set)
        return;
    free(set->pixels);
    free(set->labels);
    *set = (clg_image_set){0};
}
