/*
 * The sums of norm_columns.cl on CPU-like devices, one work-item a tile, in vectors of 16. Pixels
 * of few channels come several to a row (s.repeat), so that a row is whole vectors; s.rest elements
 * behind the rows are added one by one. The last vector of other rows overlaps the one before it.
 * A tile is gone through in groups of rows that stay in the first cache, four vectors of them at a
 * time in registers. No local memory.
 */
#include "common.clh"
#include "norm_columns_cpu.clh"

/* The vectors of a part of a row, at most; those that are summed together; the elements of a group
 * of rows. */
enum { MOST_VECTORS = 32, SIDE = 4, GROUP = 4096 };

/* Loops over vectors unroll: their count is a literal once functions are inlined. */
#define EACH(v, count) __attribute__((opencl_unroll_hint(4))) for (int v = 0; v < count; v++)

/* Where vector v of a row begins. */
int offset_of(const int v, const int channels)
{
    return channels < VEC ? 0 : min(v * VEC, channels - VEC);
}

/* Of `count` columns that are `repeat` pixels: sums of the pixels, and copies of the first one. */
void fold(float *columns, const int count, const int repeat)
{
    const int channels = count / repeat;
    for (int i = 1; i < repeat; i++)
        for (int c = 0; c < channels; c++)
            columns[c] += columns[i * channels + c];
}

void spread(float *columns, const int count, const int repeat)
{
    const int channels = count / repeat;
    for (int i = channels; i < count; i++)
        columns[i] = columns[i - channels];
}

/* A row of a table for the tile's vectors. */
void read_columns(vec *columns, __global const float *table, const struct column_tile t,
                  const int repeat)
{
    if (repeat > 1) {
        for (int c = 0; c < t.channels / repeat; c++)
            ((float *)columns)[c] = table[c];
        spread((float *)columns, t.channels, repeat);
        return;
    }
    for (int v = 0; v * VEC < t.channels; v++)
        columns[v] = load_mostly(table + offset_of(v, t.channels), t.channels);
}

/* Writes a row of partial results, one a channel, without what the last vector holds twice. */
void write_columns(__global float *row, vec *columns, const struct column_tile t, const int repeat)
{
    float *values = (float *)columns;
    const int whole = t.channels / VEC * VEC;
    if (t.channels > VEC)
        for (int c = whole; c < t.channels; c++)
            values[c] = values[c + VEC - (t.channels - whole)];
    for (int c = 0; c < t.channels / repeat; c++)
        row[c] = values[c];
}

/* A vector; single ones may reach over the end of the tensor. */
INLINE vec load_inside(__global const float *x, const int at, const int end, const int vectors)
{
    return vectors == 1 ? load_mostly(x + at, end - at) : LOAD(x + at);
}

/* How many rows of a group there are from row `first` on. */
int rows_of_group(const struct column_tile t, const int first)
{
    return min(max(1, GROUP / t.channels), t.rows - first);
}

struct column_moments {
    vec shift[MOST_VECTORS], sum[MOST_VECTORS], squares[MOST_VECTORS];
};

/* The shift: the mean of some rows, or of the first pixel where there are no whole rows. */
void sample_rows(vec *shift, __global const float *x, const struct column_tile t,
                 const struct norm_columns s)
{
    float *columns = (float *)shift;
    if (t.rows == 0) {
        for (int c = 0; c < t.channels / s.repeat; c++)
            columns[c] = x[t.start + c];
        spread(columns, t.channels, s.repeat);
        return;
    }
    const int sample = clamp(t.rows / 4, 1, max(1, SAMPLE / s.repeat));
    for (int v = 0; v * VEC < t.channels; v++) {
        const int at = t.start + offset_of(v, t.channels);
        vec sum = 0.0f;
        for (int r = 0; r < sample; r++)
            sum += load_mostly(x + at + r * s.channels, t.end - at - r * s.channels);
        shift[v] = sum;
    }
    if (s.repeat > 1) {
        fold(columns, t.channels, s.repeat);
        spread(columns, t.channels, s.repeat);
    }
    for (int v = 0; v * VEC < t.channels; v++)
        shift[v] /= (float)(sample * s.repeat);
}

/* Adds `vectors` vectors of some rows, from x[at] on. */
INLINE void moments_of(struct column_moments *to, const int v, __global const float *x, int at,
                       const int rows, const int step, const int end, const int vectors)
{
    vec shift[SIDE], sum[SIDE], squares[SIDE];
    EACH(i, vectors) shift[i] = to->shift[v + i];
    EACH(i, vectors) sum[i] = squares[i] = 0.0f;
    for (int r = 0; r < rows; r++, at += step)
        EACH(i, vectors)
        {
            const vec d = load_inside(x, at + i * VEC, end, vectors) - shift[i];
            sum[i] += d;
            squares[i] += d * d;
        }
    EACH(i, vectors) to->sum[v + i] += sum[i];
    EACH(i, vectors) to->squares[v + i] += squares[i];
}

