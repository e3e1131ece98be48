#include "clgrad/npy.h"

#include "io/atomic_file.h"
#include "support/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Makes a version `major` file of a dictionary in text and some data; returns its path. */
static const char *make_file(int major, const char *dictionary, const void *data, size_t size)
{
    unsigned char bytes[1024] = "\x93NUMPY";
    const size_t length = strlen(dictionary), prefix = major == 1 ? 10 : 12;
    assert_true(prefix + length + size <= sizeof bytes);
    bytes[6] = (unsigned char)major;
    bytes[8] = (unsigned char)(length & 255);
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + prefix, dictionary, length);
    if (size > 0)
        memcpy(bytes + prefix + length, data, size);
    return scratch_write("made.npy", bytes, prefix + length + size);
}

static void assert_refused(const char *path, clg_status status, const char *says)
{
    clg_npy_array array = {.ndim = 7};
    assert_int_equal(clg_npy_read(path, &array), status);
    assert_true(last_error_says(path));
    assert_true(last_error_says(says));
    assert_null(array.data);
    assert_int_equal(array.ndim, 0);
}

static void every_type_comes_back_as_written(void **state)
{
    (void)state;
    static const clg_npy_type types[] = {CLG_NPY_F32, CLG_NPY_F64, CLG_NPY_I32, CLG_NPY_I64,
                                         CLG_NPY_U8};
    uint64_t data[6] = {1, 0x0102030405060708, UINT64_MAX, 4, 5, 6};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        clg_npy_array in = {types[i], 3, {1, 3, 2}, data}, out;
        assert_int_equal(clg_npy_write(scratch_path("a.npy"), &in), CLG_OK);
        assert_int_equal(clg_npy_read(scratch_path("a.npy"), &out), CLG_OK);
        assert_int_equal(out.type, in.type);
        assert_int_equal(out.ndim, 3);
        assert_memory_equal(out.dims, in.dims, sizeof in.dims);
        assert_memory_equal(out.data, data, 6 * clg_npy_type_size(in.type));
        clg_npy_free(&out);
        assert_null(out.data);
    }
    assert_int_equal(scratch_entries(), 1);
}

static void every_number_of_dimensions_comes_back_as_written(void **state)
{
    (void)state;
    uint8_t data[256];
    for (int i = 0; i < 256; i++)
        data[i] = (uint8_t)(255 - i);
    for (int ndim = 0; ndim <= CLG_NPY_MAX_DIMS; ndim++) {
        clg_npy_array in = {CLG_NPY_U8, ndim, {2, 2, 2, 2, 2, 2, 2, 2}, data}, out;
        assert_int_equal(clg_npy_write(scratch_path("a.npy"), &in), CLG_OK);
        assert_int_equal(clg_npy_read(scratch_path("a.npy"), &out), CLG_OK);
        assert_int_equal(out.ndim, ndim);
        assert_int_equal(clg_npy_count(&out), 1 << ndim);
        assert_memory_equal(out.data, data, (size_t)1 << ndim);
        clg_npy_free(&out);
    }
}

