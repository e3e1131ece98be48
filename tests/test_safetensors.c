#include "clgrad/safetensors.h"

#include "support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Makes a file of a header in text, whose length it states, and `size` zero bytes of data. */
static const char *make_file(const char *header, size_t size)
{
    unsigned char bytes[2048] = {0};
    const size_t length = strlen(header);
    assert_true(8 + length + size <= sizeof bytes);
    bytes[0] = (unsigned char)(length & 255);
    bytes[1] = (unsigned char)(length >> 8);
    memcpy(bytes + 8, header, length);
    return scratch_write("made.safetensors", bytes, 8 + length + size);
}

static void assert_refused(const char *path, clg_status status, const char *says)
{
    clg_safetensors *file = (clg_safetensors *)&file;
    assert_int_equal(clg_safetensors_open(path, &file), status);
    assert_true(last_error_says(path));
    assert_true(last_error_says(says));
    assert_null(file);
}

static void tensors_and_metadata_come_back_as_written(void **state)
{
    (void)state;
    const float weights[] = {1, -2, 3.5F, 4, 5, 6};
    const int64_t step = 1234567890123;
    const clg_safetensors_tensor tensors[] = {
        {.name = "conv.weight",
         .type = CLG_SAFETENSORS_F32,
         .ndim = 4,
         .dims = {1, 1, 2, 3},
         .data = weights},
        {.name = "empty", .type = CLG_SAFETENSORS_F16, .ndim = 2, .dims = {3, 0}},
        {.name = "a \"quoted\" n\xc3\xa4me", .type = CLG_SAFETENSORS_I64, .data = &step},
        {.name = "mask", .type = CLG_SAFETENSORS_U8, .ndim = 1, .dims = {3}, .data = "xyz"},
    };
    const clg_safetensors_pair metadata[] = {{"format", "clgrad"}, {"note", "\"\n\xe2\x82\xac"}};
    clg_safetensors *file = NULL;
    const char *path = scratch_path("a.safetensors");
    assert_int_equal(clg_safetensors_write(path, tensors, 4, metadata, 2), CLG_OK);
    assert_int_equal(scratch_entries(), 1);
    assert_int_equal(clg_safetensors_open(path, &file), CLG_OK);
    assert_int_equal(clg_safetensors_count(file), 4);
    for (size_t i = 0; i < 4; i++) {
        const clg_safetensors_tensor *tensor = clg_safetensors_at(file, i);
        assert_string_equal(tensor->name, tensors[i].name);
        assert_ptr_equal(clg_safetensors_find(file, tensors[i].name), tensor);
        assert_int_equal(tensor->type, tensors[i].type);
        assert_int_equal(tensor->ndim, tensors[i].ndim);
        assert_memory_equal(tensor->dims, tensors[i].dims, sizeof tensor->dims);
        if (tensor->size > 0)
            assert_memory_equal(tensor->data, tensors[i].data, tensor->size);
    }
    assert_int_equal(clg_safetensors_at(file, 0)->size, sizeof weights);
    assert_int_equal(clg_safetensors_at(file, 1)->size, 0);
    assert_int_equal((uintptr_t)clg_safetensors_at(file, 2)->data % 8, 0);
    assert_null(clg_safetensors_at(file, 4));
    assert_null(clg_safetensors_find(file, "conv"));
    assert_null(clg_safetensors_find(file, "__metadata__"));
    assert_string_equal(clg_safetensors_metadata(file, "format"), "clgrad");
    assert_string_equal(clg_safetensors_metadata(file, "note"), metadata[1].value);
    assert_null(clg_safetensors_metadata(file, "date"));
    clg_safetensors_pair pair;
    for (size_t i = 0; i < 2; i++) {
        assert_true(clg_safetensors_metadata_at(file, i, &pair));
        assert_string_equal(clg_safetensors_metadata(file, pair.key), pair.value);
    }
    assert_false(clg_safetensors_metadata_at(file, 2, &pair));
    clg_safetensors_close(file);
}

