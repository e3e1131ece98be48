#include "clgrad/status.h"

#include <pthread.h>
#include <stdio.h>

#include "base/error.h"
#include "runtime/cl_error.h"
#include "support/testing.h"

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    static const struct {
        clg_status status;
        const char *name;
    } all[] = {
#define ROW(name, value, text) {CLG_##name, "CLG_" #name},
        CLG_STATUS_LIST(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_string_equal(clg_status_name(all[i].status), all[i].name);
        assert_true(strlen(clg_status_text(all[i].status)) > 3);
        assert_int_equal(all[i].status, i); /* the values are part of the binary interface */
    }
    assert_int_equal(CLG_OK, 0);
}

static void a_value_that_is_no_status_has_a_name_too(void **state)
{
    (void)state;
    assert_string_equal(clg_status_name((clg_status)99), "CLG_UNKNOWN");
    assert_string_equal(clg_status_name((clg_status)-1), "CLG_UNKNOWN");
    assert_string_equal(clg_status_text((clg_status)99), "unknown status");
}

static void the_last_error_is_the_message_of_the_last_failure(void **state)
{
    (void)state;
    assert_int_equal(clg__fail(CLG_TOO_LARGE, "%d of %s", 7, "nine"), CLG_TOO_LARGE);
    assert_string_equal(clg_last_error(), "7 of nine");
    size_t count;
    OK(clg_device_list(NULL, 0, &count)); /* success leaves it alone */
    assert_string_equal(clg_last_error(), "7 of nine");
    assert_int_equal(clg__fail_in(CLG_IO_ERROR, "file %d", 3), CLG_IO_ERROR);
    assert_string_equal(clg_last_error(), "file 3: 7 of nine");
    assert_int_equal(clg__fail(CLG_IO_ERROR, "again: %s", clg_last_error()), CLG_IO_ERROR);
    assert_string_equal(clg_last_error(), "again: file 3: 7 of nine");
    assert_int_equal(clg__fail_alloc("a cat"), CLG_OUT_OF_HOST_MEMORY);
    assert_string_equal(clg_last_error(), "no host memory left for a cat");
}

static void a_message_of_any_length_is_cut_not_overrun(void **state)
{
    (void)state;
    char *text = malloc(20000);
    assert_non_null(text);
    memset(text, 'x', 20000);
    text[19999] = '\0';
    clg_status status = clg__fail(CLG_IO_ERROR, "%s", text);
    status = clg__fail_in(status, "%s", text);
    assert_int_equal(status, CLG_IO_ERROR);
    assert_in_range(strlen(clg_last_error()), 1000, 10000);
    free(text);
}

static void *message_of_another_thread(void *out)
{
    bool *fine = out;
    bool empty = clg_last_error()[0] == '\0';
    clg_status status = clg__fail(CLG_IO_ERROR, "there");
    *fine = empty && status == CLG_IO_ERROR && strcmp(clg_last_error(), "there") == 0;
    return NULL;
}

static void each_thread_has_its_own_message(void **state)
{
    (void)state;
    bool fine = false;
    clg_status status = clg__fail(CLG_IO_ERROR, "here");
    assert_int_equal(status, CLG_IO_ERROR);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, message_of_another_thread, &fine), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(fine);
    assert_string_equal(clg_last_error(), "here");
}

static void opencl_errors_become_statuses_with_the_call_and_the_name(void **state)
{
    (void)state;
    FAILS(CLG_OUT_OF_DEVICE_MEMORY, "clCreateBuffer: CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)",
          clg__fail_cl(CL_MEM_OBJECT_ALLOCATION_FAILURE, "clCreateBuffer"));
    FAILS(CLG_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY (-6)",
          clg__fail_cl(CL_OUT_OF_HOST_MEMORY, "clFinish"));
    FAILS(CLG_BUILD_FAILED, "CL_BUILD_PROGRAM_FAILURE (-11)",
          clg__fail_cl(CL_BUILD_PROGRAM_FAILURE, "clBuildProgram"));
    FAILS(CLG_NO_DEVICE, "CL_PLATFORM_NOT_FOUND_KHR (-1001)",
          clg__fail_cl(-1001, "clGetPlatformIDs"));
    FAILS(CLG_OPENCL_ERROR, "unknown OpenCL error (-12345)", clg__fail_cl(-12345, "clFinish"));
}

static void the_header_and_the_library_have_one_version(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", CLG_VERSION_MAJOR, CLG_VERSION_MINOR,
             CLG_VERSION_PATCH);
    assert_string_equal(CLG_VERSION_STRING, text);
    assert_string_equal(clg_version(), text);
    assert_string_equal(CLGRAD_PROJECT_VERSION, text); /* what CMakeLists.txt says */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_and_a_text),
        cmocka_unit_test(a_value_that_is_no_status_has_a_name_too),
        cmocka_unit_test(the_last_error_is_the_message_of_the_last_failure),
        cmocka_unit_test(a_message_of_any_length_is_cut_not_overrun),
        cmocka_unit_test(each_thread_has_its_own_message),
        cmocka_unit_test(opencl_errors_become_statuses_with_the_call_and_the_name),
        cmocka_unit_test(the_header_and_the_library_have_one_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
