#include "runtime/prepared.h"

#include "support/testing.h"

struct layout_state {
    struct clg__kernels kernels;
    int layout[100];
};

static void a_state_has_its_kernels_and_zeros(void **state)
{
    (void)state;
    const struct clg__kernel_spec specs[] = {
        {"activation", "activation_forward", "-DKIND=0"},
        {"activation", NULL, "-DKIND=0"},
        {"activation", "activation_backward", "-DKIND=0"},
    };
    void *made;
    OK(clg__prepared_create(testing_context(), sizeof(struct layout_state), specs, 3, &made));
    const struct layout_state *s = made;
    assert_non_null(s->kernels.at[0]);
    assert_null(s->kernels.at[1]); /* without a name it is not needed */
    assert_non_null(s->kernels.at[2]);
    assert_null(s->kernels.at[3]);
    for (size_t i = 0; i < sizeof s->layout / sizeof s->layout[0]; i++)
        assert_int_equal(s->layout[i], 0);
    clg__prepared_release(made);
    clg__prepared_release(NULL);
}

static void a_kernel_that_fails_leaves_no_state(void **state)
{
    (void)state;
    const struct clg__kernel_spec specs[] = {
        {"activation", "activation_forward", "-DKIND=0"},
        {"activation", "no_such_kernel", "-DKIND=0"},
    };
    void *made = &made;
    FAILS(CLG_OPENCL_ERROR, "no_such_kernel of activation.cl",
          clg__prepared_create(testing_context(), sizeof(struct layout_state), specs, 2, &made));
    assert_null(made);
}

static void a_state_without_room_for_the_kernels_is_refused(void **state)
{
    (void)state;
    const struct clg__kernel_spec specs[CLG__MAX_KERNELS + 1] = {{0}};
    void *made = &made;
    FAILS(CLG_INTERNAL_ERROR, "a state of 1 bytes",
          clg__prepared_create(testing_context(), 1, specs, 1, &made));
    assert_null(made);
    FAILS(CLG_INTERNAL_ERROR, "with 5 kernels",
          clg__prepared_create(testing_context(), sizeof(struct layout_state), specs,
                               CLG__MAX_KERNELS + 1, &made));
}

static void the_first_objection_that_applies_is_named(void **state)
{
    (void)state;
    const char *why = NULL;
    assert_true(CLG__ACCEPTS(&why, {false, "first"}, {false, "second"}));
    assert_null(why);
    assert_false(CLG__ACCEPTS(&why, {false, "first"}, {true, "second"}, {true, "third"}));
    assert_string_equal(why, "second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_has_its_kernels_and_zeros),
        cmocka_unit_test(a_kernel_that_fails_leaves_no_state),
        cmocka_unit_test(a_state_without_room_for_the_kernels_is_refused),
        cmocka_unit_test(the_first_objection_that_applies_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
