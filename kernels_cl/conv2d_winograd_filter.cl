/*
 * Winograd filter gradient for CPU-like devices, channels last, 3x3: the transpose of
 * conv2d_winograd. At each point, dw's transform is the sum over tiles of x's times dy's.
 * One work-item is one group and has some channels, some filters and a slice of the tiles. Stage by
 * stage of the points' rows it transforms `block` tiles to local memory, sums over them with CT
 * channels by KV vectors of filters in registers, and adds what that gives the 9 taps to its sums,
 * which stay in local memory, too. conv2d_winograd_join adds the slices in order.
 */
#include "common.clh"
#include "conv2d_winograd_filter_args.clh"
#include "taps.clh"
#include "winograd_window.clh"

#ifndef CT
#define CT 13
#endif
#ifndef KV
#define KV 2
#endif

/* One row of points of dy. */
void gradient_row(__local float16 *v, size_t plane, const float16 *t)
{
    v[0] = t[0];
    UNROLL(PAIRS) for (int k = 0; k < PAIRS; k++) {
        const float16 even = gradient_even(k, t), odd = gradient_odd(k, t);
        v[(2 * k + 1) * plane] = even + odd;
        v[(2 * k + 2) * plane] = even - odd;
    }
    v[(WINDOW - 1) * plane] = t[TILE - 1];
}

#define NAME gradient_of_image
#define FROM __global
#include "winograd_gradient.clh"

#define NAME gradient_of_patch
#define FROM __local
#include "winograd_gradient.clh"

/* m[i][j] = sum over tiles of x[tile x_step + i] d[tile][j]; rows below `skip` are there
 * already. */
void multiply(__local float16 *m, size_t m_row, int skip, __local const float *x, size_t x_step,
              __local const float16 *d, int tiles)
{
    float16 sums[CT][KV];
    UNROLL(CT) for (int i = 0; i < CT; i++)
        UNROLL(KV) for (int j = 0; j < KV; j++)
            sums[i][j] = 0.0f;
    for (int tile = 0; tile < tiles; tile++) {
        float16 g[KV];
        UNROLL(KV) for (int j = 0; j < KV; j++)
            g[j] = d[j];
        UNROLL(CT) for (int i = 0; i < CT; i++)
            UNROLL(KV) for (int j = 0; j < KV; j++)
                sums[i][j] = fma((float16)(x[i]), g[j], sums[i][j]);
        d += KV;
        x += x_step;
    }
    UNROLL(CT) for (int i = 0; i < CT; i++)
        if (i >= skip)
            UNROLL(KV) for (int j = 0; j < KV; j++)
                m[i * m_row + j] = sums[i][j];
}

/* Adds the points of one stage to the taps of one channel and 16 filters. */
void add_stage(__local float16 *taps, size_t tap, __local const float16 *m, size_t plane, int stage)
{
    const float outer = TILE == 2 ? 0.5f : stage == 1 ? -1.0f / 6 : 1.0f / 24;
    const float middle = TILE == 2 ? 0.5f : stage == 1 ? -1.0f / 6 : 1.0f / 12;
    const float last = TILE == 2 ? 0.5f : stage == 1 ? -1.0f / 6 : 1.0f / 6;
    float16 points[WINDOW], row[3], next[3];
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++)
        points[j] = m[j * plane];
    filter_sums(row, points);
    if (stage == 0) {
        UNROLL(3) for (int s = 0; s < 3; s++)
            taps[s * tap] += (TILE == 2 ? 1.0f : 0.25f) * row[s];
        return;
    }
    if (stage == LAST_STAGE) {
        UNROLL(3) for (int s = 0; s < 3; s++)
            taps[(6 + s) * tap] += row[s];
        return;
    }
    UNROLL(WINDOW) for (int j = 0; j < WINDOW; j++)
        points[j] = m[(WINDOW + j) * plane];
    filter_sums(next, points);
    UNROLL(3) for (int s = 0; s < 3; s++) {
        const float16 sum = row[s] + next[s], difference = row[s] - next[s];
        taps[s * tap] += outer * sum;
        taps[(3 + s) * tap] += middle * difference;
        taps[(6 + s) * tap] += last * sum;
    }
}

struct tiles {
    int first, count;
    int c, channels; /* of x: first one, how many */
    int k, vectors;  /* of dy: first filter, vectors of 16 */
};

/* x's transform of one stage, v[point][tile][channels]. */
void transform_input(__local float16 *v, size_t plane, __global const float *x,
                     const struct conv2d_winograd_filter_args *a, struct tiles t, int stage,
                     __local float16 *patch)
{
    for (int i = 0; i < t.count; i++) {
        const int tile = t.first + i, per_image = a->tiles_h * a->tiles_w;
        const int n = tile / per_image, in_image = tile % per_image;
        const int h0 = in_image / a->tiles_w * TILE - a->pad_top;
        const int w0 = in_image % a->tiles_w * TILE - a->pad_left;
        const int inside = h0 >= 0 && h0 + WINDOW <= a->h && w0 >= 0 && w0 + WINDOW <= a->w;
        __global const float *image = x + n * a->h * a->w * a->c;
        for (int c = t.c; c < t.c + t.channels; c += 16) {
            if (inside && c + 16 <= a->c) {
                input_of_image(v, plane, image + (h0 * a->w + w0) * a->c + c, a->w * a->c, a->c,
                               stage);
            } else {
                fetch_window(patch, WINDOW, stage, image + c, h0, w0, a->h, a->w, a->c, a->c - c);
                input_of_patch(v, plane, (__local const float *)patch, WINDOW * 16, 16, stage);
            }
            v++;
        }
    }
}

