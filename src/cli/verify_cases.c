/* clgrad verify DIR: stored cases, each with its arguments, inputs and expected results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/case_folders.h"
#include "cli/op_call.h"
#include "cli/result.h"
#include "cli/tally.h"
#include "cli/verify.h"
#include "io/read_file.h"
#include "ref/compare.h"

enum { MAX_ALGORITHMS = 64, PATH_SIZE = 4096 };

struct run {
    clg_context *ctx;
    const char *algorithm;
    struct tally tally;
    long cases, failed_cases;
};

/* One file of expect/. */
struct expected {
    char *name; /* belongs to the list of names */
    clg_npy_array array;
    double *values;
};

struct stored_case {
    const char *folder;
    struct op_args args;
    struct name_list names;
    struct expected *expected; /* as many as names */
};

static clg_status read_args(struct stored_case *stored)
{
    char path[PATH_SIZE];
    uint8_t *bytes;
    size_t size;
    snprintf(path, sizeof path, "%s/args", stored->folder);
    CLG__TRY(clg__read_file(path, &bytes, &size));
    char *line = calloc(size + 1, 1);
    clg_status status = line ? CLG_OK : clg__fail_alloc("args");
    if (line)
        memcpy(line, bytes, size);
    free(bytes);
    if (status == CLG_OK && strlen(line) != size)
        status = clg__fail(CLG_BAD_FORMAT, "args is no text: it holds a zero byte");
    const char *end = status == CLG_OK ? strchr(line, '\n') : NULL;
    if (end && end[strspn(end, " \t\r\n")])
        status = clg__fail(CLG_BAD_FORMAT, "args has more than one line");
    if (status == CLG_OK)
        status = op_args_from_line(line, &stored->args);
    free(line);
    return status;
}

static clg_status read_expected(const char *folder, struct expected *expected)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/%s.npy", folder, expected->name);
    if (length < 0 || (size_t)length >= sizeof path)
        return clg__fail(CLG_IO_ERROR, "the path of expect/%s.npy is too long", expected->name);
    CLG__TRY(clg_npy_read(path, &expected->array));
    int64_t count = clg_npy_count(&expected->array);
    expected->values = calloc(count > 0 ? (size_t)count : 1, sizeof *expected->values);
    if (!expected->values)
        return clg__fail_alloc("an expected result");
    return clg_npy_to_double(&expected->array, expected->values);
}

static clg_status load(struct stored_case *stored)
{
    char path[PATH_SIZE];
    int length = snprintf(path, sizeof path, "%s/expect", stored->folder);
    if (length < 0 || (size_t)length >= sizeof path)
        return clg__fail(CLG_IO_ERROR, "the path is too long");
    CLG__TRY(read_args(stored));
    if (!path_is_folder(path))
        return clg__fail(CLG_IO_ERROR, "the folder expect/ is missing");
    CLG__TRY(npy_names_find(path, &stored->names));
    if (stored->names.count == 0)
        return clg__fail(CLG_IO_ERROR, "expect/ holds no .npy file");
    stored->expected = calloc(stored->names.count, sizeof *stored->expected);
    if (!stored->expected)
        return clg__fail_alloc("the expected results");
    for (size_t i = 0; i < stored->names.count; i++) {
        stored->expected[i].name = stored->names.names[i];
        CLG__TRY(read_expected(path, &stored->expected[i]));
    }
    return CLG_OK;
}

static void unload(struct stored_case *stored)
{
    for (size_t i = 0; stored->expected && i < stored->names.count; i++) {
        clg_npy_free(&stored->expected[i].array);
        free(stored->expected[i].values);
    }
    free(stored->expected);
    name_list_free(&stored->names);
    op_args_free(&stored->args);
}

static void shape_text(int ndim, const int64_t *dims, char *text, size_t size)
{
    int used = snprintf(text, size, "[");
    for (int i = 0; i < ndim && used > 0 && (size_t)used < size; i++)
        used +=
            snprintf(text + used, size - (size_t)used, "%s%lld", i ? ", " : "", (long long)dims[i]);
    if (used > 0 && (size_t)used + 1 < size)
        snprintf(text + used, size - (size_t)used, "]");
}

