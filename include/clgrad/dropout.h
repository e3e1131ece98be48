/* Dropout: elements set to zero at random while training. */
#ifndef CLGRAD_DROPOUT_H
#define CLGRAD_DROPOUT_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * y = x m with a random mask m: 0 with probability p, else 1 / (1 - p), so that the expected value
 * of y is x and evaluation needs no dropout at all (Srivastava et al. 2014, in the inverted form).
 *
 * The mask is a function of (seed, step, number, index of the element in N C H W order) and of
 * nothing else: the same on every device and in every layout. It is computed again in the backward
 * pass, which needs the same seed and step, and never stored. The random numbers are Philox
 * 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): for element i, word
 * i mod 4 of the block whose key is the seed and whose counter is (floor(i / 4), number, step);
 * the element is dropped when the word is below p 2^32.
 */
typedef struct clg_dropout_desc {
    float p;           /* in [0, 1]; 0 copies, 1 gives zeros */
    uint32_t number;   /* tells apart the dropouts of one network that share seed and step */
    clg_tensor_desc x; /* any shape and layout, float32; y, dy, dx are like it */
} clg_dropout_desc;

typedef struct clg_dropout clg_dropout;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL, p outside [0, 1]), CLG_UNSUPPORTED (not float32), those of a
 * clg_tensor_desc, CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_dropout_create(clg_context *ctx,
                                                      const clg_dropout_desc *desc,
                                                      clg_dropout **plan);
CLG_API void clg_dropout_destroy(clg_dropout *plan); /* NULL is allowed */

/* y = x m. Overwrites y, which may be x. A NaN or an infinity in x becomes a NaN also where it is
 * dropped. seed and step travel with the call: a loop counts step up and never waits. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's). */
CLG_API CLG_WARN_UNUSED clg_status clg_dropout_forward(clg_dropout *plan, clg_tensor *y,
                                                       const clg_tensor *x, uint64_t seed,
                                                       uint64_t step, const clg_run *run);

/* dx = dy m, with the seed and step of the forward pass. Overwrites dx, which may be dy, or adds to
 * it with run->accumulate. Asynchronous. Errors: as forward. */
CLG_API CLG_WARN_UNUSED clg_status clg_dropout_backward(clg_dropout *plan, clg_tensor *dx,
                                                        const clg_tensor *dy, uint64_t seed,
                                                        uint64_t step, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
