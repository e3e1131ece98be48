#include "runtime/gemm_algorithms.h"

clg_status clg__gemm_finish_create(clg_context *ctx, struct clg__kernel **kernel)
{
    return clg__kernel_create(ctx, "gemm_finish", "gemm_finish", "", kernel);
}

clg_status clg__gemm_finish_enqueue(struct clg__kernel *kernel, struct clg__stream *stream,
                                    const struct clg__gemm_problem *problem,
                                    const struct clg__operands *operands, struct clg__mem parts,
                                    int slices, bool relu)
{
    const struct gemm_args args = {
        .m = problem->m,
        .n = problem->n,
        .ldc = problem->ldc,
        .slices = slices,
        .bias = operands->in[2].object ? (int)problem->bias : 0,
        .accumulate = operands->accumulate,
        .relu = relu,
        .alpha = problem->alpha,
    };
    struct clg__grid grid = clg__grid_1d(problem->n);
    grid.dims = 3;
    grid.global[1] = (size_t)problem->m;
    grid.global[2] = (size_t)problem->batch;
    grid.local[1] = grid.local[2] = 1;
    return CLG__LAUNCH(stream, kernel, grid, clg__arg_mem(operands->out[0]), clg__arg_mem(parts),
                       clg__arg_mem(operands->in[2]), clg__arg_struct(&args, sizeof args),
                       clg__arg_long(problem->stride_c));
}
