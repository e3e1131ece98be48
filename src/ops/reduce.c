#include "ops/reduce.h"

#include <stdio.h>

enum { MAX_GROUP = 64 };

static const struct clg__grid one_group = {1, {MAX_GROUP}, {MAX_GROUP}};

struct clg__rows clg__rows_of(const clg_device_info *device, int64_t rows, int64_t columns)
{
    enum { FEW = 32 }; /* for one item, where items have no hardware of their own */
    const bool alone = device->family == CLG_FAMILY_CPU && columns <= FEW;
    struct clg__rows result = {.rows = rows, .columns = columns, .group = 1};
    while (!alone && result.group < columns && result.group < MAX_GROUP)
        result.group *= 2;
    snprintf(result.options, sizeof result.options, "-DGROUP=%d", result.group);
    return result;
}

struct clg__grid clg__rows_grid(const struct clg__rows *rows)
{
    size_t group = (size_t)rows->group;
    return (struct clg__grid){1, {(size_t)rows->rows * group}, {group}};
}

clg_status clg__enqueue_mean(struct clg__stream *stream, struct clg__kernel *kernel,
                             const struct clg__mean *mean)
{
    return CLG__LAUNCH(stream, kernel, one_group, clg__arg_mem(mean->y),
                       clg__arg_mem(mean->correct), clg__arg_mem(mean->x), clg__arg_mem(mean->hits),
                       clg__arg_mem(mean->counted), clg__arg_int(mean->count),
                       clg__arg_int(mean->divisor), clg__arg_int(mean->accumulate));
}

clg_status clg__enqueue_count(struct clg__stream *stream, struct clg__kernel *kernel,
                              const struct clg__count *count)
{
    return CLG__LAUNCH(stream, kernel, one_group, clg__arg_mem(count->y), clg__arg_mem(count->x),
                       clg__arg_int(count->count), clg__arg_int(count->value),
                       clg__arg_int(count->accumulate));
}
