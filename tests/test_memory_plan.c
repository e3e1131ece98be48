#include "support/testing.h"

#include "train/memory_plan.h"

static bool in_each_others_way(const struct clg__memory_block *a, const struct clg__memory_block *b)
{
    bool in_time = a->first <= b->last && b->first <= a->last;
    bool in_space = a->arena == b->arena && a->offset < b->offset + b->bytes &&
                    b->offset < a->offset + a->bytes;
    return in_time && in_space;
}

static void expect_sound(const struct clg__memory_block *blocks, int count, const size_t *sizes,
                         int arenas, size_t limit)
{
    for (int i = 0; i < count; i++) {
        assert_true(blocks[i].arena >= 0 && blocks[i].arena < arenas);
        assert_true(blocks[i].offset + blocks[i].bytes <= sizes[blocks[i].arena]);
        assert_int_equal(blocks[i].offset % CLG__MEMORY_ALIGNMENT, 0);
        for (int j = 0; j < i; j++)
            assert_false(in_each_others_way(&blocks[i], &blocks[j]));
    }
    for (int i = 0; i < arenas; i++)
        assert_true(sizes[i] <= limit);
}

static void blocks_that_live_together_never_overlap(void **state)
{
    (void)state;
    struct ref_random random = {17};
    for (int round = 0; round < 50; round++) {
        struct clg__memory_block blocks[60];
        size_t *sizes, limit = round % 2 ? 3000 : 1000000;
        int arenas;
        for (int i = 0; i < 60; i++) {
            int first = (int)(ref_random_bits(&random) % 100);
            blocks[i] =
                (struct clg__memory_block){.bytes = 1 + (size_t)(ref_random_bits(&random) % 2000),
                                           .first = first,
                                           .last = first + (int)(ref_random_bits(&random) % 30)};
        }
        OK(clg__memory_plan(blocks, 60, limit, &sizes, &arenas));
        expect_sound(blocks, 60, sizes, arenas, limit);
        assert_true(round % 2 ? arenas > 1 : arenas == 1);
        free(sizes);
    }
}

static void a_chain_needs_the_largest_neighbours_only(void **state)
{
    (void)state;
    struct clg__memory_block chain[] = {
        {.bytes = 640, .first = 0, .last = 1}, {.bytes = 1280, .first = 1, .last = 2},
        {.bytes = 640, .first = 2, .last = 3}, {.bytes = 640, .first = 3, .last = 4},
        {.bytes = 64, .first = 4, .last = 5},
    };
    size_t *sizes;
    int arenas;
    OK(clg__memory_plan(chain, 5, 1 << 20, &sizes, &arenas));
    assert_int_equal(arenas, 1);
    assert_int_equal(sizes[0], 1280 + 640);
    free(sizes);
}

static void a_block_above_the_limit_is_refused(void **state)
{
    (void)state;
    struct clg__memory_block blocks[] = {{.bytes = 100}, {.bytes = 2000}};
    size_t *sizes;
    int arenas;
    FAILS(CLG_OUT_OF_DEVICE_MEMORY, "2000 bytes is larger than the device's largest allocation",
          clg__memory_plan(blocks, 2, 1999, &sizes, &arenas));
    free(sizes);
    OK(clg__memory_plan(blocks, 0, 1999, &sizes, &arenas));
    assert_int_equal(arenas, 0);
    free(sizes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_that_live_together_never_overlap),
        cmocka_unit_test(a_chain_needs_the_largest_neighbours_only),
        cmocka_unit_test(a_block_above_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
