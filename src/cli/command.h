/* The program's commands and how they report: every failure is one line on stderr. */
#ifndef CLG_CLI_COMMAND_H
#define CLG_CLI_COMMAND_H

#include "base/error.h"
#include "clgrad/clgrad.h"

/* Exit codes of the program. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* One per line of commands.def; argv[0] is the command's name. Returns the exit code. */
#define CLG_COMMAND(name, help) int cmd_##name(int argc, char **argv);
#include "cli/commands.def"
#undef CLG_COMMAND

/* Prints "clgrad <command>: <message>" and returns CLI_USAGE; command NULL: "clgrad: ...". The
 * message says what is wrong and what to type. */
int cli_usage(const char *command, const char *format, ...) CLG__PRINTF(2, 3);

/* The same for failures of a command that was typed well; returns CLI_FAILED. */
int cli_fail(const char *command, const char *format, ...) CLG__PRINTF(2, 3);

/* Reports clg_last_error() of a call that returned `status`: CLI_USAGE when an argument was not
 * valid, else CLI_FAILED. */
int cli_fail_status(const char *command, clg_status status);

#endif
