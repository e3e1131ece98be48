/*
 * Convolution for CPU-like devices and results of few channels: vectors of 16 pixels of a row, in
 * tiles of KB result channels x VR rows x VC vectors, whose sums stay in registers while the taps
 * come as scalars. Serves the gradient of the input too, each phase of the stride as a dense
 * convolution of its own.
 * One work-item is one group and makes some rows of one image. Chunk by chunk of input channels it
 * brings the input to local memory as [channel][row][column phase of the step][column], with zeros
 * where there is padding, and the filter as [tap][KB]. A table has each tap's place in the input.
 * The sums rest in `sums` [channel][phase][row][column] between chunks, and before rows that are no
 * plain vectors (other layouts, several phases) are written.
 */
#include "common.clh"
#include "conv2d_rows.clh"

#ifndef KB
#define KB 6
#define VR 2
#define VC 2
#endif

/* Floats from one vector of a row to the next; two may overlap, so that both are whole. */
#if VC == 2
#define APART(t) (t)->apart
#else
#define APART(t) 16
#endif

#define UNROLL(n) __attribute__((opencl_unroll_hint(n)))

/* The taps of each pair of phases, [channel][tap][KB], one pair behind the other; zeros behind the
 * last result channel. */
NOINLINE void fetch_taps(__local float *to, __global const float *filter, int channels, int there,
                         const struct conv2d_rows_args *a)
{
    for (int phase = 0; phase < a->phases_h * a->phases_w; phase++) {
        const struct conv2d_phase v = a->rows[phase / a->phases_w];
        const struct conv2d_phase u = a->columns[phase % a->phases_w];
        for (int c = 0; c < channels; c++)
            for (int r = 0; r < v.taps; r++)
                for (int s = 0; s < u.taps; s++, to += KB) {
                    __global const float *from = filter + c * a->filter_c +
                                                 (v.first_tap + r * v.tap_step) * a->filter_r +
                                                 u.first_tap + s * u.tap_step;
                    for (int k = 0; k < KB; k++)
                        to[k] = k < there ? from[k * a->filter_k] : 0.0f;
                }
    }
}

/* A tile's place in local memory. */
struct tile {
    int channel_floats, row_floats; /* of input from one channel or output row to the next */
    int taps;                       /* of the pair of phases; those that meet the image: */
    int first_tap, end_tap;
    int sums_channel, sums_row;     /* floats of `sums` from one channel or row to the next */
    int apart;                      /* columns from one of two vectors to the other */
};

/* Where a tile's results go when they need no rest in `sums`. */
struct target {
    int there, rows, columns; /* channels, rows and columns that exist */
    int channel, row;         /* elements from one to the next */
    int has_bias, relu, accumulate;
};

float16 finish(float16 value, int relu)
{
    return relu ? (value < 0.0f ? 0.0f : value) : value; /* a NaN stays one */
}

/* Stores what exists of a tile. */
NOINLINE void store_some(__global float *y, __global const float *bias, const float16 *sums,
                         const struct tile *t, const struct target *to)
{
    for (int k = 0; k < min(KB, to->there); k++) {
        const float b = to->has_bias ? bias[k] : 0.0f;
        for (int r = 0; r < min(VR, to->rows); r++)
            for (int v = 0; v < VC; v++)
                store_mostly(y + k * to->channel + r * to->row + v * APART(t),
                             finish(sums[(k * VR + r) * VC + v] + b, to->relu),
                             to->columns - v * APART(t), to->accumulate);
    }
}