NOINLINE void add_moments(struct column_moments *to, __global const float *x,
                          const struct column_tile t, const int step)
{
    for (int first = 0, rows; first < t.rows; first += rows) {
        rows = rows_of_group(t, first);
        const int at = t.start + first * step;
        int v = 0;
        for (; (v + SIDE) * VEC <= t.channels; v += SIDE)
            moments_of(to, v, x, at + v * VEC, rows, step, t.end, SIDE);
        for (; v * VEC < t.channels; v++)
            moments_of(to, v, x, at + offset_of(v, t.channels), rows, step, t.end, 1);
    }
    for (int c = 0; c < t.rest; c++) {
        const float d = x[t.start + t.rows * step + c] - ((float *)to->shift)[c];
        ((float *)to->sum)[c] += d;
        ((float *)to->squares)[c] += d * d;
    }
}

TILE_KERNEL void norm_column_moments(OUT(float, partial), IN(float, x),
                                     const struct norm_columns s)
{
    const struct column_tile t = column_tile(TILE, s);
    struct column_moments moments;
    sample_rows(moments.shift, AT(x), t, s);
    for (int v = 0; v * VEC < t.channels; v++)
        moments.sum[v] = moments.squares[v] = 0.0f;
    add_moments(&moments, AT(x), t, s.channels);

    const int channels = s.channels / s.repeat;
    __global float *part = AT(partial) + t.chunk * channels + t.channel;
    for (int c = 0; c < t.channels / s.repeat; c++)
        part[PART_COUNT * (size_t)s.partials + c] =
            (float)(t.rows * s.repeat + t.rest / channels);
    fold((float *)moments.sum, t.channels, s.repeat);
    fold((float *)moments.squares, t.channels, s.repeat);
    write_columns(part + PART_SHIFT * (size_t)s.partials, moments.shift, t, s.repeat);
    write_columns(part + PART_SUM * (size_t)s.partials, moments.sum, t, s.repeat);
    write_columns(part + PART_SQUARES * (size_t)s.partials, moments.squares, t, s.repeat);
}

/* What the sums of a tile read and make. */
struct column_sums {
    vec mean[MOST_VECTORS], mean_rest[MOST_VECTORS], scale[MOST_VECTORS], shift[MOST_VECTORS];
    vec sum[MOST_VECTORS], products[MOST_VECTORS];
    __global const float *dy, *x, *y, *by_row; /* by_row: the statistics of the tile's first row */
    __global float *dz;
    int row; /* of the statistics */
};

/* What y = fma(d, scale, shift), or y[at], lets through of dy[at]. */
INLINE vec let_through(const struct column_sums *from, const int at, const int end, const vec d,
                       const vec scale, const vec shift, const int mask, const int vectors)
{
    const vec g = load_inside(from->dy, at, end, vectors);
    if (mask == NORM_MASK_BY_X)
        return MASK(vec, fma(d, scale, shift), g);
    if (mask == NORM_MASK_NONE)
        return g;
    const vec through = MASK(vec, load_inside(from->y, at, end, vectors), g);
    if (from->dz && vectors == 1)
        store_mostly(from->dz + at, through, end - at, 0);
    else if (from->dz)
        STORE(through, from->dz + at);
    return through;
}

/* x - mean; in layer norm times rstd, where they belong to row r of the tile. */
INLINE vec centred(const struct column_sums *from, const vec x, const vec mean,
                   const vec mean_rest, const int r, const int by_row)
{
    if (!by_row)
        return (x - mean) - mean_rest;
    return ((x - from->by_row[r]) - from->by_row[from->row + r]) *
           from->by_row[2 * (size_t)from->row + r];
}

INLINE void sums_of(struct column_sums *to, const int v, int at, const int first, const int rows,
                    const int step, const int end, const int mask, const int by_row,
                    const int vectors)
{
    const struct column_sums *from = to;
    vec mean[SIDE], mean_rest[SIDE], scale[SIDE], shift[SIDE], sum[SIDE], products[SIDE];
    EACH(i, vectors) mean[i] = from->mean[v + i];
    EACH(i, vectors) mean_rest[i] = from->mean_rest[v + i];
    EACH(i, vectors) scale[i] = from->scale[v + i];
    EACH(i, vectors) shift[i] = from->shift[v + i];
    EACH(i, vectors) sum[i] = products[i] = 0.0f;
    for (int r = first; r < first + rows; r++, at += step)
        EACH(i, vectors)
        {
            const int here = at + i * VEC;
            const vec d = centred(from, load_inside(from->x, here, end, vectors), mean[i],
                                  mean_rest[i], r, by_row);
            const vec g = let_through(from, here, end, d, scale[i], shift[i], mask, vectors);
            sum[i] += g;
            products[i] += g * d;
        }
    EACH(i, vectors) to->sum[v + i] += sum[i];
    EACH(i, vectors) to->products[v + i] += products[i];
}

