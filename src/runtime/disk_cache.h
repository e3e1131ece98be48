/* Program binaries on disk, in one SQLite file that several processes may share. */
#ifndef CLG_RUNTIME_DISK_CACHE_H
#define CLG_RUNTIME_DISK_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "clgrad/device.h"

struct clg__disk_cache;

/*
 * Opens the cache for a device: CLGRAD_CACHE_DIR, else $XDG_CACHE_HOME/clgrad, else
 * ~/.cache/clgrad. NULL, with no message, when there is none to use: CLGRAD_CACHE=off, a driver
 * with a cache of its own (unless CLGRAD_CACHE=force), a folder that cannot be written. A cache
 * is never a reason to fail.
 */
struct clg__disk_cache *clg__disk_cache_open(const clg_device_info *info);
void clg__disk_cache_close(struct clg__disk_cache *cache);

/* The binary stored for the source text and options on this device and driver; free() it. NULL
 * when there is none or the file is damaged. */
unsigned char *clg__disk_cache_load(struct clg__disk_cache *cache, const char *text,
                                    const char *options, size_t *bytes);

/* Stores a binary; drops the least recently used ones above the size limit. Failures are silent. */
void clg__disk_cache_store(struct clg__disk_cache *cache, const char *text, const char *options,
                           const unsigned char *binary, size_t bytes);

#endif
