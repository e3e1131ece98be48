/* The arguments of one operation as typed: its name and key=value words. */
#ifndef CLG_CLI_OP_ARGS_H
#define CLG_CLI_OP_ARGS_H

#include "cli/op.h"

enum { OP_MAX_ARGS = 64 };

struct op_args {
    const struct cli_op *op;
    size_t count;
    const char *keys[OP_MAX_ARGS];
    const char *values[OP_MAX_ARGS];
    char *text; /* what the words lie in */
};

/*
 * words: the operation's name and its key=value pairs, or the same as one line with blanks between
 * the words. Checked against the operation's keys and, where `algo` is given, its algorithms; the
 * message suggests the nearest name. op_args_free also after a failure.
 * Errors: CLG_INVALID_ARGUMENT, CLG_OUT_OF_HOST_MEMORY.
 */
clg_status op_args_from_words(int count, char *const *words, struct op_args *args);
clg_status op_args_from_line(const char *line, struct op_args *args);
void op_args_free(struct op_args *args);

/* The value, or NULL when the key was not given. */
const char *op_args_get(const struct op_args *args, const char *key);

/* Whether the operation has an algorithm of that name. */
bool cli_op_has_algorithm(const struct cli_op *op, const char *name);

/* All operations, in the order of ops.def; *count receives how many. */
const struct cli_op *const *cli_op_list(size_t *count);

#endif
