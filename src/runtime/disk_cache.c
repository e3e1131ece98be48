/*
 * One table: hash of the key, the key itself, the binary, its checksum, when it was last used.
 *
 * The key is the text of everything that a binary depends on, stored whole and compared, so that
 * no collision of hashes can hand out another program's binary. The checksum keeps a damaged
 * binary away from the driver: SQLite notices damage to its own structure only.
 *
 * Nothing is synchronised to the disk: after a power failure the worst case is a damaged file,
 * which is made anew.
 */
#include "runtime/disk_cache.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/sqlite_file.h"

enum { DEFAULT_MB = 64 };

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

static const struct clg__sqlite_kind programs = {.name = "programs.sqlite",
                                                 .setup = "PRAGMA synchronous = OFF",
                                                 .schema = schema,
                                                 .sql = sql,
                                                 .statements = NUM_STATEMENTS};

struct clg__disk_cache {
    struct clg__sqlite_file file;
    sqlite3_int64 limit;
    /* Device and driver, the part of the key that is the same for all programs. */
    char device[1024];
};

struct key {
    char *text;
    size_t size;
    sqlite3_int64 hash;
};

/* ---- Whether ---- */

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

/* ---- Open and close ---- */

struct clg__disk_cache *clg__disk_cache_open(const clg_device_info *info)
{
    sqlite3_int64 limit = clg__sqlite_limit("CLGRAD_CACHE_MB", DEFAULT_MB);
    if (limit == 0 || !wanted(info))
        return NULL;
    struct clg__disk_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->limit = limit;
    snprintf(cache->device, sizeof cache->device, "%s\n%s\n%s\n%s\n", info->platform_name,
             info->name, info->version, info->driver);
    if (clg__sqlite_open(&cache->file, &programs, true))
        return cache;
    free(cache);
    return NULL;
}

void clg__disk_cache_close(struct clg__disk_cache *cache)
{
    if (!cache)
        return;
    clg__sqlite_close(&cache->file);
    free(cache);
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
    if (!cache->file.db || !make_key(cache, text, options, &key))
        return NULL;
    sqlite3_stmt *find = cache->file.statements[FIND];
    sqlite3_bind_int64(find, 1, key.hash);
    int code = sqlite3_step(find);
    unsigned char *binary = code == SQLITE_ROW ? copy_row(find, &key, bytes) : NULL;
    clg__sqlite_end(&cache->file, FIND, code);
    if (binary && cache->file.db && !cache->file.read_only) {
        sqlite3_bind_int64(cache->file.statements[TOUCH], 1, key.hash);
        clg__sqlite_write(&cache->file, TOUCH);
    }
    free(key.text);
    return binary;
}

/* One transaction: no other process sees the cache above its limit. */
static bool store_and_trim(struct clg__sqlite_file *file)
{
    return clg__sqlite_begin(file) && clg__sqlite_commit(file, clg__sqlite_write(file, STORE) &&
                                                                   clg__sqlite_write(file, TRIM));
}

void clg__disk_cache_store(struct clg__disk_cache *cache, const char *text, const char *options,
                           const unsigned char *binary, size_t bytes)
{
    struct key key;
    if (!cache->file.db || cache->file.read_only || !make_key(cache, text, options, &key))
        return;
    sqlite3_int64 total = (sqlite3_int64)key.size + (sqlite3_int64)bytes;
    if (bytes <= INT32_MAX && total <= cache->limit) {
        sqlite3_stmt *store = cache->file.statements[STORE];
        sqlite3_bind_int64(store, 1, key.hash);
        sqlite3_bind_int64(store, 2, total);
        sqlite3_bind_int64(store, 3, (sqlite3_int64)hash_bytes(binary, bytes));
        sqlite3_bind_blob64(store, 4, key.text, key.size, SQLITE_STATIC);
        sqlite3_bind_blob64(store, 5, binary, bytes, SQLITE_STATIC);
        sqlite3_bind_int64(cache->file.statements[TRIM], 1, cache->limit);
        cache->file.read_only = !store_and_trim(&cache->file);
    }
    free(key.text);
}
