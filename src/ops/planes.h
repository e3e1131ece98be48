/* Tensors as operations on planes see them, and how their kernels get to know. */
#ifndef CLG_OPS_PLANES_H
#define CLG_OPS_PLANES_H

#include "runtime/kernel.h"
#include "runtime/tensor.h"

/* `planes` planes of h x w points of `inner` contiguous elements each: NCHW has N C planes and
 * inner = 1, NHWC has N planes and inner = C. */
struct clg__planes {
    int64_t planes, h, w, inner;
};

struct clg__planes clg__planes_of(const clg_tensor_desc *desc);
int64_t clg__planes_count(const struct clg__planes *planes); /* elements */

/* The same number of planes of another size. */
struct clg__planes clg__planes_resized(const struct clg__planes *planes, int64_t h, int64_t w);

/* `struct divisor` and `struct planes` of kernels_cl/planes.clh, passed with clg__arg_struct. */
struct clg__divisor {
    cl_uint by, multiplier, shift;
};

struct clg__planes_arg {
    struct clg__divisor h, w, inner;
};

/* by: 1 to 2^31 - 1. */
struct clg__divisor clg__divisor_of(int64_t by);
struct clg__planes_arg clg__planes_arg_of(const struct clg__planes *planes);

/* x with planes of another size. */
clg_tensor_desc clg__desc_resized(const clg_tensor_desc *x, int64_t h, int64_t w);

/* Checks the y that an operation makes. Errors: CLG_INVALID_SHAPE (no element), CLG_TOO_LARGE; the
 * message begins with "<call>: y". */
clg_status clg__check_output(const char *call, const clg_tensor_desc *y);

/* Errors: CLG_INVALID_ARGUMENT (below 1), CLG_TOO_LARGE (2^31 or more); the message has `what`,
 * "stride" say, and both numbers. */
clg_status clg__check_steps(const char *call, const char *what, const int64_t steps[2]);

/* ---- Kernels that make every element of one tensor from another one ---- */

/*
 * kernel(OUT(float, y), IN(float, x), int count, struct planes to, struct planes from,
 *        struct parameters), one work-item for each of the `count` elements of y.
 */
struct clg__planes_map;

enum { CLG__MAP_PARAMETERS = 24, CLG__MAP_INPUTS = 3 };

/* parameters: a struct of at most CLG__MAP_PARAMETERS cl_int and cl_float, copied; with size 0 the
 * kernel has no such parameter. Errors: CLG_BUILD_FAILED, CLG_OUT_OF_HOST_MEMORY; *map is NULL. */
clg_status clg__planes_map_create(clg_context *ctx, const char *source, const char *name,
                                  const char *options, const struct clg__planes *to,
                                  const struct clg__planes *from, const void *parameters,
                                  size_t parameters_size, struct clg__planes_map **map);
void clg__planes_map_destroy(struct clg__planes_map *map); /* NULL is allowed */

/* For a kernel whose work-items make more than one element: the grid to enqueue it on. */
void clg__planes_map_set_grid(struct clg__planes_map *map, struct clg__grid grid);

/* y and x do not overlap. */
clg_status clg__planes_map_enqueue(struct clg__planes_map *map, struct clg__stream *stream,
                                   struct clg__mem y, struct clg__mem x);
/* The same for a kernel with `num_in` inputs, at most CLG__MAP_INPUTS, in the place of x. */
clg_status clg__planes_map_enqueue_all(struct clg__planes_map *map, struct clg__stream *stream,
                                       struct clg__mem y, const struct clg__mem *in, size_t num_in);

/* ---- Plans of which both directions are such a kernel ---- */

struct clg__planes_plan {
    clg_context *ctx;
    clg_tensor_desc x, y;
    struct clg__planes_map *forward;  /* y of x */
    struct clg__planes_map *backward; /* dx of dy */
};

void clg__planes_plan_release(struct clg__planes_plan *plan);
clg_status clg__planes_plan_forward(const char *call, const struct clg__planes_plan *plan,
                                    clg_tensor *y, const clg_tensor *x, const clg_run *run);
/* Overwrites dx. Errors: also CLG_UNSUPPORTED with run->accumulate. */
clg_status clg__planes_plan_backward(const char *call, const struct clg__planes_plan *plan,
                                     clg_tensor *dx, const clg_tensor *dy, const clg_run *run);

#endif
