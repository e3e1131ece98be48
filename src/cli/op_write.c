#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/op_call.h"

/* Makes a folder and those above it that are missing. */
static clg_status make_folder(const char *folder)
{
    char path[4096];
    size_t length = strlen(folder);
    if (length == 0 || length >= sizeof path)
        return clg__fail(CLG_IO_ERROR, "out=%s is no usable folder name", folder);
    memcpy(path, folder, length + 1);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return clg__fail(CLG_IO_ERROR, "the folder %s: %s", path, strerror(errno));
        *slash = '/';
    }
    struct stat info;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return clg__fail(CLG_IO_ERROR, "the folder %s: %s", path, strerror(errno));
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return clg__fail(CLG_IO_ERROR, "%s is no folder", path);
    return CLG_OK;
}

static clg_status write_result(const struct op_call *call, size_t index, const char *folder)
{
    const clg_tensor_desc *desc = op_call_result_desc(call, index);
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/%s.npy", folder, op_call_result_name(call, index));
    if (length < 0 || (size_t)length >= sizeof path)
        return clg__fail(CLG_IO_ERROR, "the path of %s is too long", folder);
    clg_npy_array array = {.type = CLG_NPY_F32, .ndim = desc->ndim};
    for (int i = 0; i < desc->ndim; i++)
        array.dims[i] = desc->dims[i];
    float *data;
    CLG__TRY(op_call_read(call, index, &data));
    array.data = data;
    clg_status status = clg_npy_write(path, &array);
    free(data);
    return status;
}

clg_status op_call_write(const struct op_call *call, const char *folder)
{
    CLG__TRY(make_folder(folder));
    for (size_t i = 0; i < op_call_results(call); i++)
        CLG__TRY(write_result(call, i, folder));
    return CLG_OK;
}
