/*
 * Four-sided padding and its gradient. MODE (a clg_pad_mode) says where padding comes from.
 * pad2d_forward: one work-item an element of y, which copies its source or the pad value.
 * pad2d_backward: one work-item an element of dx, which sums dy over the elements that copied it,
 * in a fixed order: along each axis they are one run, or itself and its images at both ends.
 * Items are contiguous in memory; no local memory. Any layout, see planes.clh. x and y do not
 * overlap.
 */
#include "common.clh"
#include "pad_index.clh"
#include "planes.clh"

#ifndef MODE
#define MODE PAD_ZEROS
#endif

/* Along one axis, element j of y copies x[origin + pad_index(j - before, size, MODE)]. */
struct axis {
    int before, size, origin;
};

struct padding {
    struct axis h, w;
    float value;
};

/* -1 for the pad value. */
int source(int j, const struct axis axis)
{
    const int k = pad_index(j - axis.before, axis.size, MODE);
    return k < 0 ? -1 : axis.origin + k;
}

__kernel void pad2d_forward(OUT(float, y), IN(float, x), const int count, const struct planes to,
                            const struct planes from, const struct padding pad)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    const int h = source(at.h, pad.h), w = source(at.w, pad.w);
    AT(y)[i] = h < 0 || w < 0 ? pad.value : AT(x)[index_at(at, h, w, from)];
}

#if MODE == PAD_REFLECT || MODE == PAD_CIRCULAR
#define RUNS 3
#else
#define RUNS 1
#endif

struct run {
    int begin, end;
};

/* Run `which` of the elements of y, out of `length` along the axis, that copy element a of x; it
 * is empty where end <= begin. */
struct run copies_of(int a, int which, const struct axis axis, int length)
{
    const int k = a - axis.origin;
    struct run run = {k + axis.before, k + axis.before + 1};
#if MODE == PAD_REPLICATE
    run.begin = k == 0 ? 0 : run.begin;
    run.end = k == axis.size - 1 ? length : run.end;
#elif MODE == PAD_REFLECT
    const int last = axis.size - 1;
    const int image = which == 1 ? -k : which == 2 ? last + (last - k) : k;
    const bool exists = which == 1 ? k > 0 : which == 2 ? k < last : true;
    run.begin = image + axis.before;
    run.end = exists ? run.begin + 1 : run.begin;
#elif MODE == PAD_CIRCULAR
    const bool exists = k >= 0 && k < axis.size;
    run.begin = k + axis.before + (which == 1 ? -axis.size : which == 2 ? axis.size : 0);
    run.end = exists ? run.begin + 1 : run.begin;
#endif
    run.begin = max(run.begin, 0);
    run.end = min(run.end, length);
    return run;
}

float sum_of_row(__global const float *dy, const struct place at, int h, const struct planes from,
                 const struct axis axis)
{
    float sum = 0.0f;
    for (int which = 0; which < RUNS; which++) {
        const struct run columns = copies_of(at.w, which, axis, (int)from.w.by);
        for (int w = columns.begin; w < columns.end; w++)
            sum += dy[index_at(at, h, w, from)];
    }
    return sum;
}

__kernel void pad2d_backward(OUT(float, dx), IN(float, dy), const int count, const struct planes to,
                             const struct planes from, const struct padding pad)
{
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const struct place at = place_of(i, to);
    float sum = 0.0f;
    for (int which = 0; which < RUNS; which++) {
        const struct run rows = copies_of(at.h, which, pad.h, (int)from.h.by);
        for (int h = rows.begin; h < rows.end; h++)
            sum += sum_of_row(AT(dy), at, h, from, pad.w);
    }
    AT(dx)[i] = sum;
}
