/* Batch norm with relu, with a residual, and with both, against the reference of its parts. */
#include <math.h>
#include <stdio.h>

#include "support/batch_norm_fixture.h"

static const struct {
    const char *name;
    clg_epilogue epilogue;
    bool residual;
} kinds[] = {{"relu", CLG_EPILOGUE_RELU, false},
             {"residual", CLG_EPILOGUE_NONE, true},
             {"residual, relu", CLG_EPILOGUE_RELU, true}};

struct fused {
    struct batch_norm_fixture f;
    int kind;
    double *z, *masked; /* masked: what y lets through of dy */
    clg_tensor *tz, *dz;
    char label[96];
};

static struct fused set_up(size_t problem, enum norm_data data, int kind)
{
    struct fused it = {.kind = kind};
    it.f = batch_norm_set_up_fused(&batch_norm_problems[problem], data, kinds[kind].epilogue,
                                   kinds[kind].residual);
    it.z = testing_uniform(it.f.norm.count, 9);
    it.masked = ref_array_zeros(it.f.norm.count);
    it.tz = testing_tensor_from(&it.f.norm.shape, it.z);
    it.dz = testing_tensor(&it.f.norm.shape, NULL);
    if (kinds[kind].residual)
        it.f.tensors.z = it.tz;
    snprintf(it.label, sizeof it.label, "problem %d, %s, %s", (int)problem, norm_data_name(data),
             kinds[kind].name);
    return it;
}

static void tear_down(struct fused *it)
{
    clg_tensor_destroy(it->tz);
    clg_tensor_destroy(it->dz);
    free(it->z);
    free(it->masked);
    batch_norm_tear_down(&it->f);
}

static bool has_relu(const struct fused *it)
{
    return kinds[it->kind].epilogue == CLG_EPILOGUE_RELU;
}

/* want_y holds the norm's result: adds z, takes the maximum, compares; then asks for y and dz where
 * the backward pass needs them, and masks dy by the device's y, whose zeros are those that count.
 */
static void after_forward(struct fused *it)
{
    struct norm_fixture *n = &it->f.norm;
    for (int64_t i = 0; i < n->count; i++) {
        double y = n->want_y[i] + (kinds[it->kind].residual ? it->z[i] : 0);
        n->want_y[i] = has_relu(it) && y < 0 ? 0 : y;
    }
    norm_expect_y(it->label, n);
    float *y = testing_download(n->y);
    for (int64_t i = 0; i < n->count; i++)
        it->masked[i] = has_relu(it) && y[i] <= 0 ? 0 : n->dy[i];
    free(y);
    bool both = has_relu(it) && kinds[it->kind].residual;
    it->f.tensors.y = both ? n->y : NULL;
    n->grads.dz = both ? it->dz : NULL;
}

static void after_backward(const struct fused *it)
{
    norm_expect_gradients(it->label, &it->f.norm);
    if (it->f.norm.grads.dz)
        testing_expect_exact(it->label, it->f.norm.grads.dz, it->masked);
}

static void check_training(struct fused *it)
{
    struct norm_fixture *n = &it->f.norm;
    batch_norm_forward(&it->f);
    ref_batch_norm_forward(&it->f.ref, n->x, it->f.running_mean, it->f.running_var, n->want_y);
    after_forward(it);
    batch_norm_backward(&it->f, &n->grads, NULL);
    ref_batch_norm_backward(&it->f.ref, n->x, it->masked, &n->want);
    after_backward(it);
    /* dx without dz, and over dy; dy last, where it is dz. */
    clg_norm_gradients dx = {.dx = n->grads.dx};
    OK(clg_tensor_fill(n->grads.dx, NAN, NULL));
    batch_norm_backward(&it->f, &dx, NULL);
    after_backward(it);
    clg_norm_gradients in_place = n->grads;
    if (n->grads.dz) {
        OK(clg_tensor_fill(n->grads.dx, NAN, NULL));
        in_place.dz = n->tdy;
        batch_norm_backward(&it->f, &in_place, NULL);
        testing_expect_exact(it->label, n->tdy, it->masked);
        after_backward(it);
        return;
    }
    in_place.dx = n->tdy;
    batch_norm_backward(&it->f, &in_place, NULL);
    norm_expect(it->label, "dx over dy", n->tdy, n->want.dx);
}

