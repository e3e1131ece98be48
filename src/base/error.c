#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 4096 };

static _Thread_local char message[MESSAGE_SIZE];

const char *clg_status_name(clg_status status)
{
    switch (status) {
#define NAME_CASE(name, value, text)                                                               \
    case CLG_##name:                                                                               \
        return "CLG_" #name;
        CLG_STATUS_LIST(NAME_CASE)
#undef NAME_CASE
    }
    return "CLG_UNKNOWN";
}

const char *clg_status_text(clg_status status)
{
    switch (status) {
#define TEXT_CASE(name, value, text)                                                               \
    case CLG_##name:                                                                               \
        return text;
        CLG_STATUS_LIST(TEXT_CASE)
#undef TEXT_CASE
    }
    return "unknown status";
}

const char *clg_last_error(void)
{
    return message;
}

clg_status clg__fail(clg_status status, const char *format, ...)
{
    /* Formatted aside: an argument may be the present message. */
    char text[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(message, text, sizeof text);
    return status;
}

clg_status clg__fail_in(clg_status status, const char *format, ...)
{
    char prefix[512];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    return clg__fail(status, "%s: %s", prefix, message);
}

clg_status clg__fail_alloc(const char *what)
{
    return clg__fail(CLG_OUT_OF_HOST_MEMORY, "no host memory left for %s", what);
}
