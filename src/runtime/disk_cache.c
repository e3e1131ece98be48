#include "runtime/disk_cache.h"

struct clg__disk_cache *clg__disk_cache_open(const clg_device_info *info)
{
    (void)info;
    return NULL;
}
void clg__disk_cache_close(struct clg__disk_cache *cache)
{
    (void)cache;
}
unsigned char *clg__disk_cache_load(struct clg__disk_cache *cache, const char *text,
                                    const char *options, size_t *bytes)
{
    (void)cache, (void)text, (void)options, (void)bytes;
    return NULL;
}
void clg__disk_cache_store(struct clg__disk_cache *cache, const char *text, const char *options,
                           const unsigned char *binary, size_t bytes)
{
    (void)cache, (void)text, (void)options, (void)binary, (void)bytes;
}
