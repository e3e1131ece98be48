#include "ref/random.h"

uint64_t ref_random_bits(struct ref_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

double ref_random_uniform(struct ref_random *random)
{
    int64_t step = (int64_t)(ref_random_bits(random) >> 40); /* [0, 2^24) */
    return (double)(step - 8388608) / 8388608.0;
}

int64_t ref_random_integer(struct ref_random *random, int64_t m)
{
    uint64_t choices = 2 * (uint64_t)m + 1;
    return (int64_t)(ref_random_bits(random) % choices) - m;
}

void ref_random_fill_uniform(struct ref_random *random, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = ref_random_uniform(random);
}

void ref_random_fill_uniform_float(struct ref_random *random, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)ref_random_uniform(random);
}

void ref_random_fill_integers(struct ref_random *random, int64_t m, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)ref_random_integer(random, m);
}

void ref_random_fill_integers_float(struct ref_random *random, int64_t m, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)ref_random_integer(random, m);
}
