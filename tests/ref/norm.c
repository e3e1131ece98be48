#include "ref/norm.h"

#include "ref/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the three norms share: x as [n, c, spatial]; an element's set follows from its plane. */
struct view {
    int64_t n, c, spatial;
    int64_t groups; /* per image; 0: a set is a channel over all images */
    double eps;
    const double *gamma, *beta;
};

static int64_t size_of(const struct view *v)
{
    return v->n * v->c * v->spatial;
}

static int64_t set_count(const struct view *v)
{
    return v->groups == 0 ? v->c : v->n * v->groups;
}

static double set_size(const struct view *v)
{
    return (double)(size_of(v) / set_count(v));
}

static int64_t set_of(const struct view *v, int64_t plane)
{
    int64_t image = plane / v->c, channel = plane % v->c;
    return v->groups == 0 ? channel : image * v->groups + channel / (v->c / v->groups);
}

static double gamma_of(const struct view *v, int64_t plane)
{
    return v->gamma ? v->gamma[plane % v->c] : 1;
}

static double beta_of(const struct view *v, int64_t plane)
{
    return v->beta ? v->beta[plane % v->c] : 0;
}

static void scale(double *x, int64_t n, double factor)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

static void statistics(const struct view *v, const double *x, double *mean, double *var)
{
    int64_t sets = set_count(v), length = v->spatial;
    memset(mean, 0, (size_t)sets * sizeof *mean);
    memset(var, 0, (size_t)sets * sizeof *var);
    for (int64_t plane = 0; plane < v->n * v->c; plane++) {
        int64_t set = set_of(v, plane);
        for (int64_t i = plane * length; i < (plane + 1) * length; i++)
            mean[set] += x[i];
    }
    scale(mean, sets, 1 / set_size(v));
    for (int64_t plane = 0; plane < v->n * v->c; plane++) {
        int64_t set = set_of(v, plane);
        for (int64_t i = plane * length; i < (plane + 1) * length; i++)
            var[set] += (x[i] - mean[set]) * (x[i] - mean[set]);
    }
    scale(var, sets, 1 / set_size(v));
}

static void normalise(const struct view *v, const double *x, const double *mean, const double *var,
                      double *xhat)
{
    for (int64_t plane = 0; plane < v->n * v->c; plane++) {
        int64_t set = set_of(v, plane);
        double deviation = sqrt(var[set] + v->eps);
        for (int64_t i = plane * v->spatial; i < (plane + 1) * v->spatial; i++)
            xhat[i] = (x[i] - mean[set]) / deviation;
    }
}

static void apply(const struct view *v, const double *x, const double *mean, const double *var,
                  double *y)
{
    normalise(v, x, mean, var, y);
    for (int64_t plane = 0; plane < v->n * v->c; plane++)
        for (int64_t i = plane * v->spatial; i < (plane + 1) * v->spatial; i++)
            y[i] = gamma_of(v, plane) * y[i] + beta_of(v, plane);
}

static void forward(const struct view *v, const double *x, double *y)
{
    double *mean = ref_array_zeros(set_count(v)), *var = ref_array_zeros(set_count(v));
    statistics(v, x, mean, var);
    apply(v, x, mean, var, y);
    free(mean);
    free(var);
}

static void weight_gradients(const struct view *v, const double *xhat, const double *dy,
                             const struct ref_norm_grads *grads)
{
    for (int64_t c = 0; c < v->c; c++) {
        double dgamma = 0, dbeta = 0;
        for (int64_t plane = c; plane < v->n * v->c; plane += v->c)
            for (int64_t i = plane * v->spatial; i < (plane + 1) * v->spatial; i++) {
                dgamma += dy[i] * xhat[i];
                dbeta += dy[i];
            }
        if (grads->dgamma)
            grads->dgamma[c] = dgamma;
        if (grads->dbeta)
            grads->dbeta[c] = dbeta;
    }
}

/* dx from xhat, with the averages over each set of g = dy gamma and of g xhat. */
static void data_gradient(const struct view *v, const double *xhat, const double *var,
                          const double *dy, double *dx)
{
    int64_t sets = set_count(v), length = v->spatial;
    double *g_average = ref_array_zeros(sets), *gx_average = ref_array_zeros(sets);
    for (int64_t plane = 0; plane < v->n * v->c; plane++) {
        int64_t set = set_of(v, plane);
        for (int64_t i = plane * length; i < (plane + 1) * length; i++) {
            double g = dy[i] * gamma_of(v, plane);
            g_average[set] += g;
            gx_average[set] += g * xhat[i];
        }
    }
    scale(g_average, sets, 1 / set_size(v));
    scale(gx_average, sets, 1 / set_size(v));
    for (int64_t plane = 0; plane < v->n * v->c; plane++) {
        int64_t set = set_of(v, plane);
        double deviation = sqrt(var[set] + v->eps);
        for (int64_t i = plane * length; i < (plane + 1) * length; i++) {
            double g = dy[i] * gamma_of(v, plane);
            dx[i] = (g - g_average[set] - xhat[i] * gx_average[set]) / deviation;
        }
    }
    free(g_average);
    free(gx_average);
}

