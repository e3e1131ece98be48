/* Status codes and the last error in words. */
#ifndef CLGRAD_STATUS_H
#define CLGRAD_STATUS_H

#include "clgrad/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One list makes the enum, the names and the texts: X(name, value, text). */
#define CLG_STATUS_LIST(X)                                                                         \
    X(OK, 0, "success")                                                                            \
    X(INVALID_ARGUMENT, 1, "an argument is not valid")                                             \
    X(INVALID_SHAPE, 2, "shapes do not fit together")                                              \
    X(TOO_LARGE, 3, "a size is larger than clgrad can index")                                      \
    X(UNSUPPORTED, 4, "not supported")                                                             \
    X(INVALID_STATE, 5, "the call is not allowed in this state")                                   \
    X(OUT_OF_HOST_MEMORY, 6, "out of host memory")                                                 \
    X(OUT_OF_DEVICE_MEMORY, 7, "out of device memory")                                             \
    X(NO_DEVICE, 8, "no such OpenCL device")                                                       \
    X(BUILD_FAILED, 9, "an OpenCL program did not build")                                          \
    X(OPENCL_ERROR, 10, "an OpenCL call failed")                                                   \
    X(IO_ERROR, 11, "a file could not be read or written")                                         \
    X(BAD_FORMAT, 12, "a file does not have the expected format")                                  \
    X(INTERNAL_ERROR, 13, "a defect in clgrad")

/*
 * Result of every fallible function: CLG_OK is 0, everything else is an error.
 *
 * The comments of functions list their own errors. Without being listed, a pointer that must not be
 * NULL gives CLG_INVALID_ARGUMENT, a function that makes an object may give CLG_OUT_OF_HOST_MEMORY,
 * and a function that enqueues CLG_OPENCL_ERROR or CLG_OUT_OF_DEVICE_MEMORY, as the driver says.
 */
typedef enum clg_status {
#define CLG_STATUS_ENUM(name, value, text) CLG_##name = value,
    CLG_STATUS_LIST(CLG_STATUS_ENUM)
#undef CLG_STATUS_ENUM
} clg_status;

/* The constant's name, "CLG_OK"; "CLG_UNKNOWN" for a value that is none. Never NULL. */
CLG_API const char *clg_status_name(clg_status status);

/* One line of English for the status. Never NULL. */
CLG_API const char *clg_status_text(clg_status status);

/*
 * The message of the last call that failed on the calling thread, with the actual numbers and, for
 * OpenCL failures, the call and the error's name; "" when none failed yet. Kept per thread, so that
 * it also covers calls that have no context. Valid until the next failure on the same thread;
 * successful calls leave it alone.
 */
CLG_API const char *clg_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
