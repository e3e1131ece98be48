/* The program clgrad: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/suggest.h"

struct command {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
#define CLG_COMMAND(name, help) {#name, help, cmd_##name},
#include "cli/commands.def"
#undef CLG_COMMAND
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int print_help(void)
{
    printf("clgrad trains convolutional networks on any OpenCL device.\n\n"
           "usage: clgrad COMMAND ...\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-8s  %s\n", commands[i].name, commands[i].help);
    printf("\nclgrad COMMAND --help describes a command, clgrad --version prints the version.\n"
           "The environment variable CLGRAD_DEVICE chooses the device where --device does not.\n");
    return CLI_OK;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    struct suggestion hint;
    suggest_begin(&hint, name);
    for (size_t i = 0; i < COMMANDS; i++)
        suggest_offer(&hint, commands[i].name, strlen(commands[i].name));
    return cli_usage(NULL, "there is no command \"%s\"%s (clgrad --help lists them)", name,
                     suggest_text(&hint, "clgrad "));
}

static int run(int argc, char **argv)
{
    if (argc < 2)
        return cli_usage(NULL, "no command; type clgrad --help");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return print_help();
    if (strcmp(name, "--version") == 0) {
        printf("clgrad %s\n", clg_version());
        return CLI_OK;
    }
    const struct command *command = find(name);
    return command ? command->run(argc - 1, argv + 1) : unknown(name);
}

int main(int argc, char **argv)
{
    int code = run(argc, argv);
    /* A full disk shows only when the last bytes are written. */
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (code == CLI_OK && !written)
        return cli_fail(NULL, "the output could not be written");
    return code;
}
