/* OpenCL error codes as clg_status and words. */
#ifndef CLG_RUNTIME_CL_ERROR_H
#define CLG_RUNTIME_CL_ERROR_H

#include "base/error.h"
#include "runtime/cl.h"

const char *clg__cl_error_name(cl_int code);

/* Sets the message "call: CL_NAME (code)" and returns the status that fits the code. */
clg_status clg__fail_cl(cl_int code, const char *call);

/* Returns the failure of an OpenCL call given by name and result. */
#define CLG__TRY_CL(code, call)                                                                    \
    do {                                                                                           \
        cl_int try_code_ = (code);                                                                 \
        if (try_code_ != CL_SUCCESS)                                                               \
            return clg__fail_cl(try_code_, call);                                                  \
    } while (0)

#endif
