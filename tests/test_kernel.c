#include "runtime/kernel.h"

#include "ops/elements.h"
#include "runtime/context.h"
#include "support/testing.h"

static clg_status create(const char *source, const char *name, const char *options,
                         struct clg__kernel **kernel)
{
    return clg__kernel_create(testing_context(), source, name, options, kernel);
}

static void an_unknown_source_or_kernel_is_named(void **state)
{
    (void)state;
    struct clg__kernel *kernel = (struct clg__kernel *)&kernel;
    FAILS(CLG_INTERNAL_ERROR, "no kernel source \"nothing\"", create("nothing", "a", "", &kernel));
    assert_null(kernel);
    FAILS(CLG_OPENCL_ERROR,
          "no_such_kernel of activation.cl: clCreateKernel: CL_INVALID_KERNEL_NAME",
          create("activation", "no_such_kernel", "-DKIND=0", &kernel));
    assert_null(kernel);
    clg__kernel_destroy(NULL);
}

static void a_program_that_does_not_build_shows_the_compilers_words(void **state)
{
    (void)state;
    struct clg__kernel *kernel = (struct clg__kernel *)&kernel;
    FAILS(CLG_BUILD_FAILED, "activation.cl with \"-cl-std=CL1.2 -Dreturn=nonsense_here\" on",
          create("activation", "activation_forward", "-Dreturn=nonsense_here", &kernel));
    assert_non_null(strstr(clg_last_error(), "nonsense_here"));
    assert_null(kernel);
    /* The failure is not remembered as a program. */
    FAILS(CLG_BUILD_FAILED, "CL_BUILD_PROGRAM_FAILURE",
          create("activation", "activation_forward", "-Dreturn=nonsense_here", &kernel));
}

static void a_program_is_built_once_for_its_options(void **state)
{
    (void)state;
    clg_context *ctx;
    OK(clg_context_create(NULL, &ctx));
    cl_program first, again, other;
    OK(clg__program_get(&ctx->programs, "activation", "-DKIND=1", &first));
    OK(clg__program_get(&ctx->programs, "activation", "-DKIND=2", &other));
    OK(clg__program_get(&ctx->programs, "activation", "-DKIND=1", &again));
    assert_ptr_equal(first, again);
    assert_true(first != other);
    clg_context_destroy(ctx);
}

static void a_launch_that_the_driver_refuses_names_kernel_and_grid(void **state)
{
    (void)state;
    struct clg__kernel *kernel;
    OK(create("activation", "activation_forward", "-DKIND=0", &kernel));
    const clg_tensor_desc desc = clg_desc_1d(4);
    clg_tensor *x = testing_tensor(&desc, NULL);
    struct clg__stream stream;
    OK(clg__stream_begin(&stream, testing_context(), NULL, 0));
    const struct clg__elements elements = clg__elements_of(testing_context(), 4, 2);
    const struct clg__arg count = clg__arg_elements(&elements);
    const struct clg__grid ragged = {1, {100}, {64}}; /* 1.2: groups divide the grid */
    FAILS(CLG_OPENCL_ERROR, "activation_forward, global 100 x 0 x 0, local 64 x 0 x 0",
          CLG__LAUNCH(&stream, kernel, ragged, clg__arg_tensor(x), clg__arg_tensor(x), count,
                      clg__arg_float(0)));
    FAILS(CLG_OPENCL_ERROR, "activation_forward, parameter 6",
          CLG__LAUNCH(&stream, kernel, clg__grid_1d(4), clg__arg_tensor(x), clg__arg_tensor(x),
                      count, clg__arg_float(0), clg__arg_int(1)));
    FAILS(CLG_OPENCL_ERROR, "activation_forward, parameter 5", /* drivers know a float's size */
          CLG__LAUNCH(&stream, kernel, clg__grid_1d(4), clg__arg_tensor(x), clg__arg_tensor(x),
                      count, clg__arg_long(4)));
    clg_tensor_destroy(x);
    clg__kernel_destroy(kernel);
}

static void a_grid_covers_every_element_in_whole_groups(void **state)
{
    (void)state;
    const struct {
        int64_t n;
        size_t global;
    } rows[] = {{1, 64}, {64, 64}, {65, 128}, {2147483647, 2147483648u}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct clg__grid grid = clg__grid_1d(rows[i].n);
        assert_int_equal(grid.global[0], rows[i].global);
        assert_int_equal(grid.local[0], 64);
        assert_int_equal(grid.dims, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_source_or_kernel_is_named),
        cmocka_unit_test(a_program_that_does_not_build_shows_the_compilers_words),
        cmocka_unit_test(a_program_is_built_once_for_its_options),
        cmocka_unit_test(a_launch_that_the_driver_refuses_names_kernel_and_grid),
        cmocka_unit_test(a_grid_covers_every_element_in_whole_groups),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
