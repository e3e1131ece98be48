/*
 * What the library tells of its doings when it is asked to. It never prints of its own accord: a
 * line comes to the function that the caller gave with the context, or, where the user set
 * CLGRAD_LOG, to standard error.
 */
#ifndef CLG_RUNTIME_LOG_H
#define CLG_RUNTIME_LOG_H

#include "base/error.h"
#include "clgrad/context.h"

struct clg__log {
    clg_log_function *function; /* NULL: nobody listens */
    void *data;
    const char *topics; /* NULL: all of them; else names between commas */
};

/* From the description, else from the environment. */
struct clg__log clg__log_init(const clg_context_desc *desc);

/* Whether somebody listens to the topic: composing a line may be worth leaving out. */
bool clg__log_wants(const struct clg__log *log, const char *topic);

/* Hands out one line without its end. */
void clg__log_line(const struct clg__log *log, const char *topic, const char *format, ...)
    CLG__PRINTF(3, 4);

#endif
