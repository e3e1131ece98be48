/* clgrad bench: finds the measurement and runs it. */
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "cli/suggest.h"

static const struct bench {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} benches[] = {
#define CLG_BENCH(name, help) {#name, help, bench_##name},
#include "cli/benches.def"
#undef CLG_BENCH
};

enum { BENCHES = sizeof benches / sizeof benches[0] };

static int print_help(void)
{
    printf("usage: clgrad bench WHAT ...\n\n"
           "Measures; medians of at least five. Short work is enqueued several times before it is\n"
           "waited for, as in a training step.\n\n");
    for (size_t i = 0; i < BENCHES; i++)
        printf("  %-8s  %s\n", benches[i].name, benches[i].help);
    printf(
        "\nclgrad bench WHAT --help describes a measurement. Nothing else should run meanwhile.\n"
        "POCL_AFFINITY=1, which pins PoCL's threads to cores, is set unless it is already.\n");
    return CLI_OK;
}

int cmd_bench(int argc, char **argv)
{
    if (argc < 2)
        return cli_usage("bench", "of what? type clgrad bench --help");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help();
    if (name[0] == '-')
        return cli_usage("bench", "there is no option %s before WHAT (clgrad bench --help)", name);
    struct suggestion hint;
    suggest_begin(&hint, name);
    for (size_t i = 0; i < BENCHES; i++) {
        if (strcmp(benches[i].name, name) == 0)
            return benches[i].run(argc - 1, argv + 1);
        suggest_offer(&hint, benches[i].name, strlen(benches[i].name));
    }
    return cli_usage("bench", "there is no measurement \"%s\"%s (clgrad bench --help lists them)",
                     name, suggest_text(&hint, "clgrad bench "));
}
