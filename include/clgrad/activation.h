/* Activation functions, element by element. */
#ifndef CLGRAD_ACTIVATION_H
#define CLGRAD_ACTIVATION_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * X(NAME, name), sigma(x) = 1 / (1 + e^-x), softplus(x) = ln(1 + e^x):
 *   relu        max(x, 0)
 *   leaky_relu  x for x > 0, else alpha x
 *   elu         x for x > 0, else alpha (e^x - 1)
 *   sigmoid     sigma(x)
 *   tanh        tanh(x)
 *   gelu        x Phi(x) with the normal distribution function Phi, the exact (erf) form
 *   silu        x sigma(x)
 *   softplus    softplus(x)
 *   hardswish   x clamp(x + 3, 0, 6) / 6
 *   relu6       clamp(x, 0, 6)
 *   mish        x tanh(softplus(x))
 * Sources: Clevert 2015 (elu), Hendrycks and Gimpel 2016 (gelu), Elfwing 2017 (silu),
 * Howard 2019 (hardswish), Misra 2019 (mish). Where a function has a kink, the derivative there is
 * the left one for relu, leaky_relu and elu; relu6 has 0 at both of its kinks, hardswish 0 at -3
 * and 1 at 3.
 */
#define CLG_ACTIVATION_LIST(X)                                                                     \
    X(RELU, relu)                                                                                  \
    X(LEAKY_RELU, leaky_relu)                                                                      \
    X(ELU, elu)                                                                                    \
    X(SIGMOID, sigmoid)                                                                            \
    X(TANH, tanh)                                                                                  \
    X(GELU, gelu)                                                                                  \
    X(SILU, silu)                                                                                  \
    X(SOFTPLUS, softplus)                                                                          \
    X(HARDSWISH, hardswish)                                                                        \
    X(RELU6, relu6)                                                                                \
    X(MISH, mish)

typedef enum clg_activation_kind {
#define CLG_ACTIVATION_ENUM(NAME, name) CLG_ACTIVATION_##NAME,
    CLG_ACTIVATION_LIST(CLG_ACTIVATION_ENUM)
#undef CLG_ACTIVATION_ENUM
        CLG_ACTIVATION_COUNT
} clg_activation_kind;

/* "relu" and so on; "unknown" for a value that is none. */
CLG_API const char *clg_activation_name(clg_activation_kind kind);
/* The kind of that name. Errors: CLG_INVALID_ARGUMENT (no such name; the message lists them). */
CLG_API CLG_WARN_UNUSED clg_status clg_activation_from_name(const char *name,
                                                            clg_activation_kind *kind);

typedef struct clg_activation_desc {
    clg_activation_kind kind;
    float alpha;       /* of leaky_relu and elu; the others ignore it */
    clg_tensor_desc x; /* any shape and layout, float32; y, dy, dx are like it */
} clg_activation_desc;

typedef struct clg_activation clg_activation;

/* Validates and compiles. *plan is NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (unknown kind, alpha not finite), CLG_UNSUPPORTED (not float32),
 * those of a clg_tensor_desc, CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_activation_create(clg_context *ctx,
                                                         const clg_activation_desc *desc,
                                                         clg_activation **plan);
CLG_API void clg_activation_destroy(clg_activation *plan); /* NULL is allowed */

/* y = f(x). Overwrites y, which may be x. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's). */
CLG_API CLG_WARN_UNUSED clg_status clg_activation_forward(clg_activation *plan, clg_tensor *y,
                                                          const clg_tensor *x, const clg_run *run);

/* dx = dy f'(x), with the x of the forward pass. Overwrites dx, which may be dy. Asynchronous.
 * Errors: as forward; CLG_UNSUPPORTED with run->accumulate. */
CLG_API CLG_WARN_UNUSED clg_status clg_activation_backward(clg_activation *plan, clg_tensor *dx,
                                                           const clg_tensor *dy,
                                                           const clg_tensor *x, const clg_run *run);

#ifdef __cplusplus
}
#endif

#endif
