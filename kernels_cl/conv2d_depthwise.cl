/*
 * Depthwise convolution for CPU-like devices, channels last, and its input gradient: a vector has
 * 16 channels, PX outputs of a row stay in registers. One work-item is one group: some rows of one
 * image, PX columns and `chunk` channels at a time, down all rows. TAPS > 0: dense windows of TAPS
 * columns, STEP apart; each input loaded serves all outputs that it meets. TAPS 0: any window. With
 * KEEP, rows needed again stay in local memory, [row][16 channels][column], for inputs whose
 * pixels fall on each other in the cache. The last channels and columns are moved left to end with
 * the row, padding reads the zeros behind the packed filter, [r][s][c]. At least 16 channels.
 */
#include "common.clh"
#include "conv2d_depthwise_args.clh"
#include "conv2d_phase.clh"
#include "lanes.clh"
#include "prefetch.clh"

#ifndef PX
#define PX 14
#endif
#ifndef TAPS
#define TAPS 3
#endif
#ifndef STEP
#define STEP 1
#endif

#ifndef KEEP
#define KEEP 1
#endif

#define MAX_R 7
#define COLUMNS ((PX - 1) * STEP + TAPS)
#define UNROLL(count) __attribute__((opencl_unroll_hint(count)))

/* PX outputs of one row, all with the same taps. */
struct tile {
    struct conv2d_phase h, w;
    int step;               /* input columns from one output to the next */
    int row, column;        /* of the input, of the first tap; */
    int first_r, end_r;     /* the taps whose rows exist */
    int skip, count;        /* outputs skip to count - 1 are stored */
    int fresh;              /* rows below it that are needed again lie in local memory, */
    int slot;               /* row first_r in this place of r */
    __global const float *in;
    __global float *out;    /* output 0 */
    int out_step;           /* floats to the next one */
    int stream;             /* nothing reads them soon */
    __global const float *next; /* the last row's pixels of input that the next output row needs */
    int next_rows;              /* and how many rows of them there are */
};

/* Channels c to c + 15, of which the first `skip` have been stored before. */
INLINE void store_tile(const struct tile *t, float16 *sums, int c, int skip, int relu,
                       int accumulate)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __global float *out = t->out + c;
    if (relu)
        UNROLL(PX) for (int i = 0; i < PX; i++)
            sums[i] = sums[i] < 0.0f ? 0.0f : sums[i]; /* a NaN stays one */
    if (t->skip == 0 && t->count == PX && skip == 0 && !accumulate) {
        if (t->stream) {
            UNROLL(PX) for (int i = 0; i < PX; i++)
                stream_16(out + i * t->out_step, sums[i]);
        } else {
            UNROLL(PX) for (int i = 0; i < PX; i++)
                store_16(out + i * t->out_step, sums[i]);
        }
        return;
    }
    UNROLL(PX) for (int i = 0; i < PX; i++) {
        float16 value = sums[i];
        __global float *to = out + i * t->out_step;
        if (i >= t->skip && i < t->count) {
            if (accumulate)
                value += load_16(to);
            if (skip)
                value = select(load_16(to), value, lanes >= skip);
            store_16(to, value);
        }
    }
}

#if TAPS > 0
/* Where the columns of the rows lie that are not in local memory yet; zeros outside of a row. */
INLINE void find_columns(__global const float **columns, const struct tile *t,
                         __global const float *zeros, const struct conv2d_depthwise_args *a)
{
    for (int r = max(t->first_r, t->fresh - t->row); r < t->end_r; r++) {
        __global const float *row = t->in + (t->row + r) * a->in_w * a->c;
        for (int j = 0; j < COLUMNS; j++) {
            const int column = t->column + j;
            const int inside = column >= 0 && column < a->in_w;
            columns[r * COLUMNS + j] = inside ? row + column * a->c : zeros;
        }
    }
}

/* Adds input column j of one row, which is tap j - i * STEP of output i. */
INLINE void add_column(float16 *sums, float16 x, int j, const float16 *taps)
{
    UNROLL(TAPS) for (int s = 0; s < TAPS; s++) {
        const int i = (j - s) / STEP;
        if (j >= s && (j - s) % STEP == 0 && i < PX)
            sums[i] = fma(x, taps[s], sums[i]);
    }
}