static void check_evaluation(struct fused *it)
{
    struct norm_fixture *n = &it->f.norm;
    if (!it->f.tensors.running_mean)
        return;
    it->f.tensors.y = NULL;
    OK(clg_batch_norm_forward_eval(it->f.plan, n->y, n->tx, &it->f.tensors, NULL));
    ref_batch_norm_apply(&it->f.ref, n->x, it->f.running_mean, it->f.running_var, n->want_y);
    after_forward(it);
    OK(clg_batch_norm_backward_eval(it->f.plan, &n->grads, n->tdy, n->tx, &it->f.tensors, NULL));
    ref_batch_norm_eval_backward(&it->f.ref, n->x, it->f.running_mean, it->f.running_var,
                                 it->masked, &n->want);
    after_backward(it);
}

static void for_every_problem(void (*check)(struct fused *it))
{
    /* Interpreters get every other problem, and one kind of data. */
    for (size_t i = 0; i < batch_norm_num_problems; i += testing_interpreted() ? 2 : 1)
        for (int data = 0; data <= NORM_DATA_LARGE_MEAN; data++)
            for (int kind = 0; kind < 3; kind++) {
                if ((batch_norm_problems[i].large && testing_small()) ||
                    (data > 0 && testing_interpreted()))
                    continue;
                struct fused it = set_up(i, (enum norm_data)data, kind);
                check(&it);
                tear_down(&it);
            }
}

static void training_equals_the_reference_of_the_parts(void **state)
{
    (void)state;
    for_every_problem(check_training);
}

static void evaluation_equals_the_reference_of_the_parts(void **state)
{
    (void)state;
    for_every_problem(check_evaluation);
}

static void a_nan_stays_one(void **state)
{
    (void)state;
    for (size_t problem = 0; problem < 2; problem++)
        for (int kind = 0; kind < 3; kind++) {
            struct fused it = set_up(problem, NORM_DATA_UNIFORM, kind);
            struct norm_fixture *n = &it.f.norm;
            int64_t spatial = it.f.ref.spatial, channels = it.f.ref.c;
            n->x[2 * spatial] = NAN; /* channel 2 of the first image */
            it.z[0] = NAN;
            clg_tensor *x = testing_tensor_from(&n->shape, n->x);
            clg_tensor *z = testing_tensor_from(&n->shape, it.z);
            it.f.tensors.z = kinds[kind].residual ? z : NULL;
            OK(clg_batch_norm_forward_train(it.f.plan, n->y, x, &it.f.tensors, NULL));
            float *y = testing_download(n->y);
            for (int64_t i = 0; i < n->count; i++) {
                bool expected = i / spatial % channels == 2 || (i == 0 && kinds[kind].residual);
                assert_int_equal(isnan(y[i]) != 0, expected);
            }
            free(y);
            clg_tensor_destroy(x);
            clg_tensor_destroy(z);
            tear_down(&it);
        }
}

static void tensors_that_do_not_belong_are_refused(void **state)
{
    (void)state;
    clg_batch_norm_desc desc = {.x = clg_desc_4d(2, 3, 4, 5), .epilogue = CLG_EPILOGUE_COUNT};
    clg_batch_norm *plan;
    FAILS(CLG_INVALID_ARGUMENT, "epilogue 2 is unknown",
          clg_batch_norm_create(testing_context(), &desc, &plan));
    struct fused relu = set_up(0, NORM_DATA_UNIFORM, 0), both = set_up(0, NORM_DATA_UNIFORM, 2);
    struct norm_fixture *n = &both.f.norm;
    clg_batch_norm_tensors none = {0}, z = {.z = both.tz}, y = {.y = n->y};
    FAILS(CLG_INVALID_ARGUMENT, "z is NULL",
          clg_batch_norm_forward_train(both.f.plan, n->y, n->tx, &none, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "z is given to a plan without a residual",
          clg_batch_norm_forward_train(relu.f.plan, n->y, n->tx, &z, NULL));
    OK(clg_batch_norm_forward_train(both.f.plan, n->y, n->tx, &z, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "y is NULL",
          clg_batch_norm_backward(both.f.plan, &n->grads, n->tdy, n->tx, &z, NULL));
    batch_norm_forward(&relu.f);
    FAILS(CLG_INVALID_ARGUMENT, "y is given to a plan without a residual",
          clg_batch_norm_backward(relu.f.plan, &n->grads, n->tdy, n->tx, &y, NULL));
    n->grads.dz = both.dz;
    FAILS(CLG_INVALID_ARGUMENT, "dz is given to a plan without a residual and relu",
          clg_batch_norm_backward(relu.f.plan, &n->grads, n->tdy, n->tx, &none, NULL));
    n->grads.dz = NULL;
    tear_down(&relu);
    tear_down(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_equals_the_reference_of_the_parts),
        cmocka_unit_test(evaluation_equals_the_reference_of_the_parts),
        cmocka_unit_test(a_nan_stays_one),
        cmocka_unit_test(tensors_that_do_not_belong_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
