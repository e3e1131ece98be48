/* A whole file in memory. */
#ifndef CLG_IO_READ_FILE_H
#define CLG_IO_READ_FILE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Reads `path` to its end. *data is never NULL on success and belongs to the caller: free().
 * Errors: CLG_IO_ERROR with the system's reason, CLG_OUT_OF_HOST_MEMORY.
 */
clg_status clg__read_file(const char *path, uint8_t **data, size_t *size) CLG_WARN_UNUSED;

#endif
