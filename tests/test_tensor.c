#include "clgrad/tensor.h"

#include <math.h>

#include "runtime/tensor.h"
#include "support/caller.h"
#include "support/testing.h"

static void descriptions_count_elements_and_bytes(void **state)
{
    (void)state;
    const struct {
        clg_tensor_desc desc;
        int64_t count;
    } rows[] = {
        {clg_desc_1d(1), 1},
        {clg_desc_2d(3, 5), 15},
        {clg_desc_4d(2, 3, 5, 7), 210},
        {{CLG_FLOAT32, CLG_NHWC, 4, {2, 3, 5, 7}}, 210},
        {{CLG_INT32, CLG_NCHW, 6, {2, 2, 2, 2, 2, 2}}, 64},
        {clg_desc_2d(46340, 46341), 2147441940},
        {clg_desc_1d(INT32_MAX), INT32_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t count;
        size_t bytes;
        OK(clg_tensor_desc_count(&rows[i].desc, &count));
        OK(clg_tensor_desc_bytes(&rows[i].desc, &bytes));
        assert_int_equal(count, rows[i].count);
        assert_int_equal(bytes, 4 * rows[i].count);
    }
}

static void bad_descriptions_are_refused_everywhere(void **state)
{
    (void)state;
    const struct {
        clg_tensor_desc desc;
        clg_status status;
        const char *part;
    } rows[] = {
        {{CLG_FLOAT32, CLG_NCHW, 0, {1}}, CLG_INVALID_SHAPE, "0 dimensions"},
        {{CLG_FLOAT32, CLG_NCHW, 7, {1}}, CLG_INVALID_SHAPE, "7 dimensions: 1 to 6"},
        {{CLG_FLOAT32, CLG_NCHW, -1, {1}}, CLG_INVALID_SHAPE, "-1 dimensions"},
        {{CLG_FLOAT32, CLG_NHWC, 3, {1, 2, 3}}, CLG_INVALID_SHAPE, "NHWC needs four"},
        {clg_desc_4d(0, 1, 2, 3), CLG_INVALID_SHAPE, "dimension 0 of 0x1x2x3"},
        {clg_desc_4d(1, 1, 2, -3), CLG_INVALID_SHAPE, "dimension 3 of 1x1x2x-3"},
        {clg_desc_1d((int64_t)INT32_MAX + 1), CLG_TOO_LARGE, "2147483648"},
        {clg_desc_2d(46341, 46341), CLG_TOO_LARGE, "more than 2147483647 elements"},
        {clg_desc_4d(65536, 65536, 65536, 65536), CLG_TOO_LARGE, "65536x65536"},
        {clg_desc_4d(INT64_MAX, INT64_MAX, 1, 1), CLG_TOO_LARGE, "elements"},
        {{(clg_dtype)9, CLG_NCHW, 1, {1}}, CLG_INVALID_ARGUMENT, "type 9"},
        {{CLG_FLOAT32, (clg_layout)5, 4, {1, 1, 1, 1}}, CLG_INVALID_ARGUMENT, "layout 5"},
    };
    clg_buffer *buffer;
    OK(clg_buffer_create(testing_context(), 64, &buffer));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t count;
        size_t bytes;
        const char *part = rows[i].part;
        clg_tensor *tensor = (clg_tensor *)&tensor;
        FAILS(rows[i].status, part, clg_tensor_desc_count(&rows[i].desc, &count));
        FAILS(rows[i].status, part, clg_tensor_desc_bytes(&rows[i].desc, &bytes));
        FAILS(rows[i].status, part, clg_tensor_create(testing_context(), &rows[i].desc, &tensor));
        assert_null(tensor);
        tensor = (clg_tensor *)&tensor;
        FAILS(rows[i].status, part, clg_tensor_view(buffer, 0, &rows[i].desc, &tensor));
        assert_null(tensor);
    }
    clg_buffer_destroy(buffer);
}

