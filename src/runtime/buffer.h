/* Buffers inside the runtime. */
#ifndef CLG_RUNTIME_BUFFER_H
#define CLG_RUNTIME_BUFFER_H

#include "clgrad/buffer.h"
#include "runtime/kernel.h"

struct clg_buffer {
    clg_context *ctx;
    int references;
    struct clg__mem mem;
    size_t bytes;
};

clg_buffer *clg__buffer_retain(clg_buffer *buffer);

#endif