static void the_longest_header_fits(void **state)
{
    (void)state;
    clg_npy_array in = {.type = CLG_NPY_F32, .ndim = CLG_NPY_MAX_DIMS}, out;
    for (int i = 1; i < CLG_NPY_MAX_DIMS; i++)
        in.dims[i] = INT64_MAX;
    assert_int_equal(clg_npy_write(scratch_path("a.npy"), &in), CLG_OK);
    FILE *file = fopen(scratch_path("a.npy"), "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    assert_int_equal(ftell(file), 256);
    fclose(file);
    assert_int_equal(clg_npy_read(scratch_path("a.npy"), &out), CLG_OK);
    assert_int_equal(clg_npy_count(&out), 0);
    assert_non_null(out.data);
    clg_npy_free(&out);
}

static void the_written_bytes_are_those_of_numpy(void **state)
{
    (void)state;
    float data[] = {1, 2, 3};
    const clg_npy_array in = {CLG_NPY_F32, 1, {3}, data};
    size_t size = 0;
    char wanted[128];
    memset(wanted, ' ', sizeof wanted);
    memcpy(wanted, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char *dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    memcpy(wanted + 10, dictionary, strlen(dictionary));
    wanted[127] = '\n';
    assert_int_equal(clg_npy_write(scratch_path("a.npy"), &in), CLG_OK);
    unsigned char *bytes = scratch_read("a.npy", &size);
    assert_int_equal(size, 128 + 12);
    assert_memory_equal(bytes, wanted, 128);
    assert_memory_equal(bytes + 128, data, 12);
    free(bytes);
}

static void versions_2_and_3_and_any_order_of_keys_are_read(void **state)
{
    (void)state;
    const char *dictionary = "{\"shape\": (2L, ), 'fortran_order':False ,'descr':'|u1'}\n";
    for (int major = 1; major <= 3; major++) {
        clg_npy_array array;
        assert_int_equal(clg_npy_read(make_file(major, dictionary, "\x07\x09", 2), &array), CLG_OK);
        assert_int_equal(array.type, CLG_NPY_U8);
        assert_int_equal(array.ndim, 1);
        assert_memory_equal(array.data, "\x07\x09", 2);
        clg_npy_free(&array);
    }
}

static void big_endian_elements_are_swapped(void **state)
{
    (void)state;
    const unsigned char bytes[] = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0};
    clg_npy_array array;
    const char *path =
        make_file(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", bytes, 8);
    assert_int_equal(clg_npy_read(path, &array), CLG_OK);
    assert_true(((float *)array.data)[0] == 1.0F && ((float *)array.data)[1] == -2.0F);
    clg_npy_free(&array);
    path = make_file(1, "{'descr': '>i8', 'fortran_order': False, 'shape': (1,), }",
                     "\0\0\0\0\0\0\x01\x02", 8);
    assert_int_equal(clg_npy_read(path, &array), CLG_OK);
    assert_int_equal(*(int64_t *)array.data, 258);
    clg_npy_free(&array);
}

static void fortran_order_comes_back_in_c_order(void **state)
{
    (void)state;
    uint8_t bytes[24];
    clg_npy_array array;
    /* Element (i, j, k) is 100 i + 10 j + k. */
    for (int k = 0, at = 0; k < 4; k++)
        for (int j = 0; j < 3; j++)
            for (int i = 0; i < 2; i++)
                bytes[at++] = (uint8_t)(100 * i + 10 * j + k);
    const char *path =
        make_file(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", bytes, 24);
    assert_int_equal(clg_npy_read(path, &array), CLG_OK);
    for (int i = 0, at = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                assert_int_equal(((uint8_t *)array.data)[at++], 100 * i + 10 * j + k);
    clg_npy_free(&array);
    path = make_file(1, "{'descr': '>i4', 'fortran_order': True, 'shape': (1, 2), }",
                     "\0\0\0\1\0\0\0\2", 8);
    assert_int_equal(clg_npy_read(path, &array), CLG_OK);
    assert_int_equal(((int32_t *)array.data)[0], 1);
    assert_int_equal(((int32_t *)array.data)[1], 2);
    clg_npy_free(&array);
}

static void malformed_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *dictionary, *says;
        clg_status status;
    } cases[] = {
        {"", "expected '{' at byte 0 of 0", CLG_BAD_FORMAT},
        {"[1, 2]", "expected '{'", CLG_BAD_FORMAT},
        {"{", "expected a key", CLG_BAD_FORMAT},
        {"{'descr", "expected a key", CLG_BAD_FORMAT},
        {"{'descr' '<f4'}", "expected ':'", CLG_BAD_FORMAT},
        {"{'descr': 4}", "expected a type", CLG_BAD_FORMAT},
        {"{'descr': '<f4', 'shape': (1,)}", "no 'fortran_order'", CLG_BAD_FORMAT},
        {"{'descr': '<f4' 'shape': (1,)}", "expected ',' or '}'", CLG_BAD_FORMAT},
        {"{'descr': '<f4', 'descr': '<f4'}", "'descr' twice", CLG_BAD_FORMAT},
        {"{'color': 1}", "unknown key 'color'", CLG_BAD_FORMAT},
        {"{'fortran_order': 0}", "expected True or False", CLG_BAD_FORMAT},
        {"{'shape': 3}", "expected a shape", CLG_BAD_FORMAT},
        {"{'shape': (3)}", "expected ',' after a single dimension", CLG_BAD_FORMAT},
        {"{'shape': (3 4)}", "expected ',' or ')'", CLG_BAD_FORMAT},
        {"{'shape': (3, x)}", "expected a dimension", CLG_BAD_FORMAT},
        {"{'shape': (3,", "expected a dimension", CLG_BAD_FORMAT},
        {"{'shape': (3, -2)}", "dimension 1 is -2", CLG_BAD_FORMAT},
        {"{'shape': (9223372036854775808,)}", "9223372036854775808, out of range", CLG_BAD_FORMAT},
        {"{'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8 dimensions", CLG_UNSUPPORTED},
        {"{'descr': '<c8'}", "'<c8' is not supported", CLG_UNSUPPORTED},
        {"{'descr': 'f4'}", "'f4' is not supported", CLG_UNSUPPORTED},
        {"{'descr': [('a', '<f4')]}", "records", CLG_UNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} 7", "the end", CLG_BAD_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "overflows",
         CLG_BAD_FORMAT},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}", "overflows",
         CLG_BAD_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(make_file(1, cases[i].dictionary, NULL, 0), cases[i].status, cases[i].says);
}

static void an_npy_file_cut_short_is_refused_at_every_byte(void **state)
{
    (void)state;
    float data[] = {1, 2, 3};
    const clg_npy_array in = {CLG_NPY_F32, 1, {3}, data};
    size_t size = 0;
    assert_int_equal(clg_npy_write(scratch_path("a.npy"), &in), CLG_OK);
    unsigned char *bytes = scratch_read("a.npy", &size);
    for (size_t kept = 0; kept < size; kept++)
        assert_refused(scratch_write("short.npy", bytes, kept), CLG_BAD_FORMAT, "'");
    assert_refused(scratch_write("short.npy", bytes, size - 1), CLG_BAD_FORMAT,
                   "11 bytes of data, but its header says 12: it is cut short");
    free(bytes);
}

static void trailing_bytes_are_refused(void **state)
{
    (void)state;
    assert_refused(
        make_file(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "abc", 3),
        CLG_BAD_FORMAT, "3 bytes of data, but its header says 2: it is too long");
}

static void other_files_are_refused(void **state)
{
    (void)state;
    assert_refused(scratch_write("a.npy", "not numpy at all", 16), CLG_BAD_FORMAT, "bad magic");
    assert_refused(scratch_write("a.npy", "\x93NUMPY\x04\x00\x00\x00\x00\x00", 12), CLG_BAD_FORMAT,
                   "version 4.0");
    assert_refused(scratch_path("missing.npy"), CLG_IO_ERROR, "No such file");
    assert_refused(scratch_path("."), CLG_IO_ERROR, "Is a directory");
}

static void arguments_that_are_no_array_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("a.npy");
    float one = 1;
    clg_npy_array array = {CLG_NPY_F32, 1, {1}, &one};
    assert_int_equal(clg_npy_read(NULL, &array), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_npy_read(path, NULL), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_npy_write(NULL, &array), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_npy_write(path, NULL), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_npy_to_float(NULL, &one), CLG_INVALID_ARGUMENT);
    const clg_npy_array bad[] = {{(clg_npy_type)5, 1, {1}, &one},
                                 {CLG_NPY_F32, 9, {1}, &one},
                                 {CLG_NPY_F32, -1, {1}, &one},
                                 {CLG_NPY_F32, 1, {-1}, &one},
                                 {CLG_NPY_F32, 1, {1}, NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(clg_npy_write(path, &bad[i]), CLG_INVALID_ARGUMENT);
        assert_int_equal(clg_npy_to_float(&bad[i], &one), CLG_INVALID_ARGUMENT);
    }
    const clg_npy_array huge = {CLG_NPY_F32, 2, {INT64_MAX, 2}, &one};
    assert_int_equal(clg_npy_write(path, &huge), CLG_TOO_LARGE);
    assert_int_equal(clg_npy_count(&huge), -1);
    clg_npy_free(NULL);
    assert_int_equal(scratch_entries(), 0);
}

static void a_failed_write_leaves_no_temporary(void **state)
{
    (void)state;
    float one = 1;
    const clg_npy_array array = {CLG_NPY_F32, 0, {0}, &one};
    assert_int_equal(mkdir(scratch_path("folder"), 0700), 0);
    assert_int_equal(clg_npy_write(scratch_path("folder"), &array), CLG_IO_ERROR);
    assert_true(last_error_says("renaming"));
    assert_int_equal(clg_npy_write(scratch_path("none/a.npy"), &array), CLG_IO_ERROR);
    assert_true(last_error_says("No such file"));
    assert_int_equal(scratch_entries(), 1);
}

static void an_aborted_file_leaves_the_old_one(void **state)
{
    (void)state;
    struct clg__atomic_file first, second;
    size_t size = 0;
    const char *path = scratch_write("a", "old", 3);
    assert_int_equal(clg__atomic_file_begin(&first, path), CLG_OK);
    assert_int_equal(clg__atomic_file_begin(&second, path), CLG_OK);
    assert_string_not_equal(first.temporary, second.temporary);
    assert_int_equal(clg__atomic_file_write(&first, "first", 5), CLG_OK);
    assert_int_equal(clg__atomic_file_write(&second, "second", 6), CLG_OK);
    assert_int_equal(scratch_entries(), 3);
    clg__atomic_file_abort(&first);
    assert_int_equal(scratch_entries(), 2);
    unsigned char *bytes = scratch_read("a", &size);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "old", 3);
    free(bytes);
    assert_int_equal(clg__atomic_file_commit(&second), CLG_OK);
    clg__atomic_file_abort(&second);
    assert_int_equal(scratch_entries(), 1);
    bytes = scratch_read("a", &size);
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "second", 6);
    free(bytes);
}