/* Adds what the taps of all rows give to the sums of channels c to c + 15, which are number `block`
 * in local memory. */
INLINE void add_rows(float16 *sums, const struct tile *t, __global const float *const *columns,
                     __local float16 *cached, int block, int blocks, __global const float *filter,
                     int c, const struct conv2d_depthwise_args *a)
{
    int slot = t->slot;
    for (int r = t->first_r; r < t->end_r; r++) {
        __global const float *row_taps =
            filter + ((t->h.first_tap + r * t->h.tap_step) * a->s + t->w.first_tap) * a->c + c;
        float16 taps[TAPS];
        UNROLL(TAPS) for (int s = 0; s < TAPS; s++)
            taps[s] = load_16(row_taps + s * t->w.tap_step * a->c);
        __local float16 *row = cached + (slot * blocks + block) * COLUMNS;
        if (t->row + r < t->fresh) {
            UNROLL(COLUMNS) for (int j = 0; j < COLUMNS; j++)
                add_column(sums, row[j], j, taps);
        } else {
            UNROLL(COLUMNS) for (int j = 0; j < COLUMNS; j++) {
                const float16 x = load_16(columns[r * COLUMNS + j] + c);
                if (KEEP)
                    row[j] = x;
                add_column(sums, x, j, taps);
            }
        }
        slot = slot + 1 < a->r ? slot + 1 : 0;
    }
}
#else
INLINE void add_rows(float16 *sums, const struct tile *t, __global const float *filter, int c,
                     const struct conv2d_depthwise_args *a)
{
    const int step = t->step * a->c;
    for (int r = t->first_r; r < t->end_r; r++) {
        __global const float *in = t->in + (t->row + r * t->h.in_step) * a->in_w * a->c + c;
        __global const float *taps =
            filter + ((t->h.first_tap + r * t->h.tap_step) * a->s + t->w.first_tap) * a->c + c;
        for (int s = 0; s < t->w.taps; s++) {
            const float16 tap = load_16(taps + s * t->w.tap_step * a->c);
            const int first = t->column + s * t->w.in_step, last = first + (PX - 1) * t->step;
            __global const float *from = in + first * a->c;
            if (first >= 0 && last < a->in_w) {
                UNROLL(PX) for (int i = 0; i < PX; i++)
                    sums[i] = fma(load_16(from + i * step), tap, sums[i]);
            } else {
                UNROLL(PX) for (int i = 0; i < PX; i++) {
                    const int column = first + i * t->step;
                    if (column >= 0 && column < a->in_w)
                        sums[i] = fma(load_16(from + i * step), tap, sums[i]);
                }
            }
        }
    }
}
#endif

/* One tile for the channels from `first` to `end`. */
INLINE void make_tile(const struct tile *t, __local float16 *cached, __global const float *filter,
                      __global const float *b, int has_bias, int first, int end, int accumulate,
                      const struct conv2d_depthwise_args *a)
{
#if TAPS > 0
    const int blocks = (a->chunk + 15) / 16;
    __global const float *columns[MAX_R * COLUMNS];
    find_columns(columns, t, filter + a->r * a->s * a->c, a);
#endif
    for (int done = first; done < end; done += 16) {
        const int c = min(done, a->c - 16);
        float16 sums[PX];
        const float16 start = has_bias ? load_16(b + c) : (float16)(0.0f);
        UNROLL(PX) for (int i = 0; i < PX; i++)
            sums[i] = start;
#if TAPS > 0
        add_rows(sums, t, columns, cached, (done - first) / 16, blocks, filter, c, a);
#else
        add_rows(sums, t, filter, c, a);
#endif
        for (int r = 0; r < t->next_rows; r++)
            UNROLL(PX * STEP) for (int i = 0; i < PX * STEP; i++)
                PREFETCH(t->next + (i - r * a->in_w) * a->c + c);
        store_tile(t, sums, c, done - c, a->relu, accumulate);
    }
}

/* The phase of output `at` of an axis; forward there is one. */
struct conv2d_phase phase_of(int gradient, int at, int size, int taps, int pad, int dilation,
                             int stride)
{
    if (gradient)
        return conv2d_phase_of(at % stride, size, taps, pad, dilation, stride);
    const struct conv2d_phase all = {size, taps, 0, 1, -pad, dilation};
    return all;
}

