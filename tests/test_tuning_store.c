#include "runtime/tuning_store.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/scratch.h"
#include "support/testing.h"

static const clg_device_info device = {
    .platform_name = "a platform", .name = "a device", .version = "OpenCL 1.2", .driver = "7.0"};

/* Each test has a folder of its own with nothing in it. */
static int setup(void **state)
{
    if (scratch_make(state) != 0)
        return -1;
    unsetenv("CLGRAD_TUNE_MB");
    return setenv("CLGRAD_TUNE_DIR", scratch_path(""), 1);
}

static struct clg__tuning_store *open_store(void)
{
    struct clg__tuning_store *store = clg__tuning_open(&device, true);
    assert_non_null(store);
    assert_true(clg__tuning_is_kept(store));
    return store;
}

/* Claims and finishes. */
static void keep(struct clg__tuning_store *store, const char *problem, const char *candidate,
                 double seconds)
{
    struct clg__tuning_record record = {.state = CLG__TUNING_TIMED, .seconds = seconds};
    snprintf(record.candidate, sizeof record.candidate, "%s", candidate);
    assert_int_equal(clg__tuning_claim(store, problem, candidate), CLG__TUNING_UNKNOWN);
    clg__tuning_finish(store, problem, &record);
}

/* The only record of a problem; UNKNOWN when there is none. */
static struct clg__tuning_record only(struct clg__tuning_store *store, const char *problem)
{
    struct clg__tuning_record records[4] = {{.state = CLG__TUNING_UNKNOWN}};
    assert_in_range(clg__tuning_find(store, problem, records, 4), 0, 1);
    return records[0];
}

static void what_is_kept_is_found_by_another_store(void **state)
{
    (void)state;
    struct clg__tuning_store *store = open_store();
    keep(store, "conv a", "fast/nhwc", 0.25);
    keep(store, "conv a", "slow", 2);
    keep(store, "conv b", "slow", 3);
    clg__tuning_close(store);
    store = clg__tuning_open(&device, false);
    struct clg__tuning_record records[4];
    assert_int_equal(clg__tuning_find(store, "conv a", records, 4), 2);
    assert_string_equal(records[0].candidate, "fast/nhwc");
    assert_int_equal(records[0].state, CLG__TUNING_TIMED);
    assert_true(records[0].seconds == 0.25);
    assert_int_equal(clg__tuning_find(store, "conv a", records, 1), 1);
    assert_int_equal(clg__tuning_find(store, "conv c", records, 4), 0);
    clg__tuning_close(store);
    clg__tuning_close(NULL);
}

static void reading_makes_no_file(void **state)
{
    (void)state;
    assert_null(clg__tuning_open(&device, false));
    assert_int_equal(scratch_entries(), 0);
}

static void another_device_driver_or_kernel_family_is_another_record(void **state)
{
    (void)state;
    struct clg__tuning_store *store = open_store();
    keep(store, "conv", "fast", 1);
    clg__tuning_close(store);
    clg_device_info others[] = {device, device, device, device, device, device};
    strcpy(others[0].name, "another device");
    strcpy(others[1].version, "OpenCL 3.0");
    strcpy(others[2].driver, "7.1");
    strcpy(others[3].platform_name, "another platform");
    others[4].family = CLG_FAMILY_GPU;
    others[5].compute_units = 9;
    for (int i = 0; i < 6; i++) {
        store = clg__tuning_open(&others[i], false);
        assert_non_null(store);
        assert_int_equal(only(store, "conv").state, CLG__TUNING_UNKNOWN);
        clg__tuning_close(store);
    }
}

static void a_claim_is_made_once(void **state)
{
    (void)state;
    struct clg__tuning_store *store = open_store(), *other = open_store();
    assert_int_equal(clg__tuning_claim(store, "conv", "fast"), CLG__TUNING_UNKNOWN);
    assert_int_equal(clg__tuning_claim(other, "conv", "fast"), CLG__TUNING_RUNNING);
    assert_int_equal(only(other, "conv").state, CLG__TUNING_RUNNING);
    const struct clg__tuning_record dropped = {.candidate = "fast", .state = CLG__TUNING_UNKNOWN};
    clg__tuning_finish(store, "conv", &dropped);
    assert_int_equal(only(other, "conv").state, CLG__TUNING_UNKNOWN);
    const struct clg__tuning_record failed = {
        .candidate = "fast", .state = CLG__TUNING_FAILED, .message = "does\tnot\nbuild"};
    assert_int_equal(clg__tuning_claim(other, "conv", "fast"), CLG__TUNING_UNKNOWN);
    clg__tuning_finish(other, "conv", &failed);
    assert_int_equal(clg__tuning_claim(store, "conv", "fast"), CLG__TUNING_FAILED);
    assert_string_equal(only(store, "conv").message, "does not build");
    clg__tuning_close(store);
    clg__tuning_close(other);
}

