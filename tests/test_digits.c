#include "clgrad/image_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { PIXELS = 64, CLASSES = 10, TRAIN = 1442, TEST = 355 };

static clg_image_set train, test;

static int load(void **state)
{
    (void)state;
    return clg_image_set_load_digits(&train, &test) == CLG_OK ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    clg_image_set_free(&train);
    clg_image_set_free(&test);
    return 0;
}

static void the_digits_have_the_documented_sizes(void **state)
{
    (void)state;
    assert_int_equal(train.count, TRAIN);
    assert_int_equal(test.count, TEST);
    for (int i = 0; i < 2; i++) {
        const clg_image_set *set = i == 0 ? &train : &test;
        assert_int_equal(set->channels, 1);
        assert_int_equal(set->height, 8);
        assert_int_equal(set->width, 8);
        assert_int_equal(set->classes, CLASSES);
    }
}

static void every_class_is_split_four_to_one(void **state)
{
    (void)state;
    int counts[2][CLASSES] = {{0}};
    for (int i = 0; i < TRAIN; i++)
        counts[0][train.labels[i]]++;
    for (int i = 0; i < TEST; i++)
        counts[1][test.labels[i]]++;
    for (int c = 0; c < CLASSES; c++)
        assert_int_equal(counts[1][c], (counts[0][c] + counts[1][c]) / 5);
}

static void pixels_use_the_whole_range_in_17_levels(void **state)
{
    (void)state;
    int seen[256] = {0};
    for (int i = 0; i < TRAIN * PIXELS; i++)
        seen[train.pixels[i]]++;
    for (int i = 0; i < TEST * PIXELS; i++)
        seen[test.pixels[i]]++;
    for (int level = 0; level <= 16; level++) {
        const int value = (255 * level + 8) / 16;
        assert_true(seen[value] > 0);
        seen[value] = 0;
    }
    for (int value = 0; value < 256; value++)
        assert_int_equal(seen[value], 0);
}

static void the_first_image_is_that_of_the_data_set(void **state)
{
    (void)state;
    static const int levels[PIXELS] = {0, 0, 5,  13, 9,  1,  0, 0, 0, 0, 13, 15, 10, 15, 5, 0,
                                       0, 3, 15, 2,  0,  11, 8, 0, 0, 4, 12, 0,  0,  8,  8, 0,
                                       0, 5, 8,  0,  0,  9,  8, 0, 0, 4, 11, 0,  1,  12, 7, 0,
                                       0, 2, 14, 5,  10, 12, 0, 0, 0, 0, 6,  13, 10, 0,  0, 0};
    assert_int_equal(train.labels[0], 0);
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(train.pixels[i], (255 * levels[i] + 8) / 16);
}

static void loading_again_gives_the_same_digits(void **state)
{
    (void)state;
    clg_image_set again, other;
    assert_int_equal(clg_image_set_load_digits(&again, &other), CLG_OK);
    assert_memory_equal(again.pixels, train.pixels, (size_t)TRAIN * PIXELS);
    assert_memory_equal(other.labels, test.labels, TEST * sizeof *test.labels);
    clg_image_set_free(&again);
    clg_image_set_free(&other);
}

static void a_missing_set_is_refused(void **state)
{
    (void)state;
    clg_image_set set;
    assert_int_equal(clg_image_set_load_digits(&set, NULL), CLG_INVALID_ARGUMENT);
    assert_null(set.pixels);
    assert_int_equal(clg_image_set_load_digits(NULL, &set), CLG_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digits_have_the_documented_sizes),
        cmocka_unit_test(every_class_is_split_four_to_one),
        cmocka_unit_test(pixels_use_the_whole_range_in_17_levels),
        cmocka_unit_test(the_first_image_is_that_of_the_data_set),
        cmocka_unit_test(loading_again_gives_the_same_digits),
        cmocka_unit_test(a_missing_set_is_refused),
    };
    return cmocka_run_group_tests(tests, load, release);
}
