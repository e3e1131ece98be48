/* Choosing by measured times: with a made-up operation, whose algorithms are slow, fail or crash on
 * demand, and with real ones. */
#include "clgrad/tuning.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "runtime/algorithm.h"
#include "support/scratch.h"
#include "support/testing.h"

/* ---- The made-up operation ---- */

enum { ALGORITHMS = 3, KIB = 1024 };

struct problem {
    double estimate[ALGORITHMS];
    double sleeps[ALGORITHMS]; /* seconds */
    bool fails[ALGORITHMS], crashes[ALGORITHMS];
};

static int runs[ALGORITHMS];

struct state {
    const struct problem *problem;
    int index;
};

static bool supports(const void *problem, const clg_device_info *device, const char **why)
{
    (void)problem, (void)device, (void)why;
    return true;
}

static size_t workspace(const void *problem, const clg_device_info *device)
{
    (void)problem, (void)device;
    return KIB;
}

static clg_status run(void *pointer, struct clg__stream *stream,
                      const struct clg__operands *operands)
{
    const struct state *state = pointer;
    double seconds = state->problem->sleeps[state->index];
    (void)stream;
    runs[state->index]++;
    assert_non_null(operands->out[0].object);
    assert_non_null(operands->in[0].object);
    assert_null(operands->in[1].object);
    assert_non_null(operands->workspace.object);
    if (state->problem->crashes[state->index])
        abort();
    if (state->problem->fails[state->index])
        return clg__fail(CLG_OPENCL_ERROR, "it does not run");
    nanosleep(&(struct timespec){.tv_nsec = (long)(1e9 * seconds)}, NULL);
    return CLG_OK;
}

#define ALGORITHM(index_, name_)                                                                   \
    static double cost_##index_(const void *problem, const clg_device_info *device)                \
    {                                                                                              \
        (void)device;                                                                              \
        return ((const struct problem *)problem)->estimate[index_];                                \
    }                                                                                              \
    static clg_status prepare_##index_(clg_context *ctx, const void *problem, void **out)          \
    {                                                                                              \
        (void)ctx;                                                                                 \
        struct state *state = malloc(sizeof *state);                                               \
        *state = (struct state){problem, index_};                                                  \
        *out = state;                                                                              \
        return CLG_OK;                                                                             \
    }                                                                                              \
    static const struct clg__algorithm algorithm_##index_ = {.name = name_,                        \
                                                             .supports = supports,                 \
                                                             .workspace = workspace,               \
                                                             .cost = cost_##index_,                \
                                                             .prepare = prepare_##index_,          \
                                                             .enqueue = run,                       \
                                                             .release = free};

ALGORITHM(0, "a")
ALGORITHM(1, "b")
ALGORITHM(2, "c")

static const struct clg__algorithm *const table[] = {&algorithm_0, &algorithm_1, &algorithm_2,
                                                     NULL};

/* The name of what is chosen, and how often each one ran meanwhile. */
static const char *choose(clg_context *ctx, const struct problem *problem, bool tune)
{
    const struct clg__variant variant = {.problem = problem, .label = "flat"};
    const struct clg__subject subject = {
        .key = "n7", .out = {4 * KIB}, .in = {4 * KIB}, .tune = tune};
    const struct clg__selection selection = {.what = "fake",
                                             .table = table,
                                             .variants = &variant,
                                             .num_variants = 1,
                                             .subject = &subject};
    struct clg__instance instance;
    memset(runs, 0, sizeof runs);
    OK(clg__select(ctx, &selection, &instance));
    const char *name = instance.algorithm->name;
    clg__instance_release(&instance);
    return name;
}

static clg_context *open_with(clg_tuning tuning)
{
    clg_context *ctx;
    OK(clg_context_create(&(clg_context_desc){.tuning = tuning}, &ctx));
    return ctx;
}

static int setup(void **state)
{
    if (scratch_make(state) != 0)
        return -1;
    unsetenv("CLGRAD_TUNE");
    unsetenv("CLGRAD_LOG");
    return setenv("CLGRAD_TUNE_DIR", scratch_path(""), 1);
}

/* By estimate a, b, c; by time b, c, a. */
static const struct problem misjudged = {{1e-3, 2e-3, 3e-3}, {8e-3, 1e-3, 3e-3}, {0}, {0}};

/* ---- Tests ---- */