static void expect_exit(pid_t child, int code)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
}

static pid_t start(int (*body)(int), int argument)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(body(argument));
    return child;
}

static int claims_and_dies(int unused)
{
    (void)unused;
    struct clg__tuning_store *store = clg__tuning_open(&device, true);
    return clg__tuning_claim(store, "conv", "fast") == CLG__TUNING_UNKNOWN ? 7 : 1;
}

static void a_process_that_dies_while_measuring_leaves_a_crash(void **state)
{
    (void)state;
    expect_exit(start(claims_and_dies, 0), 7);
    struct clg__tuning_store *store = open_store();
    struct clg__tuning_record record = only(store, "conv");
    assert_int_equal(record.state, CLG__TUNING_CRASHED);
    assert_non_null(strstr(record.message, "ended while measuring"));
    assert_int_equal(clg__tuning_claim(store, "conv", "fast"), CLG__TUNING_CRASHED);
    clg__tuning_close(store);
}

static void a_dead_process_that_nobody_has_waited_for_is_dead(void **state)
{
    (void)state;
    pid_t child = start(claims_and_dies, 0);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    struct clg__tuning_store *store = open_store();
    assert_int_equal(only(store, "conv").state, CLG__TUNING_CRASHED);
    clg__tuning_close(store);
    expect_exit(child, 7);
}

enum { PROCESSES = 4, EACH = 25 };

static int claims_many(int process)
{
    char problem[32];
    int mine = 0;
    struct clg__tuning_store *store = clg__tuning_open(&device, true);
    for (int i = 0; store && i < EACH; i++) {
        snprintf(problem, sizeof problem, "conv %d", (i + process) % EACH);
        if (clg__tuning_claim(store, problem, "fast") != CLG__TUNING_UNKNOWN)
            continue;
        const struct clg__tuning_record record = {
            .candidate = "fast", .state = CLG__TUNING_TIMED, .seconds = 1 + process};
        clg__tuning_finish(store, problem, &record);
        mine++;
    }
    clg__tuning_close(store);
    return mine;
}

static void several_processes_share_the_work(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    int total = 0, status;
    for (int i = 0; i < PROCESSES; i++)
        children[i] = start(claims_many, i);
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        total += WEXITSTATUS(status);
    }
    assert_int_equal(total, EACH); /* each problem once */
    struct clg__tuning_store *store = open_store();
    for (int i = 0; i < EACH; i++) {
        char problem[32];
        snprintf(problem, sizeof problem, "conv %d", i);
        assert_int_equal(only(store, problem).state, CLG__TUNING_TIMED);
    }
    clg__tuning_close(store);
}

static void the_oldest_records_go_first(void **state)
{
    (void)state;
    enum { RECORDS = 40000 };
    char problem[200];
    setenv("CLGRAD_TUNE_MB", "1", 1);
    char *text = malloc((size_t)RECORDS * 200);
    size_t used = (size_t)sprintf(text, "# clgrad tuning 1\n");
    for (int i = 0; i < RECORDS; i++)
        used +=
            (size_t)sprintf(text + used, "dev\tconv %d %030d\tfast\ttimed\t1\t%d\t\n", i, 0, i + 1);
    scratch_write("in.txt", text, used);
    struct clg__tuning_store *store = open_store();
    FILE *file = fopen(scratch_path("in.txt"), "r");
    long count;
    OK(clg__tuning_read(store, file, &count));
    fclose(file);
    keep(store, "the newest", "fast", 1);
    assert_int_equal(only(store, "the newest").state, CLG__TUNING_TIMED);
    file = fopen(scratch_path("out.txt"), "w");
    OK(clg__tuning_write(store, file, &count));
    fclose(file);
    assert_in_range(count, 1000, RECORDS / 2);
    size_t size;
    char *out = (char *)scratch_read("out.txt", &size);
    snprintf(problem, sizeof problem, "conv %d ", RECORDS - 1);
    out = realloc(out, size + 1);
    out[size] = '\0';
    assert_non_null(strstr(out, problem));
    assert_null(strstr(out, "conv 7 "));
    free(out);
    free(text);
    clg__tuning_close(store);
    struct stat info;
    assert_int_equal(stat(scratch_path("tuning.sqlite"), &info), 0);
    assert_true(info.st_size < 4 << 20);
}

