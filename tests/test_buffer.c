#include "clgrad/buffer.h"

#include <stdint.h>

#include "support/caller.h"
#include "support/testing.h"

static clg_buffer *make_buffer(size_t bytes)
{
    clg_buffer *buffer;
    OK(clg_buffer_create(testing_context(), bytes, &buffer));
    return buffer;
}

/* Buffer bytes [offset, offset + count) are those expected. */
static void expect_bytes(const clg_buffer *buffer, size_t offset, const void *expected,
                         size_t count)
{
    unsigned char *got = malloc(count);
    assert_non_null(got);
    OK(clg_buffer_download(buffer, offset, count, got, NULL));
    assert_memory_equal(got, expected, count);
    free(got);
}

static void bytes_go_up_and_come_back(void **state)
{
    (void)state;
    clg_buffer *buffer = make_buffer(13);
    assert_int_equal(clg_buffer_size(buffer), 13);
    OK(clg_buffer_upload(buffer, 0, 13, "hello, world", NULL));
    OK(clg_buffer_upload(buffer, 7, 5, "there", NULL));
    expect_bytes(buffer, 0, "hello, there", 13);
    expect_bytes(buffer, 3, "lo, t", 5);
    OK(clg_buffer_upload(buffer, 13, 0, "", NULL)); /* nothing, at the very end */
    size_t offset = 99;
    assert_non_null(clg_buffer_cl_mem(buffer, &offset));
    assert_int_equal(offset, 0);
    assert_non_null(clg_buffer_cl_mem(buffer, NULL));
    clg_buffer_destroy(buffer);
    clg_buffer_destroy(NULL);
}

static void a_size_of_zero_or_above_the_device_is_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_buffer *buffer = (clg_buffer *)&buffer;
    FAILS(CLG_INVALID_ARGUMENT, "0 bytes", clg_buffer_create(ctx, 0, &buffer));
    assert_null(buffer);
    size_t largest = (size_t)clg_context_device(ctx)->max_allocation;
    buffer = (clg_buffer *)&buffer;
    FAILS(CLG_OUT_OF_DEVICE_MEMORY, "more than the largest allocation",
          clg_buffer_create(ctx, largest + 1, &buffer));
    assert_null(buffer);
    FAILS(CLG_OUT_OF_DEVICE_MEMORY, "18446744073709551615 bytes",
          clg_buffer_create(ctx, SIZE_MAX, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_create(NULL, 4, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_create(ctx, 4, NULL));
}

static void ranges_outside_the_buffer_are_refused(void **state)
{
    (void)state;
    clg_buffer *buffer = make_buffer(16);
    unsigned char host[64];
    void *mapped = host;
    static const struct {
        size_t offset, bytes;
    } outside[] = {{0, 17}, {1, 16}, {17, 0}, {16, 1}, {SIZE_MAX, 1}, {1, SIZE_MAX}, {8, SIZE_MAX}};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        size_t at = outside[i].offset, n = outside[i].bytes;
        const char *part = "in a buffer of 16 bytes";
        FAILS(CLG_INVALID_ARGUMENT, part, clg_buffer_upload(buffer, at, n, host, NULL));
        FAILS(CLG_INVALID_ARGUMENT, part, clg_buffer_download(buffer, at, n, host, NULL));
        FAILS(CLG_INVALID_ARGUMENT, part, clg_buffer_fill(buffer, at, n, host, 1, NULL));
        FAILS(CLG_INVALID_ARGUMENT, part, clg_buffer_copy(buffer, at, buffer, 0, n, NULL));
        FAILS(CLG_INVALID_ARGUMENT, part, clg_buffer_copy(buffer, 0, buffer, at, n, NULL));
        if (n > 0)
            FAILS(CLG_INVALID_ARGUMENT, part,
                  clg_buffer_map(buffer, at, n, CL_MAP_READ, &mapped, NULL));
    }
    assert_null(mapped);
    clg_buffer_destroy(buffer);
}

