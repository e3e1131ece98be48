#include "io/npy_header.h"

#include "io/bytes.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX_V1 = 10, PREFIX_V2 = 12, ALIGNMENT = 64, STRING_SIZE = 24 };

static const char magic[] = "\x93NUMPY";

static const struct {
    const char *name;
    clg_npy_type type;
} type_names[] = {
    {"f4", CLG_NPY_F32}, {"f8", CLG_NPY_F64}, {"i4", CLG_NPY_I32},
    {"i8", CLG_NPY_I64}, {"u1", CLG_NPY_U8},
};

/* The dictionary's text and how far it is read. */
struct cursor {
    const char *path;
    const char *text;
    size_t at;
    size_t end;
};

static clg_status fail_expected(const struct cursor *cursor, const char *what)
{
    return clg__fail(CLG_BAD_FORMAT,
                     "'%s': the header is not an .npy dictionary: expected %s at byte %zu of %zu",
                     cursor->path, what, cursor->at, cursor->end);
}

static void skip_space(struct cursor *cursor)
{
    while (cursor->at < cursor->end && strchr(" \t\r\n", cursor->text[cursor->at]) != NULL &&
           cursor->text[cursor->at] != '\0')
        cursor->at++;
}

/* The next character after white space, '\0' at the end. */
static char peek(struct cursor *cursor)
{
    skip_space(cursor);
    return cursor->at < cursor->end ? cursor->text[cursor->at] : '\0';
}

static bool accept(struct cursor *cursor, char wanted)
{
    if (wanted == '\0' || peek(cursor) != wanted)
        return false;
    cursor->at++;
    return true;
}

