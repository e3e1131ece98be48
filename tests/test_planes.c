#include "support/testing.h"

#include "ops/planes.h"

/* What kernels_cl/planes.clh computes. */
static int64_t divide(int64_t i, struct clg__divisor d)
{
    return (int64_t)((uint64_t)i * d.multiplier >> d.shift);
}

static void check_around(int64_t i, int64_t by)
{
    for (int64_t j = i - 2; j <= i + 2; j++)
        if (j >= 0 && j <= INT32_MAX)
            assert_int_equal(divide(j, clg__divisor_of(by)), j / by);
}

static void divisors_divide_every_number_below_2_to_the_31(void **state)
{
    (void)state;
    struct ref_random random = {5};
    for (int bits = 0; bits < 31; bits++)
        for (int64_t offset = -1; offset <= 3; offset++) {
            int64_t by = ((int64_t)1 << bits) + (offset < 3 ? offset : 12345);
            if (by < 1 || by > INT32_MAX)
                continue;
            check_around(0, by);
            check_around(by, by);
            check_around(INT32_MAX, by);
            check_around(INT32_MAX / by * by, by); /* the last multiple is the hardest */
            for (int k = 0; k < 1000; k++)
                check_around((int64_t)(ref_random_bits(&random) >> 33) / by * by, by);
        }
    check_around(INT32_MAX, INT32_MAX);
}

static void both_layouts_are_planes_of_points(void **state)
{
    (void)state;
    clg_tensor_desc desc = clg_desc_4d(2, 3, 5, 7);
    struct clg__planes nchw = clg__planes_of(&desc);
    desc.layout = CLG_NHWC;
    struct clg__planes nhwc = clg__planes_of(&desc);
    assert_true(nchw.planes == 6 && nchw.h == 5 && nchw.w == 7 && nchw.inner == 1);
    assert_true(nhwc.planes == 2 && nhwc.h == 5 && nhwc.w == 7 && nhwc.inner == 3);
    assert_int_equal(clg__planes_count(&nchw), 210);
    assert_int_equal(clg__planes_count(&nhwc), 210);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divisors_divide_every_number_below_2_to_the_31),
        cmocka_unit_test(both_layouts_are_planes_of_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
