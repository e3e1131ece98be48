/* The layout that a convolution prefers. */
#include "support/testing.h"

static clg_conv2d_desc problem(clg_layout layout)
{
    clg_tensor_desc x = clg_desc_4d(8, 64, 28, 28);
    x.layout = layout;
    clg_conv2d_desc desc = clg_conv2d_desc_init(x, 64, 3, 3);
    return desc;
}

static clg_layout preferred(const clg_conv2d_desc *desc)
{
    clg_layout layout = (clg_layout)-1;
    OK(clg_conv2d_preferred_layout(testing_context(), desc, &layout));
    assert_true(layout == CLG_NCHW || layout == CLG_NHWC);
    return layout;
}

/* Register tiles over channels are what a CPU is best at. */
static void many_channels_are_last_on_a_cpu(void **state)
{
    (void)state;
    const clg_device_info *device = clg_context_device(testing_context());
    if (device->family != CLG_FAMILY_CPU || device->vector_width_float < 4)
        skip();
    for (int layout = 0; layout < 2; layout++) {
        clg_conv2d_desc desc = problem((clg_layout)layout);
        for (desc.directions = 0; desc.directions < 8; desc.directions++)
            assert_int_equal(preferred(&desc), CLG_NHWC);
    }
}

static void it_stays_where_the_algorithm_does_not_care(void **state)
{
    (void)state;
    for (int layout = 0; layout < 2; layout++) {
        clg_conv2d_desc desc = problem((clg_layout)layout);
        desc.directions = 1u << CLG_CONV2D_FORWARD;
        desc.algorithm[CLG_CONV2D_FORWARD] = "direct";
        assert_int_equal(preferred(&desc), layout);
    }
}

static void what_create_refuses_is_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_conv2d_desc desc = problem(CLG_NCHW);
    clg_layout layout;
    FAILS(CLG_INVALID_ARGUMENT, "layout is NULL", clg_conv2d_preferred_layout(ctx, &desc, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_conv2d_preferred_layout(ctx, NULL, &layout));
    FAILS(CLG_INVALID_ARGUMENT, "ctx is NULL", clg_conv2d_preferred_layout(NULL, &desc, &layout));
    desc.directions = 9;
    FAILS(CLG_INVALID_ARGUMENT, "directions 0x9 are unknown",
          clg_conv2d_preferred_layout(ctx, &desc, &layout));
    desc = problem(CLG_NCHW);
    desc.algorithm[CLG_CONV2D_BACKWARD_DATA] = "fastest";
    FAILS(CLG_INVALID_ARGUMENT, "backward_data has no algorithm \"fastest\"",
          clg_conv2d_preferred_layout(ctx, &desc, &layout));
    desc = problem(CLG_NCHW);
    desc.stride[0] = 0;
    FAILS(CLG_INVALID_ARGUMENT, "stride is 0", clg_conv2d_preferred_layout(ctx, &desc, &layout));
    desc = problem(CLG_NCHW);
    desc.algorithm[CLG_CONV2D_FORWARD] = "textbook";
    desc.workspace_limit = 1;
    FAILS(CLG_UNSUPPORTED, "the limit is 1", clg_conv2d_preferred_layout(ctx, &desc, &layout));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_channels_are_last_on_a_cpu),
        cmocka_unit_test(it_stays_where_the_algorithm_does_not_care),
        cmocka_unit_test(what_create_refuses_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
