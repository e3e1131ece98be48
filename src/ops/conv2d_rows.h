/* What forward, dx and dw of the convolution over rows of planes share; kernels_cl/conv2d_rows.clh.
 */
#ifndef CLG_OPS_CONV2D_ROWS_H
#define CLG_OPS_CONV2D_ROWS_H

#include "ops/conv2d_problem.h"

#include "conv2d_rows_args.clh"

/* The geometry of the forward direction; what depends on tiles and groups is left 0. */
void clg__rows_forward(const struct conv2d_args *a, struct conv2d_rows_args *t);

/* What the phases of an axis reach. */
struct clg__reach {
    int first, last; /* input index of the first and the last tap of output 0 */
    int outputs;     /* of the largest phase */
};

struct clg__reach clg__reach_of(const struct conv2d_phase *phases, int count);

#endif
