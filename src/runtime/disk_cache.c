/*
 * One table: hash of the key, the key itself, the binary, its checksum, when it was last used.
 *
 * The key is the text of everything that a binary depends on, stored whole and compared, so that
 * no collision of hashes can hand out another program's binary. The checksum keeps a damaged
 * binary away from the driver: SQLite notices damage to its own structure only.
 *
 * A rollback journal, not a write-ahead log: home folders lie on network file systems, where the
 * log's shared memory does not work. Nothing is synchronised to the disk: after a power failure the
 * worst case is a damaged file, which is made anew.
 */
#include "runtime/disk_cache.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_MB = 64, BUSY_MS = 2000, PATH_SIZE = 4096 };

enum statement { FIND, TOUCH, STORE, TRIM, NUM_STATEMENTS };

static const char schema[] =
    "PRAGMA auto_vacuum = FULL;" /* the file shrinks when programs are dropped */
    "CREATE TABLE IF NOT EXISTS programs (hash INTEGER PRIMARY KEY, used INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, checksum INTEGER NOT NULL, key BLOB NOT NULL, binary BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS programs_used ON programs (used, bytes);";

static const char *const sql[NUM_STATEMENTS] = {
    [FIND] = "SELECT checksum, key, binary FROM programs WHERE hash = ?1",
    [TOUCH] = "UPDATE programs SET used = (SELECT max(used) + 1 FROM programs) WHERE hash = ?1",
    [STORE] = "INSERT OR REPLACE INTO programs (hash, used, bytes, checksum, key, binary) VALUES"
              " (?1, (SELECT ifnull(max(used), 0) + 1 FROM programs), ?2, ?3, ?4, ?5)",
    [TRIM] =
        "DELETE FROM programs WHERE hash IN (SELECT hash FROM (SELECT hash,"
        " sum(bytes) OVER (ORDER BY used DESC, hash) AS total FROM programs) WHERE total > ?1)",
};

struct clg__disk_cache {
    sqlite3 *db; /* NULL after damage: the cache is out of use until the next context */
    sqlite3_stmt *statements[NUM_STATEMENTS];
    bool read_only; /* a write failed, or waited too long: the later ones are not tried */
    sqlite3_int64 limit;
    char path[PATH_SIZE];
    /* Device and driver, the part of the key that is the same for all programs. */
    char device[1024];
};

struct key {
    char *text;
    size_t size;
    sqlite3_int64 hash;
};

/* ---- Where and whether ---- */

/* Drivers whose own cache makes a second one a waste of disk, by platform name. */
static const char *const self_caching[] = {
    /* ~/.cache/pocl keeps every kernel as machine code. Asking for a binary makes PoCL compile one
     * more version of each kernel, so that the first start takes longer; the later ones are shorter
     * than with PoCL's cache alone, and CLGRAD_CACHE=force buys that. */
    "Portable Computing Language",
    "NVIDIA CUDA", /* ~/.nv/ComputeCache */
    "rusticl",     /* Mesa's shader cache, ~/.cache/mesa_shader_cache */
    "Apple",       /* the system's cache of compiled programs */
    "Oclgrind",    /* an interpreter that checks: there is nothing to save, and it should see all */
};

static bool wanted(const clg_device_info *info)
{
    const char *mode = getenv("CLGRAD_CACHE");
    if (mode && strcmp(mode, "off") == 0)
        return false;
    if (mode && strcmp(mode, "force") == 0)
        return true;
    for (size_t i = 0; i < sizeof self_caching / sizeof self_caching[0]; i++)
        if (strcmp(info->platform_name, self_caching[i]) == 0)
            return false;
    return true;
}

static sqlite3_int64 size_limit(void)
{
    const char *text = getenv("CLGRAD_CACHE_MB");
    char *end = NULL;
    long long mb = text && *text ? strtoll(text, &end, 10) : DEFAULT_MB;
    if ((end && *end != '\0') || mb < 0 || mb > INT32_MAX)
        mb = DEFAULT_MB;
    return (sqlite3_int64)mb << 20;
}

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
static bool find_path(char *path)
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"CLGRAD_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "/clgrad"}, {"HOME", "/.cache/clgrad"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *base = getenv(places[i].variable);
        if (!base || !*base || (i > 0 && *base != '/'))
            continue;
        int n = snprintf(path, PATH_SIZE, "%s%s", base, places[i].below);
        static const char file[] = "/programs.sqlite";
        if (n < 0 || (size_t)n + sizeof file > PATH_SIZE || !make_folder(path))
            return false;
        memcpy(path + n, file, sizeof file);
        return true;
    }
    return false;
}

/* ---- The database ---- */

static void close_db(struct clg__disk_cache *cache)
{
    for (int i = 0; i < NUM_STATEMENTS; i++) {
        sqlite3_finalize(cache->statements[i]);
        cache->statements[i] = NULL;
    }
    sqlite3_close(cache->db);
    cache->db = NULL;
}

/* SQLITE_ERROR at opening, with the schema in place: a table of that name with other columns. */
static bool is_damage(int code)
{
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
}

/* Another process may have the old file open: it goes on with that one until it ends. */
static void delete_file(const struct clg__disk_cache *cache)
{
    char journal[PATH_SIZE + 16];
    snprintf(journal, sizeof journal, "%s-journal", cache->path);
    unlink(cache->path);
    unlink(journal);
}

static int prepare_statements(struct clg__disk_cache *cache)
{
    int code = SQLITE_OK;
    for (int i = 0; i < NUM_STATEMENTS && code == SQLITE_OK; i++) {
        sqlite3_finalize(cache->statements[i]);
        code = sqlite3_prepare_v3(cache->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &cache->statements[i], NULL);
    }
    return code;
}

