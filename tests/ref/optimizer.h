/* One optimiser step over n parameters, as in PyTorch. step counts from 1; the state arrays hold n
 * elements, begin as zeros and, like param, are updated in place. */
#ifndef CLG_REF_OPTIMIZER_H
#define CLG_REF_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

struct ref_sgd {
    double lr, momentum, dampening, weight_decay;
    bool nesterov;
};

/* g = grad + weight_decay param
 * buf = momentum buf + (1 - dampening) g, but buf = g in step 1
 * param -= lr u, with u = g without momentum, g + momentum buf with nesterov, else buf.
 * buf may be NULL when momentum is 0. */
void ref_sgd_step(const struct ref_sgd *d, int64_t step, int64_t n, const double *grad, double *buf,
                  double *param);

struct ref_adam {
    double lr, beta1, beta2, eps, weight_decay;
};

struct ref_adam_state {
    int64_t step; /* of this call, from 1 */
    double *m, *v;
};

/* g = grad + weight_decay param
 * m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
 * param -= lr (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + eps) */
void ref_adam_step(const struct ref_adam *d, const struct ref_adam_state *state, int64_t n,
                   const double *grad, double *param);

/* Decoupled decay: param *= 1 - lr weight_decay, then an Adam step with g = grad. */
void ref_adamw_step(const struct ref_adam *d, const struct ref_adam_state *state, int64_t n,
                    const double *grad, double *param);

#endif
