/*
 * Mean squared error: dx = scale (x - target), and one partial sum of (x - target)^2 a group, which
 * reduce.cl adds up. FLAGS say which are wanted; the others are null and never touched.
 * A group of GROUP work-items takes GROUP * ITEMS neighbours; local memory: GROUP floats.
 * An item reads before it writes, so that dx may be x or target.
 */
#include "common.clh"

#define GROUP 64
#define ITEMS 16 /* of src/ops/mse.c */
#define PLUS(a, b) ((a) + (b))
#include "group_reduce.clh"

GROUP_REDUCE(group_sum, float, PLUS)

#define WANT_LOSS 1
#define WANT_DX 2
#define ADD_DX 4

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
mse(OUT(float, partial), OUT(float, dx), IN(float, x), IN(float, target), const int count,
    const float scale, const int flags)
{
    __local float scratch[GROUP];
    float sum = 0.0f;
    for (int item = 0; item < ITEMS; item++) {
        const uint i = (uint)(get_group_id(0) * ITEMS + item) * GROUP + get_local_id(0);
        if (i < (uint)count) {
            const float difference = AT(x)[i] - AT(target)[i];
            sum += difference * difference;
            if (flags & WANT_DX)
                AT(dx)[i] = (flags & ADD_DX ? AT(dx)[i] : 0.0f) + scale * difference;
        }
    }
    if (flags & WANT_LOSS) {
        const float total = group_sum(scratch, sum);
        if (get_local_id(0) == 0)
            AT(partial)[get_group_id(0)] = total;
    }
}
