/* Sums by channel (bias gradients), adding a bias, adding one array to another: on raw memory, for
 * operations that need them as a step. */
#ifndef CLG_OPS_CHANNEL_SUM_H
#define CLG_OPS_CHANNEL_SUM_H

#include "runtime/kernel.h"
#include "runtime/tensor.h"

struct clg__channel_sum;

/* For tensors N C H W of this description, either layout. */
clg_status clg__channel_sum_create(clg_context *ctx, const clg_tensor_desc *desc,
                                   struct clg__channel_sum **sum);
void clg__channel_sum_destroy(struct clg__channel_sum *sum); /* NULL is allowed */

/* Bytes of workspace of the enqueue function. */
size_t clg__channel_sum_workspace(const struct clg__channel_sum *sum);

/* out[c] = sum over n, h, w of in[n,c,h,w]; adds to out with `accumulate`. */
clg_status clg__channel_sum_enqueue(struct clg__channel_sum *sum, struct clg__stream *stream,
                                    struct clg__mem out, struct clg__mem in,
                                    struct clg__mem workspace, bool accumulate);

/* out[i] = (out[i] +) the sum of parts[slice][i], `slices` times `count` floats, in a fixed order;
 * on GPU-like devices. The kernel is channel_sum_groups of channel_sum_groups.cl. */
clg_status clg__slices_join_enqueue(struct clg__stream *stream, struct clg__kernel *kernel,
                                    struct clg__mem out, struct clg__mem parts, int count,
                                    int slices, bool accumulate);

/* y[n,c,h,w] += b[c] */
clg_status clg__channel_add_enqueue(struct clg__channel_sum *sum, struct clg__stream *stream,
                                    struct clg__mem y, struct clg__mem b);

/* out[i] += in[i] for the elements of the description. */
clg_status clg__accumulate_enqueue(struct clg__channel_sum *sum, struct clg__stream *stream,
                                   struct clg__mem out, struct clg__mem in);

#endif
