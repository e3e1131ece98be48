/*
 * A SQLite file in the user's cache folder: what the program cache and the tuning store share.
 * Several processes may use it at once. It is never a reason to fail: every function says with a
 * bool whether there is something to work with, and a damaged file is made anew.
 *
 * A rollback journal, not a write-ahead log: home folders lie on network file systems, where the
 * log's shared memory does not work.
 */
#ifndef CLG_RUNTIME_SQLITE_FILE_H
#define CLG_RUNTIME_SQLITE_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

enum { CLG__SQLITE_STATEMENTS = 10, CLG__PATH_SIZE = 4096 };

struct clg__sqlite_kind {
    const char *name;            /* of the file */
    const char *folder_variable; /* in the environment, before the common ones; may be NULL */
    const char *setup;           /* of each connection: PRAGMAs */
    const char *schema;          /* of a new file */
    const char *const *sql;      /* the statements, at most CLG__SQLITE_STATEMENTS */
    int statements;
};

struct clg__sqlite_file {
    const struct clg__sqlite_kind *kind;
    sqlite3 *db; /* NULL after damage: out of use until it is opened again */
    sqlite3_stmt *statements[CLG__SQLITE_STATEMENTS];
    bool read_only; /* a write failed, or waited too long: the later ones are not tried */
    char path[CLG__PATH_SIZE];
};

/* Opens the file in the folder of the kind's variable, else CLGRAD_CACHE_DIR, else
 * $XDG_CACHE_HOME/clgrad, else ~/.cache/clgrad. With `create` makes folder and file where they are
 * missing or damaged. */
bool clg__sqlite_open(struct clg__sqlite_file *file, const struct clg__sqlite_kind *kind,
                      bool create);
/* The same in memory, for this process only. */
bool clg__sqlite_open_in_memory(struct clg__sqlite_file *file, const struct clg__sqlite_kind *kind);
void clg__sqlite_close(struct clg__sqlite_file *file); /* a closed one is allowed */

/* Ends a statement's use after sqlite3_step gave `code`; after damage closes and deletes the file.
 * Whether the step went well. */
bool clg__sqlite_end(struct clg__sqlite_file *file, int which, int code);

/* Runs a statement that gives no rows. */
bool clg__sqlite_write(struct clg__sqlite_file *file, int which);

/* A transaction in which no other process writes; clg__sqlite_commit(file, false) takes it back.
 * Whether it is begun, or all of it is kept. */
bool clg__sqlite_begin(struct clg__sqlite_file *file);
bool clg__sqlite_commit(struct clg__sqlite_file *file, bool good);

/* Bytes, from an environment variable that counts MiB; `normal` MiB without it or when it makes no
 * sense. */
sqlite3_int64 clg__sqlite_limit(const char *variable, int normal);

#endif