static void the_header_is_padded_with_spaces_to_8_bytes(void **state)
{
    (void)state;
    const char name[] = "abcdefgh";
    for (size_t skip = 0; skip < 8; skip++) {
        const clg_safetensors_tensor tensor = {.name = name + skip,
                                               .type = CLG_SAFETENSORS_U8,
                                               .ndim = 1,
                                               .dims = {2},
                                               .data = "\1\2"};
        size_t size = 0;
        assert_int_equal(clg_safetensors_write(scratch_path("a"), &tensor, 1, NULL, 0), CLG_OK);
        unsigned char *bytes = scratch_read("a", &size);
        assert_int_equal(bytes[0] % 8, 0);
        assert_int_equal(size, 8 + bytes[0] + 2);
        assert_memory_equal(bytes + 1, "\0\0\0\0\0\0\0{", 8);
        assert_true(strchr("} ", bytes[size - 3]) != NULL);
        assert_memory_equal(bytes + size - 2, "\1\2", 2);
        free(bytes);
    }
}

static void a_file_without_tensors_can_be_written_and_read(void **state)
{
    (void)state;
    clg_safetensors *file = NULL;
    assert_int_equal(clg_safetensors_write(scratch_path("a"), NULL, 0, NULL, 0), CLG_OK);
    assert_int_equal(clg_safetensors_open(scratch_path("a"), &file), CLG_OK);
    assert_int_equal(clg_safetensors_count(file), 0);
    assert_null(clg_safetensors_metadata(file, "format"));
    clg_safetensors_close(file);
}

static void the_header_may_list_tensors_in_any_order(void **state)
{
    (void)state;
    clg_safetensors *file = NULL;
    const char *path =
        make_file("{\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[4,6]},"
                  "\"none\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[4,4]},"
                  " \"a\" : {\"shape\":[],\"dtype\":\"F32\",\"data_offsets\":[0,4]}}  ",
                  6);
    assert_int_equal(clg_safetensors_open(path, &file), CLG_OK);
    assert_int_equal(clg_safetensors_count(file), 3);
    assert_string_equal(clg_safetensors_at(file, 0)->name, "a");
    assert_string_equal(clg_safetensors_at(file, 1)->name, "none");
    assert_string_equal(clg_safetensors_at(file, 2)->name, "b");
    clg_safetensors_close(file);
}

static void types_have_names_and_sizes(void **state)
{
    (void)state;
    assert_string_equal(clg_safetensors_type_name(CLG_SAFETENSORS_F32), "F32");
    assert_int_equal(clg_safetensors_type_size(CLG_SAFETENSORS_F32), 4);
    assert_int_equal(clg_safetensors_type_size(CLG_SAFETENSORS_BF16), 2);
    assert_int_equal(clg_safetensors_type_size(CLG_SAFETENSORS_C64), 8);
    assert_null(clg_safetensors_type_name((clg_safetensors_type)99));
    assert_int_equal(clg_safetensors_type_size((clg_safetensors_type)99), 0);
}

