#include "support/conv2d_problems.h"

#include "support/testing.h"

/* clang-format off */
const struct conv2d_case conv2d_cases[] = {
    /* name                     n  c  h   w   k  r  s   stride  padding       dilation groups */
    {"one pixel",               1, 1, 1, 1,   1, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"1x1",                     2, 5, 7, 6,   3, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"1x1 stride 2",            2, 6, 7, 8,   5, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"3x3",                     1, 3, 5, 4,   2, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"3x3 odd channels",        3, 7, 9, 11,  5, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"3x3 stride 2",            2, 4, 9, 8,   6, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"1x1 cropped",             2, 3, 8, 9,   4, 1, 1, {2, 3}, {-1, -2, 0, -1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"5x5 valid",               2, 3, 9, 10,  4, 5, 5, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"7x7 stride 2",            1, 3, 19, 17, 9, 7, 7, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"11x11 stride 4",          1, 2, 31, 33, 3, 11, 11, {4, 4}, {2, 2, 2, 2}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"1x7",                     2, 3, 6, 9,   4, 1, 7, {1, 1}, {0, 3, 0, 3}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"every side other",        2, 2, 6, 7,   3, 3, 2, {2, 1}, {2, 0, 1, 3}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"strides of their own",    1, 2, 11, 9,  3, 3, 3, {3, 2}, {0, 1, 2, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"rows left over",          1, 2, 10, 9,  2, 2, 3, {3, 4}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"stride over kernel",      1, 2, 9, 9,   3, 2, 2, {3, 3}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"dilated",                 1, 3, 9, 10,  4, 3, 3, {1, 1}, {2, 3, 2, 3}, {2, 3}, 1, CLG_PAD_ZEROS, false},
    {"dilated and strided",     2, 2, 13, 12, 3, 3, 2, {2, 3}, {1, 2, 1, 2}, {3, 2}, 1, CLG_PAD_ZEROS, false},
    {"window of the input",     2, 3, 5, 6,   4, 5, 6, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"padding over kernel",     1, 2, 4, 3,   2, 2, 2, {1, 1}, {3, 3, 3, 3}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"cropped",                 1, 2, 8, 9,   3, 3, 3, {1, 2}, {-1, 0, -2, -1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"grouped",                 2, 6, 7, 5,   9, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 3, CLG_PAD_ZEROS, false},
    {"grouped strided",         1, 8, 8, 9,   4, 3, 3, {2, 2}, {1, 0, 0, 1}, {1, 1}, 2, CLG_PAD_ZEROS, false},
    {"groups of 4",             2, 40, 5, 9, 40, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 10, CLG_PAD_ZEROS, false},
    {"groups of 5 to 3",        2, 20, 9, 8, 12, 3, 2, {2, 1}, {2, 0, 1, 1}, {1, 1}, 4, CLG_PAD_ZEROS, false},
    {"groups of 8, dilated",    1, 32, 7, 9, 32, 3, 3, {1, 1}, {2, 1, 2, 1}, {2, 1}, 4, CLG_PAD_ZEROS, false},
    {"groups of 2, strided",    1, 18, 9, 8, 36, 3, 3, {2, 3}, {1, 1, 0, 1}, {1, 2}, 9, CLG_PAD_ZEROS, false},
    {"groups of 17 to 20",      1, 51, 4, 5, 60, 2, 3, {1, 1}, {0, 1, 1, 1}, {1, 1}, 3, CLG_PAD_ZEROS, false},
    {"groups of 20 to 70",      1, 40, 3, 17, 140, 1, 3, {1, 1}, {0, 1, 0, 1}, {1, 1}, 2, CLG_PAD_ZEROS, false},
    {"depthwise",               2, 5, 8, 7,   5, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 5, CLG_PAD_ZEROS, false},
    {"depthwise multiplier",    1, 4, 9, 9,  12, 5, 5, {2, 2}, {2, 2, 2, 2}, {1, 1}, 4, CLG_PAD_ZEROS, false},
    {"groups of 3",             2, 21, 6, 9, 21, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 7, CLG_PAD_ZEROS, false},
    {"20 channels, twice",      2, 20, 7, 6, 40, 3, 3, {1, 1}, {1, 0, 1, 2}, {1, 1}, 20, CLG_PAD_ZEROS, false},
    {"17 channels, three times", 1, 17, 10, 11, 51, 3, 3, {3, 2}, {1, -1, 2, 1}, {1, 1}, 17, CLG_PAD_ZEROS, false},
    {"depthwise 37 channels",   2, 37, 9, 20, 37, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 37, CLG_PAD_ZEROS, false},
    {"depthwise stride 2",      1, 40, 15, 33, 40, 3, 3, {2, 2}, {1, 0, 1, 2}, {1, 1}, 40, CLG_PAD_ZEROS, false},
    {"depthwise stride 3",      1, 16, 17, 16, 16, 5, 5, {3, 3}, {2, 3, 1, 0}, {1, 1}, 16, CLG_PAD_ZEROS, false},
    {"depthwise dilated",       2, 19, 14, 13, 19, 3, 3, {1, 2}, {-1, 2, 2, -2}, {2, 3}, 19, CLG_PAD_ZEROS, false},
    {"depthwise small image",   1, 18, 4, 3, 18, 7, 5, {1, 1}, {4, 3, 4, 3}, {1, 1}, 18, CLG_PAD_ZEROS, false},
    {"depthwise 256 channels",  1, 256, 6, 15, 256, 3, 3, {1, 1}, {0, 1, 1, 0}, {1, 1}, 256, CLG_PAD_ZEROS, false},
    {"depthwise at 45",         3, 90, 31, 45, 90, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}, 90, CLG_PAD_ZEROS, true},
    {"constant padding",        1, 2, 5, 6,   3, 3, 3, {1, 1}, {1, 2, 0, 1}, {1, 1}, 1, CLG_PAD_CONSTANT, false},
    {"reflect padding",         2, 2, 5, 6,   3, 3, 3, {1, 2}, {2, 1, 3, 2}, {1, 1}, 1, CLG_PAD_REFLECT, false},
    {"replicate padding",       1, 3, 4, 5,   2, 3, 3, {2, 1}, {5, 1, 1, 6}, {1, 1}, 1, CLG_PAD_REPLICATE, false},
    {"circular padding",        1, 2, 4, 5,   3, 3, 3, {1, 1}, {4, 1, 1, 5}, {2, 1}, 1, CLG_PAD_CIRCULAR, false},
    {"3x3 off the image",       3, 17, 10, 7, 19, 3, 3, {1, 1}, {-1, 4, 3, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"3x3 tiles cut short",     7, 40, 9, 11, 100, 3, 3, {1, 1}, {1, 0, 0, 2}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"rows of 37 in parts",     1, 3, 6, 37,  3, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"13 filters, stride 3",    2, 5, 20, 23, 13, 5, 3, {3, 3}, {2, 1, 2, 1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"dilated over the image",  1, 2, 5, 18,  2, 3, 3, {1, 1}, {6, 7, 6, 7}, {6, 7}, 1, CLG_PAD_ZEROS, false},
    {"6 filters in parts",      5, 2, 70, 61, 6, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"40 channels to 3",        1, 40, 24, 50, 3, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"3 channels, stride 2",    1, 3, 40, 45, 24, 7, 7, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"70 channels, 33 filters", 2, 70, 13, 15, 33, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"64 and 64 at 28",         2, 64, 28, 28, 64, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"LeNet first layer",       9, 1, 28, 28, 6, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"7 filters, odd rows",     2, 3, 9, 31,  7, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"5 filters, odd columns",  2, 1, 6, 29,  5, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"8 filters, 3x4 stride 2", 2, 3, 12, 41, 8, 3, 4, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"16 channels, 16 at 21",   1, 16, 9, 21, 16, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"1x1 200 to 70",           2, 200, 9, 7, 70, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"1x1 70 to 200, stride 2", 2, 70, 9, 7, 200, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"1x1 20 to 24 at 33",      1, 20, 33, 33, 24, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"a large plane",           1, 3, 130, 67, 8, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"images of one group",     70, 5, 4, 3,  7, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"many dilated images",     40, 3, 9, 10, 4, 3, 3, {1, 1}, {2, 3, 2, 3}, {2, 3}, 1, CLG_PAD_ZEROS, false},
    {"300 channels",            34, 300, 4, 5, 33, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"long rows",               1, 16, 3, 2001, 3, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
    {"1x1 stride 2, wide",      1, 9, 2, 59,  5, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1, CLG_PAD_ZEROS, false},
    {"300 filters, stride 2",   2, 37, 9, 8, 300, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1, CLG_PAD_ZEROS, true},
};
/* clang-format on */

const size_t conv2d_num_cases = sizeof conv2d_cases / sizeof conv2d_cases[0];

bool conv2d_case_fits(const struct conv2d_case *problem)
{
    enum { INTERPRETED_PRODUCTS = 8000 };
    struct ref_conv2d ref = conv2d_case_reference(problem);
    int64_t products = ref.n * ref.k * ref_conv2d_p(&ref) * ref_conv2d_q(&ref) *
                       (ref.c / ref.groups) * ref.r * ref.s;
    if (testing_interpreted())
        return products <= INTERPRETED_PRODUCTS;
    return !problem->large || !testing_small();
}

clg_conv2d_desc conv2d_case_desc(const struct conv2d_case *problem, clg_layout x, clg_layout y)
{
    clg_tensor_desc shape = clg_desc_4d(problem->n, problem->c, problem->h, problem->w);
    shape.layout = x;
    clg_conv2d_desc desc = clg_conv2d_desc_init(shape, problem->k, problem->r, problem->s);
    for (int i = 0; i < 2; i++) {
        desc.stride[i] = problem->stride[i];
        desc.dilation[i] = problem->dilation[i];
    }
    for (int i = 0; i < 4; i++)
        desc.padding[i] = problem->padding[i];
    desc.groups = problem->groups;
    desc.pad_mode = problem->mode;
    desc.pad_value = problem->mode == CLG_PAD_CONSTANT ? 2.0f : 0.0f;
    desc.y_layout = y;
    return desc;
}

struct ref_conv2d conv2d_case_reference(const struct conv2d_case *problem)
{
    return (struct ref_conv2d){
        .n = problem->n,
        .c = problem->c,
        .h = problem->h,
        .w = problem->w,
        .k = problem->k,
        .r = problem->r,
        .s = problem->s,
        .stride_h = problem->stride[0],
        .stride_w = problem->stride[1],
        .pad_top = problem->padding[0],
        .pad_left = problem->padding[1],
        .pad_bottom = problem->padding[2],
        .pad_right = problem->padding[3],
        .dilation_h = problem->dilation[0],
        .dilation_w = problem->dilation[1],
        .groups = problem->groups,
        .pad_mode = (enum ref_pad_mode)problem->mode,
        .pad_value = 2.0,
    };
}
