#include "clgrad/device.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/testing.h"

extern char **environ;

/* The tests change the selection; the environment's own comes back after each. */
static char kept_device[256];

static int setup(void **state)
{
    (void)state;
    const char *device = getenv("CLGRAD_DEVICE");
    snprintf(kept_device, sizeof kept_device, "%s", device ? device : "");
    return 0;
}

static int restore(void **state)
{
    (void)state;
    unsetenv("CLGRAD_FAMILY");
    return *kept_device ? setenv("CLGRAD_DEVICE", kept_device, 1) : unsetenv("CLGRAD_DEVICE");
}

static void the_list_fills_what_fits_and_counts_all(void **state)
{
    (void)state;
    size_t count = 0, again = 0;
    OK(clg_device_list(NULL, 0, &count));
    assert_true(count > 0);
    clg_device_info *infos = calloc(count + 1, sizeof *infos);
    assert_non_null(infos);
    infos[count].compute_units = 77;
    OK(clg_device_list(infos, count + 1, &again));
    assert_int_equal(again, count);
    assert_int_equal(infos[count].compute_units, 77);
    for (size_t i = 0; i < count; i++) {
        assert_true(infos[i].platform >= 0 && infos[i].device >= 0);
        assert_true(i == 0 || infos[i].platform > infos[i - 1].platform ||
                    infos[i].device == infos[i - 1].device + 1);
    }
    memset(infos, 0, (count + 1) * sizeof *infos);
    OK(clg_device_list(infos, 1, &again));
    assert_int_equal(again, count);
    assert_true(infos[0].compute_units > 0);
    assert_int_equal(infos[1].compute_units, 0);
    free(infos);
}

static void the_description_is_complete(void **state)
{
    (void)state;
    clg_device_info info;
    OK(clg_device_find(NULL, &info));
    assert_true(info.name[0] && info.platform_name[0] && info.version[0] && info.driver[0]);
    assert_non_null(strstr(info.version, "OpenCL "));
    assert_true(info.compute_units > 0 && info.max_work_group_size > 0);
    assert_true(info.max_work_item_sizes[0] > 0 && info.local_memory >= 16384);
    assert_true(info.max_allocation > 0 && info.max_allocation <= info.global_memory);
    assert_true(info.buffer_alignment >= 16);
    assert_true(info.compiler_available);
    assert_true(info.family == CLG_FAMILY_CPU || info.family == CLG_FAMILY_GPU);
}

static void missing_pointers_are_refused(void **state)
{
    (void)state;
    size_t count;
    FAILS(CLG_INVALID_ARGUMENT, "count or infos is NULL", clg_device_list(NULL, 0, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "count or infos is NULL", clg_device_list(NULL, 3, &count));
    FAILS(CLG_INVALID_ARGUMENT, "info is NULL", clg_device_find("", NULL));
}

static void a_device_is_found_by_index_and_by_part_of_a_name(void **state)
{
    (void)state;
    clg_device_info best, found;
    OK(clg_device_find(NULL, &best));
    char selector[160];
    snprintf(selector, sizeof selector, "%d:%d", best.platform, best.device);
    OK(clg_device_find(selector, &found));
    assert_string_equal(found.name, best.name);
    snprintf(selector, sizeof selector, "%.100s", best.name + 1);
    for (char *at = selector; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    OK(clg_device_find(selector, &found));
    assert_string_equal(found.name, best.name);
    OK(clg_device_find(best.platform_name, &found));
    assert_string_equal(found.platform_name, best.platform_name);
}

static void the_environment_chooses_when_the_program_does_not(void **state)
{
    (void)state;
    clg_device_info best, found;
    OK(clg_device_find(NULL, &best));
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", best.platform, best.device);
    setenv("CLGRAD_DEVICE", "no such thing", 1);
    FAILS(CLG_NO_DEVICE, "\"no such thing\"", clg_device_find(NULL, &found));
    FAILS(CLG_NO_DEVICE, "\"no such thing\"", clg_device_find("", &found));
    OK(clg_device_find(selector, &found)); /* the program's word counts more */
    assert_string_equal(found.name, best.name);
    setenv("CLGRAD_DEVICE", selector, 1);
    OK(clg_device_find(NULL, &found));
    assert_string_equal(found.name, best.name);
}

static void no_match_says_what_there_is(void **state)
{
    (void)state;
    clg_device_info best, found;
    OK(clg_device_find(NULL, &best));
    FAILS(CLG_NO_DEVICE, best.name, clg_device_find("quantum", &found));
    FAILS(CLG_NO_DEVICE, "matches \"99:0\"", clg_device_find("99:0", &found));
    FAILS(CLG_NO_DEVICE, "matches \"0:0x\"", clg_device_find("0:0x", &found));
    clg_context *ctx = (clg_context *)&ctx;
    FAILS(CLG_NO_DEVICE, "matches \"quantum\"",
          clg_context_create(&(clg_context_desc){.device = "quantum"}, &ctx));
    assert_null(ctx);
}

static void the_family_can_be_forced(void **state)
{
    (void)state;
    clg_device_info info;
    setenv("CLGRAD_FAMILY", "gpu", 1);
    OK(clg_device_find(NULL, &info));
    assert_int_equal(info.family, CLG_FAMILY_GPU);
    setenv("CLGRAD_FAMILY", "cpu", 1);
    OK(clg_device_find(NULL, &info));
    assert_int_equal(info.family, CLG_FAMILY_CPU);
    unsetenv("CLGRAD_FAMILY");
    OK(clg_device_find(NULL, &info));
    if (info.type == CLG_DEVICE_CPU && !info.dedicated_local_memory)
        assert_int_equal(info.family,
                         info.vector_width_float > 1 ? CLG_FAMILY_CPU : CLG_FAMILY_GPU);
}

/* ---- Without any driver ---- */

static const char child_argument[] = "--without-driver";

/* Runs in a process whose loader finds no driver; the exit status names the check that failed. */
static int without_driver(void)
{
    size_t count = 5;
    if (clg_device_list(NULL, 0, &count) != CLG_NO_DEVICE || count != 0)
        return 1;
    if (!strstr(clg_last_error(), "pocl-opencl-icd"))
        return 2;
    clg_device_info info;
    if (clg_device_find(NULL, &info) != CLG_NO_DEVICE)
        return 3;
    clg_context *ctx = (clg_context *)&ctx;
    if (clg_context_create(NULL, &ctx) != CLG_NO_DEVICE || ctx)
        return 4;
    return strstr(clg_last_error(), "pocl-opencl-icd") ? 0 : 5;
}

static void without_a_driver_the_message_says_what_to_install(void **state)
{
    (void)state;
    clg_device_info info;
    OK(clg_device_find(NULL, &info));
    if (strcmp(info.platform_name, "Oclgrind") == 0)
        skip(); /* it stands in for the loader: there is always its device */
    char *arguments[] = {"test_device", (char *)child_argument, NULL};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
        unsetenv("OCL_ICD_FILENAMES");
        execve("/proc/self/exe", arguments, environ);
        _exit(99);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, restore)

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], child_argument) == 0)
        return without_driver();
    const struct CMUnitTest tests[] = {
        TEST(the_list_fills_what_fits_and_counts_all),
        TEST(the_description_is_complete),
        TEST(missing_pointers_are_refused),
        TEST(a_device_is_found_by_index_and_by_part_of_a_name),
        TEST(the_environment_chooses_when_the_program_does_not),
        TEST(no_match_says_what_there_is),
        TEST(the_family_can_be_forced),
        TEST(without_a_driver_the_message_says_what_to_install),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
