/* Many numbers to one: what the losses and the accuracy share. */
#ifndef CLG_OPS_REDUCE_H
#define CLG_OPS_REDUCE_H

#include "runtime/kernel.h"

/* Kernels that give each row of a matrix to one work-group (kernels_cl/group_reduce.clh). */
struct clg__rows {
    int64_t rows, columns;
    int group;        /* work-items: as many as help `columns`, at most 64 */
    char options[24]; /* -DGROUP=... */
};

struct clg__rows clg__rows_of(const clg_device_info *device, int64_t rows, int64_t columns);
struct clg__grid clg__rows_grid(const struct clg__rows *rows);

/* y = (y +) the mean of `count` floats x. divisor: what the sum is divided by; 0: the int at
 * `counted`, which is else unused. kernel: "mean" of reduce.cl. */
struct clg__mean {
    struct clg__mem y, x, counted;
    /* Also correct = (correct +) the number of the `count` ints `hits` that are not 0; or nothing.
     */
    struct clg__mem correct, hits;
    int64_t count, divisor;
    bool accumulate;
};
clg_status clg__enqueue_mean(struct clg__stream *stream, struct clg__kernel *kernel,
                             const struct clg__mean *mean);

/* y = (y +) the number of the `count` ints x that are not `value`. kernel: "count_other" of
 * reduce.cl. */
struct clg__count {
    struct clg__mem y, x;
    int64_t count;
    int32_t value;
    bool accumulate;
};
clg_status clg__enqueue_count(struct clg__stream *stream, struct clg__kernel *kernel,
                              const struct clg__count *count);

#endif
