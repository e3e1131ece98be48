/* A small deterministic generator for test data: splitmix64 (Steele, Lea and Flood, "Fast
 * splittable pseudorandom number generators", 2014). The same seed gives the same numbers on every
 * machine. */
#ifndef CLG_REF_RANDOM_H
#define CLG_REF_RANDOM_H

#include <stdint.h>

struct ref_random {
    uint64_t state; /* the seed, to begin with */
};

/* 64 random bits. */
uint64_t ref_random_bits(struct ref_random *random);

/* Uniform in [-1, 1), a multiple of 2^-23: exact in a float as well. */
double ref_random_uniform(struct ref_random *random);

/* A uniform integer in [-m, m], for m >= 0. */
int64_t ref_random_integer(struct ref_random *random, int64_t m);

/* n elements each. The float and the double version give the same values for the same state. */
void ref_random_fill_uniform(struct ref_random *random, double *x, int64_t n);
void ref_random_fill_uniform_float(struct ref_random *random, float *x, int64_t n);
void ref_random_fill_integers(struct ref_random *random, int64_t m, double *x, int64_t n);
void ref_random_fill_integers_float(struct ref_random *random, int64_t m, float *x, int64_t n);

#endif
