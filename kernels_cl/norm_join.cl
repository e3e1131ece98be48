/*
 * Normalisation between its passes over the data: joins the partial results of the tiles, set by
 * set, and makes the tables of statistics and coefficients that the next pass reads.
 * A group of LANES items a set, item i takes the partial results i, i + LANES, ... in runs of RUN,
 * so that rounding errors stay small; parameter gradients and evaluation: one item a channel.
 * Local memory: LANES float2.
 */
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"

#define RUN 64

/* Number j of the set's partial results. */
size_t partial_at(const uint j, const int set, const struct norm_join s)
{
    const int image = set / s.groups;
    const uint chunk = s.width == 1 ? j : j / s.width; /* division is slow */
    return ((size_t)image * s.chunks + chunk) * s.channels + (set - image * s.groups) * s.width +
           (j - chunk * s.width);
}

/* For each j below `count` that belongs to this item, in runs: `total` becomes the sum of what
 * `body` adds to `run`. */
#define SUM_IN_RUNS(j, count, total, run, body)                                                    \
    for (uint first = LANE; first < count; first += LANES * RUN) {                                 \
        const uint last = min(count - first, (uint)(LANES * RUN)) + first;                         \
        float2 run = 0.0f;                                                                         \
        for (uint j = first; j < last; j += LANES)                                                 \
            body;                                                                                  \
        total += run;                                                                              \
    }

/*
 * Mean and variance of a set from the sums of its parts (Chan, Golub and LeVeque 1979, all parts at
 * once): first the mean, then the squares around it. Writes the set's column of `saved`, the
 * coefficients that norm_*_apply reads, and updates the running statistics.
 */
TILE_KERNEL void norm_join_moments(OUT(float, saved), OUT(float, coefficients), IN(float, partial),
                                   IN(float, gamma), IN(float, beta), OUT(float, running_mean),
                                   OUT(float, running_var), const struct norm_join s)
{
    __local float2 scratch[LANES];
    const int set = TILE;
    const uint parts = (uint)s.chunks * s.width;
    __global const float *count = AT(partial) + PART_COUNT * (size_t)s.partials;
    __global const float *shift = AT(partial) + PART_SHIFT * (size_t)s.partials;
    __global const float *sum = AT(partial) + PART_SUM * (size_t)s.partials;
    __global const float *squares = AT(partial) + PART_SQUARES * (size_t)s.partials;
    const size_t start = partial_at(0, set, s);
    const float near = shift[start] + sum[start] / count[start];
    float2 total = 0.0f;
    SUM_IN_RUNS(j, parts, total, run, {
        const size_t at = partial_at(j, set, s);
        run.x += count[at] * (shift[at] - near) + sum[at];
    })
    const float offset = tile_sum(total, 1, scratch).x / s.count;
    total = 0.0f;
    SUM_IN_RUNS(j, parts, total, run, {
        const size_t at = partial_at(j, set, s);
        const float average = sum[at] / count[at];
        const float around_mean = squares[at] - sum[at] * average;
        const float apart = ((shift[at] - near) + average) - offset;
        run.x += (around_mean < 0.0f ? 0.0f : around_mean) + count[at] * apart * apart;
    })
    const float var = tile_sum(total, 1, scratch).x / s.count;
    const float2 mean = two_sum(near, offset);
    const float rstd = 1.0f / sqrt(var + s.eps);

    if (LANE == 0) {
        AT(saved)[set] = mean.x;
        AT(saved)[(size_t)s.sets + set] = mean.y;
        AT(saved)[2 * (size_t)s.sets + set] = rstd;
        if (running_mean_object)
            AT(running_mean)[set] =
                (1.0f - s.momentum) * AT(running_mean)[set] + s.momentum * mean.x;
        if (running_var_object)
            AT(running_var)[set] =
                (1.0f - s.momentum) * AT(running_var)[set] + s.momentum * (var * s.unbias);
    }
    const size_t row = (size_t)s.sets * s.entries;
    for (int i = LANE; i < s.entries; i += LANES) {
        const int entry = set * s.entries + i;
        __global float *to = AT(coefficients) + entry;
        const int c = entry % s.gamma_count;
        to[0] = mean.x;
        to[row] = mean.y;
        to[2 * row] = gamma_object ? AT(gamma)[c] * rstd : rstd;
        to[3 * row] = beta_object ? AT(beta)[c] : 0.0f;
    }
}

/*
 * The coefficients that norm_*_gradient reads, from the sums of dy and dy xhat, to which gamma
 * comes here (to layer norm's sums it has come already; there `gamma` is NULL). For batch norm,
 * whose sets are channels, also dbeta, dgamma (+)= those sums.
 */