static clg_status read_text(struct clg__tuning_store *store, const char *text, long *count)
{
    FILE *file = fopen(scratch_write("in.txt", text, strlen(text)), "r");
    assert_non_null(file);
    clg_status status = clg__tuning_read(store, file, count);
    fclose(file);
    return status;
}

static char *write_text(struct clg__tuning_store *store, long *count)
{
    FILE *file = fopen(scratch_path("out.txt"), "w");
    assert_non_null(file);
    OK(clg__tuning_write(store, file, count));
    fclose(file);
    size_t size;
    char *text = (char *)scratch_read("out.txt", &size);
    text = realloc(text, size + 1);
    text[size] = '\0';
    return text;
}

static void text_goes_around(void **state)
{
    (void)state;
    struct clg__tuning_store *store = open_store();
    keep(store, "conv a", "fast/nhwc", 0.25);
    keep(store, "conv a", "slow", 1e-6);
    const struct clg__tuning_record failed = {
        .candidate = "broken", .state = CLG__TUNING_FAILED, .message = "does not build"};
    assert_int_equal(clg__tuning_claim(store, "conv a", "broken"), CLG__TUNING_UNKNOWN);
    clg__tuning_finish(store, "conv a", &failed);
    assert_int_equal(clg__tuning_claim(store, "conv a", "running"), CLG__TUNING_UNKNOWN);
    long count, forgotten;
    char *text = write_text(store, &count);
    assert_int_equal(count, 3); /* the one that runs is nobody else's affair */
    OK(clg__tuning_forget(store, &forgotten));
    assert_int_equal(forgotten, 4);
    OK(read_text(store, text, &count));
    assert_int_equal(count, 3);
    char *again = write_text(store, &count);
    assert_string_equal(text, again);
    OK(read_text(store, text, &count));
    assert_int_equal(count, 0); /* nothing newer */
    free(text);
    free(again);
    clg__tuning_close(store);
}

static void the_newer_record_counts(void **state)
{
    (void)state;
    struct clg__tuning_store *store = open_store();
    long count;
    OK(read_text(store,
                 "# clgrad tuning 1\n"
                 "dev\tconv\tfast\ttimed\t2\t200\t\n"
                 "dev\tconv\tfast\ttimed\t1\t100\t\n"
                 "dev\tconv\tslow\ttimed\t3\t100\n" /* the message may be missing */
                 "\n# files put together\n# clgrad tuning 1\n"
                 "dev\tconv\tslow\tcrashed\t0\t300\tthe process ended\n",
                 &count));
    assert_int_equal(count, 3);
    char *text = write_text(store, &count);
    assert_string_equal(text, "# clgrad tuning 1\n"
                              "dev\tconv\tfast\ttimed\t2\t200\t\n"
                              "dev\tconv\tslow\tcrashed\t0\t300\tthe process ended\n");
    free(text);
    clg__tuning_close(store);
}

static void a_line_that_is_not_understood_changes_nothing(void **state)
{
    (void)state;
    static const char good[] = "# clgrad tuning 1\ndev\tconv\tfast\ttimed\t2\t200\t\n";
    static const char *const bad[] = {"dev\tconv\tfast\ttimed\t2\n",
                                      "dev\tconv\tfast\ttimed\t0\t200\t\n",
                                      "dev\tconv\tfast\ttimed\tnan\t200\t\n",
                                      "dev\tconv\tfast\tquick\t2\t200\t\n",
                                      "dev\tconv\tfast\trunning\t2\t200\t\n",
                                      "dev\tconv\tfast\ttimed\t2 s\t200\t\n",
                                      "dev\tconv\t\ttimed\t2\t200\t\n",
                                      "dev\tconv\tfast\ttimed\t2\tyesterday\t\n",
                                      "nonsense\n"};
    char text[256];
    long count;
    struct clg__tuning_store *store = open_store();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "%s%s", good, bad[i]);
        FAILS(CLG_BAD_FORMAT, "line 3 is no tuning record", read_text(store, text, &count));
    }
    FAILS(CLG_BAD_FORMAT, "line 1 is not \"# clgrad tuning 1\"",
          read_text(store, "# clgrad tuning 2\n", &count));
    FAILS(CLG_BAD_FORMAT, "there is no", read_text(store, "", &count));
    char *nothing = write_text(store, &count);
    assert_int_equal(count, 0);
    free(nothing);
    clg__tuning_close(store);
}

