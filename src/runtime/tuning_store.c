/* One row for each device, problem and candidate. */
#include "runtime/tuning_store.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "clgrad/version.h"
#include "runtime/process.h"
#include "runtime/sqlite_file.h"

enum { DEFAULT_MB = 8, DEVICE_TEXT = 2048, LINE_SIZE = 4096 };

/* A process on another host cannot be asked whether it lives: nobody measures a candidate for so
 * long. Milliseconds. */
static const int64_t longest_measurement = 600000;

enum statement { FIND, FIND_ONE, PUT, MERGE, DROP, FORGET, ALL, TRIM, NUM_STATEMENTS };

/* The disk is waited for, unlike in the program cache: a candidate may take the machine with it. */
static const char setup[] = "PRAGMA synchronous = NORMAL";

static const char schema[] =
    "PRAGMA auto_vacuum = FULL;"
    "CREATE TABLE IF NOT EXISTS tuning (device TEXT NOT NULL, problem TEXT NOT NULL,"
    " candidate TEXT NOT NULL, state INTEGER NOT NULL, seconds REAL NOT NULL, message TEXT NOT "
    "NULL, owner TEXT NOT NULL, updated INTEGER NOT NULL, PRIMARY KEY (device, problem, "
    "candidate)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS tuning_updated ON tuning (updated);";

#define COLUMNS "candidate, state, seconds, message, owner, updated"
#define VALUES "(device, problem, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"

static const char *const sql[NUM_STATEMENTS] = {
    [FIND] = "SELECT " COLUMNS " FROM tuning WHERE device = ?1 AND problem = ?2",
    [FIND_ONE] =
        "SELECT " COLUMNS " FROM tuning WHERE device = ?1 AND problem = ?2 AND candidate = ?3",
    [PUT] = "INSERT OR REPLACE INTO tuning " VALUES,
    [MERGE] = "INSERT INTO tuning " VALUES " ON CONFLICT DO UPDATE SET state = excluded.state,"
              " seconds = excluded.seconds, message = excluded.message, owner = excluded.owner,"
              " updated = excluded.updated WHERE excluded.updated > updated",
    [DROP] = "DELETE FROM tuning WHERE device = ?1 AND problem = ?2 AND candidate = ?3",
    [FORGET] = "DELETE FROM tuning WHERE substr(device, 1, length(?1)) = ?1",
    [ALL] = "SELECT " COLUMNS ", device, problem FROM tuning ORDER BY device, problem, candidate",
    /* 100 bytes of each row are SQLite's and the numbers'. */
    [TRIM] = "DELETE FROM tuning WHERE (device, problem, candidate) IN (SELECT device, problem,"
             " candidate FROM (SELECT device, problem, candidate, sum(100 + length(device) +"
             " length(problem) + length(candidate) + length(message)) OVER (ORDER BY updated DESC,"
             " device, problem, candidate) AS total FROM tuning) WHERE total > ?1)",
};

static const struct clg__sqlite_kind kind = {.name = "tuning.sqlite",
                                             .folder_variable = "CLGRAD_TUNE_DIR",
                                             .setup = setup,
                                             .schema = schema,
                                             .sql = sql,
                                             .statements = NUM_STATEMENTS};

struct clg__tuning_store {
    struct clg__sqlite_file file;
    bool kept;
    sqlite3_int64 limit;
    char device[DEVICE_TEXT]; /* with everything else that a time depends on */
    char device_only[1024];
};

static const char *const state_names[] = {
#define STATE_NAME(NAME, name) #name,
    CLG__TUNING_STATES(STATE_NAME)
#undef STATE_NAME
};

/* ---- Open and close ---- */

