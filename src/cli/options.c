#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/suggest.h"

static const struct cli_option *find(const struct cli_syntax *syntax, const char *name,
                                     size_t length)
{
    for (const struct cli_option *option = syntax->options; option->name; option++)
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

static int unknown(const struct cli_syntax *syntax, const char *name, size_t length)
{
    char word[SUGGEST_MAX_NAME];
    struct suggestion hint;
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word), name);
    suggest_begin(&hint, word);
    suggest_offer(&hint, "help", 4);
    for (const struct cli_option *option = syntax->options; option->name; option++)
        suggest_offer(&hint, option->name, strlen(option->name));
    return cli_usage(syntax->command, "there is no option --%.*s%s (clgrad %s --help lists them)",
                     (int)length, name, suggest_text(&hint, "--"), syntax->command);
}

static int out_of_range(const struct cli_syntax *syntax, const struct cli_option *option,
                        const char *text)
{
    return cli_usage(syntax->command, "--%s %s is outside %.10g..%.10g", option->name, text,
                     option->least, option->most);
}

static bool in_range(const struct cli_option *option, double value)
{
    return (option->least == 0 && option->most == 0) ||
           (value >= option->least && value <= option->most);
}

static int set_int(const struct cli_syntax *syntax, const struct cli_option *option,
                   const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return cli_usage(syntax->command, "--%s takes a whole number, not \"%s\"", option->name,
                         text);
    if (!in_range(option, (double)value))
        return out_of_range(syntax, option, text);
    *(int64_t *)option->value = value;
    return CLI_GO_ON;
}

static int set_number(const struct cli_syntax *syntax, const struct cli_option *option,
                      const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return cli_usage(syntax->command, "--%s takes a number, not \"%s\"", option->name, text);
    if (!in_range(option, value))
        return out_of_range(syntax, option, text);
    *(double *)option->value = value;
    return CLI_GO_ON;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = choices; *at;) {
        size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, text, length) == 0)
            return true;
        at += word + (at[word] == '|');
    }
    return false;
}

static int set_choice(const struct cli_syntax *syntax, const struct cli_option *option,
                      const char *text)
{
    if (!is_choice(option->placeholder, text)) {
        struct suggestion hint;
        suggest_begin(&hint, text);
        suggest_offer_list(&hint, option->placeholder, '|');
        return cli_usage(syntax->command, "--%s is one of %s, not \"%s\"%s", option->name,
                         option->placeholder, text, suggest_text(&hint, ""));
    }
    *(const char **)option->value = text;
    return CLI_GO_ON;
}

static int set(const struct cli_syntax *syntax, const struct cli_option *option, const char *text)
{
    switch (option->type) {
    case CLI_FLAG:
        *(bool *)option->value = true;
        return CLI_GO_ON;
    case CLI_TEXT:
        if (!*text)
            return cli_usage(syntax->command, "--%s needs a value: --%s %s", option->name,
                             option->name, option->placeholder);
        *(const char **)option->value = text;
        return CLI_GO_ON;
    case CLI_INT:
        return set_int(syntax, option, text);
    case CLI_NUMBER:
        return set_number(syntax, option, text);
    case CLI_CHOICE:
        return set_choice(syntax, option, text);
    }
    return CLI_GO_ON;
}

/* Reads the option at argv[*at] and moves *at to its last word. */
static int read_option(const struct cli_syntax *syntax, int argc, char **argv, int *at)
{
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    const char *text = name[length] ? name + length + 1 : NULL;
    const struct cli_option *option = find(syntax, name, length);
    if (!option)
        return unknown(syntax, name, length);
    if (option->type == CLI_FLAG) {
        if (text)
            return cli_usage(syntax->command, "--%s takes no value: type --%s", option->name,
                             option->name);
    } else if (!text) {
        if (*at + 1 >= argc)
            return cli_usage(syntax->command, "--%s needs a value: --%s %s", option->name,
                             option->name, option->placeholder);
        text = argv[++*at];
    }
    return set(syntax, option, text);
}

int cli_options_parse(const struct cli_syntax *syntax, int argc, char **argv, int *arguments)
{
    bool options = true;
    *arguments = 0;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (options && strcmp(word, "--") == 0) {
            options = false;
        } else if (options && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            cli_options_help(syntax);
            return CLI_OK;
        } else if (options && word[0] == '-' && word[1] == '-') {
            int code = read_option(syntax, argc, argv, &at);
            if (code != CLI_GO_ON)
                return code;
        } else if (options && word[0] == '-' && word[1]) {
            return cli_usage(syntax->command,
                             "there is no option %s; options begin with -- (clgrad %s --help "
                             "lists them)",
                             word, syntax->command);
        } else if (*arguments == syntax->max_arguments) {
            return cli_usage(syntax->command, "\"%s\" is one word too many; type clgrad %.*s", word,
                             (int)strcspn(syntax->synopsis, "\n"), syntax->synopsis);
        } else {
            argv[++*arguments] = argv[at];
        }
    }
    return CLI_GO_ON;
}

/* "--name VALUE" */
static int label(const struct cli_option *option, char *text, size_t size)
{
    bool value = option->type != CLI_FLAG;
    return snprintf(text, size, "--%s%s%s", option->name, value ? " " : "",
                    value ? option->placeholder : "");
}

void cli_options_help(const struct cli_syntax *syntax)
{
    const char *line = syntax->synopsis;
    for (bool first = true; *line; first = false) {
        int length = (int)strcspn(line, "\n");
        printf("%s clgrad %.*s\n", first ? "usage:" : "      ", length, line);
        line += length + (line[length] == '\n');
    }
    printf("\n%s\n\n", syntax->about);
    int width = (int)strlen("--help");
    char text[128];
    for (const struct cli_option *option = syntax->options; option->name; option++) {
        int length = label(option, text, sizeof text);
        /* A long label gets a line of its own instead of pushing all texts to the right. */
        if (length > width && length <= 24)
            width = length;
    }
    for (const struct cli_option *option = syntax->options; option->name; option++) {
        if (label(option, text, sizeof text) > width)
            printf("  %s\n  %*s  %s\n", text, width, "", option->help);
        else
            printf("  %-*s  %s\n", width, text, option->help);
    }
    printf("  %-*s  %s\n", width, "--help", "show this and stop");
}