/* Adds `channels` input channels to a tile's sums. */
void make_tile(__local float *sums, __global float *y, __global const float *bias,
               __local const float *patch, __local const float *taps, __local const int *places,
               int channels, int begin, int direct, const struct tile *t, const struct target *to)
{
    float16 sum[KB][VR][VC];
    UNROLL(KB) for (int k = 0; k < KB; k++)
        UNROLL(VR) for (int r = 0; r < VR; r++)
            UNROLL(VC) for (int v = 0; v < VC; v++)
                sum[k][r][v] =
                    begin ? (float16)(0.0f)
                          : vload16(0, sums + k * t->sums_channel + r * t->sums_row +
                                       v * APART(t));
    for (int c = 0; c < channels; c++) {
        __local const float *filter = taps + (c * t->taps + t->first_tap) * KB;
        __local const float *from = patch + c * t->channel_floats;
        for (int tap = t->first_tap; tap < t->end_tap; tap++, filter += KB) {
            __local const float *at = from + places[tap];
#if KB <= VR * VC
            float16 w[KB];
            UNROLL(KB) for (int k = 0; k < KB; k++)
                w[k] = filter[k];
            UNROLL(VR) for (int r = 0; r < VR; r++)
                UNROLL(VC) for (int v = 0; v < VC; v++) {
                    const float16 x = vload16(0, at + r * t->row_floats + v * APART(t));
                    UNROLL(KB) for (int k = 0; k < KB; k++)
                        sum[k][r][v] = fma(w[k], x, sum[k][r][v]);
                }
#else
            float16 x[VR][VC];
            UNROLL(VR) for (int r = 0; r < VR; r++)
                UNROLL(VC) for (int v = 0; v < VC; v++)
                    x[r][v] = vload16(0, at + r * t->row_floats + v * APART(t));
            UNROLL(KB) for (int k = 0; k < KB; k++)
                UNROLL(VR) for (int r = 0; r < VR; r++)
                    UNROLL(VC) for (int v = 0; v < VC; v++)
                        sum[k][r][v] = fma((float16)(filter[k]), x[r][v], sum[k][r][v]);
#endif
        }
    }
    if (!direct) {
        UNROLL(KB) for (int k = 0; k < KB; k++)
            UNROLL(VR) for (int r = 0; r < VR; r++)
                UNROLL(VC) for (int v = 0; v < VC; v++)
                    store_local_16(sums + k * t->sums_channel + r * t->sums_row + v * APART(t),
                                   sum[k][r][v]);
        return;
    }
    const int whole = to->there >= KB && to->rows >= VR && !to->accumulate &&
                      to->columns >= (VC - 1) * APART(t) + 16;
    if (whole) {
        UNROLL(KB) for (int k = 0; k < KB; k++) {
            const float b = to->has_bias ? bias[k] : 0.0f;
            UNROLL(VR) for (int r = 0; r < VR; r++)
                UNROLL(VC) for (int v = 0; v < VC; v++)
                    store_16(y + k * to->channel + r * to->row + v * APART(t),
                             finish(sum[k][r][v] + b, to->relu));
        }
        return;
    }
    float16 kept[KB * VR * VC];
    UNROLL(KB) for (int k = 0; k < KB; k++)
        UNROLL(VR) for (int r = 0; r < VR; r++)
            UNROLL(VC) for (int v = 0; v < VC; v++)
                kept[(k * VR + r) * VC + v] = sum[k][r][v];
    store_some(y, bias, kept, t, to);
}

/* One row of one result channel from its phases' sums, `apart` floats one behind the other. */
NOINLINE void write_row(__global float *y, __local const float *sums, int apart, float b,
                        int accumulate, const struct conv2d_rows_args *a)
{
    const int step = a->phases_w * a->out_w;
    for (int phase = 0; phase < a->phases_w; phase++, sums += apart, y += a->out_w) {
        const struct conv2d_phase u = a->columns[phase];
        const int count = u.outputs;
        int i = 0;
        if (step == 1)
            for (; i < count; i += 16)
                store_mostly(y + i, finish(vload16(0, sums + i) + b, a->relu), count - i,
                            accumulate);
        for (; i < count; i++) {
            const float value = sums[i] + b, kept = a->relu && value < 0.0f ? 0.0f : value;
            y[i * step] = accumulate ? y[i * step] + kept : kept;
        }
    }
}

