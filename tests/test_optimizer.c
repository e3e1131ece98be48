#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/optimizer.h"

enum { STEPS = 5 };

/* The settings of clg_optimizer_desc but for w. */
static const clg_optimizer_desc settings[] = {
    {.kind = CLG_OPTIMIZER_SGD, .lr = 0.1},
    {.kind = CLG_OPTIMIZER_SGD, .lr = 0.1, .weight_decay = 0.3},
    {.kind = CLG_OPTIMIZER_SGD, .lr = 0.05, .momentum = 0.9},
    {.kind = CLG_OPTIMIZER_SGD, .lr = 0.05, .momentum = 0.9, .dampening = 0.5, .weight_decay = 0.1},
    {.kind = CLG_OPTIMIZER_SGD, .lr = 0.05, .momentum = 0.8, .weight_decay = 0.1, .nesterov = true},
    {.kind = CLG_OPTIMIZER_ADAM, .lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
    {.kind = CLG_OPTIMIZER_ADAM, .lr = 0.01, .beta2 = 0.99, .eps = 1e-3, .weight_decay = 0.2},
    {.kind = CLG_OPTIMIZER_ADAMW,
     .lr = 0.01,
     .beta1 = 0.9,
     .beta2 = 0.999,
     .eps = 1e-8,
     .weight_decay = 0.5},
    {.kind = CLG_OPTIMIZER_ADAMW, .lr = 0, .beta1 = 0.5, .beta2 = 0.5, .eps = 1, .weight_decay = 1},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

static const int64_t sizes[] = {1, 63, 1000};

/* One step of the reference; the state arrays are those of clg_optimizer_state. */
static void ref_step(const clg_optimizer_desc *d, int64_t step, int64_t n, const double *dw,
                     double *const *states, double *w)
{
    struct ref_sgd sgd = {d->lr, d->momentum, d->dampening, d->weight_decay, d->nesterov};
    struct ref_adam adam = {d->lr, d->beta1, d->beta2, d->eps, d->weight_decay};
    struct ref_adam_state state = {step, states[0], states[1]};
    if (d->kind == CLG_OPTIMIZER_SGD)
        ref_sgd_step(&sgd, step, n, dw, states[0], w);
    else if (d->kind == CLG_OPTIMIZER_ADAM)
        ref_adam_step(&adam, &state, n, dw, w);
    else
        ref_adamw_step(&adam, &state, n, dw, w);
}

struct fixture {
    clg_optimizer_desc desc;
    clg_optimizer *plan;
    int64_t n;
    double *w, *states[2];
    clg_tensor *tw;
    char text[64];
};

static void setup(struct fixture *f, int setting, int64_t n)
{
    f->desc = settings[setting];
    f->desc.w = clg_desc_1d(n);
    f->n = n;
    snprintf(f->text, sizeof f->text, "setting %d, %s, %lld parameters", setting,
             clg_optimizer_name(f->desc.kind), (long long)n);
    OK(clg_optimizer_create(testing_context(), &f->desc, &f->plan));
    f->w = testing_uniform(n, 1);
    f->states[0] = ref_array_zeros(n);
    f->states[1] = ref_array_zeros(n);
    f->tw = testing_tensor_from(&f->desc.w, f->w);
}

static void teardown(struct fixture *f)
{
    free(f->w);
    free(f->states[0]);
    free(f->states[1]);
    clg_tensor_destroy(f->tw);
    clg_optimizer_destroy(f->plan);
}

/* One step of the plan and of the reference, with the gradient of that number. */
static void step(struct fixture *f, int64_t number)
{
    double *dw = testing_uniform(f->n, (uint64_t)number + 10);
    clg_tensor *tdw = testing_tensor_from(&f->desc.w, dw);
    OK(clg_optimizer_step(f->plan, f->tw, tdw, NULL));
    ref_step(&f->desc, number, f->n, dw, f->states, f->w);
    clg_tensor_destroy(tdw);
    free(dw);
}

static void every_step_equals_the_reference_and_so_does_the_state(void **state)
{
    (void)state;
    for (int i = 0; i < SETTINGS; i++)
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            struct fixture f;
            setup(&f, i, sizes[j]);
            for (int number = 1; number <= STEPS; number++) {
                step(&f, number);
                testing_expect_close(f.text, f.tw, f.w);
            }
            for (int k = 0; k < clg_optimizer_num_states(f.plan); k++)
                testing_expect_close(f.text, clg_optimizer_state(f.plan, k), f.states[k]);
            assert_int_equal(clg_optimizer_steps(f.plan), STEPS);
            teardown(&f);
        }
}

static void the_learning_rate_may_change_between_steps(void **state)
{
    (void)state;
    for (int i = 0; i < SETTINGS; i++) {
        struct fixture f;
        setup(&f, i, 100);
        for (int number = 1; number <= STEPS; number++) {
            f.desc.lr = 0.1 / number;
            OK(clg_optimizer_set_lr(f.plan, f.desc.lr));
            assert_true(clg_optimizer_lr(f.plan) == f.desc.lr);
            step(&f, number);
        }
        testing_expect_close(f.text, f.tw, f.w);
        FAILS(CLG_INVALID_ARGUMENT, "lr is -1", clg_optimizer_set_lr(f.plan, -1));
        FAILS(CLG_INVALID_ARGUMENT, "lr is inf", clg_optimizer_set_lr(f.plan, INFINITY));
        teardown(&f);
    }
}

static void a_new_plan_goes_on_from_saved_state_with_the_same_bits(void **state)
{
    (void)state;
    for (int i = 0; i < SETTINGS; i++) {
        struct fixture f, g;
        setup(&f, i, 100);
        setup(&g, i, 100);
        step(&f, 1);
        step(&f, 2);
        OK(clg_tensor_copy(g.tw, f.tw, NULL));
        for (int k = 0; k < clg_optimizer_num_states(f.plan); k++)
            OK(clg_tensor_copy(clg_optimizer_state(g.plan, k), clg_optimizer_state(f.plan, k),
                               NULL));
        OK(clg_optimizer_set_steps(g.plan, clg_optimizer_steps(f.plan)));
        step(&f, 3);
        step(&g, 3);
        testing_expect_same_bits(f.text, f.tw, g.tw);
        FAILS(CLG_INVALID_ARGUMENT, "-1 steps", clg_optimizer_set_steps(g.plan, -1));
        teardown(&f);
        teardown(&g);
    }
}

static void states_begin_as_zeros_under_pytorchs_names(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        [0] = {NULL, NULL}, [2] = {"momentum_buffer", NULL}, [7] = {"exp_avg", "exp_avg_sq"}};
    for (int i = 0; i < SETTINGS; i++) {
        if (i != 0 && i != 2 && i != 7)
            continue;
        struct fixture f;
        setup(&f, i, 100);
        for (int k = 0; k < 2; k++) {
            clg_tensor *tensor = clg_optimizer_state(f.plan, k);
            const char *name = clg_optimizer_state_name(f.plan, k);
            if (!names[i][k]) {
                assert_true(!tensor && !name && clg_optimizer_num_states(f.plan) <= k);
                continue;
            }
            assert_string_equal(name, names[i][k]);
            testing_expect_exact(name, tensor, f.states[k]);
        }
        assert_null(clg_optimizer_state(f.plan, -1));
        assert_int_equal(clg_optimizer_steps(f.plan), 0);
        teardown(&f);
    }
}

