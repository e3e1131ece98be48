/*
 * The end of matrix products that are made in parts: C = C + bias + alpha (the sum of `slices`
 * dense m x n matrices, in their order), then relu if asked to, for each matrix of the batch; C is
 * read with `accumulate` only. Without slices it just prepares C for a product that adds to it.
 * One work-item an element of C, rows of C in global dimension 1, the batch in 2. No local memory.
 */
#include "common.clh"
#include "gemm.clh"
#include "slices.clh"

__kernel void gemm_finish(OUT(float, c), IN(float, parts), IN(float, bias),
                          const struct gemm_args g, const long stride_c)
{
    const int x = get_global_id(0), y = get_global_id(1), batch = get_global_id(2);
    if (x >= g.n)
        return;
    const long size = (long)g.m * g.n;
    __global const float *part = AT(parts) + batch * g.slices * size + y * g.n + x;
    const float sum = sum_of_slices(part, (ulong)size, g.slices);
    __global float *to = AT(c) + batch * stride_c + y * g.ldc + x;
    float value = g.alpha * sum;
    if (g.accumulate)
        value += *to;
    if (g.bias)
        value += AT(bias)[g.bias == GEMM_BIAS_ROWS ? y : x];
    *to = g.relu && value < 0.0f ? 0.0f : value;
}