static void a_file_in_the_working_folder_can_be_written(void **state)
{
    (void)state;
    char old[1024];
    uint8_t one = 1;
    const clg_npy_array array = {CLG_NPY_U8, 1, {1}, &one};
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(scratch_path(".")), 0);
    const clg_status status = clg_npy_write("a.npy", &array);
    assert_int_equal(chdir(old), 0);
    assert_int_equal(status, CLG_OK);
    assert_int_equal(scratch_entries(), 1);
}

static void every_type_converts_to_every_type(void **state)
{
    (void)state;
    float f4[] = {0, 7, 200};
    double f8[] = {0, 7, 200};
    int32_t i4[] = {0, 7, 200};
    int64_t i8[] = {0, 7, 200};
    uint8_t u1[] = {0, 7, 200};
    const clg_npy_array arrays[] = {{CLG_NPY_F32, 1, {3}, f4},
                                    {CLG_NPY_F64, 1, {3}, f8},
                                    {CLG_NPY_I32, 1, {3}, i4},
                                    {CLG_NPY_I64, 1, {3}, i8},
                                    {CLG_NPY_U8, 1, {3}, u1}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        float single[3];
        double real[3];
        int32_t whole[3];
        assert_int_equal(clg_npy_to_float(&arrays[i], single), CLG_OK);
        assert_memory_equal(single, f4, sizeof f4);
        assert_int_equal(clg_npy_to_double(&arrays[i], real), CLG_OK);
        assert_memory_equal(real, f8, sizeof f8);
        assert_int_equal(clg_npy_to_int32(&arrays[i], whole), CLG_OK);
        assert_memory_equal(whole, i4, sizeof i4);
        assert_int_equal(clg_npy_to_double(&arrays[i], NULL), CLG_INVALID_ARGUMENT);
    }
}