/* An array of no dimensions is one number, which a tensor holds in one dimension. */
static clg_status check_shape(const struct expected *expected, const clg_tensor_desc *desc)
{
    const clg_npy_array *array = &expected->array;
    const int64_t one = 1;
    const int64_t *dims = array->ndim ? array->dims : &one;
    int ndim = array->ndim ? array->ndim : 1;
    bool same = ndim == desc->ndim;
    for (int i = 0; i < ndim && same; i++)
        same = dims[i] == desc->dims[i];
    if (same)
        return CLG_OK;
    char want[160], got[160];
    shape_text(ndim, dims, want, sizeof want);
    shape_text(desc->ndim, desc->dims, got, sizeof got);
    return clg__fail(CLG_INVALID_SHAPE, "%s: shape %s, expected %s", expected->name, got, want);
}

static clg_status compare(const struct op_call *call, size_t index, const struct expected *expected,
                          double *worst)
{
    const clg_tensor_desc *desc = op_call_result_desc(call, index);
    float *data;
    char place[192];
    CLG__TRY(check_shape(expected, desc));
    CLG__TRY(op_call_read(call, index, &data));
    struct ref_error error = ref_compare(data, expected->values, clg_npy_count(&expected->array),
                                         REF_REL_L2_TOL, REF_ABS_TOL);
    free(data);
    if (error.rel_l2 > *worst)
        *worst = error.rel_l2;
    if (error.passed)
        return CLG_OK;
    return clg__fail(CLG_INTERNAL_ERROR,
                     "%s: %s is %.9g, expected %.9g (relative L2 error %.2g, largest error %.2g)",
                     expected->name, result_place(desc, error.first_bad, place, sizeof place),
                     error.got, error.want, error.rel_l2, error.max_abs);
}

static const struct expected *find_expected(const struct stored_case *stored, const char *name)
{
    for (size_t i = 0; i < stored->names.count; i++)
        if (strcmp(stored->expected[i].name, name) == 0)
            return &stored->expected[i];
    return NULL;
}

static bool has_result(const struct op_call *call, const char *name)
{
    for (size_t i = 0; i < op_call_results(call); i++)
        if (strcmp(op_call_result_name(call, i), name) == 0)
            return true;
    return false;
}

/* All results must be written, and all expected ones be there unless a direction was refused. */
static clg_status check_results(const struct stored_case *stored, const struct op_call *call,
                                double *worst)
{
    for (size_t i = 0; i < op_call_results(call); i++) {
        const struct expected *expected = find_expected(stored, op_call_result_name(call, i));
        float *data;
        if (expected) {
            CLG__TRY(compare(call, i, expected, worst));
        } else {
            CLG__TRY(op_call_read(call, i, &data));
            free(data);
        }
    }
    for (size_t i = 0; i < stored->names.count && op_call_refusals(call) == 0; i++)
        if (!has_result(call, stored->names.names[i]))
            return clg__fail(CLG_INTERNAL_ERROR,
                             "%s: expected, but not a result of %s with these "
                             "arguments",
                             stored->names.names[i], stored->args.op->name);
    return CLG_OK;
}

static void report_failure(const struct stored_case *stored, const char *algorithm)
{
    printf("FAILED %s%s%s%s: %s\n", stored->folder, *algorithm ? " (" : "", algorithm,
           *algorithm ? ")" : "", clg_last_error());
}

static void note_refusals(struct run *run, const struct op_call *call)
{
    for (size_t i = 0; i < op_call_refusals(call); i++)
        tally_reason(&run->tally, op_call_refusal_reason(call, i));
}