#define ENTRY(name, dtype, shape, offsets)                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void malformed_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *says;
        size_t data;
    } cases[] = {
        {"", "does not begin with '{'", 0},
        {"[]", "does not begin with '{'", 0},
        {" {}", "does not begin with '{'", 0},
        {"{\"a\":", "not JSON", 0},
        {"{} x", "not JSON", 0},
        {"{\"a\":1}", "'a' is not a JSON object", 0},
        {"{\"a\":{}}", "'a' has no dtype", 0},
        {"{\"a\":{\"dtype\":4}}", "'a' has no dtype", 0},
        {"{" ENTRY("a", "F33", "[1]", "[0,4]") "}", "unknown dtype 'F33'", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", "'a' has no shape", 4},
        {"{" ENTRY("a", "F32", "4", "[0,4]") "}", "'a' has no shape", 4},
        {"{" ENTRY("a", "F32", "[1.0]", "[0,4]") "}", "dimension 0 is no whole", 4},
        {"{" ENTRY("a", "F32", "[1,-1]", "[0,4]") "}", "dimension 1 is no whole", 4},
        {"{" ENTRY("a", "F32", "[99999999999999999999]", "[0,4]") "}", "not JSON", 4},
        {"{" ENTRY("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", "size overflows", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "no data_offsets", 4},
        {"{" ENTRY("a", "F32", "[1]", "[0]") "}", "no data_offsets", 4},
        {"{" ENTRY("a", "F32", "[1]", "[0,4,8]") "}", "no data_offsets", 4},
        {"{" ENTRY("a", "F32", "[1]", "[0,\"4\"]") "}", "no data_offsets", 4},
        {"{" ENTRY("a", "F32", "[1]", "[-4,0]") "}", "bytes -4 to 0", 4},
        {"{" ENTRY("a", "F32", "[1]", "[4,0]") "}", "bytes 4 to 0", 4},
        {"{" ENTRY("a", "F32", "[1]", "[0,4]") "}", "bytes 0 to 4, the file has 0 to 3", 3},
        {"{" ENTRY("a", "F32", "[1]", "[0,8]") "}", "8 bytes, its shape and dtype need 4", 8},
        {"{" ENTRY("a", "F32", "[1]", "[0,4]") "}", "end at byte 4 of the data, the file at 5", 5},
        {"{" ENTRY("a", "F32", "[1]", "[4,8]") "}", "a hole", 8},
        {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[2]", "[1,3]") "}",
         "they overlap", 3},
        {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("b", "U8", "[2]", "[0,2]") "}",
         "they overlap", 2},
        {"{" ENTRY("a", "U8", "[2]", "[0,2]") "," ENTRY("a", "U8", "[2]", "[2,4]") "}", "duplicate",
         4},
        {"{}", "end at byte 0 of the data, the file at 1", 1},
        {"{\"__metadata__\":[]}", "metadata is not a JSON object", 0},
        {"{\"__metadata__\":{\"a\":1}}", "metadata 'a' is not a string", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(make_file(cases[i].header, cases[i].data), CLG_BAD_FORMAT, cases[i].says);
    assert_refused(make_file("{" ENTRY("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1),
                   CLG_UNSUPPORTED, "9 dimensions");
}

static void wrong_header_lengths_are_refused(void **state)
{
    (void)state;
    assert_refused(scratch_write("a", "\2\0\0\0\0\0\0", 7), CLG_BAD_FORMAT, "only 7 bytes");
    assert_refused(scratch_write("a", "\3\0\0\0\0\0\0\0{}", 10), CLG_BAD_FORMAT,
                   "header is 3 bytes, the file has 2 more");
    assert_refused(scratch_write("a", "\1\xe1\xf5\5\0\0\0\0{}", 10), CLG_BAD_FORMAT,
                   "100000001 bytes is above 100000000");
    assert_refused(scratch_write("a", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), CLG_BAD_FORMAT,
                   "above");
}

static void a_safetensors_file_cut_short_is_refused_at_every_byte(void **state)
{
    (void)state;
    const float data[] = {1, 2};
    const clg_safetensors_tensor tensor = {
        .name = "a", .type = CLG_SAFETENSORS_F32, .ndim = 1, .dims = {2}, .data = data};
    size_t size = 0;
    assert_int_equal(clg_safetensors_write(scratch_path("a"), &tensor, 1, NULL, 0), CLG_OK);
    unsigned char *bytes = scratch_read("a", &size);
    for (size_t kept = 0; kept < size; kept++)
        assert_refused(scratch_write("short", bytes, kept), CLG_BAD_FORMAT, "'");
    free(bytes);
}

static void unreadable_files_are_refused(void **state)
{
    (void)state;
    clg_safetensors *file = NULL;
    assert_refused(scratch_path("missing"), CLG_IO_ERROR, "No such file");
    assert_int_equal(clg_safetensors_open(NULL, &file), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_safetensors_open("a", NULL), CLG_INVALID_ARGUMENT);
    clg_safetensors_close(NULL);
    assert_int_equal(clg_safetensors_count(NULL), 0);
    assert_null(clg_safetensors_at(NULL, 0));
    assert_null(clg_safetensors_find(NULL, "a"));
    assert_null(clg_safetensors_metadata(NULL, "a"));
}

static void assert_not_written(const clg_safetensors_tensor *tensors, size_t count,
                               clg_status status, const char *says)
{
    assert_int_equal(clg_safetensors_write(scratch_path("a"), tensors, count, NULL, 0), status);
    assert_true(last_error_says(says));
    assert_int_equal(scratch_entries(), 0);
}

static void tensors_that_cannot_be_written_are_refused(void **state)
{
    (void)state;
    const clg_safetensors_tensor good = {
        .name = "a", .type = CLG_SAFETENSORS_U8, .ndim = 1, .dims = {1}, .data = "x"};
    clg_safetensors_tensor tensors[2] = {good, good};
    assert_not_written(tensors, 2, CLG_INVALID_ARGUMENT, "'a' is given twice");
    tensors[1].name = NULL;
    assert_not_written(tensors, 2, CLG_INVALID_ARGUMENT, "tensor name at 1 is NULL");
    tensors[1].name = "\xff";
    assert_not_written(tensors, 2, CLG_INVALID_ARGUMENT, "not UTF-8");
    tensors[1].name = "__metadata__";
    assert_not_written(tensors, 2, CLG_INVALID_ARGUMENT, "can be named __metadata__");
    tensors[0].type = (clg_safetensors_type)99;
    assert_not_written(tensors, 1, CLG_INVALID_ARGUMENT, "99 is no clg_safetensors_type");
    tensors[0] = good;
    tensors[0].ndim = 9;
    assert_not_written(tensors, 1, CLG_INVALID_ARGUMENT, "9 dimensions");
    tensors[0] = good;
    tensors[0].dims[0] = -1;
    assert_not_written(tensors, 1, CLG_INVALID_ARGUMENT, "dimension 0 is -1");
    tensors[0] = good;
    tensors[0].data = NULL;
    assert_not_written(tensors, 1, CLG_INVALID_ARGUMENT, "no data");
    tensors[0] = good;
    tensors[0].ndim = 2;
    tensors[0].dims[0] = tensors[0].dims[1] = INT64_MAX;
    assert_not_written(tensors, 1, CLG_TOO_LARGE, "overflows");
    assert_not_written(NULL, 1, CLG_INVALID_ARGUMENT, "NULL");
}

static void metadata_that_cannot_be_written_is_refused(void **state)
{
    (void)state;
    static const clg_safetensors_pair cases[][2] = {{{"a", "1"}, {"a", "2"}},
                                                    {{"a", "1"}, {NULL, "2"}},
                                                    {{"a", "1"}, {"b", NULL}},
                                                    {{"a", "1"}, {"b", "\xff"}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(clg_safetensors_write(scratch_path("a"), NULL, 0, cases[i], 2),
                         CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_safetensors_write(scratch_path("a"), NULL, 0, NULL, 1),
                     CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_safetensors_write(NULL, NULL, 0, NULL, 0), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_safetensors_write(scratch_path("none/a"), NULL, 0, NULL, 0), CLG_IO_ERROR);
    assert_int_equal(scratch_entries(), 0);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(tensors_and_metadata_come_back_as_written),
        IN_SCRATCH(the_header_is_padded_with_spaces_to_8_bytes),
        IN_SCRATCH(a_file_without_tensors_can_be_written_and_read),
        IN_SCRATCH(the_header_may_list_tensors_in_any_order),
        cmocka_unit_test(types_have_names_and_sizes),
        IN_SCRATCH(malformed_headers_are_refused),
        IN_SCRATCH(wrong_header_lengths_are_refused),
        IN_SCRATCH(a_safetensors_file_cut_short_is_refused_at_every_byte),
        IN_SCRATCH(unreadable_files_are_refused),
        IN_SCRATCH(tensors_that_cannot_be_written_are_refused),
        IN_SCRATCH(metadata_that_cannot_be_written_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
