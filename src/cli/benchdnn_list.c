#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/benchdnn.h"
#include "cli/case_folders.h"
#include "io/read_file.h"

enum { MAX_DEPTH = 8, PATH_SIZE = 4096, WORD_SIZE = 2048, MAX_BATCHES = 16 };

static const long long largest_batch = 1000000000000;

/* The values of --mb; every problem is there once with each. 0 or none: the problems' own. */
struct batches {
    int count;
    int64_t values[MAX_BATCHES];
};

/* One file being read; options hold until its end, and for the lists that it includes. */
struct reader {
    struct benchdnn_list *list;
    const char *path;
    const char *at;
    long line;
    long word_line; /* where the present word begins */
    int depth;
    struct batches batches;
};

static clg_status read_list(const char *path, int depth, const struct batches *batches,
                            struct benchdnn_list *list);

/* Adds an option's name to the ones ignored, each once. */
static void ignore(struct benchdnn_list *list, const char *option)
{
    char name[48];
    list->ignored++;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(option, "="), option);
    size_t used = strlen(list->ignored_names), length = strlen(name);
    for (const char *at = list->ignored_names; (at = strstr(at, name)) != NULL; at += length)
        if (at[length] == '\0' || at[length] == ' ')
            return;
    if (used + length + 2 < sizeof list->ignored_names)
        snprintf(list->ignored_names + used, sizeof list->ignored_names - used, "%s%s",
                 used ? " " : "", name);
}

static clg_status include(const struct reader *reader, const char *name)
{
    char path[PATH_SIZE];
    const char *slash = strrchr(reader->path, '/');
    int folder = slash ? (int)(slash - reader->path) + 1 : 0;
    if (reader->depth == MAX_DEPTH)
        return clg__fail(CLG_BAD_FORMAT, "%s:%ld: lists include each other more than %d deep",
                         reader->path, reader->word_line, MAX_DEPTH);
    snprintf(path, sizeof path, "%.*s%s", name[0] == '/' ? 0 : folder, reader->path, name);
    if (!path_is_file(path))
        snprintf(path, sizeof path, "%s", name);
    clg_status status = read_list(path, reader->depth + 1, &reader->batches, reader->list);
    return status == CLG_OK ? CLG_OK
                            : clg__fail_in(status, "%s:%ld", reader->path, reader->word_line);
}

static bool read_batches(const char *text, struct batches *batches)
{
    batches->count = 0;
    for (const char *at = text; batches->count < MAX_BATCHES;) {
        char *end;
        errno = 0;
        long long value = strtoll(at, &end, 10);
        if (end == at || errno || value < 0 || value > largest_batch)
            return false;
        batches->values[batches->count++] = value;
        if (*end != ',')
            return *end == '\0';
        at = end + 1;
    }
    return false;
}

static clg_status follow_option(struct reader *reader, const char *option)
{
    if (strncmp(option, "--batch=", 8) == 0)
        return include(reader, option + 8);
    if (strncmp(option, "--mb=", 5) == 0) {
        if (!read_batches(option + 5, &reader->batches))
            return clg__fail(CLG_BAD_FORMAT, "%s:%ld: %s is no batch size", reader->path,
                             reader->word_line, option);
    } else if (strcmp(option, "--reset") == 0) {
        reader->batches.count = 0;
    } else {
        ignore(reader->list, option);
    }
    return CLG_OK;
}

static clg_status add_problem(const struct reader *reader, const char *text, int64_t batch)
{
    struct benchdnn_list *list = reader->list;
    /* Capacities are the powers of two from 16 on. */
    if (list->count == 0 || (list->count >= 16 && (list->count & (list->count - 1)) == 0)) {
        size_t capacity = list->count ? 2 * list->count : 16;
        struct benchdnn_entry *grown = realloc(list->entries, capacity * sizeof *grown);
        if (!grown)
            return clg__fail_alloc("a list of problems");
        list->entries = grown;
    }
    struct benchdnn_entry *entry = &list->entries[list->count];
    const char *slash = strrchr(reader->path, '/');
    *entry = (struct benchdnn_entry){.text = malloc(strlen(text) + 1)};
    if (!entry->text)
        return clg__fail_alloc("a list of problems");
    list->count++;
    strcpy(entry->text, text);
    snprintf(entry->where, sizeof entry->where, "%.80s:%ld", slash ? slash + 1 : reader->path,
             reader->word_line);
    if (benchdnn_parse(text, &entry->problem) != CLG_OK)
        snprintf(entry->error, sizeof entry->error, "%.190s", clg_last_error());
    if (batch)
        entry->problem.batch = batch;
    return CLG_OK;
}

