/* clgrad verify: does this library on this device give the right numbers? */
#include "cli/options.h"
#include "cli/shape_list.h"
#include "cli/verify.h"

int cmd_verify(int argc, char **argv)
{
    struct verify_shapes_options shapes = {.device = NULL};
    const struct cli_option options[] = {
        {.name = "algo",
         .type = CLI_TEXT,
         .value = &shapes.algorithm,
         .placeholder = "NAME|all",
         .help = "one algorithm, or each of them and the library's choice"},
        {.name = "shapes",
         .type = CLI_TEXT,
         .value = &shapes.file,
         .placeholder = "FILE",
         .help = "convolutions in benchdnn's notation, on small integers"},
        {.name = "dir",
         .type = CLI_CHOICE,
         .value = &shapes.direction,
         .placeholder = SHAPE_DIRECTION_CHOICES,
         .help = "with --shapes: the direction (all)"},
        {.name = "layout",
         .type = CLI_CHOICE,
         .value = &shapes.layout,
         .placeholder = "nchw|nhwc",
         .help = "with --shapes: of the tensors (nchw)"},
        {.name = "batch",
         .type = CLI_INT,
         .value = &shapes.batch,
         .placeholder = "N",
         .help = "with --shapes: instead of the problems' own",
         .least = 1,
         .most = 1 << 20},
        CLI_OPTION_DEVICE(shapes.device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        "verify",
        "verify DIR [--algo NAME|all] [--device DEVICE]\n"
        "verify --shapes FILE [--dir DIRECTION] [--algo NAME|all] [--batch N] [--layout LAYOUT]",
        "Runs every case folder at DIR or below (a file args, inputs, and a folder expect with "
        "the\n"
        "results), or every convolution of a list against a naive double-precision reference.\n"
        "A result passes when ||out - ref|| <= 1e-5 ||ref|| and max|out - ref| <= 1e-4 max(1,\n"
        "max|ref|); with --shapes, algorithms that only add and multiply must be exact. Exit code\n"
        "1 when anything fails or nothing was found.",
        options, 1};
    int arguments;
    int code = cli_options_parse(&syntax, argc, argv, &arguments);
    if (code != CLI_GO_ON)
        return code;
    if (shapes.file && arguments)
        return cli_usage("verify", "type either DIR or --shapes FILE, not both");
    if (!shapes.file && !arguments)
        return cli_usage("verify", "what? type clgrad verify DIR or clgrad verify --shapes FILE");
    if (!shapes.file && (shapes.batch || shapes.direction || shapes.layout))
        return cli_usage("verify", "--%s goes with --shapes FILE, not with a folder",
                         shapes.batch       ? "batch"
                         : shapes.direction ? "dir"
                                            : "layout");
    if (shapes.file)
        return verify_shapes(&shapes);
    return verify_cases(shapes.device, argv[1], shapes.algorithm);
}