TILE_KERNEL void norm_join_sums(OUT(float, coefficients), OUT(float, dgamma), OUT(float, dbeta),
                                IN(float, partial), IN(float, saved), IN(float, gamma),
                                IN(float, beta), const struct norm_join s, const int accumulate)
{
    __local float2 scratch[LANES];
    const int set = TILE;
    const uint parts = (uint)s.chunks * s.width;
    const int first_channel = set % s.groups * s.width;
    float2 total = 0.0f;
    SUM_IN_RUNS(j, parts, total, run, {
        const size_t at = partial_at(j, set, s);
        const float2 part = (float2)(AT(partial)[at], AT(partial)[(size_t)s.partials + at]);
        run += gamma_object && s.width > 1 ? part * AT(gamma)[first_channel + j % s.width] : part;
    })
    total = tile_sum(total, 1, scratch);
    if (LANE == 0 && dbeta_object)
        AT(dbeta)[set] = accumulate ? AT(dbeta)[set] + total.x : total.x;
    if (LANE == 0 && dgamma_object)
        AT(dgamma)[set] = accumulate ? AT(dgamma)[set] + total.y : total.y;
    if (gamma_object && s.width == 1)
        total *= AT(gamma)[first_channel];
    const float2 average = total / s.count;
    const float rstd = AT(saved)[2 * (size_t)s.sets + set];
    const size_t row = (size_t)s.sets * s.entries;
    for (int i = LANE; i < s.entries; i += LANES) {
        const int entry = set * s.entries + i;
        __global float *to = AT(coefficients) + entry;
        to[0] = AT(saved)[set];
        to[row] = AT(saved)[(size_t)s.sets + set];
        to[2 * row] = gamma_object ? AT(gamma)[entry % s.gamma_count] * rstd : rstd;
        to[3 * row] = -rstd * rstd * average.y;
        to[4 * row] = -rstd * average.x;
        to[5 * row] = beta_object ? AT(beta)[entry % s.gamma_count] : 0.0f;
    }
}

/* dbeta, dgamma (+)= the sums of dy and dy xhat over all parts of a channel. */
__kernel void norm_parameter_gradients(OUT(float, dgamma), OUT(float, dbeta), IN(float, partial),
                                       const int channels, const int parts, const int accumulate)
{
    const int c = get_global_id(0);
    if (c >= channels)
        return;
    const size_t row = (size_t)channels * parts;
    float2 total = 0.0f;
    for (int first = 0; first < parts; first += RUN) {
        const int run_length = min(parts - first, RUN);
        float2 run = 0.0f;
        for (int i = 0; i < run_length; i++) {
            const size_t at = (size_t)(first + i) * channels + c;
            run += (float2)(AT(partial)[at], AT(partial)[row + at]);
        }
        total += run;
    }
    if (dbeta_object)
        AT(dbeta)[c] = accumulate ? AT(dbeta)[c] + total.x : total.x;
    if (dgamma_object)
        AT(dgamma)[c] = accumulate ? AT(dgamma)[c] + total.y : total.y;
}

/* The rows of `saved` with one entry a channel instead of one a set of `entries` channels. */
__kernel void norm_spread(OUT(float, spread), IN(float, saved), const int sets, const int entries)
{
    const uint i = get_global_id(0);
    const size_t row = (size_t)sets * entries;
    if (i >= row)
        return;
    for (int k = 0; k < 3; k++)
        AT(spread)[k * row + i] = AT(saved)[(size_t)k * sets + i / entries];
}

/* Evaluation: the running statistics as rows of `saved`, and coefficients. */
__kernel void norm_evaluation(OUT(float, saved), OUT(float, coefficients), IN(float, running_mean),
                              IN(float, running_var), IN(float, gamma), IN(float, beta),
                              const int channels, const float eps, const int use)
{
    const int c = get_global_id(0);
    if (c >= channels)
        return;
    const float mean = AT(running_mean)[c];
    const float rstd = 1.0f / sqrt(AT(running_var)[c] + eps);
    const size_t row = channels;
    __global float *statistics = AT(saved) + c, *to = AT(coefficients) + c;
    statistics[0] = mean;
    statistics[row] = 0.0f;
    statistics[2 * row] = rstd;
    const float beta_or_0 = beta_object ? AT(beta)[c] : 0.0f;
    to[0] = use == NORM_FOR_SLOPE ? 0.0f : mean;
    to[row] = 0.0f;
    to[2 * row] = gamma_object ? AT(gamma)[c] * rstd : rstd;
    to[3 * row] = use == NORM_FOR_Y ? beta_or_0 : 0.0f;
    to[4 * row] = 0.0f;
    to[5 * row] = beta_or_0;
}
