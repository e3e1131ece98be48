#include "support/norm_fixture.h"

#include <stdio.h>

static const struct {
    const char *name;
    double mean, scale, first;
} kinds[] = {{"uniform", 0, 1, 0},
             {"large mean", 1e4, 1.7, 0},
             {"tiny", 0, 1e-4, 0},
             {"outlier", 0, 1, 300}};

const char *norm_data_name(enum norm_data kind)
{
    return kinds[kind].name;
}

/* n doubles that floats hold exactly. */
static double *create_data(int64_t n, enum norm_data kind, uint64_t seed)
{
    double *x = testing_uniform(n, seed);
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(float)(kinds[kind].mean + kinds[kind].scale * x[i]);
    if (kinds[kind].first != 0)
        x[0] = kinds[kind].first;
    return x;
}

struct norm_fixture norm_fixture_create(const clg_tensor_desc *shape,
                                        const clg_tensor_desc *gamma_shape, bool affine,
                                        enum norm_data kind)
{
    struct norm_fixture f = {.shape = *shape, .gamma_shape = *gamma_shape};
    OK(clg_tensor_desc_count(shape, &f.count));
    OK(clg_tensor_desc_count(gamma_shape, &f.gamma_count));
    f.x = create_data(f.count, kind, 1);
    f.dy = testing_uniform(f.count, 2);
    f.tx = testing_tensor_from(shape, f.x);
    f.tdy = testing_tensor_from(shape, f.dy);
    if (affine) {
        f.gamma = testing_uniform(f.gamma_count, 3);
        f.beta = testing_uniform(f.gamma_count, 4);
        f.tgamma = testing_tensor_from(gamma_shape, f.gamma);
        f.tbeta = testing_tensor_from(gamma_shape, f.beta);
    }
    f.y = testing_tensor(shape, NULL);
    f.grads.dx = testing_tensor(shape, NULL);
    f.grads.dgamma = testing_tensor(gamma_shape, NULL);
    f.grads.dbeta = testing_tensor(gamma_shape, NULL);
    f.want_y = ref_array_zeros(f.count);
    f.want.dx = ref_array_zeros(f.count);
    f.want.dgamma = ref_array_zeros(f.gamma_count);
    f.want.dbeta = ref_array_zeros(f.gamma_count);
    return f;
}

void norm_fixture_destroy(struct norm_fixture *f)
{
    clg_tensor *tensors[] = {f->tx, f->tdy,      f->tgamma,       f->tbeta,
                             f->y,  f->grads.dx, f->grads.dgamma, f->grads.dbeta};
    double *arrays[] = {f->x,      f->dy,      f->gamma,       f->beta,
                        f->want_y, f->want.dx, f->want.dgamma, f->want.dbeta};
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++)
        clg_tensor_destroy(tensors[i]);
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        free(arrays[i]);
}

void norm_expect(const char *label, const char *what, const clg_tensor *tensor, const double *want)
{
    char text[128];
    snprintf(text, sizeof text, "%s of %s", what, label);
    testing_expect_close(text, tensor, want);
}

void norm_expect_y(const char *label, const struct norm_fixture *f)
{
    norm_expect(label, "y", f->y, f->want_y);
}

void norm_expect_gradients(const char *label, const struct norm_fixture *f)
{
    norm_expect(label, "dx", f->grads.dx, f->want.dx);
    norm_expect(label, "dgamma", f->grads.dgamma, f->want.dgamma);
    norm_expect(label, "dbeta", f->grads.dbeta, f->want.dbeta);
}

void norm_expect_same_bits(const struct norm_fixture *a, const struct norm_fixture *b)
{
    testing_expect_same_bits("y", a->y, b->y);
    testing_expect_same_bits("dx", a->grads.dx, b->grads.dx);
    testing_expect_same_bits("dgamma", a->grads.dgamma, b->grads.dgamma);
    testing_expect_same_bits("dbeta", a->grads.dbeta, b->grads.dbeta);
}