/* The elements behind the last row. */
void sums_of_rest(struct column_sums *to, const struct column_tile t, const int step,
                  const int mask)
{
    const float *mean = (const float *)to->mean, *mean_rest = (const float *)to->mean_rest;
    const float *scale = (const float *)to->scale, *shift = (const float *)to->shift;
    for (int c = 0; c < t.rest; c++) {
        const int at = t.start + t.rows * step + c;
        const float d = (to->x[at] - mean[c]) - mean_rest[c];
        float g = to->dy[at];
        if (mask == NORM_MASK_BY_X)
            g = MASK(float, fma(d, scale[c], shift[c]), g);
        else if (mask == NORM_MASK_BY_Y)
            g = MASK(float, to->y[at], g);
        if (mask == NORM_MASK_BY_Y && to->dz)
            to->dz[at] = g;
        ((float *)to->sum)[c] += g;
        ((float *)to->products)[c] += g * d;
    }
}

INLINE void add_sums(struct column_sums *to, const struct column_tile t, const int step,
                     const int mask, const int by_row)
{
    for (int first = 0, rows; first < t.rows; first += rows) {
        rows = rows_of_group(t, first);
        const int at = t.start + first * step;
        int v = 0;
        for (; (v + SIDE) * VEC <= t.channels; v += SIDE)
            sums_of(to, v, at + v * VEC, first, rows, step, t.end, mask, by_row, SIDE);
        for (; v * VEC < t.channels; v++)
            sums_of(to, v, at + offset_of(v, t.channels), first, rows, step, t.end, mask, by_row,
                    1);
    }
    if (!by_row)
        sums_of_rest(to, t, step, mask);
}

NOINLINE void add_all(struct column_sums *to, const struct column_tile t, const int step)
{
    add_sums(to, t, step, NORM_MASK_NONE, 0);
}

NOINLINE void add_masked_by_x(struct column_sums *to, const struct column_tile t, const int step)
{
    add_sums(to, t, step, NORM_MASK_BY_X, 0);
}

NOINLINE void add_masked_by_y(struct column_sums *to, const struct column_tile t, const int step)
{
    add_sums(to, t, step, NORM_MASK_BY_Y, 0);
}

NOINLINE void add_by_row(struct column_sums *to, const struct column_tile t, const int step)
{
    add_sums(to, t, step, NORM_MASK_NONE, 1);
}

/* The coefficients that y is computed again from, and the sums, which are 0. */
void start_sums(struct column_sums *to, __global const float *statistics,
                __global const float *gamma, __global const float *beta,
                const struct column_tile t, const struct norm_columns s)
{
    read_columns(to->mean, statistics, t, s.repeat);
    read_columns(to->mean_rest, statistics + s.row, t, s.repeat);
    read_columns(to->scale, statistics + 2 * (size_t)s.row, t, s.repeat);
    if (gamma)
        read_columns(to->sum, gamma + t.channel, t, s.repeat);
    if (beta)
        read_columns(to->shift, beta + t.channel, t, s.repeat);
    for (int v = 0; v * VEC < t.channels; v++) {
        to->scale[v] = gamma ? to->scale[v] * to->sum[v] : to->scale[v];
        to->shift[v] = beta ? to->shift[v] : (vec)0.0f;
    }
}

/* Partial sums of dy and dy xhat, as norm_columns.cl says. */
TILE_KERNEL void norm_column_sums(OUT(float, partial), IN(float, dy), IN(float, x),
                                  IN(float, saved), IN(float, gamma), IN(float, beta),
                                  IN(float, y), OUT(float, dz), const struct norm_columns s)
{
    const struct column_tile t = column_tile(TILE, s);
    const int channels = s.channels / s.repeat;
    __global const float *statistics = AT(saved) + t.image * s.image_step + t.channel;
    struct column_sums sums;
    sums.dy = AT(dy), sums.x = AT(x), sums.y = AT(y);
    sums.dz = dz_object ? AT(dz) : 0;
    sums.by_row = AT(saved) + t.row, sums.row = s.row;
    if (!s.statistics_by_row)
        start_sums(&sums, statistics, gamma_object ? AT(gamma) : 0, beta_object ? AT(beta) : 0, t,
                   s);
    for (int v = 0; v * VEC < t.channels; v++)
        sums.sum[v] = sums.products[v] = 0.0f;
    if (s.statistics_by_row)
        add_by_row(&sums, t, s.channels);
    else if (s.mask == NORM_MASK_BY_X)
        add_masked_by_x(&sums, t, s.channels);
    else if (s.mask == NORM_MASK_BY_Y)
        add_masked_by_y(&sums, t, s.channels);
    else
        add_all(&sums, t, s.channels);

    __global float *part = AT(partial) + t.chunk * channels + t.channel;
    fold((float *)sums.sum, t.channels, s.repeat);
    fold((float *)sums.products, t.channels, s.repeat);
    write_columns(part, sums.sum, t, s.repeat);
    write_columns(part + s.partials, sums.products, t, s.repeat);
    if (!s.statistics_by_row)
        for (int c = 0; c < t.channels / s.repeat; c++)
            part[s.partials + c] *= statistics[2 * (size_t)s.row + c];
}