/* The input that the next output row needs and this one does not. */
void find_next(struct tile *t, const struct conv2d_depthwise_args *a)
{
    const int rows = a->gradient ? 1 : a->stride_h;
    const int row = t->row + (t->h.taps - 1) * t->h.in_step + rows;
    const int first = max(t->column, 0);
    const int inside = row >= 0 && row < a->in_h && first + PX * STEP <= a->in_w;
    t->next = t->in + (row * a->in_w + first) * a->c;
    t->next_rows = inside ? min(rows, row + 1) : 0;
}

/* The taps of one output row whose input rows exist. */
void find_rows(struct tile *t, int row, const struct conv2d_depthwise_args *a)
{
    t->h = phase_of(a->gradient, row, a->out_h, a->r, a->pad_top, a->dilation_h, a->stride_h);
    t->row = t->h.first_in + (a->gradient ? row / a->stride_h : row * a->stride_h);
    t->first_r = 0;
    t->end_r = t->w.taps > 0 ? t->h.taps : 0;
    while (t->first_r < t->end_r && t->row + t->first_r * t->h.in_step < 0)
        t->first_r++;
    while (t->end_r > t->first_r && t->row + (t->end_r - 1) * t->h.in_step >= a->in_h)
        t->end_r--;
    t->slot = (t->row + t->first_r) % a->r;
}

/* PX outputs of phase `phase` from number `done` on, in all rows and channels. */
void make_column(struct tile *t, __global float *image, int phase, int done, int first_row,
                 __local float16 *cached, __global const float *filter, __global const float *b,
                 int has_bias, int accumulate, const struct conv2d_depthwise_args *a)
{
    const int phases = a->gradient ? a->stride_w : 1;
    const int i = t->w.outputs >= PX ? min(done, t->w.outputs - PX) : 0;
    const int end_row = min(first_row + a->rows, a->out_h);
    t->column = t->w.first_in + i * t->step;
    t->skip = done - i;
    t->count = min(PX, t->w.outputs - i);
    t->out_step = phases * a->c;
    for (int c = 0; c < a->c; c += a->chunk) {
        t->fresh = 0;
        for (int row = first_row; row < end_row; row++) {
            find_rows(t, row, a);
            find_next(t, a);
            t->out = image + (row * a->out_w + phase + i * phases) * a->c;
            make_tile(t, cached, filter, b, has_bias, c, min(c + a->chunk, a->c), accumulate, a);
            t->fresh = KEEP ? t->row + t->end_r : 0;
        }
    }
}

__kernel void conv2d_depthwise(OUT(float, y), IN(float, x), IN(float, filter), IN(float, b),
                               const struct conv2d_depthwise_args a, const int has_bias,
                               const int accumulate, __local float16 *cached)
{
    const int n = get_group_id(1), first_row = get_group_id(0) * a.rows;
    const int phases = a.gradient ? a.stride_w : 1;
    __global float *image = AT(y) + n * a.out_h * a.out_w * a.c;
    struct tile t;
    t.in = AT(x) + n * a.in_h * a.in_w * a.c;
    t.step = a.gradient ? 1 : a.stride_w;
    t.stream = a.stream && (size_t)image % 64 == 0;
    for (int done = 0; done * phases < a.out_w; done += PX) {
        for (int phase = 0; phase < phases; phase++) {
            t.w = phase_of(a.gradient, phase, a.out_w, a.s, a.pad_left, a.dilation_w, a.stride_w);
            if (done < t.w.outputs)
                make_column(&t, image, phase, done, first_row, cached, AT(filter), AT(b),
                            has_bias, accumulate, &a);
        }
    }
}

/* The filter as [r][s][c], and c zeros behind it; an item a channel. */
__kernel void conv2d_depthwise_pack(OUT(float, packed), IN(float, w), const int c, const int taps)
{
    const int channel = get_global_id(0);
    if (channel >= c)
        return;
    for (int tap = 0; tap < taps; tap++)
        AT(packed)[tap * c + channel] = AT(w)[channel * taps + tap];
    AT(packed)[taps * c + channel] = 0.0f;
}