/* dy's, d[point][block of KV vectors][tile][KV]. */
void transform_gradient(__local float16 *d, size_t plane, __global const float *dy,
                        const struct conv2d_winograd_filter_args *a, struct tiles t, int stage,
                        __local float16 *patch)
{
    for (int i = 0; i < t.count; i++) {
        const int tile = t.first + i, per_image = a->tiles_h * a->tiles_w;
        const int n = tile / per_image, in_image = tile % per_image;
        const int p = in_image / a->tiles_w * TILE, q = in_image % a->tiles_w * TILE;
        const int inside = p + TILE <= a->p && q + TILE <= a->q;
        __global const float *image = dy + n * a->p * a->q * a->k;
        for (int j = 0; j < t.vectors; j++) {
            const int k = t.k + 16 * j;
            __local float16 *to = d + (j / KV * a->block + i) * KV + j % KV;
            if (inside && k + 16 <= a->k) {
                gradient_of_image(to, plane, image + (p * a->q + q) * a->k + k, a->q * a->k, a->k,
                                  stage);
            } else {
                fetch_window(patch, TILE, -1, image + k, p, q, a->p, a->q, a->k, a->k - k);
                gradient_of_patch(to, plane, (__local const float *)patch, TILE * 16, 16, stage);
            }
        }
    }
}

__kernel void conv2d_winograd_filter(OUT(float, partial), IN(float, x), IN(float, dy),
                                     const struct conv2d_winograd_filter_args a,
                                     __local float16 *v, __local float16 *d, __local float16 *m,
                                     __local float16 *taps, __local float16 *patch)
{
    const int slice = get_group_id(2);
    struct tiles t = {.c = get_group_id(0) * a.channels, .k = get_group_id(1) * a.vectors * 16};
    t.channels = min(a.channels, (a.c + 15) / 16 * 16 - t.c);
    t.vectors = min(a.vectors, (a.pitch - t.k) / 16);
    const int cell = t.channels / 16, v_plane = a.block * (a.channels / 16) + 1;
    const int d_plane = a.block * a.vectors + 1, m_plane = a.channels * a.vectors + 1;
    const int rows = min(t.channels, a.c - t.c), tap = a.channels * a.vectors;
    for (int i = 0; i < 9 * tap; i++)
        taps[i] = 0.0f;
    for (int block = 0; block < a.blocks_per_slice; block++) {
        t.first = (slice * a.blocks_per_slice + block) * a.block;
        t.count = min(a.block, a.tiles - t.first);
        for (int stage = 0; stage <= LAST_STAGE && t.count > 0; stage++) {
            transform_input(v, v_plane, AT(x), &a, t, stage, patch);
            transform_gradient(d, d_plane, AT(dy), &a, t, stage, patch);
            for (int point = 0; point < rows_of(stage) * WINDOW; point++)
                for (int j = 0; j < t.vectors; j += KV)
                    for (int done = 0; done < rows; done += CT) {
                        const int i = max(min(done, rows - CT), 0);
                        multiply(m + point * m_plane + i * a.vectors + j, a.vectors, done - i,
                                 (__local const float *)(v + point * v_plane) + i, 16 * cell,
                                 d + point * d_plane + j * a.block, t.count);
                    }
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < t.vectors; j++)
                    add_stage(taps + i * a.vectors + j, tap, m + i * a.vectors + j, m_plane, stage);
        }
    }
    for (int i = 0; i < 9; i++)
        for (int c = 0; c < rows; c++) {
            __global float *to =
                AT(partial) + ((ulong)(slice * 9 + i) * a.c + t.c + c) * a.pitch + t.k;
            for (int j = 0; j < t.vectors; j++)
                *(__global vector_anywhere *)(to + 16 * j) = taps[i * tap + c * a.vectors + j];
        }
}

/* dw[k,c,tap] = sum over slices of partial[slice][tap][c][k], or added to it; a group has 16
 * filters, an item of the second axis a channel. */
__kernel void conv2d_winograd_join(OUT(float, dw), IN(float, partial), const int k, const int c,
                                   const int pitch, const int slices, const int span,
                                   const int accumulate)
{
    const int first = get_group_id(0) * 16;
    const int begin = get_group_id(1) * span, end = min(begin + span, c);
    for (int channel = begin; channel < end; channel++) {
        float16 taps[9];
        UNROLL(9) for (int i = 0; i < 9; i++)
            taps[i] = 0.0f;
        __global const float *from = AT(partial) + channel * pitch + first;
        for (int slice = 0; slice < slices; slice++) {
            UNROLL(9) for (int i = 0; i < 9; i++) {
                taps[i] += *(__global const vector_anywhere *)from;
                from += c * pitch;
            }
        }
        store_taps(AT(dw) + (first * c + channel) * 9, c * 9, k - first, taps, accumulate);
    }
}
