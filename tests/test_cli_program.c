/* The program as a whole: commands, help, version, exit codes, clgrad info. */
#include <jansson.h>
#include <stdio.h>

#include "support/program.h"
#include "support/testing.h"

static void without_a_command_the_program_says_what_to_type(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("%s", "");
    program_expect_usage(&run, "type clgrad --help");
}

static void help_lists_every_command(void **state)
{
    (void)state;
    static const char *const words[] = {"--help", "-h", "help"};
    for (size_t i = 0; i < 3; i++) {
        struct program_run run = PROGRAM("%s", words[i]);
#define CLG_COMMAND(name, help) program_expect_out(&run, 0, "  " #name " ");
#include "cli/commands.def"
#undef CLG_COMMAND
    }
}

static void every_command_explains_itself(void **state)
{
    (void)state;
#define CLG_COMMAND(name, help)                                                                    \
    {                                                                                              \
        struct program_run run = PROGRAM(#name " --help");                                         \
        program_expect_out(&run, 0, "usage: clgrad " #name);                                       \
        assert_string_equal(run.err, "");                                                          \
    }
#include "cli/commands.def"
#undef CLG_COMMAND
}

static void every_command_refuses_an_unknown_option(void **state)
{
    (void)state;
#define CLG_COMMAND(name, help)                                                                    \
    {                                                                                              \
        struct program_run run = PROGRAM(#name " --no-such-option");                               \
        program_expect_usage(&run, "there is no option --no-such-option");                         \
        assert_non_null(strstr(run.err, "clgrad " #name ": "));                                    \
    }
#include "cli/commands.def"
#undef CLG_COMMAND
}

static void the_version_is_the_librarys(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("--version");
    char text[64];
    snprintf(text, sizeof text, "clgrad %s\n", clg_version());
    assert_int_equal(run.code, 0);
    assert_string_equal(run.out, text);
}

static void a_mistyped_command_gets_a_suggestion(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("verfiy x");
    program_expect_usage(&run, "there is no command \"verfiy\"; did you mean clgrad verify?");
    run = PROGRAM("frobnicate");
    program_expect_usage(&run, "there is no command \"frobnicate\" (");
    run = PROGRAM("--verison");
    program_expect_usage(&run, "there is no command");
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("--help >/dev/full");
    program_expect_err(&run, 1, "the output could not be written");
}

static void info_shows_every_device_and_marks_the_one_taken(void **state)
{
    (void)state;
    clg_device_info chosen, devices[16];
    size_t count;
    char text[256];
    OK(clg_device_find(NULL, &chosen));
    OK(clg_device_list(devices, 16, &count));
    struct program_run run = PROGRAM("info");
    for (size_t i = 0; i < count && i < 16; i++)
        program_expect_out(&run, 0, devices[i].name);
    snprintf(text, sizeof text, "* %d:%d  %s", chosen.platform, chosen.device, chosen.name);
    program_expect_out(&run, 0, text);
    program_expect_out(&run, 0, chosen.driver);
    program_expect_out(&run, 0, clg_version());
    snprintf(text, sizeof text, "clgrad takes %d:%d", chosen.platform, chosen.device);
    program_expect_out(&run, 0, text);
}

static void info_says_why_it_takes_a_device(void **state)
{
    (void)state;
    struct program_run run = PROGRAM_WITH("CLGRAD_DEVICE=", "info");
    program_expect_out(&run, 0, "a GPU before an accelerator before a CPU");
    run = PROGRAM_WITH("CLGRAD_DEVICE=0:0", "info");
    program_expect_out(&run, 0, "CLGRAD_DEVICE asks for it");
    run = PROGRAM_WITH("CLGRAD_DEVICE=nowhere", "info --device 0:0");
    program_expect_out(&run, 0, "--device asks for it");
}

static void info_with_a_device_that_is_not_there_lists_the_others_and_fails(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("info --device no-such-device");
    program_expect_out(&run, 1, "compute units");
    program_expect_err(&run, 1, "clgrad info: no device");
    program_expect_err(&run, 1, "no-such-device");
}

static void info_without_a_driver_says_what_to_install(void **state)
{
    (void)state;
    struct program_run run = PROGRAM_WITH("OCL_ICD_VENDORS=/nonexistent", "info");
    program_expect_err(&run, 1, "install an OpenCL driver");
    program_expect_err(&run, 1, clg_version());
    assert_string_equal(run.out, "");
}

static void info_as_json_has_one_chosen_device(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("info --json");
    json_error_t error;
    json_t *root = json_loads(run.out, 0, &error), *device;
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "version")), clg_version());
    size_t index, chosen = 0;
    json_array_foreach(json_object_get(root, "devices"), index, device)
    {
        chosen += json_is_true(json_object_get(device, "chosen"));
        assert_true(json_integer_value(json_object_get(device, "compute_units")) > 0);
        assert_true(json_integer_value(json_object_get(device, "global_memory_bytes")) > 0);
        assert_int_equal(json_array_size(json_object_get(device, "max_work_item_sizes")), 3);
    }
    assert_int_equal(chosen, 1);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_command_the_program_says_what_to_type),
        cmocka_unit_test(help_lists_every_command),
        cmocka_unit_test(every_command_explains_itself),
        cmocka_unit_test(every_command_refuses_an_unknown_option),
        cmocka_unit_test(the_version_is_the_librarys),
        cmocka_unit_test(a_mistyped_command_gets_a_suggestion),
        cmocka_unit_test(output_that_cannot_be_written_is_a_failure),
        cmocka_unit_test(info_shows_every_device_and_marks_the_one_taken),
        cmocka_unit_test(info_says_why_it_takes_a_device),
        cmocka_unit_test(info_with_a_device_that_is_not_there_lists_the_others_and_fails),
        cmocka_unit_test(info_without_a_driver_says_what_to_install),
        cmocka_unit_test(info_as_json_has_one_chosen_device),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