/* One row of up to 4 channels side by side; `channel`: floats of `sums` from one to the next. */
void write_pixels(__global float *y, __global const float *bias, __local const float *sums,
                  __local float *scratch, int channel, int apart, int channels, int has_bias,
                  int accumulate, const struct conv2d_rows_args *a)
{
    const int step = a->phases_w * a->out_w, relu = a->relu;
    float b[4];
    UNROLL_4 for (int c = 0; c < 4; c++)
        b[c] = has_bias && c < channels ? bias[c] : 0.0f;
    for (int phase = 0; phase < a->phases_w; phase++, sums += apart, y += a->out_w) {
        const struct conv2d_phase u = a->columns[phase];
        const int count = u.outputs;
        for (int i = 0; i < count; i += 16) {
            float16 planes[4];
            UNROLL_4 for (int c = 0; c < 4; c++)
                planes[c] = c < channels
                                ? finish(vload16(0, sums + c * channel + i) + b[c], relu)
                                : 0.0f;
            store_pixels(y + i * step, planes, scratch, channels, count - i, step, accumulate);
        }
    }
}

/* The rows of a group. */
NOINLINE void write_rows(__global float *y, __global const float *bias, __local const float *sums,
                         __local float *scratch, int first_row, int has_bias, int accumulate,
                         const struct conv2d_rows_args *a)
{
    const int apart = a->group_rows * a->width; /* of two phases */
    const int channel = a->phases_h * a->phases_w * apart;
    const int at_once = a->out_k == 1 && a->k > 1 ? 4 : 1;
    for (int k = 0; k < a->k; k += at_once) {
        for (int phase = 0; phase < a->phases_h; phase++) {
            const struct conv2d_phase v = a->rows[phase];
            const int rows = min(a->group_rows, v.outputs - first_row);
            for (int r = 0; r < rows; r++) {
                __global float *row =
                    y + k * a->out_k + ((first_row + r) * a->phases_h + phase) * a->out_h;
                __local const float *from =
                    sums + k * channel + phase * a->phases_w * apart + r * a->width;
                if (at_once > 1)
                    write_pixels(row, bias + k, from, scratch, channel, apart, min(a->k - k, 4),
                                 has_bias, accumulate, a);
                else
                    write_row(row, from, apart, has_bias ? bias[k] : 0.0f, accumulate, a);
            }
        }
    }
}

/* All tiles of one pair of phases for KB result channels. */
void make_phase(__local float *sums, __global float *y, __global const float *bias,
                __local const float *patch, __local const float *taps, __local const int *places,
                int channels, int begin, int direct, int first_row, const struct target *whole,
                const struct conv2d_phase *v, const struct conv2d_phase *u,
                const struct conv2d_rows_args *a)
{
    struct tile tile;
    struct target target = *whole;
    tile.row_floats = a->step_h * a->step_w * a->pitch;
    tile.channel_floats = a->patch_rows * a->step_w * a->pitch;
    tile.taps = v->taps * u->taps;
    tile.sums_row = a->width;
    tile.sums_channel = a->phases_h * a->phases_w * a->group_rows * a->width;
    /* What is added to must not be stored twice. */
    tile.apart = u->outputs > 16 && u->outputs < 32 && !target.accumulate ? u->outputs - 16 : 16;
    const int rows = min(a->group_rows, v->outputs - first_row);
    for (int r = 0; r < rows; r += VR) {
        /* The input rows of tap row 0, for the first and the last row of the tile. */
        const int top = v->first_in + (first_row + r) * a->step_h;
        const int bottom = top + (min(VR, rows - r) - 1) * a->step_h;
        const int first = bottom < 0 ? (-bottom + v->in_step - 1) / v->in_step : 0;
        const int end = a->h > top ? (a->h - 1 - top) / v->in_step + 1 : 0;
        tile.first_tap = min(first, v->taps) * u->taps;
        tile.end_tap = min(end, v->taps) * u->taps;
        target.rows = rows - r;
        for (int column = 0; column < u->outputs; column += 16 * VC) {
            target.columns = u->outputs - column;
            make_tile(sums + r * a->width + column, y + r * target.row + column, bias,
                      patch + r * tile.row_floats + column, taps, places, channels, begin, direct,
                      &tile, &target);
        }
    }
}

