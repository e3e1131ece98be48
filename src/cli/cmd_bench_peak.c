/* clgrad bench peak: the ceilings that other figures are fractions of. */
#include <jansson.h>
#include <stdio.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "runtime/peak.h"

struct ceilings {
    double fma, copy, cached_copy; /* operations and bytes a second */
    size_t copy_bytes;
};

static clg_status measure(clg_context *ctx, double seconds, struct ceilings *found)
{
    struct clg__peak *peak;
    CLG__TRY(clg__peak_create(ctx, &peak));
    found->copy_bytes = clg__peak_uncached_bytes(clg_context_device(ctx));
    clg_status status = clg__peak_fma(peak, seconds, &found->fma);
    if (status == CLG_OK)
        status = clg__peak_copy(peak, found->copy_bytes, 1, seconds, &found->copy);
    if (status == CLG_OK)
        status = clg__peak_cached_copy(peak, seconds, &found->cached_copy);
    clg__peak_destroy(peak);
    return status;
}

static void print(const struct ceilings *found, const clg_device_info *device, bool json)
{
    if (json) {
        json_t *line =
            json_pack("{s:s, s:f, s:f, s:I, s:f}", "device", device->name, "fma_gflops",
                      found->fma / 1e9, "copy_gbs", found->copy / 1e9, "copy_bytes",
                      (json_int_t)found->copy_bytes, "cached_copy_gbs", found->cached_copy / 1e9);
        json_dumpf(line, stdout, JSON_REAL_PRECISION(6));
        printf("\n");
        json_decref(line);
        return;
    }
    printf("%s\n", device->name);
    printf("  multiply-adds in registers  %8.1f GFLOP/s\n", found->fma / 1e9);
    printf("  copy, %6.0f MiB in all     %8.1f GB/s read and written\n",
           (double)found->copy_bytes / (1 << 20), found->copy / 1e9);
    printf("  copy in the level 2 cache   %8.1f GB/s read and written\n", found->cached_copy / 1e9);
}

int bench_peak(int argc, char **argv)
{
    const char *device = NULL;
    double seconds = 0.3;
    bool json = false;
    const struct cli_option options[] = {
        CLI_OPTION_SECONDS(seconds),
        CLI_OPTION_JSON_LINES(json),
        CLI_OPTION_DEVICE(device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        "bench peak", "bench peak [--seconds S] [--json] [--device DEVICE]",
        "Measures by kernels what the device can reach at best: multiply-adds in registers, "
        "copies\n"
        "of more than its caches hold, copies inside its second-level cache.",
        options, 0};
    int arguments;
    int code = cli_options_parse(&syntax, argc, argv, &arguments);
    if (code != CLI_GO_ON)
        return code;
    clg_context *ctx;
    struct ceilings found;
    clg_status status = bench_open(device, &ctx);
    if (status == CLG_OK)
        status = measure(ctx, seconds, &found);
    if (status == CLG_OK)
        print(&found, clg_context_device(ctx), json);
    clg_context_destroy(ctx);
    return status == CLG_OK ? CLI_OK : cli_fail_status("bench peak", status);
}