static bool accept_word(struct cursor *cursor, const char *word)
{
    const size_t length = strlen(word);
    skip_space(cursor);
    if (cursor->end - cursor->at < length || memcmp(cursor->text + cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

/* A string in either kind of quotes, without escapes. */
static clg_status parse_string(struct cursor *cursor, const char *what, char out[STRING_SIZE])
{
    const char quote = peek(cursor);
    if (quote != '\'' && quote != '"')
        return fail_expected(cursor, what);
    const char *start = cursor->text + cursor->at + 1;
    const char *close = memchr(start, quote, cursor->end - cursor->at - 1);
    if (!close || close - start >= STRING_SIZE || memchr(start, '\\', (size_t)(close - start)))
        return fail_expected(cursor, what);
    memcpy(out, start, (size_t)(close - start));
    out[close - start] = '\0';
    cursor->at += (size_t)(close - start) + 2;
    return CLG_OK;
}

static clg_status parse_type(struct cursor *cursor, struct clg__npy_header *header)
{
    char descr[STRING_SIZE] = "";
    if (peek(cursor) == '[')
        return clg__fail(CLG_UNSUPPORTED, "'%s': arrays of records are not supported",
                         cursor->path);
    CLG__TRY(parse_string(cursor, "a type such as '<f4'", descr));
    const char order = descr[0];
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
        if (order == '\0' || !strchr("<>=|", order) || strcmp(descr + 1, type_names[i].name) != 0)
            continue;
        header->type = type_names[i].type;
        header->big_endian = order == '>' || (order != '<' && !clg__host_is_little_endian());
        return CLG_OK;
    }
    return clg__fail(CLG_UNSUPPORTED,
                     "'%s': element type '%s' is not supported; f4, f8, i4, i8 and u1 are",
                     cursor->path, descr);
}

static clg_status parse_dimension(struct cursor *cursor, int index, int64_t *dim)
{
    const bool negative = accept(cursor, '-');
    const char first = peek(cursor);
    if (first < '0' || first > '9')
        return fail_expected(cursor, "a dimension");
    int64_t value = 0;
    bool overflow = false;
    const size_t start = cursor->at;
    for (; cursor->at < cursor->end; cursor->at++) {
        const char c = cursor->text[cursor->at];
        if (c < '0' || c > '9')
            break;
        overflow = overflow || value > (INT64_MAX - (c - '0')) / 10;
        value = overflow ? 0 : value * 10 + (c - '0');
    }
    if (negative || overflow) {
        const size_t digits = cursor->at - start;
        return clg__fail(CLG_BAD_FORMAT, "'%s': dimension %d is %s%.*s%s, out of range",
                         cursor->path, index, negative ? "-" : "",
                         digits < STRING_SIZE ? (int)digits : STRING_SIZE, cursor->text + start,
                         digits < STRING_SIZE ? "" : "...");
    }
    accept(cursor, 'L'); /* Python 2 wrote long integers so */
    *dim = value;
    return CLG_OK;
}

static clg_status parse_shape(struct cursor *cursor, struct clg__npy_header *header)
{
    bool comma = true;
    if (!accept(cursor, '('))
        return fail_expected(cursor, "a shape");
    while (!accept(cursor, ')')) {
        int64_t dim = 0;
        if (!comma)
            return fail_expected(cursor, "',' or ')'");
        CLG__TRY(parse_dimension(cursor, header->ndim, &dim));
        if (header->ndim == CLG_NPY_MAX_DIMS)
            return clg__fail(CLG_UNSUPPORTED, "'%s': more than %d dimensions are not supported",
                             cursor->path, CLG_NPY_MAX_DIMS);
        header->dims[header->ndim++] = dim;
        comma = accept(cursor, ',');
    }
    if (header->ndim == 1 && !comma)
        return fail_expected(cursor, "',' after a single dimension");
    return CLG_OK;
}

static clg_status parse_fortran_order(struct cursor *cursor, struct clg__npy_header *header)
{
    header->fortran_order = accept_word(cursor, "True");
    if (!header->fortran_order && !accept_word(cursor, "False"))
        return fail_expected(cursor, "True or False");
    return CLG_OK;
}

static const struct {
    const char *name;
    clg_status (*parse)(struct cursor *, struct clg__npy_header *);
} dictionary_keys[] = {
    {"descr", parse_type},
    {"fortran_order", parse_fortran_order},
    {"shape", parse_shape},
};
enum { KEY_COUNT = sizeof dictionary_keys / sizeof *dictionary_keys };

static clg_status parse_entry(struct cursor *cursor, struct clg__npy_header *header, bool *seen)
{
    char key[STRING_SIZE];
    CLG__TRY(parse_string(cursor, "a key", key));
    if (!accept(cursor, ':'))
        return fail_expected(cursor, "':'");
    for (int i = 0; i < KEY_COUNT; i++) {
        if (strcmp(key, dictionary_keys[i].name) != 0)
            continue;
        if (seen[i])
            return clg__fail(CLG_BAD_FORMAT, "'%s': the header has '%s' twice", cursor->path, key);
        seen[i] = true;
        return dictionary_keys[i].parse(cursor, header);
    }
    return clg__fail(CLG_BAD_FORMAT, "'%s': the header has an unknown key '%s'", cursor->path, key);
}

static clg_status parse_dictionary(struct cursor *cursor, struct clg__npy_header *header)
{
    bool seen[KEY_COUNT] = {false}, comma = true;
    if (!accept(cursor, '{'))
        return fail_expected(cursor, "'{'");
    while (!accept(cursor, '}')) {
        if (!comma)
            return fail_expected(cursor, "',' or '}'");
        CLG__TRY(parse_entry(cursor, header, seen));
        comma = accept(cursor, ',');
    }
    skip_space(cursor);
    if (cursor->at != cursor->end)
        return fail_expected(cursor, "the end");
    for (int i = 0; i < KEY_COUNT; i++)
        if (!seen[i])
            return clg__fail(CLG_BAD_FORMAT, "'%s': the header has no '%s'", cursor->path,
                             dictionary_keys[i].name);
    return CLG_OK;
}

clg_status clg__npy_header_parse(const char *path, const uint8_t *file, size_t size,
                                 struct clg__npy_header *header)
{
    const size_t magic_size = sizeof magic - 1;
    *header = (struct clg__npy_header){0};
    if (size < PREFIX_V1 || memcmp(file, magic, magic_size) != 0)
        return clg__fail(CLG_BAD_FORMAT, "'%s' is not an .npy file: bad magic in its %zu bytes",
                         path, size);
    const int major = file[magic_size], minor = file[magic_size + 1];
    if (major < 1 || major > 3 || minor != 0)
        return clg__fail(CLG_BAD_FORMAT, "'%s': .npy version %d.%d is not 1.0, 2.0 or 3.0", path,
                         major, minor);
    const size_t prefix = major == 1 ? PREFIX_V1 : PREFIX_V2;
    if (size < prefix)
        return clg__fail(CLG_BAD_FORMAT, "'%s' is cut short after %zu bytes", path, size);
    const size_t length = (size_t)clg__load_le(file + 8, major == 1 ? 2 : 4);
    if (length > size - prefix)
        return clg__fail(CLG_BAD_FORMAT,
                         "'%s' is cut short: the header is %zu bytes, the file has %zu more", path,
                         length, size - prefix);
    struct cursor cursor = {path, (const char *)file + prefix, 0, length};
    header->data_offset = prefix + length;
    return parse_dictionary(&cursor, header);
}

size_t clg__npy_header_format(const clg_npy_array *array, char text[CLG__NPY_HEADER_SIZE])
{
    const char *name = "";
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (type_names[i].type == array->type)
            name = type_names[i].name;
    const char order = array->type == CLG_NPY_U8 ? '|' : clg__host_is_little_endian() ? '<' : '>';
    char shape[(20 + 2) * CLG_NPY_MAX_DIMS + 1] = "";
    size_t used = 0;
    for (int i = 0; i < array->ndim; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)array->dims[i]);

    memset(text, ' ', CLG__NPY_HEADER_SIZE);
    memcpy(text, magic, sizeof magic - 1);
    const int length = snprintf(text + PREFIX_V1, CLG__NPY_HEADER_SIZE - PREFIX_V1,
                                "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s%s), }",
                                order, name, shape, array->ndim == 1 ? "," : "");
    const size_t dictionary_end = PREFIX_V1 + (size_t)length;
    const size_t size = (dictionary_end + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    text[dictionary_end] = ' ';
    text[size - 1] = '\n';
    text[6] = 1;
    text[7] = 0;
    clg__store_le((uint8_t *)text + 8, 2, size - PREFIX_V1);
    return size;
}
