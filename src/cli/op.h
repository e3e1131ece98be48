/*
 * One operation as `clgrad op` and `clgrad verify` run it: a line of key=value arguments, inputs
 * from .npy files, results as tensors. Each operation is one src/cli/op_<name>.c with one constant.
 */
#ifndef CLG_CLI_OP_H
#define CLG_CLI_OP_H

#include "clgrad/clgrad.h"

struct op_call;

struct cli_op {
    const char *name;
    /* The keys it knows, inputs included, separated by blanks; others are a usage error. `algo` is
     * known to every operation that has algorithms. */
    const char *keys;
    /* Reads arguments, runs, registers outputs. A failure's message is clg_last_error(). */
    clg_status (*run)(struct op_call *call);
    /* Fills up to `capacity` names of all its algorithms, each once; returns how many there are.
     * NULL: the operation has one road only. */
    size_t (*algorithms)(const char **names, size_t capacity);
};

/* The operations' constants: one line each in ops.def. */
#define CLG_OP(name) extern const struct cli_op cli_op_##name;
#include "cli/ops.def"
#undef CLG_OP

/* NULL when there is none of that name. */
const struct cli_op *cli_op_find(const char *name);

clg_context *op_context(const struct op_call *call);

/* The algorithm asked for, NULL for the library's choice. */
const char *op_algorithm(const struct op_call *call);

/* An algorithm asked for by name may serve some of an operation's directions and refuse others:
 * call this with the status of creating the plan for one direction. CLG_UNSUPPORTED is noted
 * (with clg_last_error as the reason) and turned into CLG_OK with *skip = true; when a call has
 * skipped directions and computed none, it counts as refused instead of passed. */
clg_status op_maybe_refused(struct op_call *call, const char *direction, clg_status status,
                            bool *skip);

bool op_has(const struct op_call *call, const char *key);

/* Arguments; the fallback is taken when the key is absent.
 * Errors: CLG_INVALID_ARGUMENT (not a number, wrong count; the message has key and text). */
clg_status op_text(const struct op_call *call, const char *key, const char *fallback,
                   const char **value);
clg_status op_int(const struct op_call *call, const char *key, int64_t fallback, int64_t *value);
clg_status op_float(const struct op_call *call, const char *key, double fallback, double *value);
/* `count` comma-separated integers; `values` holds the fallback before. One number stands for
 * all. */
clg_status op_ints(const struct op_call *call, const char *key, int count, int64_t *values);

/* The input named by the key, uploaded (float types as float32, integers of `labels` as int32);
 * owned by the call. op_input gives NULL when the key is absent, op_need fails then. */
clg_status op_input(struct op_call *call, const char *key, clg_tensor **tensor);
clg_status op_need(struct op_call *call, const char *key, clg_tensor **tensor);

/* A result, created here and poisoned with NaN; owned by the call, written or compared after it
 * under that name. For results that are updated in place, copy the input into it first. */
clg_status op_output(struct op_call *call, const char *name, const clg_tensor_desc *desc,
                     clg_tensor **tensor);

#endif
