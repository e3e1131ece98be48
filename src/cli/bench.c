#include "cli/bench.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "ref/random.h"

void bench_pin_threads(void)
{
    setenv("POCL_AFFINITY", "1", 0);
}

clg_status bench_open(const char *device, clg_context **ctx)
{
    bench_pin_threads();
    clg_context_desc desc = {.device = device};
    return clg_context_create(&desc, ctx);
}

clg_status bench_tensor(clg_context *ctx, const clg_tensor_desc *desc, uint64_t seed,
                        clg_tensor **tensor)
{
    struct ref_random random = {seed};
    CLG__TRY(clg_tensor_create(ctx, desc, tensor));
    float *host = malloc(clg_tensor_bytes(*tensor));
    clg_status status = host ? CLG_OK : clg__fail_alloc("the data");
    if (status == CLG_OK) {
        ref_random_fill_uniform_float(&random, host, clg_tensor_count(*tensor));
        status = clg_tensor_upload(*tensor, host, NULL);
    }
    free(host);
    if (status != CLG_OK) {
        clg_tensor_destroy(*tensor);
        *tensor = NULL;
    }
    return status;
}

const char *bench_layout_name(clg_layout layout)
{
    return layout == CLG_NHWC ? "nhwc" : "nchw";
}

clg_layout bench_layout(const char *name)
{
    return strcmp(name, "nhwc") == 0 ? CLG_NHWC : CLG_NCHW;
}

bool bench_matches(const char *name, const char *text)
{
    return !text || strstr(name, text) != NULL;
}