static void values_that_are_no_int32_are_refused(void **state)
{
    (void)state;
    int32_t out[2];
    double good[] = {-2147483648.0, 2147483647.0};
    clg_npy_array array = {CLG_NPY_F64, 1, {2}, good};
    assert_int_equal(clg_npy_to_int32(&array, out), CLG_OK);
    assert_int_equal(out[0], INT32_MIN);
    assert_int_equal(out[1], INT32_MAX);
    const double bad[] = {2147483648.0, -2147483649.0, 0.5, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        good[1] = bad[i];
        assert_int_equal(clg_npy_to_int32(&array, out), CLG_INVALID_ARGUMENT);
        assert_true(last_error_says("element 1 is "));
    }
    int64_t large[] = {INT32_MIN, 3000000000};
    array = (clg_npy_array){CLG_NPY_I64, 1, {2}, large};
    assert_int_equal(clg_npy_to_int32(&array, out), CLG_INVALID_ARGUMENT);
    assert_true(last_error_says("element 1 is 3000000000"));
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(every_type_comes_back_as_written),
        IN_SCRATCH(every_number_of_dimensions_comes_back_as_written),
        IN_SCRATCH(the_longest_header_fits),
        IN_SCRATCH(the_written_bytes_are_those_of_numpy),
        IN_SCRATCH(versions_2_and_3_and_any_order_of_keys_are_read),
        IN_SCRATCH(big_endian_elements_are_swapped),
        IN_SCRATCH(fortran_order_comes_back_in_c_order),
        IN_SCRATCH(malformed_headers_are_refused),
        IN_SCRATCH(an_npy_file_cut_short_is_refused_at_every_byte),
        IN_SCRATCH(trailing_bytes_are_refused),
        IN_SCRATCH(other_files_are_refused),
        IN_SCRATCH(arguments_that_are_no_array_are_refused),
        IN_SCRATCH(a_failed_write_leaves_no_temporary),
        IN_SCRATCH(an_aborted_file_leaves_the_old_one),
        IN_SCRATCH(a_file_in_the_working_folder_can_be_written),
        cmocka_unit_test(every_type_converts_to_every_type),
        cmocka_unit_test(values_that_are_no_int32_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
