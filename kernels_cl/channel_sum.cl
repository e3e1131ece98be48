/*
 * Sums of a tensor by channel: out[k] = sum over n and pixels of dy[n,k,pixel].
 * Two passes in a fixed order, so that the bits do not depend on scheduling: items of the first sum
 * one chunk of at most CHUNK values of one channel in eight running sums, items of the second join
 * the chunks of one channel, again in eight. No local memory. `step` is the distance of neighbouring
 * pixels: 1 in NCHW, the channel count in NHWC.
 */
#include "common.clh"

#ifndef CHUNK
#define CHUNK 1024
#endif

float sum_strided(__global const float *from, int count, int step)
{
    float8 sums = 0.0f;
    int i = 0;
    for (; i + 8 <= count; i += 8) {
        __global const float *at = from + i * step;
        sums += (float8)(at[0], at[step], at[2 * step], at[3 * step], at[4 * step], at[5 * step],
                         at[6 * step], at[7 * step]);
    }
    float rest = 0.0f;
    for (; i < count; i++)
        rest += from[i * step];
    const float4 four = sums.lo + sums.hi;
    const float2 two = four.lo + four.hi;
    return two.x + two.y + rest;
}

/* Item (channel, chunk), the channel fastest: with channels last neighbours read neighbours. */
__kernel void channel_sum_chunks(OUT(float, partial), IN(float, dy), const int channels,
                                 const int pixels, const int image_stride,
                                 const int channel_stride, const int step,
                                 const int chunks_per_image, const int chunks)
{
    const uint i = get_global_id(0);
    if (i >= (uint)channels * chunks)
        return;
    const int channel = i % channels, chunk = i / channels;
    const int image = chunk / chunks_per_image;
    const int start = chunk % chunks_per_image * CHUNK;
    AT(partial)[channel * chunks + chunk] =
        sum_strided(AT(dy) + image * image_stride + channel * channel_stride + start * step,
                    min(CHUNK, pixels - start), step);
}

__kernel void channel_sum_join(OUT(float, out), IN(float, partial), const int channels,
                               const int chunks, const int accumulate)
{
    const int channel = get_global_id(0);
    if (channel >= channels)
        return;
    const float sum = sum_strided(AT(partial) + channel * chunks, chunks, 1);
    AT(out)[channel] = accumulate ? AT(out)[channel] + sum : sum;
}

/* y[n,k,pixel] += b[k], in the tensor's memory order. */
__kernel void channel_add(OUT(float, y), IN(float, b), const int count, const int channels,
                          const int pixels, const int channels_last)
{
    const uint i = get_global_id(0);
    if (i < (uint)count)
        AT(y)[i] += AT(b)[(channels_last ? i : i / pixels) % channels];
}

/* out += in */
__kernel void accumulate(OUT(float, out), IN(float, in), const int count)
{
    const uint i = get_global_id(0);
    if (i < (uint)count)
        AT(out)[i] += AT(in)[i];
}