static void backward(const struct view *v, const double *x, const double *dy,
                     const struct ref_norm_grads *grads)
{
    double *mean = ref_array_zeros(set_count(v)), *var = ref_array_zeros(set_count(v));
    double *xhat = ref_array_zeros(size_of(v));
    statistics(v, x, mean, var);
    normalise(v, x, mean, var, xhat);
    weight_gradients(v, xhat, dy, grads);
    data_gradient(v, xhat, var, dy, grads->dx);
    free(mean);
    free(var);
    free(xhat);
}

static struct view batch_view(const struct ref_batch_norm *d)
{
    return (struct view){d->n, d->c, d->spatial, 0, d->eps, d->gamma, d->beta};
}

void ref_batch_norm_statistics(const struct ref_batch_norm *d, const double *x, double *mean,
                               double *var)
{
    struct view v = batch_view(d);
    statistics(&v, x, mean, var);
}

void ref_batch_norm_update_running(const struct ref_batch_norm *d, const double *mean,
                                   const double *var, double *running_mean, double *running_var)
{
    double m = (double)(d->n * d->spatial);
    for (int64_t c = 0; c < d->c; c++) {
        double unbiased = var[c] * m / (m - 1);
        running_mean[c] = (1 - d->momentum) * running_mean[c] + d->momentum * mean[c];
        running_var[c] = (1 - d->momentum) * running_var[c] + d->momentum * unbiased;
    }
}

void ref_batch_norm_apply(const struct ref_batch_norm *d, const double *x, const double *mean,
                          const double *var, double *y)
{
    struct view v = batch_view(d);
    apply(&v, x, mean, var, y);
}

void ref_batch_norm_forward(const struct ref_batch_norm *d, const double *x, double *running_mean,
                            double *running_var, double *y)
{
    double *mean = ref_array_zeros(d->c), *var = ref_array_zeros(d->c);
    ref_batch_norm_statistics(d, x, mean, var);
    ref_batch_norm_apply(d, x, mean, var, y);
    if (running_mean && running_var)
        ref_batch_norm_update_running(d, mean, var, running_mean, running_var);
    free(mean);
    free(var);
}

void ref_batch_norm_backward(const struct ref_batch_norm *d, const double *x, const double *dy,
                             const struct ref_norm_grads *grads)
{
    struct view v = batch_view(d);
    backward(&v, x, dy, grads);
}

void ref_batch_norm_eval_backward(const struct ref_batch_norm *d, const double *x,
                                  const double *mean, const double *var, const double *dy,
                                  const struct ref_norm_grads *grads)
{
    struct view v = batch_view(d);
    double *xhat = ref_array_zeros(size_of(&v));
    normalise(&v, x, mean, var, xhat);
    weight_gradients(&v, xhat, dy, grads);
    for (int64_t plane = 0; plane < d->n * d->c; plane++)
        for (int64_t i = plane * d->spatial; i < (plane + 1) * d->spatial; i++)
            grads->dx[i] = dy[i] * gamma_of(&v, plane) / sqrt(var[set_of(&v, plane)] + d->eps);
    free(xhat);
}

static struct view group_view(const struct ref_group_norm *d)
{
    return (struct view){d->n, d->c, d->spatial, d->groups, d->eps, d->gamma, d->beta};
}

void ref_group_norm_forward(const struct ref_group_norm *d, const double *x, double *y)
{
    struct view v = group_view(d);
    forward(&v, x, y);
}

void ref_group_norm_backward(const struct ref_group_norm *d, const double *x, const double *dy,
                             const struct ref_norm_grads *grads)
{
    struct view v = group_view(d);
    backward(&v, x, dy, grads);
}

/* A row is an image of d one-element channels in one group. */
static struct view layer_view(const struct ref_layer_norm *d)
{
    return (struct view){d->rows, d->d, 1, 1, d->eps, d->gamma, d->beta};
}

void ref_layer_norm_forward(const struct ref_layer_norm *d, const double *x, double *y)
{
    struct view v = layer_view(d);
    forward(&v, x, y);
}

void ref_layer_norm_backward(const struct ref_layer_norm *d, const double *x, const double *dy,
                             const struct ref_norm_grads *grads)
{
    struct view v = layer_view(d);
    backward(&v, x, dy, grads);
}