/* Fields are apart by tabs, records by line ends. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if (*text == '\t' || *text == '\n' || *text == '\r')
            *text = ' ';
}

struct clg__tuning_store *clg__tuning_open(const clg_device_info *info, bool write)
{
    struct clg__tuning_store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    store->limit = clg__sqlite_limit("CLGRAD_TUNE_MB", DEFAULT_MB);
    snprintf(store->device_only, sizeof store->device_only, "%s; %s; ", info->platform_name,
             info->name);
    snprintf(store->device, sizeof store->device,
             "%s%u units, %s kernels; %s; driver %s; clgrad %s", store->device_only,
             (unsigned)info->compute_units, info->family == CLG_FAMILY_GPU ? "gpu" : "cpu",
             info->version, info->driver, clg_version());
    make_plain(store->device_only);
    make_plain(store->device);
    store->kept = clg__sqlite_open(&store->file, &kind, write);
    if (store->kept || (write && clg__sqlite_open_in_memory(&store->file, &kind)))
        return store;
    free(store);
    return NULL;
}

void clg__tuning_close(struct clg__tuning_store *store)
{
    if (!store)
        return;
    clg__sqlite_close(&store->file);
    free(store);
}

bool clg__tuning_is_kept(const struct clg__tuning_store *store)
{
    return store->kept;
}

/* ---- Rows ---- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    return sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC) == SQLITE_OK;
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text ? text : "";
}

/* The parameters of PUT and MERGE; the texts outlive the statement's use. */
static void bind_row(sqlite3_stmt *statement, const char *device, const char *problem,
                     const struct clg__tuning_record *record, const char *owner, int64_t updated)
{
    bind_text(statement, 1, device);
    bind_text(statement, 2, problem);
    bind_text(statement, 3, record->candidate);
    sqlite3_bind_int(statement, 4, (int)record->state);
    sqlite3_bind_double(statement, 5, record->seconds);
    bind_text(statement, 6, record->message);
    bind_text(statement, 7, owner);
    sqlite3_bind_int64(statement, 8, updated);
}

static bool put(struct clg__tuning_store *store, const char *problem,
                const struct clg__tuning_record *record, const char *owner)
{
    bind_row(store->file.statements[PUT], store->device, problem, record, owner, now_ms());
    return clg__sqlite_write(&store->file, PUT);
}

/* Whether the process that measures, by a row's columns, has surely died. */
static bool is_dead(const char *owner, int64_t updated)
{
    bool here;
    if (!clg__process_may_live(owner, &here))
        return true;
    return !here && now_ms() - updated > longest_measurement;
}

/* A damaged row gives a record that is UNKNOWN, not nonsense. */
static struct clg__tuning_record read_row(sqlite3_stmt *row)
{
    struct clg__tuning_record record = {.state = CLG__TUNING_UNKNOWN};
    int state = sqlite3_column_int(row, 1);
    double seconds = sqlite3_column_double(row, 2);
    snprintf(record.candidate, sizeof record.candidate, "%s", column_text(row, 0));
    snprintf(record.message, sizeof record.message, "%s", column_text(row, 3));
    if (state <= CLG__TUNING_UNKNOWN || state > CLG__TUNING_CRASHED)
        return record;
    record.state = (enum clg__tuning_state)state;
    if (record.state == CLG__TUNING_TIMED && !(isfinite(seconds) && seconds > 0))
        record.state = CLG__TUNING_UNKNOWN;
    else
        record.seconds = seconds;
    if (record.state == CLG__TUNING_RUNNING &&
        is_dead(column_text(row, 4), sqlite3_column_int64(row, 5))) {
        record.state = CLG__TUNING_CRASHED;
        snprintf(record.message, sizeof record.message, "the process ended while measuring it");
    }
    return record;
}

/* ---- Find, claim, finish ---- */

/* Keeps what is_dead found: another process with that number may come. */
static void keep_crashed(struct clg__tuning_store *store, const char *problem,
                         const struct clg__tuning_record *record)
{
    if (store->file.db && !store->file.read_only && record->state == CLG__TUNING_CRASHED)
        put(store, problem, record, "");
}

size_t clg__tuning_find(struct clg__tuning_store *store, const char *problem,
                        struct clg__tuning_record *records, size_t capacity)
{
    if (!store->file.db)
        return 0;
    sqlite3_stmt *find = store->file.statements[FIND];
    size_t count = 0, died = 0;
    int code = SQLITE_DONE;
    bind_text(find, 1, store->device);
    bind_text(find, 2, problem);
    while (count < capacity && (code = sqlite3_step(find)) == SQLITE_ROW) {
        records[count] = read_row(find);
        bool fresh = records[count].state == CLG__TUNING_CRASHED &&
                     sqlite3_column_int(find, 1) == CLG__TUNING_RUNNING;
        died += fresh;
        count += records[count].state != CLG__TUNING_UNKNOWN;
    }
    if (!clg__sqlite_end(&store->file, FIND, code))
        return 0;
    for (size_t i = 0; i < count && died > 0; i++)
        keep_crashed(store, problem, &records[i]);
    return count;
}

