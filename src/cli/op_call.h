/* One run of one operation: what the commands do with a struct op_call (see op.h). */
#ifndef CLG_CLI_OP_CALL_H
#define CLG_CLI_OP_CALL_H

#include "cli/op_args.h"

/*
 * folder: where relative input paths begin; NULL: the working folder. algorithm: instead of the
 * arguments' own `algo`; "auto" is the library's choice; NULL: what the arguments say. Context,
 * arguments and strings must outlive the call.
 * Errors: CLG_OUT_OF_HOST_MEMORY.
 */
clg_status op_call_create(clg_context *ctx, const struct op_args *args, const char *folder,
                          const char *algorithm, struct op_call **call);
void op_call_destroy(struct op_call *call);

/* Runs the operation to its end; a failure's message begins with the operation's name. */
clg_status op_call_run(struct op_call *call);

/* The results, in the order in which the operation made them. */
size_t op_call_results(const struct op_call *call);
const char *op_call_result_name(const struct op_call *call, size_t index);
const clg_tensor_desc *op_call_result_desc(const struct op_call *call, size_t index);

/*
 * The elements of a result, in logical (C) order, as floats; the caller frees them.
 * Errors: CLG_INTERNAL_ERROR when the operation did not write all of them: the message has how many
 * and the first one's index. Then *data is NULL.
 */
clg_status op_call_read(const struct op_call *call, size_t index, float **data);

/* Directions that the asked-for algorithm refused, and the reason of each. */
size_t op_call_refusals(const struct op_call *call);
const char *op_call_refusal_direction(const struct op_call *call, size_t index);
const char *op_call_refusal_reason(const struct op_call *call, size_t index);

/* Writes all results into a folder, made when it is missing, as <name>.npy in float32.
 * Errors: those of op_call_read, CLG_IO_ERROR. */
clg_status op_call_write(const struct op_call *call, const char *folder);

#endif
