/*
 * Sums of a tensor by channel on GPU-like devices: out[slice][k] = sum over the slice's pixels of
 * dy, in planes of channel k; the pixels of all images count through. A second run over the
 * slices' sums, as pixels of planes of one, joins them.
 * A group of ITEMS work-items takes a slice of `lanes` channels, a power of two: 1 when planes are
 * channels first, so that neighbours read neighbours. Local memory: ITEMS floats.
 */
#include "common.clh"
#include "planes.clh"

#define ITEMS 256
#define DEPTH 8 /* loads on their way, each to a sum of its own */

#define EACH(v) __attribute__((opencl_unroll_hint(DEPTH))) for (int v = 0; v < DEPTH; v++)

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
channel_sum_groups(OUT(float, out), IN(float, dy), const struct divisor plane, const int channels,
                   const int pixels, const int span, const int lanes, const int accumulate)
{
    __local float scratch[ITEMS];
    const int item = get_local_id(0), rows = ITEMS / lanes;
    const int channel = (int)get_group_id(1) * lanes + item % lanes;
    const int slice = get_group_id(0);
    const uint begin = slice * span + item / lanes;
    const uint end = channel < channels ? slice * span + min(span, pixels - slice * span) : 0;
    float sums[DEPTH];
    EACH(v) sums[v] = 0.0f;
    for (uint i = begin; i < end; i += DEPTH * rows)
        EACH(v)
        {
            const uint pixel = i + v * rows, image = divide(pixel, plane);
            const uint from = (image * channels + channel) * plane.by + pixel - image * plane.by;
            sums[v] += pixel < end ? AT(dy)[from] : 0.0f;
        }
    float sum = 0.0f;
    EACH(v) sum += sums[v];
    scratch[item] = sum;
    for (int half_group = ITEMS / 2; half_group >= lanes; half_group /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_group)
            scratch[item] += scratch[item + half_group];
    }
    if (item < lanes && channel < channels) {
        __global float *to = AT(out) + slice * channels + channel;
        *to = accumulate ? *to + scratch[item] : scratch[item];
    }
}
