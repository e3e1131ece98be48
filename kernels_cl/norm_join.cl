/*
 * Normalisation between its passes over the data: joins the partial results of the tiles, set by
 * set, and makes the tables of statistics and coefficients that the next pass reads.
 * A group of LANES items a set, item i takes the partial results i, i + LANES, ... in runs of RUN,
 * so that rounding errors stay small. Or, with VEC 16 and LANES 1, an item takes 16 sets, which are
 * neighbouring channels (s.width 1, one image). Parameter gradients and evaluation: one item a
 * channel. Local memory: LANES float2.
 */
#include "common.clh"
#include "norm_args.clh"
#include "norm.clh"
#include "lanes.clh"

#define RUN 64

/* `left` values of neighbouring sets. */
vec load_sets(__global const float *from, const int left)
{
#if VEC == 16
    return load_mostly(from, left);
#else
    return LOAD(from);
#endif
}

void store_sets(const vec value, __global float *to, const int left)
{
#if VEC == 16
    store_mostly(to, value, left, 0);
#else
    STORE(value, to);
#endif
}

/* Number j of the set's partial results. */
size_t partial_at(const uint j, const int set, const struct norm_join s)
{
    const int image = set / s.groups;
    const uint chunk = s.width == 1 ? j : j / s.width; /* division is slow */
    return ((size_t)image * s.chunks + chunk) * s.channels + (set - image * s.groups) * s.width +
           (j - chunk * s.width);
}

/* The sum over the items of the group. */
vec over_items(const vec value, __local float2 *scratch)
{
#if VEC == 1
    return tile_sum((float2)(value, 0.0f), 1, scratch).x;
#else
    return value;
#endif
}

/* For each j below `count` that belongs to this item, in runs: `total` becomes the sum of what
 * `body` adds to `run`. */
#define SUM_IN_RUNS(j, count, total, run, body)                                                    \
    for (uint first = LANE; first < count; first += LANES * RUN) {                                 \
        const uint last = min(count - first, (uint)(LANES * RUN)) + first;                         \
        vec run = 0.0f;                                                                            \
        for (uint j = first; j < last; j += LANES)                                                 \
            body;                                                                                  \
        total += run;                                                                              \
    }