/* All tiles of some input channels for KB result channels; `taps` are theirs. */
NOINLINE void make_block(__local float *sums, __global float *y, __global const float *bias,
                         __local const float *patch, __local const float *taps,
                         __local const int *places, int channels, int begin, int first_row,
                         const struct target *target, const struct conv2d_rows_args *a)
{
    const int direct = a->chunk >= a->c && a->out_w == 1 && a->phases_h * a->phases_w == 1;
    for (int phase = 0; phase < a->phases_h * a->phases_w; phase++) {
        const struct conv2d_phase v = a->rows[phase / a->phases_w];
        const struct conv2d_phase u = a->columns[phase % a->phases_w];
        make_phase(sums + phase * a->group_rows * a->width, y, bias, patch, taps, places, channels,
                   begin, direct, first_row, target, &v, &u, a);
        taps += channels * v.taps * u.taps * KB;
        places += v.taps * u.taps;
    }
}

/* The rows from `first_row` on of the images [first_n, end_n). */
NOINLINE void make_images(__global float *y, __global const float *x, __global const float *filter,
                          __global const float *bias, __local float *patch, __local float *taps,
                          __local int *places, __local float *sums, int first_row, int first_n,
                          int end_n, int has_bias, int accumulate,
                          const struct conv2d_rows_args *a)
{
    const int direct = a->chunk >= a->c && a->out_w == 1 && a->phases_h * a->phases_w == 1;
    const int channel_floats = a->phases_h * a->phases_w * a->group_rows * a->width;
    const int kept = a->kept_floats > 0; /* a block's filter stays for all images */
    for (int i = 0; i < a->patch_floats; i += 16) /* padding has the same place in each chunk */
        store_local_16(patch + i, 0.0f);
    make_places(places, a);
    for (int k = 0; kept && k < a->k; k += KB)
        fetch_taps(taps + k / KB * a->kept_floats, filter + k * a->filter_k, a->c, a->k - k, a);
    for (int n = first_n; n < end_n; n++) {
        __global float *out = y + n * a->out_n;
        for (int c = 0; c < a->c; c += a->chunk) {
            const int channels = min(a->chunk, a->c - c);
            fetch_channels(patch, x, n, c, channels, a->first_h + first_row * a->step_h, a);
            for (int k = 0; k < a->k; k += KB) {
                const struct target target = {a->k - k, 0,        0,       a->out_k,
                                              a->out_h, has_bias, a->relu, accumulate};
                __local float *filters = taps + k / KB * a->kept_floats;
                if (!kept)
                    fetch_taps(filters, filter + k * a->filter_k + c * a->filter_c, channels,
                               a->k - k, a);
                make_block(sums + k * channel_floats, out + k * a->out_k + first_row * a->out_h,
                           bias + k, patch, filters, places, channels, c == 0, first_row, &target,
                           a);
            }
        }
        if (!direct)
            write_rows(out, bias, sums, patch + a->patch_floats, first_row, has_bias, accumulate,
                       a);
    }
}

__kernel void conv2d_rows(OUT(float, y), IN(float, x), IN(float, filter), IN(float, bias),
                          const struct conv2d_rows_args a, const int has_bias,
                          const int accumulate, __local float *patch, __local float *taps,
                          __local int *places, __local float *sums)
{
    const int first_n = get_group_id(1) * a.images;
    make_images(AT(y), AT(x), AT(filter), AT(bias), patch, taps, places, sums,
                get_group_id(0) * a.group_rows, first_n, min(first_n + a.images, a.n), has_bias,
                accumulate, &a);
}
