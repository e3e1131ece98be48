/*
 * Kernels and their launch: the one place that sets kernel arguments and enqueues kernels.
 *
 *     CLG__TRY(clg__stream_begin(&stream, ctx, run, workspace_bytes));
 *     status = CLG__LAUNCH(&stream, kernel, clg__grid_1d(n), clg__arg_tensor(y), clg__arg_int(n));
 *     return clg__stream_end(&stream, status);
 */
#ifndef CLG_RUNTIME_KERNEL_H
#define CLG_RUNTIME_KERNEL_H

#include "clgrad/run.h"
#include "clgrad/tensor.h"
#include "runtime/context.h"

/* ---- Kernels ---- */

struct clg__kernel;

/*
 * The kernel `name` of kernels_cl/<source>.cl, built with the -D `options` ("" for none). `name`
 * must be a literal. A kernel belongs to one plan: its arguments are state.
 */
clg_status clg__kernel_create(clg_context *ctx, const char *source, const char *name,
                              const char *options, struct clg__kernel **kernel);
void clg__kernel_destroy(struct clg__kernel *kernel); /* NULL is allowed */

/* ---- Memory as kernels get it ---- */

/* An object and the byte at which the data starts. */
struct clg__mem {
    cl_mem object;
    size_t offset;
};

struct clg__mem clg__buffer_mem(const clg_buffer *buffer);
struct clg__mem clg__tensor_mem(const clg_tensor *tensor); /* NULL tensor: a NULL object */
static inline struct clg__mem clg__mem_at(struct clg__mem mem, size_t bytes)
{
    return (struct clg__mem){mem.object, mem.offset + bytes};
}

/* ---- A run: the bracket around the commands of one call ---- */

struct clg__stream {
    clg_context *ctx;
    cl_command_queue queue;
    cl_event *event;           /* the caller's, or NULL */
    struct clg__mem workspace; /* at least the bytes asked for */
    bool accumulate;
    bool out_of_order;
    bool profiling; /* the context's wish, on a queue that can */
};

/*
 * Resolves the run options: queue, workspace of at least `workspace` bytes; makes the queue wait
 * for the caller's events.
 * Errors: those of clgrad/run.h.
 */
clg_status clg__stream_begin(struct clg__stream *stream, clg_context *ctx, const clg_run *run,
                             size_t workspace);

/* Called before every command that clg__launch does not enqueue: on an out-of-order queue, makes it
 * wait for the commands before it. */
clg_status clg__stream_order(struct clg__stream *stream);

/* Gives the caller the event when `status` is CLG_OK; returns the first failure. */
clg_status clg__stream_end(struct clg__stream *stream, clg_status status);

/* ---- Launch ---- */

struct clg__grid {
    cl_uint dims;
    size_t global[3];
    size_t local[3]; /* local[0] == 0: the driver chooses */
};

/* One item for each of n elements in groups of 64; kernels check get_global_id(0) < n. */
static inline struct clg__grid clg__grid_1d(int64_t n)
{
    return (struct clg__grid){1, {((size_t)n + 63) / 64 * 64}, {64}};
}

/* The same for kernels with little to do for each item: in groups of 256 where there are so many
 * that starting groups would take longer than their work. */
static inline struct clg__grid clg__grid_many(const clg_device_info *device, int64_t n)
{
    size_t group =
        n >= 1024 * (int64_t)device->compute_units && device->max_work_group_size >= 256 ? 256 : 64;
    return (struct clg__grid){1, {((size_t)n + group - 1) / group * group}, {group}};
}

struct clg__arg {
    enum clg__arg_kind { CLG__ARG_MEM, CLG__ARG_VALUE, CLG__ARG_STRUCT, CLG__ARG_LOCAL } kind;
    size_t size; /* bytes */
    struct clg__mem mem;
    const void *pointer;
    union {
        cl_int i;
        cl_uint u;
        cl_long l;
        cl_float f;
    } value;
};

/* Memory takes two kernel parameters: the pointer and a `ulong` offset in 4-byte elements. */
static inline struct clg__arg clg__arg_mem(struct clg__mem mem)
{
    return (struct clg__arg){.kind = CLG__ARG_MEM, .mem = mem};
}

static inline struct clg__arg clg__arg_tensor(const clg_tensor *tensor)
{
    return clg__arg_mem(clg__tensor_mem(tensor));
}

static inline struct clg__arg clg__arg_int(int64_t i)
{
    return (struct clg__arg){
        .kind = CLG__ARG_VALUE, .size = sizeof(cl_int), .value = {.i = (cl_int)i}};
}

static inline struct clg__arg clg__arg_uint(uint32_t u)
{
    return (struct clg__arg){.kind = CLG__ARG_VALUE, .size = sizeof(cl_uint), .value = {.u = u}};
}

static inline struct clg__arg clg__arg_long(int64_t l)
{
    return (struct clg__arg){.kind = CLG__ARG_VALUE, .size = sizeof(cl_long), .value = {.l = l}};
}

static inline struct clg__arg clg__arg_float(double f)
{
    return (struct clg__arg){
        .kind = CLG__ARG_VALUE, .size = sizeof(cl_float), .value = {.f = (cl_float)f}};
}

/* A struct of cl_int and cl_float members that the kernel takes by value. */
static inline struct clg__arg clg__arg_struct(const void *pointer, size_t size)
{
    return (struct clg__arg){.kind = CLG__ARG_STRUCT, .size = size, .pointer = pointer};
}

static inline struct clg__arg clg__arg_local(size_t bytes)
{
    return (struct clg__arg){.kind = CLG__ARG_LOCAL, .size = bytes};
}

clg_status clg__launch(struct clg__stream *stream, struct clg__kernel *kernel,
                       struct clg__grid grid, const struct clg__arg *args, size_t count);

#define CLG__LAUNCH(stream, kernel, grid, ...)                                                     \
    clg__launch(stream, kernel, grid, (const struct clg__arg[]){__VA_ARGS__},                      \
                sizeof((const struct clg__arg[]){__VA_ARGS__}) / sizeof(struct clg__arg))

/*
 * Around commands that something else enqueues (CLBlast): clg__stream_enter makes what follows wait
 * for what is enqueued, on an out-of-order queue, and when the context profiles gives an event;
 * clg__stream_record hands it and the event of the last of the commands to the profile, or releases
 * them when nothing is profiled. Both events may be NULL. `name` is a literal.
 */
clg_status clg__stream_enter(struct clg__stream *stream, cl_event *before);
clg_status clg__stream_record(struct clg__stream *stream, const char *name, cl_event before,
                              cl_event event);

#endif
