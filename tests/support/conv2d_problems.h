/* The convolution problems that every algorithm and direction is tested on. */
#ifndef CLG_TESTING_CONV2D_PROBLEMS_H
#define CLG_TESTING_CONV2D_PROBLEMS_H

#include "clgrad/conv2d.h"
#include "ref/conv2d.h"

struct conv2d_case {
    const char *name;
    int64_t n, c, h, w, k, r, s;
    int64_t stride[2], padding[4], dilation[2], groups;
    clg_pad_mode mode;
    bool large; /* left out on slow devices */
};

extern const struct conv2d_case conv2d_cases[];
extern const size_t conv2d_num_cases;

/* Whether the device has the time for it: see testing_small and testing_interpreted. */
bool conv2d_case_fits(const struct conv2d_case *problem);

clg_conv2d_desc conv2d_case_desc(const struct conv2d_case *problem, clg_layout x, clg_layout y);
struct ref_conv2d conv2d_case_reference(const struct conv2d_case *problem);

#endif