static void missing_pointers_are_refused(void **state)
{
    (void)state;
    clg_tensor_desc desc = clg_desc_1d(4);
    clg_tensor *tensor = testing_tensor(&desc, NULL), *none;
    clg_buffer *buffer = clg_tensor_buffer(tensor, NULL);
    int64_t count;
    float host[4] = {0};
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_desc_count(NULL, &count));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_desc_count(&desc, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_desc_bytes(&desc, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_create(NULL, &desc, &none));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_create(testing_context(), NULL, &none));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_create(testing_context(), &desc, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_view(NULL, 0, &desc, &none));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_view(buffer, 0, NULL, &none));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_tensor_view(buffer, 0, &desc, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "tensor is NULL", clg_tensor_upload(NULL, host, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "host is NULL", clg_tensor_upload(tensor, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "tensor is NULL", clg_tensor_download(NULL, host, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "host is NULL", clg_tensor_download(tensor, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "tensor is NULL", clg_tensor_fill(NULL, 0, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "tensor is NULL", clg_tensor_copy(tensor, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "to is NULL", clg_tensor_copy(NULL, tensor, NULL));
    clg_tensor_destroy(tensor);
    clg_tensor_destroy(NULL);
}

static void a_tensor_above_the_devices_memory_is_not_made(void **state)
{
    (void)state;
    /* 8 GiB less a few bytes: more than one buffer of the tests' devices may have. */
    const clg_tensor_desc huge = clg_desc_1d(INT32_MAX);
    if (clg_context_device(testing_context())->max_allocation >= (uint64_t)4 * INT32_MAX)
        skip();
    clg_tensor *tensor = (clg_tensor *)&tensor;
    FAILS(CLG_OUT_OF_DEVICE_MEMORY, "8589934588 bytes",
          clg_tensor_create(testing_context(), &huge, &tensor));
    assert_null(tensor);
}

static void a_tensor_keeps_its_description_and_its_data(void **state)
{
    (void)state;
    const clg_tensor_desc desc = {CLG_FLOAT32, CLG_NHWC, 4, {1, 2, 1, 3}};
    const float host[6] = {1, 2, 3, 4, 5, 6};
    float got[6] = {0};
    clg_tensor *tensor;
    OK(clg_tensor_create(testing_context(), &desc, &tensor));
    assert_true(clg__desc_equal(clg_tensor_get_desc(tensor), &desc));
    assert_int_equal(clg_tensor_count(tensor), 6);
    assert_int_equal(clg_tensor_bytes(tensor), 24);
    OK(clg_tensor_upload(tensor, host, NULL));
    OK(clg_tensor_download(tensor, got, NULL));
    assert_memory_equal(got, host, sizeof host); /* in the tensor's own layout */
    clg_tensor_destroy(tensor);
}

static void a_tensor_made_from_host_memory_holds_it(void **state)
{
    (void)state;
    const clg_tensor_desc desc = clg_desc_2d(2, 3);
    const float host[6] = {1, 2, 3, 4, 5, 6};
    float got[6] = {0};
    clg_tensor *tensor;
    OK(clg_tensor_create_from(testing_context(), &desc, host, &tensor));
    OK(clg_tensor_download(tensor, got, NULL));
    assert_memory_equal(got, host, sizeof host);
    clg_tensor_destroy(tensor);
    FAILS(CLG_INVALID_ARGUMENT, "host is NULL",
          clg_tensor_create_from(testing_context(), &desc, NULL, &tensor));
    assert_null(tensor);
    FAILS(CLG_INVALID_ARGUMENT, "ctx or tensor is NULL",
          clg_tensor_create_from(NULL, &desc, host, &tensor));
}

static void a_view_shares_a_range_of_its_buffer(void **state)
{
    (void)state;
    const clg_tensor_desc desc = clg_desc_2d(2, 2);
    const float host[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    float got[8];
    clg_buffer *buffer;
    clg_tensor *view;
    OK(clg_buffer_create(testing_context(), sizeof host, &buffer));
    OK(clg_buffer_upload(buffer, 0, sizeof host, host, NULL));
    OK(clg_tensor_view(buffer, 12, &desc, &view));
    size_t offset;
    assert_ptr_equal(clg_tensor_buffer(view, &offset), buffer);
    assert_int_equal(offset, 12);
    OK(clg_tensor_download(view, got, NULL));
    assert_memory_equal(got, host + 3, 16);
    OK(clg_tensor_fill(view, -1, NULL));
    OK(clg_buffer_download(buffer, 0, sizeof got, got, NULL));
    const float expected[8] = {0, 1, 2, -1, -1, -1, -1, 7};
    assert_memory_equal(got, expected, sizeof got);
    clg_tensor *bad = (clg_tensor *)&bad;
    FAILS(CLG_INVALID_ARGUMENT, "2x2 float32 (16 bytes) from byte 20 on, in a buffer of 32",
          clg_tensor_view(buffer, 20, &desc, &bad));
    assert_null(bad);
    FAILS(CLG_INVALID_ARGUMENT, "multiples of 4", clg_tensor_view(buffer, 6, &desc, &bad));
    FAILS(CLG_INVALID_ARGUMENT, "from byte", clg_tensor_view(buffer, SIZE_MAX - 3, &desc, &bad));
    clg_buffer_destroy(buffer); /* the view keeps it alive */
    OK(clg_tensor_download(view, got, NULL));
    assert_true(got[0] == -1);
    clg_tensor_destroy(view);
}

static void a_view_of_a_wrapped_part_adds_the_offsets(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    clg_context *ctx = caller_context(&caller);
    cl_mem memory = caller_memory(&caller, 64);
    clg_buffer *buffer;
    clg_tensor *x, *y;
    clg_activation *plan;
    const clg_activation_desc desc = {CLG_ACTIVATION_RELU, 0, clg_desc_1d(3)};
    const float host[3] = {-4, 5, -6};
    OK(clg_buffer_wrap(ctx, memory, 4, 48, &buffer));
    OK(clg_tensor_view(buffer, 8, &desc.x, &x));
    OK(clg_tensor_view(buffer, 28, &desc.x, &y));
    OK(clg_activation_create(ctx, &desc, &plan));
    OK(clg_tensor_upload(x, host, NULL));
    OK(clg_activation_forward(plan, y, x, NULL));
    float all[16], expected[16];
    memset(expected, 0xAB, sizeof expected);
    memcpy(expected + 3, host, sizeof host);                     /* (4 + 8) / 4 */
    memcpy(expected + 8, (float[]){0, 5, 0}, 3 * sizeof(float)); /* (4 + 28) / 4 */
    assert_int_equal(
        clEnqueueReadBuffer(caller.queue, memory, CL_TRUE, 0, sizeof all, all, 0, NULL, NULL),
        CL_SUCCESS);
    assert_memory_equal(all, expected, sizeof all);
    clg_activation_destroy(plan);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_buffer_destroy(buffer);
    clReleaseMemObject(memory);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

static void fill_sets_floats_only(void **state)
{
    (void)state;
    const clg_tensor_desc desc = clg_desc_1d(100);
    clg_tensor *x = testing_tensor(&desc, NULL);
    int32_t labels[3] = {1, 2, 3};
    clg_tensor *integers = testing_labels(3, labels);
    OK(clg_tensor_fill(x, 0.1f, NULL));
    float *got = testing_download(x);
    for (int i = 0; i < 100; i++)
        assert_true(got[i] == 0.1f);
    free(got);
    FAILS(CLG_UNSUPPORTED, "int32", clg_tensor_fill(integers, 0, NULL));
    clg_tensor_destroy(x);
    clg_tensor_destroy(integers);
}

static void copies_need_the_same_description(void **state)
{
    (void)state;
    const clg_tensor_desc nchw = clg_desc_4d(1, 2, 3, 4);
    clg_tensor_desc nhwc = nchw;
    nhwc.layout = CLG_NHWC;
    double *data = testing_uniform(24, 1);
    clg_tensor *from = testing_tensor_from(&nchw, data), *to = testing_tensor(&nchw, NULL);
    clg_tensor *other = testing_tensor(&nhwc, NULL);
    OK(clg_tensor_copy(to, from, NULL));
    testing_expect_exact("copy", to, data);
    FAILS(CLG_INVALID_SHAPE, "to is 1x2x3x4 float32 NHWC, expected 1x2x3x4 float32",
          clg_tensor_copy(other, from, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "overlap", clg_tensor_copy(from, from, NULL));
    clg_context *second;
    clg_tensor *elsewhere;
    OK(clg_context_create(NULL, &second));
    OK(clg_tensor_create(second, &nchw, &elsewhere));
    FAILS(CLG_INVALID_ARGUMENT, "another context", clg_tensor_copy(elsewhere, from, NULL));
    clg_tensor_destroy(elsewhere);
    clg_context_destroy(second);
    clg_tensor_destroy(from);
    clg_tensor_destroy(to);
    clg_tensor_destroy(other);
    free(data);
}

static void strides_follow_the_layout(void **state)
{
    (void)state;
    clg_tensor_desc desc = clg_desc_4d(2, 3, 5, 7);
    struct clg__strides s = clg__desc_strides(&desc);
    assert_true(s.n == 105 && s.c == 35 && s.h == 7 && s.w == 1);
    desc.layout = CLG_NHWC;
    s = clg__desc_strides(&desc);
    assert_true(s.n == 105 && s.c == 1 && s.h == 21 && s.w == 3);
}

static void descriptions_compare_and_print(void **state)
{
    (void)state;
    char text[CLG__DESC_TEXT];
    clg_tensor_desc a = clg_desc_2d(3, 4), b = a;
    b.dims[2] = 77; /* behind ndim: does not matter */
    assert_true(clg__desc_equal(&a, &b));
    b = clg_desc_2d(4, 3);
    assert_false(clg__desc_equal(&a, &b));
    b = a;
    b.type = CLG_INT32;
    assert_false(clg__desc_equal(&a, &b));
    assert_string_equal(clg__desc_text(&b, text), "3x4 int32");
    b = clg_desc_4d(1, 2, 3, 4);
    b.layout = CLG_NHWC;
    assert_string_equal(clg__desc_text(&b, text), "1x2x3x4 float32 NHWC");
    clg_tensor_desc longest = {CLG_FLOAT32, CLG_NCHW, 6, {0}};
    for (int i = 0; i < 6; i++)
        longest.dims[i] = INT64_MIN;
    assert_true(strlen(clg__desc_text(&longest, text)) < CLG__DESC_TEXT);
    assert_non_null(strstr(text, "float32"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions_count_elements_and_bytes),
        cmocka_unit_test(bad_descriptions_are_refused_everywhere),
        cmocka_unit_test(missing_pointers_are_refused),
        cmocka_unit_test(a_tensor_above_the_devices_memory_is_not_made),
        cmocka_unit_test(a_tensor_keeps_its_description_and_its_data),
        cmocka_unit_test(a_tensor_made_from_host_memory_holds_it),
        cmocka_unit_test(a_view_shares_a_range_of_its_buffer),
        cmocka_unit_test(a_view_of_a_wrapped_part_adds_the_offsets),
        cmocka_unit_test(fill_sets_floats_only),
        cmocka_unit_test(copies_need_the_same_description),
        cmocka_unit_test(strides_follow_the_layout),
        cmocka_unit_test(descriptions_compare_and_print),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
