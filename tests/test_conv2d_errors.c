/* Every documented error of conv2d, with the numbers in the message. */
#include "support/testing.h"

#include <math.h>

static clg_conv2d_desc good(void)
{
    clg_conv2d_desc desc = clg_conv2d_desc_init(clg_desc_4d(2, 4, 8, 9), 6, 3, 3);
    return desc;
}

/* Nothing is half made: the plan stays NULL. */
static void refuse(clg_status status, const char *part, const clg_conv2d_desc *desc)
{
    clg_conv2d *plan = (clg_conv2d *)&plan;
    FAILS(status, part, clg_conv2d_create(testing_context(), desc, &plan));
    assert_null(plan);
}

static void bad_shapes_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.x.dims[0] = 0;
    refuse(CLG_INVALID_SHAPE, "dimension 0 of 0x4x8x9", &desc);
    desc = good();
    desc.x.ndim = 3;
    refuse(CLG_INVALID_SHAPE, "four dimensions", &desc);
    desc = good();
    desc.x.type = CLG_INT32;
    refuse(CLG_UNSUPPORTED, "int32", &desc);
    desc = good();
    desc.kernel[0] = 9;
    refuse(CLG_INVALID_SHAPE, "9 rows (kernel 9, dilation 1), is larger than the padded input, 8",
           &desc);
    desc = good();
    desc.dilation[1] = 5;
    refuse(CLG_INVALID_SHAPE, "11 columns", &desc);
    desc = good();
    desc.groups = 3;
    refuse(CLG_INVALID_SHAPE, "3 groups do not divide 4 channels and 6 filters", &desc);
    desc = good();
    desc.groups = 4;
    refuse(CLG_INVALID_SHAPE, "4 groups do not divide 4 channels and 6 filters", &desc);
}

static void counts_below_one_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.stride[1] = 0;
    refuse(CLG_INVALID_ARGUMENT, "stride is 0", &desc);
    desc = good();
    desc.dilation[0] = -2;
    refuse(CLG_INVALID_ARGUMENT, "dilation is -2", &desc);
    desc = good();
    desc.epilogue = CLG_EPILOGUE_COUNT;
    refuse(CLG_INVALID_ARGUMENT, "epilogue 2 is unknown", &desc);
    desc = good();
    desc.kernel[0] = 0;
    refuse(CLG_INVALID_ARGUMENT, "kernel is 0", &desc);
    desc = good();
    desc.filters = 0;
    refuse(CLG_INVALID_ARGUMENT, "filters is 0", &desc);
    desc = good();
    desc.groups = 0;
    refuse(CLG_INVALID_ARGUMENT, "groups is 0", &desc);
}

static void bad_padding_is_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.pad_mode = (clg_pad_mode)9;
    refuse(CLG_INVALID_ARGUMENT, "padding mode 9", &desc);
    desc = good();
    desc.pad_value = NAN;
    refuse(CLG_INVALID_ARGUMENT, "padding value is", &desc);
    desc = good();
    desc.padding[2] = -1;
    desc.pad_mode = CLG_PAD_REFLECT;
    refuse(CLG_INVALID_ARGUMENT, "-1, needs the mode zeros, not reflect", &desc);
    desc.padding[2] = 8;
    refuse(CLG_INVALID_ARGUMENT, "padding of 8 with mode reflect", &desc);
    desc.pad_mode = CLG_PAD_CIRCULAR;
    desc.padding[2] = 9;
    refuse(CLG_INVALID_ARGUMENT, "padding of 9 with mode circular", &desc);
}

static void sizes_over_32_bits_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.x.dims[0] = 10000000000;
    refuse(CLG_TOO_LARGE, "10000000000x4x8x9", &desc);
    desc = good();
    desc.filters = 200000000;
    refuse(CLG_TOO_LARGE, "clg_conv2d: y", &desc);
    desc = good();
    desc.stride[0] = 5000000000;
    refuse(CLG_TOO_LARGE, "stride is 5000000000", &desc);
    desc = good();
    desc.padding[0] = INT64_MAX;
    refuse(CLG_TOO_LARGE, "9223372036854775807", &desc);
    desc = good();
    desc.dilation[0] = 2000000000;
    refuse(CLG_TOO_LARGE, "dilation 2000000000", &desc);
}

static void unknown_choices_are_refused_with_what_there_is(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.algorithm[0] = "magic";
    refuse(CLG_INVALID_ARGUMENT, "no algorithm \"magic\"; it has:", &desc);
    desc = good();
    desc.directions = 8;
    refuse(CLG_INVALID_ARGUMENT, "directions 0x8", &desc);
    desc = good();
    desc.y_layout = (clg_layout)7;
    refuse(CLG_INVALID_ARGUMENT, "layout 7", &desc);
    desc = good();
    desc.algorithm[0] = "textbook";
    desc.workspace_limit = 16;
    refuse(CLG_UNSUPPORTED, "the limit is 16", &desc);
    clg_conv2d *plan;
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_conv2d_create(NULL, &desc, &plan));
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_conv2d_output_size(NULL, NULL, NULL));
}

