#include "support/testing.h"

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < CLG_PAD_MODE_COUNT; i++) {
        clg_pad_mode mode;
        OK(clg_pad_mode_from_name(clg_pad_mode_name((clg_pad_mode)i), &mode));
        assert_int_equal(mode, i);
    }
    assert_string_equal(clg_pad_mode_name(CLG_PAD_REFLECT), "reflect");
}

static void unknown_modes_have_no_name(void **state)
{
    (void)state;
    clg_pad_mode mode;
    FAILS(CLG_INVALID_ARGUMENT, "\"mirror\"; there are: zeros, constant",
          clg_pad_mode_from_name("mirror", &mode));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_pad_mode_from_name(NULL, &mode));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_pad_mode_from_name("zeros", NULL));
    assert_string_equal(clg_pad_mode_name((clg_pad_mode)5), "unknown");
    assert_string_equal(clg_pad_mode_name((clg_pad_mode)-1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(unknown_modes_have_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
