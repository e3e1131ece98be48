#include "train/memory_plan.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"

static size_t align(size_t bytes)
{
    return (bytes + CLG__MEMORY_ALIGNMENT - 1) / CLG__MEMORY_ALIGNMENT * CLG__MEMORY_ALIGNMENT;
}

/* Larger blocks first; of equal ones the earlier. */
static int by_size(const void *left, const void *right)
{
    const struct clg__memory_block *a = *(struct clg__memory_block *const *)left;
    const struct clg__memory_block *b = *(struct clg__memory_block *const *)right;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static bool alive_together(const struct clg__memory_block *a, const struct clg__memory_block *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset in the arena at which no block placed before is in the way. */
static size_t lowest_offset(const struct clg__memory_block *block, int arena,
                            struct clg__memory_block *const *placed, int count)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct clg__memory_block *other = placed[i];
            size_t end = other->offset + align(other->bytes);
            if (other->arena == arena && alive_together(block, other) && offset < end &&
                other->offset < offset + block->bytes) {
                offset = end;
                moved = true;
            }
        }
    }
    return offset;
}

static void place(struct clg__memory_block *block, struct clg__memory_block *const *placed,
                  int count, size_t limit, size_t *sizes, int *arenas)
{
    int arena = 0;
    size_t offset = 0;
    for (; arena < *arenas; arena++) {
        offset = lowest_offset(block, arena, placed, count);
        if (offset <= limit - block->bytes)
            break;
    }
    if (arena == *arenas) {
        offset = 0;
        sizes[(*arenas)++] = 0;
    }
    block->arena = arena;
    block->offset = offset;
    if (sizes[arena] < offset + block->bytes)
        sizes[arena] = offset + block->bytes;
}

clg_status clg__memory_plan(struct clg__memory_block *blocks, int count, size_t limit,
                            size_t **arena_bytes, int *arenas)
{
    *arenas = 0;
    *arena_bytes = calloc((size_t)count + 1, sizeof **arena_bytes);
    struct clg__memory_block **order =
        calloc((size_t)count + 1, sizeof(struct clg__memory_block *));
    if (!*arena_bytes || !order) {
        free(order);
        return clg__fail_alloc("a memory plan");
    }
    for (int i = 0; i < count; i++)
        order[i] = &blocks[i];
    qsort(order, (size_t)count, sizeof(struct clg__memory_block *), by_size);
    if (count > 0 && order[0]->bytes > limit) {
        size_t bytes = order[0]->bytes;
        free(order);
        return clg__fail(CLG_OUT_OF_DEVICE_MEMORY,
                         "a tensor of %zu bytes is larger than the device's largest allocation, "
                         "%zu bytes",
                         bytes, limit);
    }
    for (int i = 0; i < count; i++)
        place(order[i], order, i, limit, *arena_bytes, arenas);
    free(order);
    return CLG_OK;
}
