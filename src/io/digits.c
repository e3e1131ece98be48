#include "clgrad/image_set.h"

#include "base/error.h"
#include "io/embedded_data.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    SIDE = 8,
    PIXELS = SIDE * SIDE,
    LEVELS = 16,  /* pixels are 0..16 */
    CLASSES = 10, /* labels are 0..9 */
    TEST_EVERY = 5,
    GZIP_WINDOW = 15 + 16 /* zlib: the largest window, with a gzip header */
};

static clg_status fail_damaged(const char *what, size_t where)
{
    return clg__fail(CLG_INTERNAL_ERROR, "the embedded digits are damaged: %s at %zu", what, where);
}

/* Inflates one gzip member of `bytes` into *text, *length bytes, for free(). */
static clg_status inflate_gzip(const unsigned char *bytes, size_t size, char **text, size_t *length)
{
    clg_status status = CLG_OK;
    z_stream stream = {.next_in = (z_const Bytef *)bytes, .avail_in = (uInt)size};
    size_t capacity = 8 * size;
    int code = Z_OK;
    *text = NULL;
    if (inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
        return clg__fail_alloc("zlib");
    do {
        char *larger = realloc(*text, capacity);
        if (!larger) {
            status = clg__fail_alloc("the digits");
            goto fail;
        }
        *text = larger;
        stream.next_out = (Bytef *)larger + stream.total_out;
        stream.avail_out = (uInt)(capacity - stream.total_out);
        code = inflate(&stream, Z_NO_FLUSH);
        capacity *= 2;
    } while (code == Z_OK && stream.avail_out == 0);
    *length = stream.total_out;
    if (code != Z_STREAM_END)
        status = code == Z_MEM_ERROR ? clg__fail_alloc("zlib")
                                     : fail_damaged("gzip data", (size_t)stream.total_in);
fail:
    inflateEnd(&stream);
    if (status != CLG_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

/* A whole number 0..max followed by `end`. */
static bool parse_number(const char **at, const char *limit, int max, char end, int *value)
{
    const char *p = *at;
    *value = 0;
    for (; p < limit && *p >= '0' && *p <= '9' && *value <= max; p++)
        *value = 10 * *value + (*p - '0');
    if (p == *at || p == limit || *p != end || *value > max)
        return false;
    *at = p + 1;
    return true;
}

/* One line: 64 pixels and the class. */
static bool parse_image(const char **at, const char *limit, uint8_t *pixels, int *label)
{
    for (int i = 0; i < PIXELS; i++) {
        int level = 0;
        if (!parse_number(at, limit, LEVELS, ',', &level))
            return false;
        pixels[i] = (uint8_t)((level * 255 + LEVELS / 2) / LEVELS);
    }
    return parse_number(at, limit, CLASSES - 1, '\n', label);
}

static clg_status allocate(clg_image_set *set, size_t capacity)
{
    *set = (clg_image_set){.channels = 1, .height = SIDE, .width = SIDE, .classes = CLASSES};
    set->pixels = malloc(capacity * PIXELS);
    set->labels = malloc(capacity * sizeof *set->labels);
    return set->pixels && set->labels ? CLG_OK : clg__fail_alloc("the digits");
}

/* Both sets have room for all images. */
static clg_status split(const char *text, size_t length, clg_image_set *train, clg_image_set *test)
{
    int seen[CLASSES] = {0};
    for (const char *at = text; at < text + length;) {
        uint8_t pixels[PIXELS];
        int label = 0;
        if (!parse_image(&at, text + length, pixels, &label))
            return fail_damaged("text", (size_t)(at - text));
        clg_image_set *set = ++seen[label] % TEST_EVERY == 0 ? test : train;
        memcpy(set->pixels + set->count * PIXELS, pixels, PIXELS);
        set->labels[set->count++] = label;
    }
    return CLG_OK;
}

clg_status clg_image_set_load_digits(clg_image_set *train, clg_image_set *test)
{
    clg_status status = CLG_OK;
    char *text = NULL;
    size_t length = 0, lines = 0;
    if (train)
        *train = (clg_image_set){0};
    if (test)
        *test = (clg_image_set){0};
    if (!train || !test)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_image_set_load_digits: a set is NULL");
    CLG__TRY(inflate_gzip(clg__digits_csv_gz, clg__digits_csv_gz_size, &text, &length));
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    CLG__TRY_GOTO(allocate(train, lines + 1));
    CLG__TRY_GOTO(allocate(test, lines + 1));
    CLG__TRY_GOTO(split(text, length, train, test));
    free(text);
    return CLG_OK;
fail:
    free(text);
    clg_image_set_free(train);
    clg_image_set_free(test);
    return status;
}