static int open_db(struct clg__disk_cache *cache)
{
    int code =
        sqlite3_open_v2(cache->path, &cache->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(cache->db, BUSY_MS);
    if (code == SQLITE_OK)
        code = sqlite3_exec(cache->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = prepare_statements(cache);
    if (code == SQLITE_ERROR) { /* no such table: a new file */
        code = sqlite3_exec(cache->db, schema, NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = prepare_statements(cache);
    }
    if (code != SQLITE_OK)
        close_db(cache);
    return code;
}

struct clg__disk_cache *clg__disk_cache_open(const clg_device_info *info)
{
    sqlite3_int64 limit = size_limit();
    if (limit == 0 || !wanted(info))
        return NULL;
    struct clg__disk_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->limit = limit;
    snprintf(cache->device, sizeof cache->device, "%s\n%s\n%s\n%s\n", info->platform_name,
             info->name, info->version, info->driver);
    int code = SQLITE_CANTOPEN;
    if (find_path(cache->path))
        code = open_db(cache);
    if (is_damage(code)) {
        delete_file(cache);
        code = open_db(cache);
    }
    if (code == SQLITE_OK)
        return cache;
    free(cache);
    return NULL;
}

void clg__disk_cache_close(struct clg__disk_cache *cache)
{
    if (!cache)
        return;
    close_db(cache);
    free(cache);
}

/* Ends a statement's use and notes what its failure means for the cache. */
static bool finish(struct clg__disk_cache *cache, sqlite3_stmt *statement, int code)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
        close_db(cache);
        delete_file(cache);
    }
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

static bool write_row(struct clg__disk_cache *cache, enum statement which)
{
    sqlite3_stmt *statement = cache->statements[which];
    bool written = finish(cache, statement, sqlite3_step(statement));
    cache->read_only = !written;
    return written;
}

/* ---- Keys ---- */

/* FNV-1a. */
static uint64_t hash_bytes(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

static bool make_key(const struct clg__disk_cache *cache, const char *text, const char *options,
                     struct key *key)
{
    size_t size = strlen(cache->device) + strlen(options) + strlen(text) + 2;
    key->text = malloc(size);
    if (!key->text)
        return false;
    snprintf(key->text, size, "%s%s\n%s", cache->device, options, text);
    key->size = size - 1;
    key->hash = (sqlite3_int64)hash_bytes(key->text, key->size);
    return true;
}

/* ---- Load and store ---- */

/* The binary of the row that FIND is at, if it is the key's and whole. */
static unsigned char *copy_row(sqlite3_stmt *row, const struct key *key, size_t *bytes)
{
    const void *stored_key = sqlite3_column_blob(row, 1);
    size_t key_size = (size_t)sqlite3_column_bytes(row, 1);
    const void *binary = sqlite3_column_blob(row, 2);
    size_t size = (size_t)sqlite3_column_bytes(row, 2);
    if (!stored_key || !binary || key_size != key->size ||
        memcmp(stored_key, key->text, key_size) != 0 ||
        (sqlite3_int64)hash_bytes(binary, size) != sqlite3_column_int64(row, 0))
        return NULL;
    unsigned char *copy = malloc(size);
    if (copy) {
        memcpy(copy, binary, size);
        *bytes = size;
    }
    return copy;
}

unsigned char *clg__disk_cache_load(struct clg__disk_cache *cache, const char *text,
                                    const char *options, size_t *bytes)
{
    struct key key;
    if (!cache->db || !make_key(cache, text, options, &key))
        return NULL;
    sqlite3_stmt *find = cache->statements[FIND];
    sqlite3_bind_int64(find, 1, key.hash);
    int code = sqlite3_step(find);
    unsigned char *binary = code == SQLITE_ROW ? copy_row(find, &key, bytes) : NULL;
    finish(cache, find, code);
    if (binary && cache->db && !cache->read_only) {
        sqlite3_bind_int64(cache->statements[TOUCH], 1, key.hash);
        write_row(cache, TOUCH);
    }
    free(key.text);
    return binary;
}

/* One transaction: no other process sees the cache above its limit. */
static bool store_and_trim(struct clg__disk_cache *cache)
{
    if (sqlite3_exec(cache->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return false;
    return write_row(cache, STORE) && write_row(cache, TRIM) &&
           sqlite3_exec(cache->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
}

void clg__disk_cache_store(struct clg__disk_cache *cache, const char *text, const char *options,
                           const unsigned char *binary, size_t bytes)
{
    struct key key;
    if (!cache->db || cache->read_only || !make_key(cache, text, options, &key))
        return;
    sqlite3_int64 total = (sqlite3_int64)key.size + (sqlite3_int64)bytes;
    if (bytes <= INT32_MAX && total <= cache->limit) {
        sqlite3_stmt *store = cache->statements[STORE];
        sqlite3_bind_int64(store, 1, key.hash);
        sqlite3_bind_int64(store, 2, total);
        sqlite3_bind_int64(store, 3, (sqlite3_int64)hash_bytes(binary, bytes));
        sqlite3_bind_blob64(store, 4, key.text, key.size, SQLITE_STATIC);
        sqlite3_bind_blob64(store, 5, binary, bytes, SQLITE_STATIC);
        sqlite3_bind_int64(cache->statements[TRIM], 1, cache->limit);
        cache->read_only = !store_and_trim(cache);
        if (cache->read_only && cache->db)
            sqlite3_exec(cache->db, "ROLLBACK", NULL, NULL, NULL);
    }
    free(key.text);
}
