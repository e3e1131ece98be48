#include "runtime/sqlite_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000 };

/* ---- Where ---- */

/* mkdir -p; a parent that cannot be made shows at the last folder. */
static bool make_folder(char *path)
{
    for (char *at = path + 1; *at; at++)
        if (*at == '/') {
            *at = '\0';
            mkdir(path, 0700);
            *at = '/';
        }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* A relative path counts only where the user names clgrad's own folder: that is the XDG rule. */
static bool find_path(const struct clg__sqlite_kind *kind, bool create, char *path)
{
    const struct {
        const char *variable, *below;
        bool own;
    } places[] = {{kind->folder_variable, "", true},
                  {"CLGRAD_CACHE_DIR", "", true},
                  {"XDG_CACHE_HOME", "/clgrad", false},
                  {"HOME", "/.cache/clgrad", false}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *base = places[i].variable ? getenv(places[i].variable) : NULL;
        if (!base || !*base || (!places[i].own && *base != '/'))
            continue;
        int n = snprintf(path, CLG__PATH_SIZE, "%s%s", base, places[i].below);
        if (n < 0 || (size_t)n + 1 + strlen(kind->name) >= CLG__PATH_SIZE ||
            (create && !make_folder(path)))
            return false;
        snprintf(path + n, CLG__PATH_SIZE - (size_t)n, "/%s", kind->name);
        return true;
    }
    return false;
}

sqlite3_int64 clg__sqlite_limit(const char *variable, int normal)
{
    const char *text = getenv(variable);
    char *end = NULL;
    long long mb = text && *text ? strtoll(text, &end, 10) : normal;
    if ((end && *end != '\0') || mb < 0 || mb > INT32_MAX)
        mb = normal;
    return (sqlite3_int64)mb << 20;
}

/* ---- Open and close ---- */

void clg__sqlite_close(struct clg__sqlite_file *file)
{
    for (int i = 0; i < CLG__SQLITE_STATEMENTS; i++) {
        sqlite3_finalize(file->statements[i]);
        file->statements[i] = NULL;
    }
    sqlite3_close(file->db);
    file->db = NULL;
}

/* SQLITE_ERROR at opening, with the schema in place: a table of that name with other columns. */
static bool is_damage(int code)
{
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
}

/* Another process may have the old file open: it goes on with that one until it ends. */
static void delete_file(const struct clg__sqlite_file *file)
{
    char journal[CLG__PATH_SIZE + 16];
    snprintf(journal, sizeof journal, "%s-journal", file->path);
    unlink(file->path);
    unlink(journal);
}

static int prepare_statements(struct clg__sqlite_file *file)
{
    int code = SQLITE_OK;
    for (int i = 0; i < file->kind->statements && code == SQLITE_OK; i++) {
        sqlite3_finalize(file->statements[i]);
        code = sqlite3_prepare_v3(file->db, file->kind->sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &file->statements[i], NULL);
    }
    return code;
}

static int open_path(struct clg__sqlite_file *file, bool create)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(file->path, &file->db, flags, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(file->db, BUSY_MS);
    if (code == SQLITE_OK)
        code = sqlite3_exec(file->db, file->kind->setup, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = prepare_statements(file);
    if (code == SQLITE_ERROR && create) { /* no such table: a new file */
        code = sqlite3_exec(file->db, file->kind->schema, NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = prepare_statements(file);
    }
    if (code != SQLITE_OK)
        clg__sqlite_close(file);
    return code;
}

static void reset(struct clg__sqlite_file *file, const struct clg__sqlite_kind *kind)
{
    memset(file, 0, sizeof *file);
    file->kind = kind;
}

bool clg__sqlite_open(struct clg__sqlite_file *file, const struct clg__sqlite_kind *kind,
                      bool create)
{
    reset(file, kind);
    if (!find_path(kind, create, file->path))
        return false;
    int code = open_path(file, create);
    if (create && is_damage(code)) {
        delete_file(file);
        code = open_path(file, create);
    }
    return code == SQLITE_OK;
}

bool clg__sqlite_open_in_memory(struct clg__sqlite_file *file, const struct clg__sqlite_kind *kind)
{
    reset(file, kind);
    strcpy(file->path, ":memory:");
    return open_path(file, true) == SQLITE_OK;
}

/* ---- Statements ---- */

bool clg__sqlite_end(struct clg__sqlite_file *file, int which, int code)
{
    sqlite3_reset(file->statements[which]);
    sqlite3_clear_bindings(file->statements[which]);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        clg__sqlite_close(file);
        delete_file(file);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

bool clg__sqlite_write(struct clg__sqlite_file *file, int which)
{
    bool written = clg__sqlite_end(file, which, sqlite3_step(file->statements[which]));
    file->read_only = !written;
    return written;
}

bool clg__sqlite_begin(struct clg__sqlite_file *file)
{
    return sqlite3_exec(file->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
}

bool clg__sqlite_commit(struct clg__sqlite_file *file, bool good)
{
    if (!file->db) /* damaged meanwhile */
        return false;
    if (good && sqlite3_exec(file->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return true;
    sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}
