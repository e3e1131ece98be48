/*
 * Filter and bias gradient of a depthwise convolution for CPU-like devices, channels last: sums of
 * TR x TS taps for 16 channels, a vector each, stay in registers along `pass` rows of dy.
 * One work-item is one group and has a slice of the rows and `chunk` channels, whose sums, [tap]
 * [chunk], are in local memory. Taps that have no row there read another one and are not stored.
 * STEP > 0: tiles of PX dense windows, STEP columns apart; a column of x is loaded once.
 * conv2d_depthwise_filter_join adds the slices in order. At least 16 channels; the last vector is
 * moved left to end with them.
 */
#include "common.clh"
#include "conv2d_depthwise_filter_args.clh"
#include "lanes.clh"
#include "prefetch.clh"

#ifndef TR
#define TR 3
#endif
#ifndef TS
#define TS 3
#endif

#ifndef STEP
#define STEP 1
#endif

#define PX (TR * TS > 16 ? 2 : 4)
#define COLUMNS ((PX - 1) * STEP + TS)
#define UNROLL(count) __attribute__((opencl_unroll_hint(count)))
#define EACH_ROW(i) __attribute__((opencl_unroll_hint(TR))) for (int i = 0; i < TR; i++)
#define EACH_COLUMN(j) __attribute__((opencl_unroll_hint(TS))) for (int j = 0; j < TS; j++)

/* The first of the outputs from `least` to `most` whose column is 0 or more, where output 0's is
 * -first. */
int first_inside(int first, int stride, int least, int most)
{
    return clamp(first > 0 ? (first + stride - 1) / stride : 0, least, most);
}

/* Where the rows of x lie that meet row p of dy, those outside moved inside; as bits, which of them
 * exist. */
INLINE int find_rows(__global const float **rows, __global const float *x, int p, int r0,
                     const struct conv2d_depthwise_filter_args *a)
{
    int there = 0;
    EACH_ROW(i) {
        const int row = p * a->stride_h - a->pad_top + (r0 + i) * a->dilation_h;
        rows[i] = x + (clamp(row, 0, a->h - 1) * a->w - a->pad_left) * a->c;
        if (r0 + i < a->r && row >= 0 && row < a->h)
            there |= 1 << i;
    }
    return there;
}

/* What the next pass reads, which is fetched meanwhile: vectors of 16 channels come from memory in
 * large steps, which no processor foresees. */
struct ahead {
    __global const float *x, *dy;
};

#if STEP > 0
INLINE void fetch_ahead(struct ahead *ahead, const struct conv2d_depthwise_filter_args *a)
{
    const int lines = PX * a->stride_w * a->stride_h;
    for (int i = 0; i < lines; i++)
        PREFETCH(ahead->x + 16 * i);
    UNROLL(PX) for (int i = 0; i < PX; i++) PREFETCH(ahead->dy + 16 * i);
    ahead->x += 16 * lines;
    ahead->dy += 16 * PX;
}

/* Adds PX pixels from q on. edge: some of their columns may be padding, which adds nothing. */
INLINE void add_tile(float16 part[TR][TS], float16 *bias, __global const float *const *rows,
                     __global const float *dy, int first, int q, const int edge,
                     const struct conv2d_depthwise_filter_args *a)
{
    const int column = q * a->stride_w + first;
    float16 d[PX];
    UNROLL(PX) for (int u = 0; u < PX; u++) {
        d[u] = load_16(dy + (q + u) * a->c);
        *bias += d[u];
    }
    UNROLL(COLUMNS) for (int k = 0; k < COLUMNS; k++) {
        const int from = column + k;
        if (!edge || (from >= a->pad_left && from < a->pad_left + a->w))
            EACH_ROW(i) {
                const float16 value = load_16(rows[i] + from * a->c);
                EACH_COLUMN(j) {
                    const int u = (k - j) / STEP;
                    if (k >= j && (k - j) % STEP == 0 && u < PX)
                        part[i][j] = fma(value, d[u], part[i][j]);
                }
            }
    }
}
#endif

/* Adds whole tiles from pixel 0 on, or pixels from `left` to `right`, none of whose columns is
 * padding. Returns where it ended. */
INLINE int add_inside(float16 part[TR][TS], float16 *bias, __global const float *const *rows,
                      __global const float *dy, const int *offsets, int left, int right,
                      struct ahead *ahead, const struct conv2d_depthwise_filter_args *a)
{
#if STEP > 0
    int q = 0;
    for (; q + PX <= a->q; q += PX) {
        fetch_ahead(ahead, a);
        if (q >= left && q + PX <= right)
            add_tile(part, bias, rows, dy, offsets[0], q, 0, a);
        else
            add_tile(part, bias, rows, dy, offsets[0], q, 1, a);
    }
#else
    const int step = a->stride_w * a->c;
    __global const float *from[TR];
    int q = left;
    EACH_ROW(i) from[i] = rows[i] + q * step;
    for (; q < right; q++) {
        const float16 d = load_16(dy + q * a->c);
        *bias += d;
        EACH_ROW(i) {
            EACH_COLUMN(j)
                part[i][j] = fma(load_16(from[i] + offsets[j] * a->c), d, part[i][j]);
            from[i] += step;
        }
    }
#endif
    return q;
}

