/* Where tensors that live for a part of a step lie in memory, so that they share it. */
#ifndef CLG_TRAIN_MEMORY_PLAN_H
#define CLG_TRAIN_MEMORY_PLAN_H

#include <stddef.h>

#include "clgrad/status.h"

/* Every offset is a multiple of this many bytes. */
enum { CLG__MEMORY_ALIGNMENT = 64 };

/* A block that is needed from time `first` to time `last`, both included. */
struct clg__memory_block {
    size_t bytes;
    int first, last;
    /* Filled in: the arena and the byte in it. */
    int arena;
    size_t offset;
};

/*
 * Places blocks in as few arenas of at most `limit` bytes as it finds by placing the largest blocks
 * first, each at the lowest address that is free for its whole life. arena_bytes: receives a new
 * array of *arenas sizes, which the caller frees.
 * Errors: CLG_OUT_OF_DEVICE_MEMORY (a block larger than the limit), CLG_OUT_OF_HOST_MEMORY.
 */
clg_status clg__memory_plan(struct clg__memory_block *blocks, int count, size_t limit,
                            size_t **arena_bytes, int *arenas);

#endif
