#include "support/norm_data.h"

#include "support/testing.h"

const char *norm_data_name(enum norm_data kind)
{
    static const char *const names[] = {"uniform", "large mean", "tiny", "outlier"};
    return names[kind];
}

double *norm_data_create(int64_t n, enum norm_data kind, uint64_t seed)
{
    static const struct {
        double mean, scale, first;
    } kinds[] = {{0, 1, 0}, {1e4, 1.7, 0}, {0, 1e-4, 0}, {0, 1, 300}};
    double *x = testing_uniform(n, seed);
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(float)(kinds[kind].mean + kinds[kind].scale * x[i]);
    if (kinds[kind].first != 0)
        x[0] = kinds[kind].first;
    return x;
}
