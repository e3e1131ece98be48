/* Command line options by table: --name value and --name=value, typed, with generated help. */
#ifndef CLG_CLI_OPTIONS_H
#define CLG_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum cli_option_type {
    CLI_FLAG,   /* bool; takes no value */
    CLI_TEXT,   /* const char * */
    CLI_INT,    /* int64_t */
    CLI_NUMBER, /* double */
    CLI_CHOICE  /* const char *, one of the words of `placeholder`, separated by | */
};

struct cli_option {
    const char *name; /* without the dashes */
    enum cli_option_type type;
    void *value; /* holds the default before; as the type says */
    const char *placeholder;
    const char *help;
    double least, most; /* of CLI_INT and CLI_NUMBER; both 0: any */
};

struct cli_syntax {
    const char *command;
    const char *synopsis; /* lines, each what follows "clgrad " */
    const char *about;
    const struct cli_option *options; /* ends with a NULL name; --help is added */
    int max_arguments;                /* words that are no options */
};

/* --device, for every command that uses one; `variable` is a const char *, NULL by default. */
#define CLI_OPTION_DEVICE(variable)                                                                \
    {                                                                                              \
        .name = "device", .type = CLI_TEXT, .value = &(variable), .placeholder = "DEVICE",         \
        .help = "platform:device as clgrad info lists them, or a part of the name"                 \
    }

enum { CLI_GO_ON = -1 };

/*
 * Reads the options out of argv, stores their values and moves the other words, in their order, to
 * argv[1..]; *arguments counts them. "--" ends the options; a single "-" is a word. argv[0] is the
 * command's name. Of an option given twice the last one counts.
 * Returns CLI_GO_ON, or the exit code: CLI_OK after --help, CLI_USAGE after a message.
 */
int cli_options_parse(const struct cli_syntax *syntax, int argc, char **argv, int *arguments);

/* What --help prints. */
void cli_options_help(const struct cli_syntax *syntax);

#endif