/* First, because a process that has used OpenCL should not fork. */
static int crashes_in(const struct problem *problem)
{
    pid_t child = fork();
    int status = 0;
    assert_true(child >= 0);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr)) /* drivers have their say when a process aborts */
            _exit(1);
        choose(open_with(CLG_TUNING_MEASURE), problem, false);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_candidate_that_brings_the_process_down_is_left_out_by_the_next(void **state)
{
    (void)state;
    struct problem problem = misjudged;
    problem.crashes[1] = true;
    assert_int_equal(crashes_in(&problem), SIGABRT);
    assert_int_equal(crashes_in(&problem), 0);
    clg_context *ctx = open_with(CLG_TUNING_STORED);
    assert_string_equal(choose(ctx, &problem, false), "c");
    clg_context_destroy(ctx);
}

static void the_fastest_is_chosen_and_known_to_every_later_context(void **state)
{
    (void)state;
    clg_context *ctx = open_with(CLG_TUNING_MEASURE);
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    assert_true(runs[0] >= 2 && runs[1] >= 4 && runs[2] >= 2);
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    assert_int_equal(runs[0] + runs[1] + runs[2], 0);
    clg_context_destroy(ctx);
    ctx = open_with(CLG_TUNING_STORED);
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    assert_int_equal(runs[0] + runs[1] + runs[2], 0);
    clg_context_destroy(ctx);
    ctx = open_with(CLG_TUNING_OFF);
    assert_string_equal(choose(ctx, &misjudged, false), "a");
    clg_context_destroy(ctx);
}

static void nothing_is_measured_or_written_unless_asked_for(void **state)
{
    (void)state;
    clg_context *ctx = open_with(CLG_TUNING_AUTO);
    assert_string_equal(choose(ctx, &misjudged, false), "a");
    assert_int_equal(runs[0] + runs[1] + runs[2], 0);
    assert_int_equal(scratch_entries(), 0);
    clg_context_destroy(ctx);
}

static void a_plan_can_ask_for_itself(void **state)
{
    (void)state;
    clg_context *ctx = open_with(CLG_TUNING_AUTO);
    assert_string_equal(choose(ctx, &misjudged, false), "a");
    assert_string_equal(choose(ctx, &misjudged, true), "b");
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    clg_context_destroy(ctx);
}

static void the_environment_is_asked_where_the_context_leaves_it_open(void **state)
{
    (void)state;
    setenv("CLGRAD_TUNE", "1", 1);
    clg_context *ctx = open_with(CLG_TUNING_AUTO);
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    clg_context_destroy(ctx);
    static const char *const off[] = {"0", "off"};
    for (int i = 0; i < 2; i++) {
        setenv("CLGRAD_TUNE", off[i], 1);
        ctx = open_with(CLG_TUNING_AUTO);
        assert_string_equal(choose(ctx, &misjudged, false), "a");
        clg_context_destroy(ctx);
    }
    FAILS(CLG_INVALID_ARGUMENT, "tuning 9 is unknown",
          clg_context_create(&(clg_context_desc){.tuning = (clg_tuning)9}, &ctx));
}

static void a_candidate_that_fails_is_remembered(void **state)
{
    (void)state;
    struct problem problem = misjudged;
    problem.fails[1] = true;
    clg_context *ctx = open_with(CLG_TUNING_MEASURE);
    assert_string_equal(choose(ctx, &problem, false), "c");
    assert_int_equal(runs[1], 1);
    problem.fails[1] = false;
    assert_string_equal(choose(ctx, &problem, false), "c");
    assert_int_equal(runs[1], 0);
    int64_t count;
    OK(clg_tuning_forget(ctx, &count));
    assert_int_equal(count, 3);
    assert_string_equal(choose(ctx, &problem, false), "b");
    clg_context_destroy(ctx);
}

static void when_all_fail_there_is_none_left(void **state)
{
    (void)state;
    const struct problem problem = {{1, 2, 3}, {0}, {true, true, true}, {0}};
    const struct clg__variant variant = {.problem = &problem};
    const struct clg__subject subject = {.key = "n8", .out = {KIB}, .in = {KIB}, .tune = true};
    const struct clg__selection selection = {.what = "fake",
                                             .table = table,
                                             .variants = &variant,
                                             .num_variants = 1,
                                             .subject = &subject};
    struct clg__instance instance;
    clg_context *ctx = open_with(CLG_TUNING_AUTO);
    FAILS(CLG_UNSUPPORTED, "a: failed when it was measured: it does not run",
          clg__select(ctx, &selection, &instance));
    clg_context_destroy(ctx);
}

