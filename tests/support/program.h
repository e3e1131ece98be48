/* Runs the program clgrad, whose path the build gives as CLGRAD_PROGRAM. */
#ifndef CLG_TESTS_PROGRAM_H
#define CLG_TESTS_PROGRAM_H

#include <stdbool.h>

/* What a run printed and how it ended; the texts are valid until the next run. */
struct program_run {
    int code; /* exit code; -1 when it did not exit by itself */
    const char *out, *err;
};

/* Runs `<before> clgrad <arguments>` in a shell; `before` may set the environment, "" is nothing.
 * Prints the output when CLGRAD_TEST_VERBOSE is set. Failures to start fail the running test. */
#define PROGRAM(...) program_run(CLGRAD_PROGRAM, "", __VA_ARGS__)
#define PROGRAM_WITH(before, ...) program_run(CLGRAD_PROGRAM, (before), __VA_ARGS__)
struct program_run program_run(const char *program, const char *before, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails the test, showing the output, unless the program ended with `code` and its standard output
 * (or error output) contains the text. */
void program_expect_out(const struct program_run *run, int code, const char *text);
void program_expect_err(const struct program_run *run, int code, const char *text);

/* An error message is one line, and nothing else was printed. */
void program_expect_usage(const struct program_run *run, const char *text);

#endif