static void parts_of_one_buffer_are_updated_without_touching_their_neighbours(void **state)
{
    (void)state;
    clg_tensor_desc whole_desc = clg_desc_1d(100), part_desc = clg_desc_2d(10, 3);
    double *w = testing_integers(100, 9, 1);
    clg_tensor *whole = testing_tensor_from(&whole_desc, w), *part, *dw;
    OK(clg_tensor_view(clg_tensor_buffer(whole, NULL), 4 * 17, &part_desc, &part));
    OK(clg_tensor_view(clg_tensor_buffer(whole, NULL), 4 * 60, &part_desc, &dw));
    for (int i = 0; i < 30; i++)
        w[17 + i] -= 2 * w[60 + i];
    clg_optimizer_desc desc = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, &part_desc);
    desc.lr = 2;
    clg_optimizer *plan;
    OK(clg_optimizer_create(testing_context(), &desc, &plan));
    OK(clg_optimizer_step(plan, part, dw, NULL));
    testing_expect_exact("sgd on a part", whole, w);
    free(w);
    clg_tensor_destroy(whole);
    clg_tensor_destroy(part);
    clg_tensor_destroy(dw);
    clg_optimizer_destroy(plan);
}

static void names_go_both_ways_and_defaults_are_accepted(void **state)
{
    (void)state;
    clg_tensor_desc w = clg_desc_1d(3);
    for (int i = 0; i < CLG_OPTIMIZER_COUNT; i++) {
        clg_optimizer_kind kind;
        OK(clg_optimizer_from_name(clg_optimizer_name((clg_optimizer_kind)i), &kind));
        assert_int_equal(kind, i);
        clg_optimizer_desc desc = clg_optimizer_defaults(kind, &w);
        clg_optimizer *plan;
        OK(clg_optimizer_create(testing_context(), &desc, &plan));
        assert_true(clg_optimizer_lr(plan) == 0.001);
        clg_optimizer_destroy(plan);
    }
    clg_optimizer_kind kind;
    FAILS(CLG_INVALID_ARGUMENT, "\"lion\"; there are: sgd, adam, adamw",
          clg_optimizer_from_name("lion", &kind));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_optimizer_from_name(NULL, &kind));
    assert_string_equal(clg_optimizer_name((clg_optimizer_kind)-1), "unknown");
}

