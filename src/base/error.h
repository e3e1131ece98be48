/* How the library reports failures: set the thread's message, return the status. */
#ifndef CLG_BASE_ERROR_H
#define CLG_BASE_ERROR_H

#include "clgrad/status.h"

#if defined(__GNUC__)
#define CLG__PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CLG__PRINTF(fmt, args)
#endif

/* Formats the thread's last-error message and returns `status`: `return clg__fail(CLG_..., ...)`.
 */
clg_status clg__fail(clg_status status, const char *format, ...) CLG__PRINTF(2, 3);

/* Puts "prefix: " before the message just set, to say where it happened; returns `status`. */
clg_status clg__fail_in(clg_status status, const char *format, ...) CLG__PRINTF(2, 3);

/* For host allocations: names what could not be allocated. */
clg_status clg__fail_alloc(const char *what);

/* Returns the status of `call` from the current function when it is not CLG_OK. */
#define CLG__TRY(call)                                                                             \
    do {                                                                                           \
        clg_status try_status_ = (call);                                                           \
        if (try_status_ != CLG_OK)                                                                 \
            return try_status_;                                                                    \
    } while (0)

/* The same for functions with a `fail:` label and a local `clg_status status`. */
#define CLG__TRY_GOTO(call)                                                                        \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CLG_OK)                                                                      \
            goto fail;                                                                             \
    } while (0)

#endif
