#include "runtime/cl_error.h"

/* X(name, value, status): the codes of OpenCL 1.2 and of the ICD loader. */
#define CL_ERROR_LIST(X)                                                                           \
    X(CL_DEVICE_NOT_FOUND, -1, NO_DEVICE)                                                          \
    X(CL_DEVICE_NOT_AVAILABLE, -2, NO_DEVICE)                                                      \
    X(CL_COMPILER_NOT_AVAILABLE, -3, BUILD_FAILED)                                                 \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE, -4, OUT_OF_DEVICE_MEMORY)                                  \
    X(CL_OUT_OF_RESOURCES, -5, OUT_OF_DEVICE_MEMORY)                                               \
    X(CL_OUT_OF_HOST_MEMORY, -6, OUT_OF_HOST_MEMORY)                                               \
    X(CL_PROFILING_INFO_NOT_AVAILABLE, -7, OPENCL_ERROR)                                           \
    X(CL_MEM_COPY_OVERLAP, -8, INVALID_ARGUMENT)                                                   \
    X(CL_BUILD_PROGRAM_FAILURE, -11, BUILD_FAILED)                                                 \
    X(CL_MAP_FAILURE, -12, OPENCL_ERROR)                                                           \
    X(CL_MISALIGNED_SUB_BUFFER_OFFSET, -13, OPENCL_ERROR)                                          \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, -14, OPENCL_ERROR)                             \
    X(CL_COMPILE_PROGRAM_FAILURE, -15, BUILD_FAILED)                                               \
    X(CL_LINKER_NOT_AVAILABLE, -16, BUILD_FAILED)                                                  \
    X(CL_LINK_PROGRAM_FAILURE, -17, BUILD_FAILED)                                                  \
    X(CL_KERNEL_ARG_INFO_NOT_AVAILABLE, -19, OPENCL_ERROR)                                         \
    X(CL_INVALID_VALUE, -30, OPENCL_ERROR)                                                         \
    X(CL_INVALID_DEVICE_TYPE, -31, OPENCL_ERROR)                                                   \
    X(CL_INVALID_PLATFORM, -32, OPENCL_ERROR)                                                      \
    X(CL_INVALID_DEVICE, -33, OPENCL_ERROR)                                                        \
    X(CL_INVALID_CONTEXT, -34, OPENCL_ERROR)                                                       \
    X(CL_INVALID_QUEUE_PROPERTIES, -35, OPENCL_ERROR)                                              \
    X(CL_INVALID_COMMAND_QUEUE, -36, OPENCL_ERROR)                                                 \
    X(CL_INVALID_HOST_PTR, -37, OPENCL_ERROR)                                                      \
    X(CL_INVALID_MEM_OBJECT, -38, OPENCL_ERROR)                                                    \
    X(CL_INVALID_BINARY, -42, BUILD_FAILED)                                                        \
    X(CL_INVALID_BUILD_OPTIONS, -43, BUILD_FAILED)                                                 \
    X(CL_INVALID_PROGRAM, -44, OPENCL_ERROR)                                                       \
    X(CL_INVALID_PROGRAM_EXECUTABLE, -45, OPENCL_ERROR)                                            \
    X(CL_INVALID_KERNEL_NAME, -46, OPENCL_ERROR)                                                   \
    X(CL_INVALID_KERNEL_DEFINITION, -47, OPENCL_ERROR)                                             \
    X(CL_INVALID_KERNEL, -48, OPENCL_ERROR)                                                        \
    X(CL_INVALID_ARG_INDEX, -49, OPENCL_ERROR)                                                     \
    X(CL_INVALID_ARG_VALUE, -50, OPENCL_ERROR)                                                     \
    X(CL_INVALID_ARG_SIZE, -51, OPENCL_ERROR)                                                      \
    X(CL_INVALID_KERNEL_ARGS, -52, OPENCL_ERROR)                                                   \
    X(CL_INVALID_WORK_DIMENSION, -53, OPENCL_ERROR)                                                \
    X(CL_INVALID_WORK_GROUP_SIZE, -54, OPENCL_ERROR)                                               \
    X(CL_INVALID_WORK_ITEM_SIZE, -55, OPENCL_ERROR)                                                \
    X(CL_INVALID_GLOBAL_OFFSET, -56, OPENCL_ERROR)                                                 \
    X(CL_INVALID_EVENT_WAIT_LIST, -57, INVALID_ARGUMENT)                                           \
    X(CL_INVALID_EVENT, -58, INVALID_ARGUMENT)                                                     \
    X(CL_INVALID_OPERATION, -59, OPENCL_ERROR)                                                     \
    X(CL_INVALID_BUFFER_SIZE, -61, OUT_OF_DEVICE_MEMORY)                                           \
    X(CL_INVALID_GLOBAL_WORK_SIZE, -63, OPENCL_ERROR)                                              \
    X(CL_INVALID_PROPERTY, -64, OPENCL_ERROR)                                                      \
    X(CL_INVALID_COMPILER_OPTIONS, -66, BUILD_FAILED)                                              \
    X(CL_PLATFORM_NOT_FOUND_KHR, -1001, NO_DEVICE)

static const struct cl_error {
    cl_int code;
    clg_status status;
    const char *name;
} errors[] = {
#define CL_ERROR_ROW(name, value, status) {value, CLG_##status, #name},
    CL_ERROR_LIST(CL_ERROR_ROW)
#undef CL_ERROR_ROW
};

static const struct cl_error *find_error(cl_int code)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == code)
            return &errors[i];
    return NULL;
}

const char *clg__cl_error_name(cl_int code)
{
    const struct cl_error *error = find_error(code);
    return error ? error->name : "unknown OpenCL error";
}

clg_status clg__fail_cl(cl_int code, const char *call)
{
    const struct cl_error *error = find_error(code);
    return clg__fail(error ? error->status : CLG_OPENCL_ERROR, "%s: %s (%d)", call,
                     clg__cl_error_name(code), code);
}
