#include "support/testing.h"

#include <math.h>

#include "base/philox.h"

static uint64_t key_of(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* The vectors for philox4x32 with 10 rounds that come with the paper's library (Random123). */
static void the_published_vectors_come_out(void **state)
{
    (void)state;
    static const struct vector {
        uint32_t counter[4], key[2], want[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        struct clg__philox_block counter;
        memcpy(counter.word, v->counter, sizeof counter.word);
        struct clg__philox_block got = clg__philox(key_of(v->key[0], v->key[1]), counter);
        assert_memory_equal(got.word, v->want, sizeof got.word);
    }
}

static void a_sequence_is_the_blocks_of_its_counter_word_by_word(void **state)
{
    (void)state;
    struct clg__random random = clg__random_start(0x123456789abcdefULL, 7);
    for (uint32_t i = 0; i < 12; i++) {
        struct clg__philox_block counter = {{i / 4, 7, UINT32_MAX, UINT32_MAX}};
        struct clg__philox_block block = clg__philox(0x123456789abcdefULL, counter);
        assert_int_equal(clg__random_word(&random), block.word[i % 4]);
    }
}

static void uniform_numbers_fill_the_unit_interval(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct clg__random random = clg__random_start(1, 0);
    double sum = 0, squares = 0, min = 1, max = 0;
    for (int i = 0; i < N; i++) {
        double u = (double)clg__random_uniform(&random);
        assert_true(u >= 0 && u < 1);
        sum += u;
        squares += u * u;
        min = fmin(min, u);
        max = fmax(max, u);
    }
    /* Five standard deviations of the mean and of the mean square. */
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
    assert_true(min < 1e-3 && max > 1 - 1e-3);
}

static void normal_numbers_have_the_moments_of_the_normal_distribution(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct clg__random random = clg__random_start(2, 0);
    double sum = 0, squares = 0, fourth = 0;
    int beyond_two = 0;
    for (int i = 0; i < N; i++) {
        double z = (double)clg__random_normal(&random);
        assert_true(isfinite(z));
        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
        beyond_two += fabs(z) > 2;
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(fourth / N - 3) < 5 * sqrt(96.0 / N));
    assert_true(fabs((double)beyond_two / N - 0.0455) < 5 * sqrt(0.0455 / N));
}

static void bounded_integers_are_uniform_and_in_range(void **state)
{
    (void)state;
    enum { N = 60000 };
    struct clg__random random = clg__random_start(3, 0);
    int counts[6] = {0};
    for (int i = 0; i < N; i++) {
        uint32_t k = clg__random_below(&random, 6);
        assert_true(k < 6);
        counts[k]++;
    }
    for (int k = 0; k < 6; k++)
        assert_true(abs(counts[k] - N / 6) < 5 * sqrt(N * 5.0 / 36));
    assert_int_equal(clg__random_below(&random, 1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(clg__random_below(&random, 0xc0000000u) < 0xc0000000u);
}

static void streams_and_seeds_differ(void **state)
{
    (void)state;
    struct clg__random a = clg__random_start(1, 0), b = clg__random_start(1, 1);
    struct clg__random c = clg__random_start(1ULL << 32, 0), d = clg__random_start(1, 0);
    uint32_t first = clg__random_word(&a);
    assert_int_not_equal(first, clg__random_word(&b));
    assert_int_not_equal(first, clg__random_word(&c));
    assert_int_equal(first, clg__random_word(&d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_come_out),
        cmocka_unit_test(a_sequence_is_the_blocks_of_its_counter_word_by_word),
        cmocka_unit_test(uniform_numbers_fill_the_unit_interval),
        cmocka_unit_test(normal_numbers_have_the_moments_of_the_normal_distribution),
        cmocka_unit_test(bounded_integers_are_uniform_and_in_range),
        cmocka_unit_test(streams_and_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
