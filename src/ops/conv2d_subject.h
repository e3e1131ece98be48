/* A convolution in words, for logs and the tuning store, and as benchdnn writes it. */
#ifndef CLG_OPS_CONV2D_SUBJECT_H
#define CLG_OPS_CONV2D_SUBJECT_H

#include "ops/conv2d_problem.h"

/* The texts that a clg__subject points to. */
struct clg__conv2d_text {
    char key[256], command[400];
};

/* Describes a direction of the problem with the caller's layouts; everything but the frame. */
struct clg__subject clg__conv2d_subject(const struct conv2d_args *args,
                                        clg_conv2d_direction direction,
                                        struct clg__conv2d_text *text);

/* "nchw", "nhwc", or "nchw-nhwc" when x and y differ: what a variant's label is. */
const char *clg__conv2d_layout_label(const struct conv2d_args *args);

#endif