static void a_workspace_limit_leads_to_an_algorithm_that_keeps_it(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.workspace_limit = 1;
    clg_conv2d *plan;
    OK(clg_conv2d_create(testing_context(), &desc, &plan));
    assert_int_equal(clg_conv2d_workspace_size(plan, CLG_CONV2D_FORWARD), 0);
    clg_conv2d_destroy(plan);
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.directions = 1u << CLG_CONV2D_FORWARD | 1u << CLG_CONV2D_BACKWARD_FILTER;
    clg_conv2d *plan;
    OK(clg_conv2d_create(testing_context(), &desc, &plan));
    clg_tensor *x = testing_tensor(clg_conv2d_x_desc(plan), NULL);
    clg_tensor *y = testing_tensor(clg_conv2d_y_desc(plan), NULL);
    clg_tensor *w = testing_tensor(clg_conv2d_w_desc(plan), NULL);
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_conv2d_forward(NULL, y, x, w, NULL, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "w is NULL", clg_conv2d_forward(plan, y, x, NULL, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "y is 2x4x8x9 float32, expected 2x6x6x7",
          clg_conv2d_forward(plan, x, x, w, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "b is", clg_conv2d_forward(plan, y, x, w, w, NULL));
    FAILS(CLG_INVALID_STATE, "without this one", clg_conv2d_backward_data(plan, x, y, w, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "both dw and db",
          clg_conv2d_backward_filter(plan, NULL, NULL, x, y, NULL));
    FAILS(CLG_INVALID_SHAPE, "db is 2x4x8x9",
          clg_conv2d_backward_filter(plan, NULL, x, x, y, NULL));
    clg_context *other;
    OK(clg_context_create(NULL, &other));
    clg_tensor *foreign;
    OK(clg_tensor_create(other, clg_conv2d_x_desc(plan), &foreign));
    FAILS(CLG_INVALID_ARGUMENT, "x belongs to another context",
          clg_conv2d_forward(plan, y, foreign, w, NULL, NULL));
    clg_tensor *all[] = {x, y, w, foreign};
    for (size_t i = 0; i < 4; i++)
        clg_tensor_destroy(all[i]);
    clg_context_destroy(other);
    clg_conv2d_destroy(plan);
}

static void a_workspace_of_the_caller_is_used_and_checked(void **state)
{
    (void)state;
    clg_conv2d_desc desc = good();
    desc.algorithm[0] = "textbook";
    desc.directions = 1u << CLG_CONV2D_FORWARD;
    clg_conv2d *plan;
    OK(clg_conv2d_create(testing_context(), &desc, &plan));
    size_t bytes = clg_conv2d_workspace_size(plan, CLG_CONV2D_FORWARD);
    clg_buffer *small, *enough;
    OK(clg_buffer_create(testing_context(), bytes - 4, &small));
    OK(clg_buffer_create(testing_context(), bytes, &enough));
    float zeros[2 * 4 * 8 * 9] = {0};
    clg_tensor *x = testing_tensor(clg_conv2d_x_desc(plan), zeros);
    clg_tensor *w = testing_tensor(clg_conv2d_w_desc(plan), zeros);
    clg_tensor *y = testing_tensor(clg_conv2d_y_desc(plan), NULL);
    clg_run run = {.workspace = small};
    FAILS(CLG_INVALID_ARGUMENT, "are needed", clg_conv2d_forward(plan, y, x, w, NULL, &run));
    run.workspace = enough;
    OK(clg_conv2d_forward(plan, y, x, w, NULL, &run));
    double *none = ref_array_zeros(clg_tensor_count(y));
    testing_expect_exact("zeros", y, none);
    free(none);
    clg_tensor *all[] = {x, w, y};
    for (size_t i = 0; i < 3; i++)
        clg_tensor_destroy(all[i]);
    clg_buffer_destroy(small);
    clg_buffer_destroy(enough);
    clg_conv2d_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_shapes_are_refused_with_the_numbers),
        cmocka_unit_test(counts_below_one_are_refused_with_the_numbers),
        cmocka_unit_test(bad_padding_is_refused_with_the_numbers),
        cmocka_unit_test(sizes_over_32_bits_are_refused_with_the_numbers),
        cmocka_unit_test(unknown_choices_are_refused_with_what_there_is),
        cmocka_unit_test(a_workspace_limit_leads_to_an_algorithm_that_keeps_it),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
        cmocka_unit_test(a_workspace_of_the_caller_is_used_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
