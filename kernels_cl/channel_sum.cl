/*
 * Sums of a tensor by channel, on CPU-like devices: out[k] = sum over n and pixels of
 * dy[n,k,pixel]. Adding a vector of channels, and tensors, on all devices.
 * Two passes in a fixed order, so that the bits do not depend on scheduling: items of the first sum
 * one chunk of at most CHUNK pixels, items of the second join the chunks of one channel in eight
 * running sums. No local memory. Channels first, an item sums one channel's contiguous values in
 * eight running sums; channels last, an item sums 64 neighbouring channels, pixel after pixel.
 */
#include "common.clh"
#include "elements.clh"
#include "shuffles.clh"

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
    const float4 four = FIRST_4(sums) + LAST_4(sums);
    const float2 two = FIRST_2(four) + LAST_2(four);
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

#define EACH(v) __attribute__((opencl_unroll_hint(4))) for (int v = 0; v < 4; v++)

/* The sums of four vectors of channels, `apart` floats from each other, over `steps` steps of
 * `step` floats; of one vector over four times as many pixels, when each of the four is the next
 * pixel. Runs of 32 steps are summed on their own first: errors stay those of short sums. */
void sum_steps(VECTOR sum[4], __global const float *from, int apart, int steps, int step)
{
    EACH(v) sum[v] = 0.0f;
    for (int run = 0; run < steps; run += 32) {
        VECTOR part[4];
        EACH(v) part[v] = 0.0f;
        for (int s = run; s < min(run + 32, steps); s++)
            EACH(v) part[v] += load_vector(from + s * step + v * apart, LANES);
        EACH(v) sum[v] += part[v];
    }
}

/* The sums of the channels of one vector over pixels; `left` floats up to the end of the tensor. A
 * vector may reach into the next pixel: what it sums there does not matter. */
VECTOR sum_pixels(__global const float *from, int channels, int pixels, int left)
{
    VECTOR sum[4];
    const int whole = min(pixels, max(0, left - LANES + channels) / channels);
    const int steps = whole / 4;
    sum_steps(sum, from, channels, steps, 4 * channels);
    VECTOR rest = 0.0f;
    for (int p = 4 * steps; p < pixels; p++)
        rest += load_vector(from + p * channels, min(LANES, left - p * channels));
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
}

/* Chunks of all pixels of all images; item (chunk, 4 vectors of channels), channels fastest. */
__kernel void channel_sum_last(OUT(float, partial), IN(float, dy), const int channels,
                               const int pixels, const int chunks)
{
    const uint i = get_global_id(0);
    const int blocks = (channels - 1) / (4 * LANES) + 1;
    if (i >= (uint)blocks * chunks)
        return;
    const int first = i % blocks * 4 * LANES, chunk = i / blocks;
    const int start = chunk * CHUNK, count = min(CHUNK, pixels - start);
    __global const float *from = AT(dy) + start * channels;
    __global float *to = AT(partial) + chunk * channels;
    if (first + 4 * LANES <= channels) {
        VECTOR sum[4];
        sum_steps(sum, from + first, LANES, count, channels);
        EACH(v) store_vector(sum[v], to + first + v * LANES, LANES);
        return;
    }
    for (int c = first; c < channels; c += LANES)
        store_vector(sum_pixels(from + c, channels, count, (pixels - start) * channels - c), to + c,
                     min(LANES, channels - c));
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

__kernel void channel_sum_join_last(OUT(float, out), IN(float, partial), const int channels,
                                    const int chunks, const int accumulate)
{
    const int c = (int)get_global_id(0) * LANES;
    if (c >= channels)
        return;
    const VECTOR sum = sum_pixels(AT(partial) + c, channels, chunks, chunks * channels - c);
    const int left = min(LANES, channels - c);
    VECTOR before = 0.0f;
    if (accumulate)
        before = load_vector(AT(out) + c, left);
    store_vector(before + sum, AT(out) + c, left);
}

/* y[n,k,pixel] += b[k], in the tensor's memory order: rows of `width` elements, which are pixels
 * channels last and planes channels first. */
__kernel void channel_add(OUT(float, y), IN(float, b), const struct elements elements,
                          const int channels, const int width, const int channels_last)
{
    __global float *to = AT(y);
    __global const float *biases = AT(b);
    const int begin = (int)get_global_id(0) * elements.own;
    const int end = min(elements.count, begin + elements.own);
    for (int i = begin; i < end;) {
        const int row = i / width, column = i % width, run = min(width - column, end - i);
        const VECTOR bias = channels_last ? 0.0f : biases[row % channels];
        for (int k = 0; k < run; k += LANES) {
            const int left = min(LANES, run - k);
            const VECTOR value = load_vector(to + i + k, left);
            store_vector(value + (channels_last ? load_vector(biases + column + k, left) : bias),
                         to + i + k, left);
        }
        i += run;
    }
}

/* out += in */
__kernel void accumulate(OUT(float, out), IN(float, in), const struct elements elements)
{
    __global float *to = AT(out);
    __global const float *from = AT(in);
    EACH_VECTOR(i, left, elements,
                const VECTOR sum = load_vector(to + i, left) + load_vector(from + i, left);
                store_vector(sum, to + i, left))
}