static void forgetting_is_for_one_device_under_any_driver(void **state)
{
    (void)state;
    long count;
    clg_device_info newer = device, other = device;
    strcpy(newer.driver, "8.0");
    strcpy(other.name, "a device 2");
    const clg_device_info *const all[] = {&device, &newer, &other};
    for (int i = 0; i < 3; i++) {
        struct clg__tuning_store *store = clg__tuning_open(all[i], true);
        keep(store, "conv", "fast", 1);
        clg__tuning_close(store);
    }
    struct clg__tuning_store *store = open_store();
    OK(clg__tuning_forget(store, &count));
    assert_int_equal(count, 2);
    clg__tuning_close(store);
    store = clg__tuning_open(&other, false);
    assert_int_equal(only(store, "conv").state, CLG__TUNING_TIMED);
    clg__tuning_close(store);
}

static void a_file_damaged_anywhere_is_no_reason_to_fail(void **state)
{
    (void)state;
    enum { PROBLEMS = 200, ROUNDS = 60 };
    char problem[64];
    struct clg__tuning_store *store = open_store();
    for (int i = 0; i < PROBLEMS; i++) {
        snprintf(problem, sizeof problem, "conv %d", i);
        keep(store, problem, "fast", 1);
    }
    clg__tuning_close(store);
    size_t size;
    unsigned char *good = scratch_read("tuning.sqlite", &size);
    unsigned char *bad = malloc(size);
    struct ref_random random = {11};
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(bad, good, size);
        size_t length = round % 3 == 0 ? (size_t)(ref_random_bits(&random) % size) : size;
        for (int k = 0; k < 200; k++)
            bad[ref_random_bits(&random) % size] = (unsigned char)ref_random_bits(&random);
        scratch_write("tuning.sqlite", bad, length);
        store = clg__tuning_open(&device, round % 2 == 0);
        for (int i = 0; i < PROBLEMS && store; i++) {
            struct clg__tuning_record records[4];
            snprintf(problem, sizeof problem, "conv %d", i);
            assert_in_range(clg__tuning_find(store, problem, records, 4), 0, 4);
            if (clg__tuning_claim(store, problem, "slow") == CLG__TUNING_UNKNOWN)
                clg__tuning_finish(store, problem,
                                   &(struct clg__tuning_record){"slow", CLG__TUNING_TIMED, 2, ""});
        }
        clg__tuning_close(store);
    }
    free(good);
    free(bad);
}

static void a_file_of_something_else_is_replaced_when_there_is_something_to_write(void **state)
{
    (void)state;
    static const char text[] = "this is no database, and long enough to look like one or not";
    scratch_write("tuning.sqlite", text, sizeof text);
    assert_null(clg__tuning_open(&device, false));
    struct clg__tuning_store *store = open_store();
    keep(store, "conv", "fast", 1);
    clg__tuning_close(store);
    store = clg__tuning_open(&device, false);
    assert_int_equal(only(store, "conv").state, CLG__TUNING_TIMED);
    clg__tuning_close(store);
}

static void without_a_folder_the_store_is_in_memory(void **state)
{
    (void)state;
    scratch_write("file", "", 0);
    setenv("CLGRAD_TUNE_DIR", scratch_path("file/below"), 1);
    assert_null(clg__tuning_open(&device, false));
    struct clg__tuning_store *store = clg__tuning_open(&device, true);
    assert_non_null(store);
    assert_false(clg__tuning_is_kept(store));
    keep(store, "conv", "fast", 1);
    assert_int_equal(only(store, "conv").state, CLG__TUNING_TIMED);
    clg__tuning_close(store);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_kept_is_found_by_another_store),
        TEST(reading_makes_no_file),
        TEST(another_device_driver_or_kernel_family_is_another_record),
        TEST(a_claim_is_made_once),
        TEST(a_process_that_dies_while_measuring_leaves_a_crash),
        TEST(a_dead_process_that_nobody_has_waited_for_is_dead),
        TEST(several_processes_share_the_work),
        TEST(the_oldest_records_go_first),
        TEST(text_goes_around),
        TEST(the_newer_record_counts),
        TEST(a_line_that_is_not_understood_changes_nothing),
        TEST(forgetting_is_for_one_device_under_any_driver),
        TEST(a_file_damaged_anywhere_is_no_reason_to_fail),
        TEST(a_file_of_something_else_is_replaced_when_there_is_something_to_write),
        TEST(without_a_folder_the_store_is_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
