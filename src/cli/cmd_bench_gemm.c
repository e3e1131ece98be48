/* clgrad bench gemm: how fast one matrix product is, by each algorithm. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/command.h"
#include "runtime/gemm.h"
#include "runtime/timing.h"

static const char command[] = "bench gemm";

enum { OPERANDS = 4, MAX_ALGORITHMS = 32 }; /* C, A, B, the bias */

struct run {
    int64_t m, n, k, batch;
    bool transpose_a, transpose_b, shared_a, bias, json;
    const char *algorithm, *device;
    double seconds;
    clg_context *ctx;
    struct clg__gemm_problem problem;
    clg_tensor *tensors[OPERANDS];
    struct clg__gemm *gemm;
    long measured;
};

static struct clg__gemm_problem problem_of(const struct run *run)
{
    struct clg__gemm_problem p =
        clg__gemm_dense((int)run->m, (int)run->n, (int)run->k, run->transpose_a, run->transpose_b);
    p.batch = (int)run->batch;
    p.stride_a = run->shared_a ? 0 : run->m * run->k;
    p.stride_b = run->k * run->n;
    p.stride_c = run->m * run->n;
    p.bias = run->bias ? CLG__GEMM_BIAS_COLUMNS : CLG__GEMM_NO_BIAS;
    return p;
}

static clg_status make_tensors(struct run *run)
{
    const int64_t counts[OPERANDS] = {run->batch * run->m * run->n,
                                      (run->shared_a ? 1 : run->batch) * run->m * run->k,
                                      run->batch * run->k * run->n, run->n};
    for (int i = 0; i < OPERANDS; i++) {
        const clg_tensor_desc desc = clg_desc_1d(counts[i]);
        CLG__TRY(bench_tensor(run->ctx, &desc, (uint64_t)i + 1, &run->tensors[i]));
    }
    return CLG_OK;
}

static clg_status run_once(void *subject)
{
    struct run *run = subject;
    struct clg__stream stream;
    CLG__TRY(clg__stream_begin(&stream, run->ctx, NULL, clg__gemm_workspace(run->gemm)));
    const struct clg__operands operands = {
        .out = {clg__tensor_mem(run->tensors[0])},
        .in = {clg__tensor_mem(run->tensors[1]), clg__tensor_mem(run->tensors[2]),
               clg__tensor_mem(run->bias ? run->tensors[3] : NULL)},
        .workspace = stream.workspace,
    };
    return clg__stream_end(&stream, clg__gemm_enqueue(run->gemm, &stream, &operands));
}