/* One case with one algorithm; returns whether it did not fail. */
static bool run_with(struct run *run, const struct stored_case *stored, const char *algorithm)
{
    struct op_call *call;
    double worst = 0;
    enum tally_outcome outcome = TALLY_PASSED;
    const struct cli_op *op = stored->args.op;
    const char *label = op->algorithms ? algorithm : "-";
    clg_status status = op_call_create(run->ctx, &stored->args, stored->folder, algorithm, &call);
    if (status == CLG_OK) {
        status = op_call_run(call);
        if (status == CLG_OK)
            status = check_results(stored, call, &worst);
        if (status == CLG_OK && op_call_refusals(call) && op_call_results(call) == 0)
            outcome = TALLY_REFUSED;
        note_refusals(run, call);
        op_call_destroy(call);
    }
    if (status != CLG_OK) {
        outcome = TALLY_FAILED;
        report_failure(stored, op->algorithms ? algorithm : "");
    }
    tally_count(&run->tally, op->name, label, outcome, worst);
    return outcome != TALLY_FAILED;
}

static bool run_loaded(struct run *run, const struct stored_case *stored)
{
    const struct cli_op *op = stored->args.op;
    const char *own = op_args_get(&stored->args, "algo");
    const char *names[MAX_ALGORITHMS];
    if (!run->algorithm)
        return run_with(run, stored, own ? own : "auto");
    if (strcmp(run->algorithm, "all") != 0)
        return run_with(run, stored,
                        cli_op_has_algorithm(op, run->algorithm) ? run->algorithm : "auto");
    bool passed = true;
    size_t count = op->algorithms ? op->algorithms(names, MAX_ALGORITHMS) : 0;
    for (size_t i = 0; i < count && i < MAX_ALGORITHMS; i++)
        passed = run_with(run, stored, names[i]) && passed;
    return run_with(run, stored, "auto") && passed;
}

static void run_case(struct run *run, const char *folder)
{
    struct stored_case stored = {.folder = folder};
    bool passed;
    if (load(&stored) == CLG_OK) {
        passed = run_loaded(run, &stored);
    } else {
        report_failure(&stored, "");
        tally_count(&run->tally, stored.args.op ? stored.args.op->name : "(not runnable)", "-",
                    TALLY_FAILED, 0);
        passed = false;
    }
    run->cases++;
    run->failed_cases += !passed;
    unload(&stored);
}

/* Catches a mistyped name, which would otherwise run everything with the library's choice. */
static bool is_known(const char *algorithm)
{
    if (!algorithm || strcmp(algorithm, "all") == 0 || strcmp(algorithm, "auto") == 0)
        return true;
    size_t count;
    const struct cli_op *const *operations = cli_op_list(&count);
    for (size_t i = 0; i < count; i++)
        if (cli_op_has_algorithm(operations[i], algorithm))
            return true;
    return false;
}

static int report(struct run *run, const char *folder)
{
    if (run->failed_cases)
        printf("\n");
    tally_print(&run->tally, "operation");
    tally_print_reasons(&run->tally, "\nrefused directions:");
    printf("\n%ld of %ld cases passed\n", run->cases - run->failed_cases, run->cases);
    if (run->failed_cases == 0)
        return CLI_OK;
    return cli_fail("verify", "%ld of %ld cases below %s failed", run->failed_cases, run->cases,
                    folder);
}

int verify_cases(const char *device, const char *folder, const char *algorithm)
{
    if (!is_known(algorithm))
        return cli_usage("verify",
                         "no operation has an algorithm \"%s\" (clgrad op --help lists "
                         "them)",
                         algorithm);
    struct run run = {.algorithm = algorithm};
    struct name_list cases;
    clg_status status = case_folders_find(folder, &cases);
    if (status != CLG_OK)
        return cli_fail_status("verify", status);
    if (cases.count == 0)
        return cli_fail("verify",
                        "no case found below %s: a case is a folder with a file args and "
                        "a folder expect",
                        folder);
    clg_context_desc desc = {.device = device};
    status = clg_context_create(&desc, &run.ctx);
    int code;
    if (status == CLG_OK) {
        for (size_t i = 0; i < cases.count; i++)
            run_case(&run, cases.names[i]);
        code = report(&run, folder);
    } else {
        code = cli_fail_status("verify", status);
    }
    clg_context_destroy(run.ctx);
    tally_free(&run.tally);
    name_list_free(&cases);
    return code;
}