static void the_hopeless_are_not_measured_to_the_end(void **state)
{
    (void)state;
    /* a is best; b takes more than four times as long; c should take thirty times as long. */
    const struct problem problem = {{1e-3, 2e-3, 100}, {2e-3, 40e-3, 1e-3}, {0}, {0}};
    clg_context *ctx = open_with(CLG_TUNING_MEASURE);
    assert_string_equal(choose(ctx, &problem, false), "a");
    assert_int_equal(runs[1], 2);
    assert_int_equal(runs[2], 0);
    clg_context_destroy(ctx);
}

static void without_a_folder_times_are_kept_as_long_as_the_context(void **state)
{
    (void)state;
    scratch_write("file", "", 0);
    setenv("CLGRAD_TUNE_DIR", scratch_path("file/below"), 1);
    clg_context *ctx = open_with(CLG_TUNING_MEASURE);
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    assert_int_equal(runs[0] + runs[1] + runs[2], 0);
    FAILS(CLG_IO_ERROR, "no folder", clg_tuning_export(ctx, scratch_path("out.txt"), NULL));
    clg_context_destroy(ctx);
}

static void export_and_import_carry_choices_to_another_folder(void **state)
{
    (void)state;
    int64_t count;
    clg_context *ctx = open_with(CLG_TUNING_MEASURE);
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    OK(clg_tuning_export(ctx, scratch_path("out.txt"), &count));
    assert_int_equal(count, 3);
    clg_context_destroy(ctx);
    unlink(scratch_path("tuning.sqlite"));
    ctx = open_with(CLG_TUNING_STORED);
    assert_string_equal(choose(ctx, &misjudged, false), "a");
    OK(clg_tuning_import(ctx, scratch_path("out.txt"), &count));
    assert_int_equal(count, 3);
    assert_string_equal(choose(ctx, &misjudged, false), "b");
    FAILS(CLG_IO_ERROR, "no.txt", clg_tuning_import(ctx, scratch_path("no.txt"), NULL));
    FAILS(CLG_INVALID_ARGUMENT, "path is NULL", clg_tuning_export(ctx, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_tuning_import(NULL, "x", NULL));
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_tuning_forget(NULL, NULL));
    FAILS(CLG_BAD_FORMAT, "nonsense.txt: line 1 is not",
          clg_tuning_import(ctx, scratch_write("nonsense.txt", "hello\n", 6), NULL));
    clg_context_destroy(ctx);
}

/* ---- The log ---- */

static char logged[16384];

static void collect(void *data, const char *topic, const char *line)
{
    assert_ptr_equal(data, &logged);
    assert_string_equal(topic, "plan");
    assert_null(strchr(line, '\n'));
    size_t used = strlen(logged);
    snprintf(logged + used, sizeof logged - used, "%s\n", line);
}

static void expect_logged(const char *text)
{
    if (!strstr(logged, text))
        fail_msg("the log has no \"%s\":\n%s", text, logged);
}

static clg_conv2d_desc convolution(void)
{
    clg_conv2d_desc desc = clg_conv2d_desc_init(clg_desc_4d(2, 3, 12, 10), 6, 3, 5);
    desc.padding[0] = desc.padding[2] = 1;
    desc.stride[1] = 2;
    desc.directions = 1u << CLG_CONV2D_FORWARD;
    return desc;
}

static void the_log_tells_of_a_plan(void **state)
{
    (void)state;
    clg_context *ctx;
    clg_conv2d *plan;
    clg_conv2d_desc desc = convolution();
    logged[0] = '\0';
    OK(clg_context_create(&(clg_context_desc){.log = collect, .log_data = &logged}, &ctx));
    desc.algorithm[0] = "direct";
    OK(clg_conv2d_create(ctx, &desc, &plan));
    clg_conv2d_destroy(plan);
    static const char problem[] = "mb2ic3ih12iw10oc6oh12ow3kh3kw5sh1sw2ph1pw0dh0dw0";
    char text[256];
    snprintf(text, sizeof text, "conv2d forward %s nchw: direct/nchw, estimated ", problem);
    expect_logged(text);
    expect_logged(" ms, 0 bytes of workspace, asked for by name\n");
    snprintf(text, sizeof text, "work: %d FLOP, %d bytes\n", 2 * 2 * 6 * 12 * 3 * 3 * 3 * 5,
             4 * (2 * 3 * 12 * 10 + 6 * 3 * 3 * 5 + 2 * 6 * 12 * 3));
    expect_logged(text);
    snprintf(text, sizeof text,
             "to repeat: clgrad bench conv2d --problem %s --dir fwd --layout nchw --algo direct\n",
             problem);
    expect_logged(text);
    logged[0] = '\0';
    desc.algorithm[0] = NULL;
    OK(clg_conv2d_create(ctx, &desc, &plan));
    clg_conv2d_destroy(plan);
    expect_logged("    also possible: ");
    expect_logged("    not possible: im2col/nhwc: works on NCHW only\n");
    clg_context_destroy(ctx);
}

