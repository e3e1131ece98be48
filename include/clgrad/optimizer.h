/* Optimisers: how gradients change parameters. */
#ifndef CLGRAD_OPTIMIZER_H
#define CLGRAD_OPTIMIZER_H

#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One step with gradient dw on parameters w, t counting from 1; the semantics are PyTorch's:
 *
 * sgd    g = dw + weight_decay w
 *        buf = momentum buf + (1 - dampening) g,  but buf = g in step 1
 *        w -= lr u,  u = g without momentum, g + momentum buf with nesterov, else buf
 * adam   g = dw + weight_decay w
 *        m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
 *        w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
 * adamw  w -= lr weight_decay w, then adam with g = dw
 *
 * Sources: Sutskever et al. 2013 (momentum, Nesterov), Kingma and Ba 2014 (Adam), Loshchilov and
 * Hutter 2017 (decoupled weight decay).
 */
#define CLG_OPTIMIZER_LIST(X)                                                                      \
    X(SGD, sgd)                                                                                    \
    X(ADAM, adam)                                                                                  \
    X(ADAMW, adamw)

typedef enum clg_optimizer_kind {
#define CLG_OPTIMIZER_ENUM(NAME, name) CLG_OPTIMIZER_##NAME,
    CLG_OPTIMIZER_LIST(CLG_OPTIMIZER_ENUM)
#undef CLG_OPTIMIZER_ENUM
        CLG_OPTIMIZER_COUNT
} clg_optimizer_kind;

/* "sgd" and so on; "unknown" for a value that is none. */
CLG_API const char *clg_optimizer_name(clg_optimizer_kind kind);
/* The kind of that name. Errors: CLG_INVALID_ARGUMENT (NULL, no such name; the message lists
 * them). */
CLG_API CLG_WARN_UNUSED clg_status clg_optimizer_from_name(const char *name,
                                                           clg_optimizer_kind *kind);

/*
 * The parameters of a plan are one tensor. A network that keeps all its parameters side by side in
 * one buffer, and their gradients side by side in another, updates them with one kernel: w and dw
 * are then one-dimensional views of the whole. Parameters that want other settings (no weight decay
 * on biases, say) are other plans on other parts.
 */
typedef struct clg_optimizer_desc {
    clg_optimizer_kind kind;
    clg_tensor_desc w;   /* any shape and layout, float32; dw is like it */
    double lr;           /* learning rate, at least 0 */
    double weight_decay; /* at least 0 */
    double momentum;     /* sgd: at least 0 */
    double dampening;    /* sgd: any finite number */
    bool nesterov;       /* sgd: needs momentum above 0 and dampening 0 */
    double beta1, beta2; /* adam, adamw: in [0, 1) */
    double eps;          /* adam, adamw: at least 0 */
} clg_optimizer_desc;

/* PyTorch's defaults: lr 0.001; sgd: all else 0; adam, adamw: betas 0.9 and 0.999, eps 1e-8;
 * weight decay 0.01 for adamw, 0 for the others. w NULL: left zero, for a clg_train_desc. */
CLG_API clg_optimizer_desc clg_optimizer_defaults(clg_optimizer_kind kind,
                                                  const clg_tensor_desc *w);

typedef struct clg_optimizer clg_optimizer;

/* Validates, compiles, allocates the state and sets it to zero; blocks until that is done. *plan is
 * NULL after a failure.
 * Errors: CLG_INVALID_ARGUMENT (NULL, unknown kind, a setting outside its range; settings of the
 * other kinds do not matter), CLG_UNSUPPORTED (not float32), those of a clg_tensor_desc,
 * CLG_OUT_OF_DEVICE_MEMORY (state), CLG_BUILD_FAILED. */
CLG_API CLG_WARN_UNUSED clg_status clg_optimizer_create(clg_context *ctx,
                                                        const clg_optimizer_desc *desc,
                                                        clg_optimizer **plan);
CLG_API void clg_optimizer_destroy(clg_optimizer *plan); /* NULL is allowed */

/* One step: updates w and the plan's state in place and counts the step. dw is only read; it must
 * not overlap w. run->accumulate does not matter. Asynchronous.
 * Errors: CLG_INVALID_ARGUMENT (NULL, another context), CLG_INVALID_SHAPE (not the plan's). */
CLG_API CLG_WARN_UNUSED clg_status clg_optimizer_step(clg_optimizer *plan, clg_tensor *w,
                                                      const clg_tensor *dw, const clg_run *run);

/* The learning rate of the steps to come. Errors: CLG_INVALID_ARGUMENT (below 0, not finite). */
CLG_API CLG_WARN_UNUSED clg_status clg_optimizer_set_lr(clg_optimizer *plan, double lr);
CLG_API double clg_optimizer_lr(const clg_optimizer *plan);

/*
 * What a checkpoint holds: the number of steps taken and the state tensors, which are like w, zero
 * at first, and belong to the plan. Their names are PyTorch's:
 * sgd with momentum: momentum_buffer; sgd without: none; adam, adamw: exp_avg (m), exp_avg_sq (v).
 * To go on from a checkpoint, upload the states and set the number of steps (sgd takes
 * momentum_buffer as it is only when at least one step was taken).
 */
CLG_API int clg_optimizer_num_states(const clg_optimizer *plan);
/* The name and the tensor of state i; NULL when i is out of range. Valid as long as the plan. */
CLG_API const char *clg_optimizer_state_name(const clg_optimizer *plan, int i);
CLG_API clg_tensor *clg_optimizer_state(const clg_optimizer *plan, int i);
CLG_API int64_t clg_optimizer_steps(const clg_optimizer *plan);
/* Errors: CLG_INVALID_ARGUMENT (below 0). */
CLG_API CLG_WARN_UNUSED clg_status clg_optimizer_set_steps(clg_optimizer *plan, int64_t steps);

#ifdef __cplusplus
}
#endif

#endif