static clg_status add_problems(const struct reader *reader, const char *text)
{
    if (reader->batches.count == 0)
        return add_problem(reader, text, 0);
    for (int i = 0; i < reader->batches.count; i++)
        CLG__TRY(add_problem(reader, text, reader->batches.values[i]));
    return CLG_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static void skip_blanks_and_comments(struct reader *reader)
{
    for (; is_blank(*reader->at) || *reader->at == '#'; reader->at++) {
        if (*reader->at == '#')
            reader->at += strcspn(reader->at, "\n");
        if (!*reader->at)
            return;
        reader->line += *reader->at == '\n';
    }
}

/* Adds the letters up to the next blank. Blanks between double quotes belong to the word, up to the
 * end of the line. */
static clg_status read_letters(struct reader *reader, char *word, size_t *length)
{
    bool quoted = false;
    for (; *reader->at && (!is_blank(*reader->at) || (quoted && *reader->at != '\n'));
         reader->at++) {
        quoted ^= *reader->at == '"';
        if (*length + 1 == WORD_SIZE)
            return clg__fail(CLG_BAD_FORMAT, "%s:%ld: a word of %d letters or more", reader->path,
                             reader->line, WORD_SIZE);
        word[(*length)++] = *reader->at;
    }
    return CLG_OK;
}

/* Whether a backslash stands alone here, which goes on with the word before; steps over it. */
static bool goes_on(struct reader *reader)
{
    skip_blanks_and_comments(reader);
    if (reader->at[0] != '\\' || !is_blank(reader->at[1]))
        return false;
    reader->at++;
    skip_blanks_and_comments(reader);
    return true;
}

/* Reads the next word, with those that backslashes join to it; "" at the end of the file. */
static clg_status next_word(struct reader *reader, char *word)
{
    size_t length = 0;
    bool more = true;
    skip_blanks_and_comments(reader);
    reader->word_line = reader->line;
    while (more) {
        CLG__TRY(read_letters(reader, word, &length));
        more = length && word[length - 1] == '\\' && *reader->at;
        if (more) {
            length--;
            skip_blanks_and_comments(reader);
        }
        more = goes_on(reader) || more;
    }
    word[length] = '\0';
    return CLG_OK;
}

static clg_status read_words(struct reader *reader)
{
    char word[WORD_SIZE];
    for (;;) {
        CLG__TRY(next_word(reader, word));
        if (!*word)
            return CLG_OK;
        if (strncmp(word, "--", 2) == 0)
            CLG__TRY(follow_option(reader, word));
        else
            CLG__TRY(add_problems(reader, word));
    }
}

static clg_status read_list(const char *path, int depth, const struct batches *batches,
                            struct benchdnn_list *list)
{
    uint8_t *bytes;
    size_t size;
    CLG__TRY(clg__read_file(path, &bytes, &size));
    char *text = calloc(size + 1, 1);
    clg_status status = text ? CLG_OK : clg__fail_alloc("a list of problems");
    if (text)
        memcpy(text, bytes, size);
    free(bytes);
    struct reader reader = {list, path, text, 1, 1, depth, *batches};
    if (status == CLG_OK)
        status = read_words(&reader);
    free(text);
    return status;
}

clg_status benchdnn_read(const char *path, struct benchdnn_list *list)
{
    *list = (struct benchdnn_list){.count = 0};
    const struct batches own = {.count = 0};
    clg_status status = read_list(path, 0, &own, list);
    if (status != CLG_OK)
        benchdnn_free(list);
    return status;
}

clg_status benchdnn_read_one(const char *text, struct benchdnn_list *list)
{
    *list = (struct benchdnn_list){.count = 0};
    const struct reader reader = {.list = list, .path = "--problem", .word_line = 1};
    return add_problem(&reader, text, 0);
}

void benchdnn_free(struct benchdnn_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i].text);
    free(list->entries);
    *list = (struct benchdnn_list){.count = 0};
}