/* ---- A real operation ---- */

static void a_convolution_is_tuned_in_all_layouts(void **state)
{
    (void)state;
    clg_context *ctx;
    clg_conv2d *plan;
    int64_t count;
    clg_conv2d_desc desc = convolution();
    logged[0] = '\0';
    desc.directions = 0;
    desc.pad_mode = CLG_PAD_REFLECT;
    desc.tune = true;
    OK(clg_context_create(&(clg_context_desc){.log = collect, .log_data = &logged}, &ctx));
    OK(clg_conv2d_create(ctx, &desc, &plan));
    for (int d = 0; d < 3; d++)
        assert_true(clg_conv2d_measured(plan, (clg_conv2d_direction)d) > 0);
    clg_conv2d_destroy(plan);
    OK(clg_tuning_export(ctx, scratch_path("out.txt"), &count));
    size_t size;
    char *text = (char *)scratch_read("out.txt", &size);
    text = realloc(text, size + 1);
    text[size] = '\0';
    static const char *const words[] = {"conv2d forward ", "conv2d backward_data ",
                                        "conv2d backward_filter ", "\tdirect/nchw\t",
                                        "\tdirect/nhwc\t"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        assert_non_null(strstr(text, words[i]));
    /* The padding is made before: the algorithms see what an unpadded problem is. */
    assert_non_null(strstr(text, "mb2ic3ih14iw10oc6oh12ow3kh3kw5sh1sw2ph0pw0dh0dw0 nchw\t"));
    free(text);
    /* A plan of a name is not measured, and takes no time from the store. */
    desc.algorithm[0] = "direct";
    OK(clg_conv2d_create(ctx, &desc, &plan));
    assert_string_equal(clg_conv2d_algorithm(plan, CLG_CONV2D_FORWARD), "direct");
    assert_true(clg_conv2d_measured(plan, CLG_CONV2D_FORWARD) == 0);
    clg_conv2d_destroy(plan);
    clg_context_destroy(ctx);
}

static void measured_times_decide_which_layout_is_preferred(void **state)
{
    (void)state;
    clg_layout layout = CLG_NCHW;
    clg_conv2d *plan;
    clg_context *ctx = open_with(CLG_TUNING_MEASURE);
    clg_conv2d_desc desc = convolution();
    double seconds[2];
    for (int i = 0; i < 2; i++) {
        desc.x.layout = desc.y_layout = (clg_layout)i;
        OK(clg_conv2d_create(ctx, &desc, &plan));
        seconds[i] = clg_conv2d_measured(plan, CLG_CONV2D_FORWARD);
        clg_conv2d_destroy(plan);
    }
    OK(clg_conv2d_preferred_layout(ctx, &desc, &layout));
    if (seconds[0] != seconds[1])
        assert_int_equal(layout, seconds[CLG_NHWC] < seconds[CLG_NCHW] ? CLG_NHWC : CLG_NCHW);
    clg_context_destroy(ctx);
}

static void a_matrix_product_is_tuned(void **state)
{
    (void)state;
    clg_linear *plan;
    int64_t count;
    clg_context *ctx = open_with(CLG_TUNING_MEASURE);
    const clg_linear_desc desc = {.x = clg_desc_2d(9, 300), .out = 11};
    OK(clg_linear_create(ctx, &desc, &plan));
    clg_linear_destroy(plan);
    OK(clg_tuning_export(ctx, scratch_path("out.txt"), &count));
    assert_in_range(count, 3, 9);
    clg_context_destroy(ctx);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_candidate_that_brings_the_process_down_is_left_out_by_the_next),
        TEST(the_fastest_is_chosen_and_known_to_every_later_context),
        TEST(nothing_is_measured_or_written_unless_asked_for),
        TEST(a_plan_can_ask_for_itself),
        TEST(the_environment_is_asked_where_the_context_leaves_it_open),
        TEST(a_candidate_that_fails_is_remembered),
        TEST(when_all_fail_there_is_none_left),
        TEST(the_hopeless_are_not_measured_to_the_end),
        TEST(without_a_folder_times_are_kept_as_long_as_the_context),
        TEST(export_and_import_carry_choices_to_another_folder),
        TEST(the_log_tells_of_a_plan),
        TEST(a_convolution_is_tuned_in_all_layouts),
        TEST(measured_times_decide_which_layout_is_preferred),
        TEST(a_matrix_product_is_tuned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