static void report(const struct run *run, const struct clg__summary *times)
{
    const char *name = clg__gemm_algorithm(run->gemm);
    size_t workspace = clg__gemm_workspace(run->gemm), bytes;
    double estimate = clg__gemm_cost(&run->problem, clg_context_device(run->ctx), name, &bytes);
    double flop = 2.0 * (double)run->batch * (double)run->m * (double)run->n * (double)run->k;
    if (!run->json) {
        printf("%-16s %9.3f %9.3f %9.3f %9.3f %8.1f %10.0f %5.2f\n", name, 1e3 * times->median,
               1e3 * times->min, 1e3 * times->max, 1e3 * estimate, flop / times->median / 1e9,
               (double)workspace / 1024, times->cpus);
        return;
    }
    json_t *object = json_pack(
        "{s:I, s:I, s:I, s:I, s:s, s:f, s:f, s:f, s:f, s:f, s:I, s:f}", "m", (json_int_t)run->m,
        "n", (json_int_t)run->n, "k", (json_int_t)run->k, "batch", (json_int_t)run->batch, "algo",
        name, "median_ms", 1e3 * times->median, "min_ms", 1e3 * times->min, "max_ms",
        1e3 * times->max, "estimate_ms", 1e3 * estimate, "gflops", flop / times->median / 1e9,
        "workspace_bytes", (json_int_t)workspace, "cpus", times->cpus);
    json_dumpf(object, stdout, JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(object);
}

static clg_status measure(struct run *run, const char *algorithm)
{
    struct clg__times times = {.queued = true};
    CLG__TRY(clg__gemm_create(run->ctx, &run->problem, algorithm, 0, &run->gemm));
    clg_status status = clg__time(run->ctx, run->seconds, run_once, run, &times);
    if (status == CLG_OK) {
        const struct clg__summary summary = clg__summarise(&times);
        report(run, &summary);
        run->measured++;
    }
    clg__gemm_destroy(run->gemm);
    return status;
}

static clg_status measure_asked(struct run *run)
{
    const char *names[MAX_ALGORITHMS];
    if (!run->algorithm || strcmp(run->algorithm, "all") != 0)
        return measure(run, run->algorithm);
    size_t count = clg__algorithm_names(clg__gemm_algorithms, names, MAX_ALGORITHMS);
    for (size_t i = 0; i < count && i < MAX_ALGORITHMS; i++) {
        clg_status status = measure(run, names[i]);
        if (status == CLG_UNSUPPORTED)
            cli_fail(command, "not measured: %s", clg_last_error());
        else
            CLG__TRY(status);
    }
    return CLG_OK;
}

static int start(struct run *run)
{
    run->problem = problem_of(run);
    clg_status status = bench_open(run->device, &run->ctx);
    if (status == CLG_OK)
        status = make_tensors(run);
    if (status == CLG_OK && !run->json)
        printf("%s\n\n%-16s %9s %9s %9s %9s %8s %10s %5s\n", clg_context_device(run->ctx)->name,
               "algorithm", "median ms", "min ms", "max ms", "estimate", "GFLOP/s", "KiB", "cpus");
    if (status == CLG_OK)
        status = measure_asked(run);
    int code = status == CLG_OK ? CLI_OK : cli_fail_status(command, status);
    for (int i = 0; i < OPERANDS; i++)
        clg_tensor_destroy(run->tensors[i]);
    clg_context_destroy(run->ctx);
    return code;
}

int bench_gemm(int argc, char **argv)
{
    enum { MOST = 1 << 20 };
    struct run run = {.m = 256, .n = 256, .k = 256, .batch = 1, .seconds = 0.3};
    const struct cli_option options[] = {
        {"m", CLI_INT, &run.m, "ROWS", "of C (256)", 1, MOST},
        {"n", CLI_INT, &run.n, "COLUMNS", "of C (256)", 1, MOST},
        {"k", CLI_INT, &run.k, "LENGTH", "of the sums (256)", 1, MOST},
        {"batch", CLI_INT, &run.batch, "N", "products (1)", 1, MOST},
        {"ta", CLI_FLAG, &run.transpose_a, NULL, "A is stored as k rows of m", 0, 0},
        {"tb", CLI_FLAG, &run.transpose_b, NULL, "B is stored as n rows of k", 0, 0},
        {"shared-a", CLI_FLAG, &run.shared_a, NULL, "all products have the same A", 0, 0},
        {"bias", CLI_FLAG, &run.bias, NULL, "add a value for each column", 0, 0},
        {"algo", CLI_TEXT, &run.algorithm, "NAME|all",
         "one algorithm, or each of them; else the library's choice", 0, 0},
        CLI_OPTION_SECONDS(run.seconds),
        CLI_OPTION_JSON_LINES(run.json),
        CLI_OPTION_DEVICE(run.device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        command, "bench gemm [--m ROWS] [--n COLUMNS] [--k LENGTH] [--algo NAME|all] ...",
        "Measures C = A B, the matrix product inside linear layers and im2col: median, shortest\n"
        "and longest time of a run in milliseconds, the time that the choice of an algorithm goes\n"
        "by (estimate), GFLOP/s by the median, KiB of workspace, processors at work.",
        options, 0};
    int arguments;
    int code = cli_options_parse(&syntax, argc, argv, &arguments);
    return code == CLI_GO_ON ? start(&run) : code;
}