/* The record of one candidate, UNKNOWN without one. */
static struct clg__tuning_record find_one(struct clg__tuning_store *store, const char *problem,
                                          const char *candidate)
{
    struct clg__tuning_record record = {.state = CLG__TUNING_UNKNOWN};
    sqlite3_stmt *find = store->file.statements[FIND_ONE];
    bind_text(find, 1, store->device);
    bind_text(find, 2, problem);
    bind_text(find, 3, candidate);
    int code = sqlite3_step(find);
    if (code == SQLITE_ROW)
        record = read_row(find);
    clg__sqlite_end(&store->file, FIND_ONE, code);
    return record;
}

static bool trim(struct clg__tuning_store *store)
{
    sqlite3_bind_int64(store->file.statements[TRIM], 1, store->limit);
    return clg__sqlite_write(&store->file, TRIM);
}

enum clg__tuning_state clg__tuning_claim(struct clg__tuning_store *store, const char *problem,
                                         const char *candidate)
{
    if (!store->file.db || store->file.read_only || !clg__sqlite_begin(&store->file))
        return CLG__TUNING_FAILED;
    struct clg__tuning_record record = find_one(store, problem, candidate);
    bool good = store->file.db != NULL;
    enum clg__tuning_state before = record.state;
    if (good && before == CLG__TUNING_UNKNOWN) {
        char owner[CLG__PROCESS_TEXT];
        clg__process_name(owner);
        record = (struct clg__tuning_record){.state = CLG__TUNING_RUNNING};
        snprintf(record.candidate, sizeof record.candidate, "%s", candidate);
        good = put(store, problem, &record, owner) && trim(store);
    } else if (good) {
        keep_crashed(store, problem, &record);
    }
    return clg__sqlite_commit(&store->file, good) ? before : CLG__TUNING_FAILED;
}

void clg__tuning_finish(struct clg__tuning_store *store, const char *problem,
                        const struct clg__tuning_record *record)
{
    if (!store->file.db)
        return;
    if (record->state != CLG__TUNING_UNKNOWN) {
        struct clg__tuning_record plain = *record;
        make_plain(plain.message);
        put(store, problem, &plain, "");
        return;
    }
    sqlite3_stmt *drop = store->file.statements[DROP];
    bind_text(drop, 1, store->device);
    bind_text(drop, 2, problem);
    bind_text(drop, 3, record->candidate);
    clg__sqlite_write(&store->file, DROP);
}

static clg_status fail_write(const struct clg__tuning_store *store)
{
    return clg__fail(CLG_IO_ERROR, "the tuning store %s cannot be used: %s", store->file.path,
                     store->file.db ? sqlite3_errmsg(store->file.db) : "it is damaged");
}

clg_status clg__tuning_forget(struct clg__tuning_store *store, long *count)
{
    *count = 0;
    if (!store->file.db)
        return fail_write(store);
    bind_text(store->file.statements[FORGET], 1, store->device_only);
    if (!clg__sqlite_write(&store->file, FORGET))
        return fail_write(store);
    *count = sqlite3_changes(store->file.db);
    return CLG_OK;
}

/* ---- Text ---- */

static const char header[] = "# clgrad tuning 1";

clg_status clg__tuning_write(struct clg__tuning_store *store, FILE *file, long *count)
{
    *count = 0;
    if (!store->file.db)
        return fail_write(store);
    sqlite3_stmt *all = store->file.statements[ALL];
    int code;
    fprintf(file, "%s\n", header);
    while ((code = sqlite3_step(all)) == SQLITE_ROW) {
        const struct clg__tuning_record record = read_row(all);
        if (record.state == CLG__TUNING_UNKNOWN || record.state == CLG__TUNING_RUNNING)
            continue;
        fprintf(file, "%s\t%s\t%s\t%s\t%.6g\t%lld\t%s\n", column_text(all, 6), column_text(all, 7),
                record.candidate, state_names[record.state], record.seconds,
                (long long)sqlite3_column_int64(all, 5), record.message);
        ++*count;
    }
    if (!clg__sqlite_end(&store->file, ALL, code))
        return fail_write(store);
    return fflush(file) == 0 && !ferror(file)
               ? CLG_OK
               : clg__fail(CLG_IO_ERROR, "the tuning records could not be written");
}