/* Adds pixels, some of whose columns may be padding. */
INLINE void add_border(float16 part[TR][TS], float16 *bias, __global const float *const *rows,
                       __global const float *dy, const int *offsets, int q, int end,
                       const struct conv2d_depthwise_filter_args *a)
{
    for (; q < end; q++) {
        const float16 d = load_16(dy + q * a->c);
        *bias += d;
        EACH_COLUMN(j) {
            const int column = q * a->stride_w + offsets[j];
            if (column >= a->pad_left && column < a->pad_left + a->w)
                EACH_ROW(i)
                    part[i][j] = fma(load_16(rows[i] + column * a->c), d, part[i][j]);
        }
    }
}

/* Adds rows of dy, of all images, to the sums of the taps from (r0, s0) on. */
void add_rows(__local float16 *sums, __global const float *x, __global const float *dy, int row,
              int end_row, int r0, int s0, struct ahead *ahead,
              const struct conv2d_depthwise_filter_args *a)
{
    int offsets[TS];
    EACH_COLUMN(j) offsets[j] = min(s0 + j, a->s - 1) * a->dilation_w;
    const int left = first_inside(a->pad_left - offsets[0], a->stride_w, 0, a->q);
    const int right = first_inside(a->w + a->pad_left - offsets[TS - 1], a->stride_w, left, a->q);
    while (row < end_row) {
        float16 part[TR][TS], bias = 0.0f;
        __global const float *rows[TR];
        EACH_ROW(i) EACH_COLUMN(j) part[i][j] = 0.0f;
        /* As long as the same rows are there, sums stay in registers. */
        const int there = find_rows(rows, x, row % a->p, r0, a);
        int now = there;
        do {
            const int n = row / a->p;
            now = find_rows(rows, x + n * a->h * a->w * a->c, row - n * a->p, r0, a);
            if (now == there) {
                __global const float *line = dy + row * a->q * a->c;
                if (STEP == 0)
                    add_border(part, &bias, rows, line, offsets, 0, left, a);
                const int q = add_inside(part, &bias, rows, line, offsets, left, right, ahead, a);
                add_border(part, &bias, rows, line, offsets, q, a->q, a);
                row++;
            }
        } while (now == there && row < end_row);
        EACH_ROW(i)
            if (there & 1 << i)
                EACH_COLUMN(j)
                    if (s0 + j < a->s)
                        sums[((r0 + i) * a->s + s0 + j) * (a->chunk / 16)] += part[i][j];
        if (r0 == 0 && s0 == 0)
            sums[a->r * a->s * (a->chunk / 16)] += bias;
    }
}

/* `partial`: [slice][tap, then the bias][c] */
__kernel void conv2d_depthwise_filter(OUT(float, partial), IN(float, x), IN(float, dy),
                                      const struct conv2d_depthwise_filter_args a,
                                      __local float16 *sums)
{
    const int taps = a.r * a.s, slice = get_group_id(0), first_c = get_group_id(1) * a.chunk;
    const int end_c = min(first_c + a.chunk, a.c);
    const int first_row = slice * a.rows, end_row = min(first_row + a.rows, a.n * a.p);
    for (int i = 0; i < (taps + 1) * (a.chunk / 16); i++)
        sums[i] = 0.0f;
    for (int row = first_row; row < end_row; row += a.pass) {
        const int end = min(row + a.pass, end_row), n = end / a.p;
        struct ahead ahead = {
            AT(x) + (n * a.h + (end - n * a.p) * a.stride_h) * a.w * a.c + first_c,
            AT(dy) + end * a.q * a.c + first_c};
        for (int done = first_c; done < end_c; done += 16) {
            const int c = min(done, a.c - 16);
            for (int r = 0; r < a.r; r += TR)
                for (int s = 0; s < a.s; s += TS)
                    add_rows(sums + (done - first_c) / 16, AT(x) + c, AT(dy) + c, row, end, r, s,
                             &ahead, &a);
        }
    }
    __global float *to = AT(partial) + slice * (taps + 1) * a.c;
    for (int tap = 0; tap <= taps; tap++)
        for (int done = first_c; done < end_c; done += 16) {
            const int c = min(done, a.c - 16);
            const float16 sum = sums[(tap * a.chunk + done - first_c) / 16];
            if (c == done)
                store_16(to + tap * a.c + c, sum);
            else /* the others are another vector's */
                for (int i = done - c; i < 16; i++)
                    to[tap * a.c + c + i] = ((const float *)&sum)[i];
        }
}

/* Sums over the slices; an item has one channel, the bias is the tap behind the last. */
__kernel void conv2d_depthwise_filter_join(OUT(float, dw), OUT(float, db), IN(float, partial),
                                           const int c, const int taps, const int slices,
                                           const int wants_bias, const int accumulate)
{
    const int channel = get_global_id(0);
    if (channel >= c)
        return;
    for (int tap = 0; tap < taps + wants_bias; tap++) {
        float sum = 0.0f;
        for (int slice = 0; slice < slices; slice++)
            sum += AT(partial)[(slice * (taps + 1) + tap) * c + channel];
        __global float *to = tap == taps ? AT(db) + channel : AT(dw) + channel * taps + tap;
        *to = accumulate ? *to + sum : sum;
    }
}