/* Refused with this in the message. */
static void refused(clg_optimizer_desc desc, const char *part)
{
    clg_optimizer *plan = (clg_optimizer *)&plan;
    FAILS(CLG_INVALID_ARGUMENT, part, clg_optimizer_create(testing_context(), &desc, &plan));
    assert_null(plan);
}

static void settings_out_of_range_are_refused_with_the_number(void **state)
{
    (void)state;
    clg_tensor_desc w = clg_desc_1d(3);
    clg_optimizer_desc sgd = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, &w), desc = sgd;
    clg_optimizer_desc adam = clg_optimizer_defaults(CLG_OPTIMIZER_ADAM, &w);
#define REFUSED(base, field, value, part)                                                          \
    do {                                                                                           \
        desc = base;                                                                               \
        desc.field = value;                                                                        \
        refused(desc, part);                                                                       \
    } while (0)
    REFUSED(sgd, kind, (clg_optimizer_kind)9, "kind 9");
    REFUSED(sgd, lr, -0.5, "lr is -0.5, it must be finite and at least 0");
    REFUSED(adam, lr, NAN, "lr is nan");
    REFUSED(sgd, weight_decay, -2, "weight_decay is -2");
    REFUSED(sgd, momentum, -0.25, "momentum is -0.25");
    REFUSED(sgd, dampening, INFINITY, "dampening is inf, it must be finite");
    REFUSED(sgd, dampening, -INFINITY, "dampening is -inf");
    REFUSED(sgd, nesterov, true, "momentum is 0 and dampening 0, nesterov");
    REFUSED(adam, beta1, 1, "beta1 is 1, it must be in [0, 1)");
    REFUSED(adam, beta2, -0.5, "beta2 is -0.5");
    REFUSED(adam, eps, -1, "eps is -1");
#undef REFUSED
    desc = sgd;
    desc.momentum = 0.5;
    desc.dampening = 0.25;
    desc.nesterov = true;
    refused(desc, "dampening 0.25, nesterov needs");
    desc = sgd;
    desc.beta1 = 7; /* not a setting of sgd */
    clg_optimizer *plan;
    OK(clg_optimizer_create(testing_context(), &desc, &plan));
    clg_optimizer_destroy(plan);
    clg_optimizer_destroy(NULL);
}

static void bad_parameters_are_refused(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_tensor_desc w = clg_desc_2d(2, 3), other = clg_desc_2d(3, 2);
    clg_optimizer_desc good = clg_optimizer_defaults(CLG_OPTIMIZER_SGD, &w), desc = good;
    clg_optimizer *plan;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_optimizer_create(ctx, NULL, &plan));
    desc.w.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_optimizer_create(ctx, &desc, &plan));
    desc = good;
    desc.w.dims[0] = 0;
    FAILS(CLG_INVALID_SHAPE, "0x3", clg_optimizer_create(ctx, &desc, &plan));
    OK(clg_optimizer_create(ctx, &good, &plan));
    clg_tensor *t = testing_tensor(&w, NULL), *wrong = testing_tensor(&other, NULL);
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_optimizer_step(NULL, t, t, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "w is NULL", clg_optimizer_step(plan, NULL, t, NULL));
    FAILS(CLG_INVALID_SHAPE, "dw is 3x2", clg_optimizer_step(plan, t, wrong, NULL));
    assert_int_equal(clg_optimizer_steps(plan), 0);
    clg_tensor_destroy(t);
    clg_tensor_destroy(wrong);
    clg_optimizer_destroy(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_equals_the_reference_and_so_does_the_state),
        cmocka_unit_test(the_learning_rate_may_change_between_steps),
        cmocka_unit_test(a_new_plan_goes_on_from_saved_state_with_the_same_bits),
        cmocka_unit_test(states_begin_as_zeros_under_pytorchs_names),
        cmocka_unit_test(parts_of_one_buffer_are_updated_without_touching_their_neighbours),
        cmocka_unit_test(names_go_both_ways_and_defaults_are_accepted),
        cmocka_unit_test(settings_out_of_range_are_refused_with_the_number),
        cmocka_unit_test(bad_parameters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
