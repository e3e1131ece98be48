/*
 * Dropout: y = x m, and with gradients in place of x and y also the backward pass. m is computed
 * from the element's index in N C H W order, whatever the layout: word i mod 4 of random block
 * i / 4, which is below `threshold` for dropped elements.
 * Elements in that order: one work-item a block of four. CHANNELS_LAST: one work-item an element
 * of memory, which draws the whole block for its word. No local memory. An item reads an element
 * before it writes it, so that y may be x.
 */
#include "common.clh"
#include "philox.clh"

#ifndef CHANNELS_LAST
#define CHANNELS_LAST 0
#endif

float masked(float x, uint word, uint threshold, float scale)
{
    return x * (word < threshold ? 0.0f : scale);
}

#if CHANNELS_LAST

__kernel void dropout(OUT(float, y), IN(float, x), const int count, const int channels,
                      const int plane, const uint number, const uint step_low,
                      const uint step_high, const uint seed_low, const uint seed_high,
                      const uint threshold, const float scale, const int accumulate)
{
    const int at = get_global_id(0);
    if (at >= count)
        return;
    const int pixel = at / channels;
    const int i = (pixel / plane * channels + at % channels) * plane + pixel % plane;
    const uint4 block = philox((uint4)((uint)i / 4, number, step_low, step_high),
                               (uint2)(seed_low, seed_high));
    const uint even = i & 2 ? block.z : block.x, odd = i & 2 ? block.w : block.y;
    const float value = masked(AT(x)[at], i & 1 ? odd : even, threshold, scale);
    AT(y)[at] = (accumulate ? AT(y)[at] : 0.0f) + value;
}

#else

__kernel void dropout(OUT(float, y), IN(float, x), const int count, const int channels,
                      const int plane, const uint number, const uint step_low,
                      const uint step_high, const uint seed_low, const uint seed_high,
                      const uint threshold, const float scale, const int accumulate)
{
    const uint block_index = get_global_id(0);
    const uint4 block = philox((uint4)(block_index, number, step_low, step_high),
                               (uint2)(seed_low, seed_high));
    const uint words[4] = {block.x, block.y, block.z, block.w};
    for (uint j = 0; j < 4; j++) {
        const uint i = 4 * block_index + j;
        if (i >= (uint)count)
            return;
        const float value = masked(AT(x)[i], words[j], threshold, scale);
        AT(y)[i] = (accumulate ? AT(y)[i] : 0.0f) + value;
    }
}

#endif
