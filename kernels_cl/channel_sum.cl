/*
 * Sums of a tensor by channel: out[k] = sum over n and pixels of dy[n,k,pixel].
 * Two passes in a fixed order, so that the bits do not depend on scheduling: items of the first sum
 * one chunk of at most CHUNK pixels, items of the second join the chunks of one channel in eight
 * running sums. No local memory. Channels first, an item sums one channel's contiguous values in
 * eight running sums; channels last, an item sums 16 neighbouring channels, pixel after pixel.
 */
#include "common.clh"

#ifndef CHUNK
#define CHUNK 1024
#endif

float sum_of(__global const float *from, int count)
{
    float8 sums = 0.0f;
    int i = 0;
    for (; i + 8 <= count; i += 8)
        sums += vload8(0, from + i);
    float rest = 0.0f;
    for (; i < count; i++)
        rest += from[i];
    const float4 four = sums.lo + sums.hi;
    const float2 two = four.lo + four.hi;
    return two.x + two.y + rest;
}

/* Chunks of single planes: `chunks_per_image` of each. */
__kernel void channel_sum_first(OUT(float, partial), IN(float, dy), const int channels,
                                const int pixels, const int chunks_per_image, const int chunks)
{
    const uint i = get_global_id(0);
    if (i >= (uint)channels * chunks)
        return;
    const int channel = i / chunks, chunk = i % chunks;
    const int image = chunk / chunks_per_image;
    const int start = chunk % chunks_per_image * CHUNK;
    AT(partial)[i] = sum_of(AT(dy) + (image * channels + channel) * pixels + start,
                            min(CHUNK, pixels - start));
}

/* Chunks of all pixels of all images; item (chunk, 16 channels), the channels fastest. */
__kernel void channel_sum_last(OUT(float, partial), IN(float, dy), const int channels,
                               const int pixels, const int chunks)
{
    const uint i = get_global_id(0);
    const int blocks = (channels + 15) / 16;
    if (i >= (uint)blocks * chunks)
        return;
    const int c0 = i % blocks * 16, chunk = i / blocks;
    const int start = chunk * CHUNK, count = min(CHUNK, pixels - start);
    const int there = min(16, channels - c0);
    __global const float *from = AT(dy) + start * channels + c0;
    float lanes[16];
    for (int c = 0; c < there; c++)
        lanes[c] = 0.0f;
    /* Runs of 32 pixels are summed on their own first: errors stay those of short sums. */
    float16 sum = 0.0f;
    for (int run = 0; run < count; run += 32) {
        const int end = min(run + 32, count);
        if (there == 16) {
            float16 part = 0.0f;
            for (int p = run; p < end; p++)
                part += vload16(0, from + p * channels);
            sum += part;
        } else {
            for (int c = 0; c < there; c++) {
                float part = 0.0f;
                for (int p = run; p < end; p++)
                    part += from[p * channels + c];
                lanes[c] += part;
            }
        }
    }
    if (there == 16)
        vstore16(sum, 0, lanes);
    for (int c = 0; c < there; c++)
        AT(partial)[(c0 + c) * chunks + chunk] = lanes[c];
}

__kernel void channel_sum_join(OUT(float, out), IN(float, partial), const int channels,
                               const int chunks, const int accumulate)
{
    const int channel = get_global_id(0);
    if (channel >= channels)
        return;
    const float sum = sum_of(AT(partial) + channel * chunks, chunks);
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
