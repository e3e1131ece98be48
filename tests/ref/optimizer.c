#include "ref/optimizer.h"

#include <math.h>

void ref_sgd_step(const struct ref_sgd *d, int64_t step, int64_t n, const double *grad, double *buf,
                  double *param)
{
    for (int64_t i = 0; i < n; i++) {
        double g = grad[i] + d->weight_decay * param[i];
        double update = g;
        if (d->momentum != 0) {
            buf[i] = step == 1 ? g : d->momentum * buf[i] + (1 - d->dampening) * g;
            update = d->nesterov ? g + d->momentum * buf[i] : buf[i];
        }
        param[i] -= d->lr * update;
    }
}

void ref_adam_step(const struct ref_adam *d, const struct ref_adam_state *state, int64_t n,
                   const double *grad, double *param)
{
    double correction1 = 1 - pow(d->beta1, (double)state->step);
    double correction2 = 1 - pow(d->beta2, (double)state->step);
    double *m = state->m, *v = state->v;
    for (int64_t i = 0; i < n; i++) {
        double g = grad[i] + d->weight_decay * param[i];
        m[i] = d->beta1 * m[i] + (1 - d->beta1) * g;
        v[i] = d->beta2 * v[i] + (1 - d->beta2) * g * g;
        param[i] -= d->lr * (m[i] / correction1) / (sqrt(v[i] / correction2) + d->eps);
    }
}

void ref_adamw_step(const struct ref_adam *d, const struct ref_adam_state *state, int64_t n,
                    const double *grad, double *param)
{
    struct ref_adam plain = *d;
    plain.weight_decay = 0;
    for (int64_t i = 0; i < n; i++)
        param[i] *= 1 - d->lr * d->weight_decay;
    ref_adam_step(&plain, state, n, grad, param);
}
