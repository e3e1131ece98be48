/* clgrad op: one operation on .npy files. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/op_call.h"
#include "cli/options.h"

static void print_operations(void)
{
    size_t count;
    const struct cli_op *const *operations = cli_op_list(&count);
    printf("\noperations and their keys:\n");
    for (size_t i = 0; i < count; i++) {
        const struct cli_op *op = operations[i];
        const char *names[16];
        size_t algorithms = op->algorithms ? op->algorithms(names, 16) : 0;
        printf("  %s\n      %s\n", op->name, op->keys);
        for (size_t a = 0; a < algorithms && a < 16; a++)
            printf("%s%s%s", a ? "|" : "      algo=auto|", names[a],
                   a + 1 == algorithms || a + 1 == 16 ? "\n" : "");
    }
}

/* Takes the word out=DIR from the list; NULL when there is none. */
static const char *take_folder(int *count, char **words)
{
    const char *folder = NULL;
    int kept = 0;
    for (int i = 0; i < *count; i++)
        if (!folder && strncmp(words[i], "out=", 4) == 0)
            folder = words[i] + 4;
        else
            words[kept++] = words[i];
    *count = kept;
    return folder;
}

/* One line per result, so that a user sees what was made. */
static void print_results(const struct op_call *call, const char *folder)
{
    for (size_t i = 0; i < op_call_results(call); i++) {
        const clg_tensor_desc *desc = op_call_result_desc(call, i);
        printf("%s/%s.npy  ", folder, op_call_result_name(call, i));
        for (int d = 0; d < desc->ndim; d++)
            printf("%s%lld", d ? "x" : "", (long long)desc->dims[d]);
        printf("\n");
    }
}

static int run_call(struct op_call *call, const char *folder)
{
    clg_status status = op_call_run(call);
    if (status == CLG_OK)
        status = op_call_write(call, folder);
    if (status != CLG_OK)
        return cli_fail_status("op", status);
    print_results(call, folder);
    for (size_t i = 0; i < op_call_refusals(call); i++)
        cli_fail("op", "%s was not computed: %s", op_call_refusal_direction(call, i),
                 op_call_refusal_reason(call, i));
    return op_call_refusals(call) ? CLI_FAILED : CLI_OK;
}

static int run_args(const struct op_args *args, const char *device, const char *folder)
{
    clg_context *ctx;
    struct op_call *call;
    clg_context_desc desc = {.device = device};
    clg_status status = clg_context_create(&desc, &ctx);
    if (status != CLG_OK)
        return cli_fail_status("op", status);
    status = op_call_create(ctx, args, NULL, NULL, &call);
    int code = status == CLG_OK ? run_call(call, folder) : cli_fail_status("op", status);
    if (status == CLG_OK)
        op_call_destroy(call);
    clg_context_destroy(ctx);
    return code;
}

int cmd_op(int argc, char **argv)
{
    const char *device = NULL;
    const struct cli_option options[] = {CLI_OPTION_DEVICE(device), {.name = NULL}};
    const struct cli_syntax syntax = {
        "op", "op NAME key=value ... out=DIR [--device DEVICE]",
        "Runs one operation on .npy files and writes each result as DIR/<result>.npy in float32.\n"
        "Gradients are computed when dy, or what the operation needs for them, is given.",
        options, OP_MAX_ARGS + 2};
    int count;
    int code = cli_options_parse(&syntax, argc, argv, &count);
    if (code == CLI_OK)
        print_operations();
    if (code != CLI_GO_ON)
        return code;
    char **words = argv + 1;
    const char *folder = take_folder(&count, words);
    struct op_args args;
    if (count == 0)
        return cli_usage("op", "no operation; type clgrad op NAME key=value ... out=DIR "
                               "(clgrad op --help lists the names)");
    clg_status status = op_args_from_words(count, words, &args);
    if (status != CLG_OK)
        code = cli_fail_status("op", status);
    else if (!folder || !*folder)
        code = cli_usage("op", "out=DIR is missing: type clgrad op %s ... out=DIR", args.op->name);
    else
        code = run_args(&args, device, folder);
    op_args_free(&args);
    return code;
}