enum field { DEVICE, PROBLEM, CANDIDATE, STATE, SECONDS, UPDATED, MESSAGE, NUM_FIELDS };

/* Cuts a line at its tabs. The message may be missing. */
static bool cut(char *line, char *fields[NUM_FIELDS])
{
    for (int i = 0; i < NUM_FIELDS; i++) {
        fields[i] = line;
        char *tab = i + 1 < NUM_FIELDS ? strchr(line, '\t') : NULL;
        if (!tab && i < UPDATED)
            return false;
        if (tab)
            *tab = '\0';
        line = tab ? tab + 1 : line + strlen(line);
    }
    return fields[DEVICE][0] && fields[PROBLEM][0] && fields[CANDIDATE][0] &&
           strlen(fields[CANDIDATE]) < CLG__TUNING_NAME;
}

static bool read_fields(char *const fields[NUM_FIELDS], struct clg__tuning_record *record,
                        int64_t *updated)
{
    char *end_seconds, *end_updated;
    *record = (struct clg__tuning_record){.state = CLG__TUNING_UNKNOWN};
    for (int i = CLG__TUNING_TIMED; i <= CLG__TUNING_CRASHED; i++)
        if (i != CLG__TUNING_RUNNING && strcmp(fields[STATE], state_names[i]) == 0)
            record->state = (enum clg__tuning_state)i;
    record->seconds = strtod(fields[SECONDS], &end_seconds);
    *updated = strtoll(fields[UPDATED], &end_updated, 10);
    snprintf(record->candidate, sizeof record->candidate, "%s", fields[CANDIDATE]);
    snprintf(record->message, sizeof record->message, "%s", fields[MESSAGE]);
    bool timed =
        record->state != CLG__TUNING_TIMED || (isfinite(record->seconds) && record->seconds > 0);
    return record->state != CLG__TUNING_UNKNOWN && timed && end_seconds != fields[SECONDS] &&
           !*end_seconds && end_updated != fields[UPDATED] && !*end_updated && *updated > 0;
}

static clg_status merge_line(struct clg__tuning_store *store, char *line, long number, long *count)
{
    char *fields[NUM_FIELDS];
    struct clg__tuning_record record;
    int64_t updated;
    if (!cut(line, fields) || !read_fields(fields, &record, &updated))
        return clg__fail(CLG_BAD_FORMAT, "line %ld is no tuning record", number);
    bind_row(store->file.statements[MERGE], fields[DEVICE], fields[PROBLEM], &record, "", updated);
    if (!clg__sqlite_write(&store->file, MERGE))
        return fail_write(store);
    *count += sqlite3_changes(store->file.db);
    return CLG_OK;
}

static clg_status merge_file(struct clg__tuning_store *store, FILE *file, long *count)
{
    char line[LINE_SIZE];
    bool first = true;
    for (long number = 1; fgets(line, sizeof line, file); number++) {
        size_t length = strcspn(line, "\r\n");
        if (!line[length] && !feof(file))
            return clg__fail(CLG_BAD_FORMAT, "line %ld is longer than a record can be", number);
        line[length] = '\0';
        if (first && strcmp(line, header) != 0)
            return clg__fail(CLG_BAD_FORMAT, "line %ld is not \"%s\"", number, header);
        first = false;
        if (line[0] && line[0] != '#')
            CLG__TRY(merge_line(store, line, number, count));
    }
    if (ferror(file))
        return clg__fail(CLG_IO_ERROR, "the tuning records could not be read");
    return first ? clg__fail(CLG_BAD_FORMAT, "there is no \"%s\"", header) : CLG_OK;
}

clg_status clg__tuning_read(struct clg__tuning_store *store, FILE *file, long *count)
{
    *count = 0;
    if (!store->file.db || !clg__sqlite_begin(&store->file))
        return fail_write(store);
    clg_status status = merge_file(store, file, count);
    if (status == CLG_OK && !trim(store))
        status = fail_write(store);
    bool kept = clg__sqlite_commit(&store->file, status == CLG_OK);
    return status == CLG_OK && !kept ? fail_write(store) : status;
}