/* A step of a running statistic. */
void move_towards(__global float *running, const vec value, const float momentum, const int left)
{
    store_sets((1.0f - momentum) * load_sets(running, left) + momentum * value, running, left);
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
    const int set = TILE * VEC, left = s.sets - set;
    const uint parts = (uint)s.chunks * s.width;
    __global const float *count = AT(partial) + PART_COUNT * (size_t)s.partials;
    __global const float *shift = AT(partial) + PART_SHIFT * (size_t)s.partials;
    __global const float *sum = AT(partial) + PART_SUM * (size_t)s.partials;
    __global const float *squares = AT(partial) + PART_SQUARES * (size_t)s.partials;
    const size_t start = partial_at(0, set, s);
    const vec near = load_sets(shift + start, left) +
                     load_sets(sum + start, left) / load_sets(count + start, left);
    vec total = 0.0f;
    SUM_IN_RUNS(j, parts, total, run, {
        const size_t at = partial_at(j, set, s);
        run += load_sets(count + at, left) * (load_sets(shift + at, left) - near) +
               load_sets(sum + at, left);
    })
    const vec offset = over_items(total, scratch) / s.count;
    total = 0.0f;
    SUM_IN_RUNS(j, parts, total, run, {
        const size_t at = partial_at(j, set, s);
        const vec sum_of_part = load_sets(sum + at, left);
        const vec count_of_part = load_sets(count + at, left);
        const vec average = sum_of_part / count_of_part;
        const vec around_mean = load_sets(squares + at, left) - sum_of_part * average;
        const vec apart = ((load_sets(shift + at, left) - near) + average) - offset;
        run += (around_mean < 0.0f ? (vec)0.0f : around_mean) + count_of_part * apart * apart;
    })
    const vec var = over_items(total, scratch) / s.count;
    const vec mean = near + offset; /* and what rounding it loses */
    const vec back = mean - near;
    const vec mean_rest = (near - (mean - back)) + (offset - back);
    const vec rstd = 1.0f / sqrt(var + s.eps);

    if (LANE == 0) {
        store_sets(mean, AT(saved) + set, left);
        store_sets(mean_rest, AT(saved) + (size_t)s.sets + set, left);
        store_sets(rstd, AT(saved) + 2 * (size_t)s.sets + set, left);
        if (running_mean_object)
            move_towards(AT(running_mean) + set, mean, s.momentum, left);
        if (running_var_object)
            move_towards(AT(running_var) + set, var * s.unbias, s.momentum, left);
    }
    const size_t entries = (size_t)s.sets * s.entries, row = entries * s.copies;
    for (int i = LANE; i < s.entries * s.copies; i += LANES) {
        const int copy = i / s.entries, entry = set * s.entries + (i - copy * s.entries);
        __global float *to = AT(coefficients) + copy * entries + entry;
        const int c = entry % s.gamma_count;
        store_sets(mean, to, left);
        store_sets(mean_rest, to + row, left);
        store_sets(gamma_object ? load_sets(AT(gamma) + c, left) * rstd : rstd, to + 2 * row, left);
        store_sets(beta_object ? load_sets(AT(beta) + c, left) : (vec)0.0f, to + 3 * row, left);
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
    const int set = TILE * VEC, left = s.sets - set;
    const uint parts = (uint)s.chunks * s.width;
    const int first_channel = set % s.groups * s.width;
    __global const float *sums = AT(partial), *products = AT(partial) + s.partials;
    const bool weighted = gamma_object && s.width > 1;
    vec total = 0.0f, total_products = 0.0f;
    SUM_IN_RUNS(j, parts, total, run, {
        const float weight = weighted ? AT(gamma)[first_channel + j % s.width] : 1.0f;
        run += weight * load_sets(sums + partial_at(j, set, s), left);
    })
    SUM_IN_RUNS(j, parts, total_products, run, {
        const float weight = weighted ? AT(gamma)[first_channel + j % s.width] : 1.0f;
        run += weight * load_sets(products + partial_at(j, set, s), left);
    })
    total = over_items(total, scratch);
    total_products = over_items(total_products, scratch);
    __global float *to_beta = AT(dbeta) + set, *to_gamma = AT(dgamma) + set;
    if (LANE == 0 && dbeta_object)
        store_sets(accumulate ? load_sets(to_beta, left) + total : total, to_beta, left);
    if (LANE == 0 && dgamma_object)
        store_sets(accumulate ? load_sets(to_gamma, left) + total_products : total_products,
                   to_gamma, left);
    if (gamma_object && s.width == 1) {
        total *= load_sets(AT(gamma) + first_channel, left);
        total_products *= load_sets(AT(gamma) + first_channel, left);
    }
    const vec average = total / s.count, average_product = total_products / s.count;
    const vec mean = load_sets(AT(saved) + set, left);
    const vec mean_rest = load_sets(AT(saved) + (size_t)s.sets + set, left);
    const vec rstd = load_sets(AT(saved) + 2 * (size_t)s.sets + set, left);
    const size_t entries = (size_t)s.sets * s.entries, row = entries * s.copies;
    for (int i = LANE; i < s.entries * s.copies; i += LANES) {
        const int copy = i / s.entries, entry = set * s.entries + (i - copy * s.entries);
        __global float *to = AT(coefficients) + copy * entries + entry;
        const int c = entry % s.gamma_count;
        store_sets(mean, to, left);
        store_sets(mean_rest, to + row, left);
        store_sets(gamma_object ? load_sets(AT(gamma) + c, left) * rstd : rstd, to + 2 * row, left);
        store_sets(-rstd * rstd * average_product, to + 3 * row, left);
        store_sets(-rstd * average, to + 4 * row, left);
        store_sets(beta_object ? load_sets(AT(beta) + c, left) : (vec)0.0f, to + 5 * row, left);
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
                              const int channels, const int copies, const float eps,
                              const int use)
{
    const int c = get_global_id(0);
    if (c >= channels)
        return;
    const float mean = AT(running_mean)[c];
    const float rstd = 1.0f / sqrt(AT(running_var)[c] + eps);
    const size_t row = (size_t)channels * copies;
    __global float *statistics = AT(saved) + c, *to = AT(coefficients) + c;
    statistics[0] = mean;
    statistics[channels] = 0.0f;
    statistics[2 * (size_t)channels] = rstd;
    const float beta_or_0 = beta_object ? AT(beta)[c] : 0.0f;
    for (int copy = 0; copy < copies; copy++, to += channels) {
        to[0] = use == NORM_FOR_SLOPE ? 0.0f : mean;
        to[row] = 0.0f;
        to[2 * row] = gamma_object ? AT(gamma)[c] * rstd : rstd;
        to[3 * row] = use == NORM_FOR_Y ? beta_or_0 : 0.0f;
        to[4 * row] = 0.0f;
        to[5 * row] = beta_or_0;
    }
}
