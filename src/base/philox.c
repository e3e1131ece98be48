#include "base/philox.h"

#include <math.h>

enum { ROUNDS = 10 };

struct clg__philox_block clg__philox(uint64_t key, struct clg__philox_block counter)
{
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    uint32_t *word = counter.word;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t product0 = (uint64_t)word[0] * UINT32_C(0xD2511F53);
        uint64_t product1 = (uint64_t)word[2] * UINT32_C(0xCD9E8D57);
        word[0] = (uint32_t)(product1 >> 32) ^ word[1] ^ key0;
        word[1] = (uint32_t)product1;
        word[2] = (uint32_t)(product0 >> 32) ^ word[3] ^ key1;
        word[3] = (uint32_t)product0;
        key0 += UINT32_C(0x9E3779B9);
        key1 += UINT32_C(0xBB67AE85);
    }
    return counter;
}

struct clg__random clg__random_start(uint64_t seed, uint32_t stream)
{
    return (struct clg__random){.seed = seed, .stream = stream};
}

uint32_t clg__random_word(struct clg__random *random)
{
    if (random->left == 0) {
        struct clg__philox_block counter = {
            {random->position++, random->stream, UINT32_MAX, UINT32_MAX}};
        random->block = clg__philox(random->seed, counter);
        random->left = 4;
    }
    return random->block.word[4 - random->left--];
}

float clg__random_uniform(struct clg__random *random)
{
    return (float)(clg__random_word(random) >> 8) * 0x1p-24f;
}

float clg__random_normal(struct clg__random *random)
{
    const double two_pi = 6.283185307179586;
    double radius = ((double)clg__random_word(random) + 1) * 0x1p-32; /* in (0, 1] */
    double angle = (double)clg__random_word(random) * 0x1p-32 * two_pi;
    return (float)(sqrt(-2 * log(radius)) * cos(angle));
}

uint32_t clg__random_below(struct clg__random *random, uint32_t n)
{
    uint64_t product = (uint64_t)clg__random_word(random) * n;
    uint32_t unfair = (uint32_t)-n % n; /* 2^32 mod n: that many words would come up too often */
    while ((uint32_t)product < unfair)
        product = (uint64_t)clg__random_word(random) * n;
    return (uint32_t)(product >> 32);
}
