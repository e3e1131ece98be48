/* Program binaries on disk, in one SQLite file that several processes may share. */
#ifndef CLG_RUNTIME_DISK_CACHE_H
#define CLG_RUNTIME_DISK_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "clgrad/device.h"

struct clg__disk_cache;

/*
 * Opens programs.sqlite for a device, in CLGRAD_CACHE_DIR, else $XDG_CACHE_HOME/clgrad, else
 * ~/.cache/clgrad; makes the folder. CLGRAD_CACHE_MB bounds the file, 64 MiB without it.
 *
 * CLGRAD_CACHE=off: no cache; auto or unset: not for drivers that keep a cache of their own;
 * force: for every driver.
 *
 * NULL, with no message, when there is none to use: switched off, or the folder cannot be written.
 * A cache is never a reason to fail. A damaged file is deleted and made anew.
 */
struct clg__disk_cache *clg__disk_cache_open(const clg_device_info *info);
void clg__disk_cache_close(struct clg__disk_cache *cache); /* NULL is allowed */

/* The binary stored for the source text and options on this device and driver; free() it. NULL
 * when there is none or it is damaged. */
unsigned char *clg__disk_cache_load(struct clg__disk_cache *cache, const char *text,
                                    const char *options, size_t *bytes);

/* Stores a binary; drops the least recently used ones above the size limit. Failures are silent. */
void clg__disk_cache_store(struct clg__disk_cache *cache, const char *text, const char *options,
                           const unsigned char *binary, size_t bytes);

#endif