static void missing_pointers_are_refused(void **state)
{
    (void)state;
    clg_buffer *buffer = make_buffer(16);
    unsigned char host[16];
    void *mapped;
    FAILS(CLG_INVALID_ARGUMENT, "host is NULL", clg_buffer_upload(buffer, 0, 4, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "host is NULL", clg_buffer_download(buffer, 0, 4, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_fill(buffer, 0, 4, NULL, 4, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_map(buffer, 0, 4, CL_MAP_READ, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_unmap(buffer, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "buffer is NULL", clg_buffer_upload(NULL, 0, 4, host, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "buffer is NULL", clg_buffer_download(NULL, 0, 4, host, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "buffer is NULL", clg_buffer_fill(NULL, 0, 4, host, 4, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "buffer is NULL", clg_buffer_copy(NULL, 0, buffer, 0, 4, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "buffer is NULL", clg_buffer_copy(buffer, 0, NULL, 0, 4, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "buffer is NULL",
          clg_buffer_map(NULL, 0, 4, CL_MAP_READ, &mapped, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "buffer is NULL", clg_buffer_unmap(NULL, host, NULL));
    clg_buffer_destroy(buffer);
}

static void every_size_of_pattern_fills(void **state)
{
    (void)state;
    static const unsigned char pattern[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    clg_buffer *buffer = make_buffer(64);
    for (size_t size = 1; size <= 16; size *= 2) {
        unsigned char expected[64];
        memset(expected, 0xEE, sizeof expected);
        for (size_t i = 16; i < 48; i++)
            expected[i] = pattern[i % size];
        OK(clg_buffer_upload(buffer, 0, 64, expected, NULL));
        OK(clg_buffer_fill(buffer, 16, 32, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", size, NULL));
        OK(clg_buffer_fill(buffer, 16, 32, pattern, size, NULL));
        expect_bytes(buffer, 0, expected, 64);
    }
    OK(clg_buffer_fill(buffer, 0, 0, pattern, 4, NULL));
    const size_t bad[][3] = {{0, 12, 3}, {0, 32, 32}, {2, 8, 4}, {0, 6, 4}, {0, 8, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        FAILS(CLG_INVALID_ARGUMENT, "a pattern of",
              clg_buffer_fill(buffer, bad[i][0], bad[i][1], pattern, bad[i][2], NULL));
    clg_buffer_destroy(buffer);
}

static void copies_go_between_and_within_buffers(void **state)
{
    (void)state;
    clg_buffer *a = make_buffer(16), *b = make_buffer(16);
    OK(clg_buffer_upload(a, 0, 16, "0123456789abcdef", NULL));
    OK(clg_buffer_upload(b, 0, 16, "................", NULL));
    OK(clg_buffer_copy(b, 4, a, 10, 3, NULL));
    expect_bytes(b, 0, "....abc.........", 16);
    OK(clg_buffer_copy(a, 0, a, 8, 8, NULL)); /* they touch, they do not overlap */
    expect_bytes(a, 0, "89abcdef89abcdef", 16);
    OK(clg_buffer_copy(a, 0, a, 0, 0, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "overlap", clg_buffer_copy(a, 0, a, 7, 8, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "overlap", clg_buffer_copy(a, 7, a, 0, 8, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "overlap", clg_buffer_copy(a, 0, a, 0, 16, NULL));
    clg_buffer_destroy(a);
    clg_buffer_destroy(b);
}

static void buffers_of_two_contexts_do_not_mix(void **state)
{
    (void)state;
    clg_context *other;
    clg_buffer *a = make_buffer(16), *b;
    OK(clg_context_create(NULL, &other));
    OK(clg_buffer_create(other, 16, &b));
    FAILS(CLG_INVALID_ARGUMENT, "two contexts", clg_buffer_copy(a, 0, b, 0, 16, NULL));
    clg_buffer_destroy(a);
    clg_buffer_destroy(b);
    clg_context_destroy(other);
}

static void mapped_memory_reads_and_writes_the_buffer(void **state)
{
    (void)state;
    clg_buffer *buffer = make_buffer(16);
    OK(clg_buffer_upload(buffer, 0, 16, "0123456789abcdef", NULL));
    void *host;
    OK(clg_buffer_map(buffer, 4, 8, CL_MAP_READ | CL_MAP_WRITE, &host, NULL));
    assert_memory_equal(host, "456789ab", 8);
    memcpy(host, "________", 8);
    OK(clg_buffer_unmap(buffer, host, NULL));
    expect_bytes(buffer, 0, "0123________cdef", 16);
    OK(clg_buffer_map(buffer, 0, 16, CL_MAP_WRITE_INVALIDATE_REGION, &host, NULL));
    memset(host, 'x', 16);
    OK(clg_buffer_unmap(buffer, host, NULL));
    expect_bytes(buffer, 0, "xxxxxxxxxxxxxxxx", 16);
    FAILS(CLG_INVALID_ARGUMENT, "0 bytes", clg_buffer_map(buffer, 0, 0, CL_MAP_READ, &host, NULL));
    clg_buffer_destroy(buffer);
}

/* ---- A caller's memory ---- */

static void a_part_of_a_callers_memory_is_a_buffer(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    cl_mem memory = caller_memory(&caller, 64);
    clg_buffer *buffer;
    OK(clg_buffer_wrap(ctx, memory, 12, 20, &buffer));
    assert_int_equal(caller_references(memory, 2), 2);
    size_t offset;
    assert_ptr_equal(clg_buffer_cl_mem(buffer, &offset), memory);
    assert_int_equal(offset, 12);
    assert_int_equal(clg_buffer_size(buffer), 20);
    OK(clg_buffer_upload(buffer, 0, 20, "abcdefghijklmnopqrst", NULL));
    OK(clg_buffer_fill(buffer, 4, 4, "....", 4, NULL));
    OK(clg_buffer_copy(buffer, 16, buffer, 0, 4, NULL));
    expect_bytes(buffer, 0, "abcd....ijklmnopabcd", 20);
    void *mapped;
    OK(clg_buffer_map(buffer, 8, 4, CL_MAP_READ, &mapped, NULL));
    assert_memory_equal(mapped, "ijkl", 4);
    OK(clg_buffer_unmap(buffer, mapped, NULL));
    unsigned char all[64], expected[64];
    memset(expected, 0xAB, 64);
    memcpy(expected + 12, "abcd....ijklmnopabcd", 20);
    assert_int_equal(clEnqueueReadBuffer(caller.queue, memory, CL_TRUE, 0, 64, all, 0, NULL, NULL),
                     CL_SUCCESS);
    assert_memory_equal(all, expected, 64);
    clg_buffer_destroy(buffer);
    assert_int_equal(caller_references(memory, 1), 1);
    clReleaseMemObject(memory);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

static void a_fill_counts_its_alignment_in_the_callers_object(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    cl_mem memory = caller_memory(&caller, 64);
    clg_buffer *buffer;
    OK(clg_buffer_wrap(ctx, memory, 12, 48, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "from byte 12 of the memory object",
          clg_buffer_fill(buffer, 0, 16, "0123456789abcdef", 16, NULL));
    OK(clg_buffer_fill(buffer, 4, 16, "0123456789abcdef", 16, NULL));
    expect_bytes(buffer, 4, "0123456789abcdef", 16);
    clg_buffer_destroy(buffer);
    clReleaseMemObject(memory);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

static void two_wraps_of_one_object_know_that_they_overlap(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    cl_mem memory = caller_memory(&caller, 64);
    clg_buffer *a, *b;
    OK(clg_buffer_wrap(ctx, memory, 0, 32, &a));
    OK(clg_buffer_wrap(ctx, memory, 16, 32, &b));
    FAILS(CLG_INVALID_ARGUMENT, "overlap", clg_buffer_copy(b, 0, a, 0, 32, NULL));
    OK(clg_buffer_copy(b, 0, a, 0, 16, NULL));
    clg_buffer_destroy(a);
    clg_buffer_destroy(b);
    clReleaseMemObject(memory);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

static void ranges_and_objects_that_do_not_fit_are_not_wrapped(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    cl_mem memory = caller_memory(&caller, 64);
    clg_buffer *buffer = (clg_buffer *)&buffer;
    FAILS(CLG_INVALID_ARGUMENT, "offset 6 is not a multiple of 4",
          clg_buffer_wrap(ctx, memory, 6, 8, &buffer));
    assert_null(buffer);
    FAILS(CLG_INVALID_ARGUMENT, "0 bytes", clg_buffer_wrap(ctx, memory, 0, 0, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "in an object of 64 bytes",
          clg_buffer_wrap(ctx, memory, 0, 65, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "in an object of 64 bytes",
          clg_buffer_wrap(ctx, memory, 64, 4, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "in an object of 64 bytes",
          clg_buffer_wrap(ctx, memory, 4, SIZE_MAX, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_wrap(ctx, NULL, 0, 4, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_wrap(NULL, memory, 0, 4, &buffer));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_buffer_wrap(ctx, memory, 0, 4, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "not a buffer of the context's OpenCL context",
          clg_buffer_wrap(testing_context(), memory, 0, 64, &buffer));
    assert_int_equal(caller_references(memory, 1), 1);
    clReleaseMemObject(memory);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

static void an_image_is_no_buffer(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    const cl_image_format format = {CL_RGBA, CL_FLOAT};
    const cl_image_desc desc = {
        .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 4, .image_height = 4};
    cl_int code;
    cl_mem image = clCreateImage(caller.context, CL_MEM_READ_WRITE, &format, &desc, NULL, &code);
    if (code == CL_SUCCESS) {
        clg_buffer *buffer;
        FAILS(CLG_INVALID_ARGUMENT, "not a buffer", clg_buffer_wrap(ctx, image, 0, 16, &buffer));
        clReleaseMemObject(image);
    }
    clg_context_destroy(ctx);
    caller_release(&caller);
    if (code != CL_SUCCESS)
        skip(); /* the device has no images */
}

static void a_sub_buffer_of_the_caller_is_wrapped_like_any_other(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    size_t align = clg_context_device(ctx)->buffer_alignment;
    cl_mem memory = caller_memory(&caller, 2 * align);
    const cl_buffer_region region = {align, align};
    cl_int code;
    cl_mem half =
        clCreateSubBuffer(memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    assert_int_equal(code, CL_SUCCESS);
    clg_buffer *buffer;
    OK(clg_buffer_wrap(ctx, half, 4, 8, &buffer));
    OK(clg_buffer_upload(buffer, 0, 8, "01234567", NULL));
    char got[12];
    assert_int_equal(
        clEnqueueReadBuffer(caller.queue, memory, CL_TRUE, align + 4, 8, got, 0, NULL, NULL),
        CL_SUCCESS);
    assert_memory_equal(got, "01234567", 8);
    clg_buffer_destroy(buffer);
    clReleaseMemObject(half);
    clReleaseMemObject(memory);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_go_up_and_come_back),
        cmocka_unit_test(a_size_of_zero_or_above_the_device_is_refused),
        cmocka_unit_test(ranges_outside_the_buffer_are_refused),
        cmocka_unit_test(missing_pointers_are_refused),
        cmocka_unit_test(every_size_of_pattern_fills),
        cmocka_unit_test(copies_go_between_and_within_buffers),
        cmocka_unit_test(buffers_of_two_contexts_do_not_mix),
        cmocka_unit_test(mapped_memory_reads_and_writes_the_buffer),
        cmocka_unit_test(a_part_of_a_callers_memory_is_a_buffer),
        cmocka_unit_test(a_fill_counts_its_alignment_in_the_callers_object),
        cmocka_unit_test(two_wraps_of_one_object_know_that_they_overlap),
        cmocka_unit_test(ranges_and_objects_that_do_not_fit_are_not_wrapped),
        cmocka_unit_test(an_image_is_no_buffer),
        cmocka_unit_test(a_sub_buffer_of_the_caller_is_wrapped_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
