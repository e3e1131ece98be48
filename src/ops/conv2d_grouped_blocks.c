#include "ops/conv2d_grouped.h"

#include <stdio.h>

#include "base/ints.h"

enum { VECTOR = 16, MAX_VECTORS = 4 };

/* Vectors of a block of one group: the least lanes altogether, then the most at once. */
static int choose_vectors(int outputs, const clg_device_info *device)
{
    int most = device->vector_width_float < VECTOR ? 1 : MAX_VECTORS, best = 1;
    for (int vectors = 2; vectors <= most; vectors++)
        if (clg__round_up(outputs, VECTOR * vectors) <= clg__round_up(outputs, VECTOR * best))
            best = vectors;
    return best;
}

struct conv2d_grouped_blocks clg__conv2d_grouped_blocks(int groups, int inputs, int outputs,
                                                        const clg_device_info *device)
{
    int largest = clg__at_least(inputs, outputs);
    struct conv2d_grouped_blocks b = {
        .groups = groups, .inputs = inputs, .outputs = outputs, .parts = 1, .lanes = VECTOR};
    b.together = clg__at_least(clg__at_most(VECTOR / largest, groups), 1);
    if (b.together == 1) {
        b.lanes = VECTOR * choose_vectors(outputs, device);
        b.parts = clg__divide_up(outputs, b.lanes);
    }
    b.count = clg__divide_up(groups, b.together) * b.parts;
    return b;
}

int clg__conv2d_grouped_cell(const struct conv2d_grouped_blocks *blocks)
{
    return blocks->together > 1 ? blocks->inputs * VECTOR : blocks->inputs;
}

void clg__conv2d_grouped_options(const struct conv2d_grouped_blocks *blocks, const char *name,
                                 int value, char *options, size_t size)
{
    bool together = blocks->together > 1;
    snprintf(options, size, "-D%s=%d -DKV=%d -DINPUTS=%d -DOUTPUTS=%d -DTOGETHER=%d", name, value,
             blocks->lanes / VECTOR, blocks->inputs, together ? blocks->outputs : 1, together);
}

bool clg__conv2d_grouped_supports(const struct conv2d_args *args, const clg_device_info *device,
                                  const char **why_not)
{
    return clg__conv2d_meets(args, device, CLG__ON_CPU | CLG__NHWC_ONLY, why_not) &&
           CLG__ACCEPTS(why_not, {args->groups == 1, "more than one group only"});
}
