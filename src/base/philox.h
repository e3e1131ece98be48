/*
 * Random numbers that are a pure function of their position: Philox 4x32-10 (Salmon et al. 2011,
 * "Parallel random numbers: as easy as 1, 2, 3"), the same as kernels_cl/philox.clh computes.
 */
#ifndef CLG_BASE_PHILOX_H
#define CLG_BASE_PHILOX_H

#include <stdint.h>

struct clg__philox_block {
    uint32_t word[4];
};

/* Four random words. The key's low half is the cipher's first key word. */
struct clg__philox_block clg__philox(uint64_t key, struct clg__philox_block counter);

/*
 * A sequence of them for the host: initial weights, the order of samples. Sequences of different
 * (seed, stream) are independent, also of the dropout masks of the same seed: their counter is
 * (position, stream, 2^32 - 1, 2^32 - 1), with a step that no training reaches.
 */
struct clg__random {
    uint64_t seed;
    uint32_t stream;
    uint32_t position; /* of the next block */
    int left;          /* words of the current block not used yet, its last ones */
    struct clg__philox_block block;
};

struct clg__random clg__random_start(uint64_t seed, uint32_t stream);

uint32_t clg__random_word(struct clg__random *random);
/* Uniform in [0, 1), a multiple of 2^-24: every value is a float. */
float clg__random_uniform(struct clg__random *random);
/* Normal with mean 0 and variance 1, by the method of Box and Muller (1958), from two words. */
float clg__random_normal(struct clg__random *random);
/* Uniform in [0, n), n at least 1, without bias (Lemire 2019). */
uint32_t clg__random_below(struct clg__random *random, uint32_t n);

#endif
