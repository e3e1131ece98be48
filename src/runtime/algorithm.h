/*
 * Operations with several algorithms: a table of constants, preferred first, the reference last,
 * and the one selector that all operations share.
 */
#ifndef CLG_RUNTIME_ALGORITHM_H
#define CLG_RUNTIME_ALGORITHM_H

#include "runtime/kernel.h"

enum { CLG__MAX_IN = 4, CLG__MAX_OUT = 2 };

/* What an algorithm reads and writes, in the order its table's header says. */
struct clg__operands {
    struct clg__mem out[CLG__MAX_OUT];
    struct clg__mem in[CLG__MAX_IN];
    struct clg__mem workspace;
    bool accumulate;
};

/*
 * `problem` is the operation's own problem struct (struct conv2d_problem, ...). The predicates are
 * pure: the same problem and device give the same answer.
 */
struct clg__algorithm {
    const char *name; /* what logs, the command line and the tuning store say */
    /* Only adds and multiplies its inputs: integer data gives exact results. */
    bool exact;
    /* Applies the epilogue that the problem asks for; without, the operation does it afterwards. */
    bool fuses_relu;
    /* A filter gradient that gives the bias's gradient too, when asked to; without, the operation
     * sums dy itself. */
    bool sums_bias;
    /* May say no for any reason but must then say which, in *why_not. */
    bool (*supports)(const void *problem, const clg_device_info *device, const char **why_not);
    /* Bytes of scratch memory; NULL means none. */
    size_t (*workspace)(const void *problem, const clg_device_info *device);
    /* Estimated seconds, comparable between the algorithms of one table. */
    double (*cost)(const void *problem, const clg_device_info *device);
    /* Compiles what running needs. `problem` outlives the state; *state is NULL after a failure. */
    clg_status (*prepare)(clg_context *ctx, const void *problem, void **state);
    /* Enqueues the work; neither compiles nor allocates. */
    clg_status (*enqueue)(void *state, struct clg__stream *stream,
                          const struct clg__operands *operands);
    void (*release)(void *state); /* may be NULL; never called with a NULL state */
};

/* A chosen and prepared algorithm. */
struct clg__instance {
    const struct clg__algorithm *algorithm;
    size_t variant;   /* index of the problem variant it was prepared for */
    size_t workspace; /* bytes, the variant's extra bytes included */
    double estimate;  /* seconds, the variant's extra seconds included */
    double measured;  /* seconds, from the tuning store; 0: not measured */
    void *state;
};

/* The problem in one of the forms the plan can bring it to, say another layout, and what that
 * costs on top of the algorithm. */
struct clg__variant {
    const void *problem;
    double extra_seconds;
    size_t extra_workspace; /* bytes */
    const char *label;      /* "nhwc", for logs and the tuning store; NULL where there is but one */
};

/*
 * What the log and measuring need to know of a problem. `key` says everything that a candidate's
 * time depends on but for the device, in one line that people can read: the tuning store finds the
 * problem by it.
 */
struct clg__subject {
    const char *key;
    const char *command;                       /* "clgrad bench ..."; NULL: there is none */
    double flop, bytes;                        /* that must at least be computed and moved */
    size_t out[CLG__MAX_OUT], in[CLG__MAX_IN]; /* bytes of the operands; 0: none */
    bool tune;                                 /* measure, whatever the context says */
    /* What the plan does around the algorithm, where that depends on the variant; a measured time
     * contains it. `frame` NULL: nothing. */
    const struct clg__frame *frame;
    const void *frame_problem;
};

struct clg__frame {
    /* *frame is what there is to destroy, also after a failure. */
    clg_status (*create)(clg_context *ctx, const void *problem,
                         const struct clg__instance *instance, void **frame);
    /* The instance with all that is around it. */
    clg_status (*enqueue)(void *frame, struct clg__stream *stream,
                          const struct clg__operands *operands);
    void (*destroy)(void *frame); /* not the instance */
};

struct clg__selection {
    const char *what;                          /* "conv2d forward", for messages */
    const struct clg__algorithm *const *table; /* ends with NULL */
    const struct clg__variant *variants;       /* the first one is preferred on a tie */
    size_t num_variants;
    const char *name;                   /* the algorithm asked for; NULL: choose */
    size_t workspace_limit;             /* bytes; 0: what the device can allocate */
    double unfused_seconds;             /* what an algorithm without fuses_relu costs more */
    const struct clg__subject *subject; /* NULL: nothing is measured or looked up */
};

/*
 * Chooses by name, or by the least time, and prepares. A time from the tuning store counts before
 * an estimate; whether candidates are measured here is the context's setting (clgrad/tuning.h).
 * When the choice was free, a candidate that does not build or does not get its memory is passed
 * over for the next one. What was chosen and what not is logged.
 * Errors: CLG_INVALID_ARGUMENT (no algorithm of that name; the message lists them),
 * CLG_UNSUPPORTED (refused, for the problem or for a workspace above the limit; the message has
 * each one's reason), and what reserving the workspace and prepare return.
 */
clg_status clg__select(clg_context *ctx, const struct clg__selection *selection,
                       struct clg__instance *instance);

/* The time of what clg__select would try first, in seconds: measured and kept in the tuning store
 * (0: not measured), and the least estimate of all. Prepares and measures nothing.
 * Errors: as clg__select, without those of preparing. */
struct clg__forecast {
    double estimate, measured;
};
clg_status clg__select_forecast(clg_context *ctx, const struct clg__selection *selection,
                                struct clg__forecast *forecast);

void clg__instance_release(struct clg__instance *instance);

/* The names of a table, in its order: fills up to `capacity` names, returns how many there are. */
size_t clg__algorithm_names(const struct clg__algorithm *const *table, const char **names,
                            size_t capacity);

#endif
