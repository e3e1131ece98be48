/*
 * Dropout: y = x m, and with gradients in place of x and y also the backward pass. m is computed
 * from an element's index in N C H W order, whatever the layout: word i mod 4 of random block
 * i / 4, which is below the threshold for dropped elements.
 * In that order one work-item takes one block. Channels last, it takes what a block has in one
 * plane (n, c), and neighbours take neighbouring channels, as memory lies; a block that meets two
 * planes is computed for both. No local memory. Elements are read before they are written: y may
 * be x.
 */
#include "common.clh"
#include "philox.clh"

/* As in src/ops/dropout.c. */
struct dropout_args {
    uint count;
    uint images, channels, plane; /* N, C, H * W; of channels last only, as is: */
    uint blocks;                  /* the most that a plane meets */
    uint number, step_low, step_high, seed_low, seed_high;
    uint threshold;
    float scale;
    int accumulate;
};

struct philox_block random_block(const struct dropout_args *args, uint block)
{
    const struct philox_block counter = {block, args->number, args->step_low, args->step_high};
    return philox(counter, args->seed_low, args->seed_high);
}

void mask(__global float *y, __global const float *x, uint at, uint word,
          const struct dropout_args *args)
{
    const float value = x[at] * (word < args->threshold ? 0.0f : args->scale);
    y[at] = (args->accumulate ? y[at] : 0.0f) + value;
}

__kernel void dropout(OUT(float, y), IN(float, x), const struct dropout_args args)
{
    __global float *to = AT(y);
    __global const float *from = AT(x);
    const uint block = get_global_id(0);
    const struct philox_block random = random_block(&args, block);
    const uint words[4] = {random.x, random.y, random.z, random.w};
#pragma unroll
    for (uint j = 0; j < 4; j++)
        if (4 * block + j < args.count)
            mask(to, from, 4 * block + j, words[j], &args);
}

__kernel void dropout_channels_last(OUT(float, y), IN(float, x), const struct dropout_args args)
{
    __global float *to = AT(y);
    __global const float *from = AT(x);
    const uint channel = get_global_id(0), row = get_global_id(1);
    const uint image = row / args.blocks, first = (image * args.channels + channel) * args.plane;
    if (channel >= args.channels || image >= args.images)
        return;
    const uint block = first / 4 + row % args.blocks;
    const struct philox_block random = random_block(&args, block);
    const uint words[4] = {random.x, random.y, random.z, random.w};
#pragma unroll
    for (uint j = 0; j < 4; j++) {
        const uint pixel = 4 * block + j - first; /* huge for the plane before */
        if (pixel < args.plane)
            mask(to, from, (image * args.plane + pixel) * args.channels + channel, words[j], &args);
    }
}
