#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>

/* One line, whatever the message holds: a compiler's log has several. */
static void print_line(const char *command, const char *format, va_list args)
{
    char text[4608];
    vsnprintf(text, sizeof text, format, args);
    fflush(stdout);
    fprintf(stderr, command ? "clgrad %s: " : "clgrad: ", command);
    for (const char *at = text; *at; at++) {
        if (*at != '\n')
            fputc(*at, stderr);
        else if (at[1])
            fputs(" | ", stderr);
    }
    fputc('\n', stderr);
}

int cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(command, format, args);
    va_end(args);
    return CLI_USAGE;
}

int cli_fail(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(command, format, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_fail_status(const char *command, clg_status status)
{
    cli_fail(command, "%s", clg_last_error());
    return status == CLG_INVALID_ARGUMENT ? CLI_USAGE : CLI_FAILED;
}
