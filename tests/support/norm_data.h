/* Input data on which the statistics of a normalisation can go wrong. */
#ifndef CLG_TESTING_NORM_DATA_H
#define CLG_TESTING_NORM_DATA_H

#include <stdint.h>

enum norm_data {
    NORM_DATA_UNIFORM,    /* in [-1, 1) */
    NORM_DATA_LARGE_MEAN, /* mean 1e4, deviation 1: squares around zero would cancel */
    NORM_DATA_TINY,       /* variance far below eps */
    NORM_DATA_OUTLIER,    /* the very first value is far from all others */
    NORM_DATA_COUNT
};

const char *norm_data_name(enum norm_data kind);

/* n doubles that floats hold exactly; free() them. */
double *norm_data_create(int64_t n, enum norm_data kind, uint64_t seed);

#endif
