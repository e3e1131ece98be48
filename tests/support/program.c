#include "support/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OUTPUT_SIZE = 1 << 17, COMMAND_SIZE = 1 << 14 };

static void read_all(FILE *file, char *text)
{
    size_t length = fread(text, 1, OUTPUT_SIZE - 1, file);
    text[length] = '\0';
}

struct program_run program_run(const char *program, const char *before, const char *format, ...)
{
    static char out[OUTPUT_SIZE], err[OUTPUT_SIZE];
    char command[COMMAND_SIZE], errors[] = "/tmp/clgrad-test-err-XXXXXX";
    int descriptor = mkstemp(errors);
    assert_true(descriptor >= 0);
    int length = snprintf(command, sizeof command, "%s '%s' ", before, program);
    va_list args;
    va_start(args, format);
    length += vsnprintf(command + length, sizeof command - (size_t)length, format, args);
    va_end(args);
    assert_true(length + 64 < COMMAND_SIZE);
    snprintf(command + length, sizeof command - (size_t)length, " 2>%s", errors);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    read_all(pipe, out);
    int status = pclose(pipe);
    FILE *file = fdopen(descriptor, "r");
    assert_non_null(file);
    read_all(file, err);
    fclose(file);
    unlink(errors);
    if (getenv("CLGRAD_TEST_VERBOSE"))
        print_message("%s\n%s%s", command, out, err);
    return (struct program_run){WIFEXITED(status) ? WEXITSTATUS(status) : -1, out, err};
}

static void expect(const struct program_run *run, int code, const char *where, const char *text)
{
    if (run->code == code && strstr(where, text))
        return;
    print_error("expected exit code %d and \"%s\"; got exit code %d and\n%s%s", code, text,
                run->code, run->out, run->err);
    fail();
}

void program_expect_out(const struct program_run *run, int code, const char *text)
{
    expect(run, code, run->out, text);
}

void program_expect_err(const struct program_run *run, int code, const char *text)
{
    expect(run, code, run->err, text);
}

void program_expect_usage(const struct program_run *run, const char *text)
{
    expect(run, 2, run->err, text);
    const char *end = strchr(run->err, '\n');
    assert_true(strncmp(run->err, "clgrad", 6) == 0);
    assert_true(end && end[1] == '\0');
    assert_string_equal(run->out, "");
}
