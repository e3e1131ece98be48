#include "support/scratch.h"

#include "clgrad/status.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

enum { PATH_SIZE = 1024, PATHS = 8 };

static char folder[PATH_SIZE / 2];

int scratch_make(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/clgrad-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

/* Removes a folder and everything in it. */
static int remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char inside[PATH_SIZE];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
        if (unlink(inside) != 0)
            remove_folder(inside);
    }
    closedir(dir);
    return rmdir(path);
}

int scratch_remove(void **state)
{
    (void)state;
    return remove_folder(folder);
}

const char *scratch_path(const char *name)
{
    static char paths[PATHS][PATH_SIZE];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

const char *scratch_write(const char *name, const void *bytes, size_t size)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *scratch_write_gzip(const char *name, const void *bytes, size_t size)
{
    const char *path = scratch_path(name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

unsigned char *scratch_read(const char *name, size_t *size)
{
    const size_t capacity = (size_t)1 << 20;
    unsigned char *bytes = malloc(capacity);
    FILE *file = fopen(scratch_path(name), "rb");
    assert_non_null(bytes);
    assert_non_null(file);
    *size = fread(bytes, 1, capacity, file);
    assert_true(*size < capacity);
    fclose(file);
    return bytes;
}

int scratch_entries(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}

bool last_error_says(const char *text)
{
    if (strstr(clg_last_error(), text))
        return true;
    print_error("expected \"%s\" in the message: %s\n", text, clg_last_error());
    return false;
}
