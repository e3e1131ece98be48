#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/linear.h"

static const struct ref_linear problems[] = {
    {1, 1, 1},   {1, 84, 10}, {64, 120, 84}, {5, 3, 7},      {33, 65, 17},
    {100, 2, 1}, {7, 700, 9}, {2100, 5, 3},  {64, 400, 120},
};

enum { NUM_PROBLEMS = sizeof problems / sizeof problems[0], NUM_DIRECTIONS = 3 };

/* An interpreter has the time for small ones. */
static bool fits(const struct ref_linear *p)
{
    return !testing_interpreted() || p->n * p->in * p->out <= 50000;
}

/* The host data of one case, with the results of the reference. */
struct data {
    double *x, *w, *b, *dy;
    double *y, *dx, *dw, *db;
};

static double *random_data(int64_t count, bool integers, uint64_t seed)
{
    return integers ? testing_integers(count, 4, seed) : testing_uniform(count, seed);
}

static struct data make_data(const struct ref_linear *p, bool integers)
{
    struct data d = {
        .x = random_data(p->n * p->in, integers, 1),
        .w = random_data(p->in * p->out, integers, 2),
        .b = random_data(p->out, integers, 3),
        .dy = random_data(p->n * p->out, integers, 4),
        .y = ref_array_zeros(p->n * p->out),
        .dx = ref_array_zeros(p->n * p->in),
        .dw = ref_array_zeros(p->in * p->out),
        .db = ref_array_zeros(p->out),
    };
    ref_linear_forward(p, d.x, d.w, d.b, d.y);
    ref_linear_backward_data(p, d.w, d.dy, d.dx);
    ref_linear_backward_filter(p, d.x, d.dy, d.dw);
    ref_linear_backward_bias(p, d.dy, d.db);
    return d;
}

static void free_data(struct data *d)
{
    double *all[] = {d->x, d->w, d->b, d->dy, d->y, d->dx, d->dw, d->db};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* ---- Each algorithm and direction ---- */

static clg_linear *create(const struct ref_linear *p, clg_linear_direction direction,
                          const char *algorithm)
{
    clg_linear_desc desc = {
        .x = clg_desc_2d(p->n, p->in), .out = p->out, .directions = 1u << direction};
    desc.algorithm[direction] = algorithm;
    clg_linear *plan;
    clg_status status = clg_linear_create(testing_context(), &desc, &plan);
    if (status == CLG_UNSUPPORTED && algorithm)
        return NULL;
    OK(status);
    if (algorithm)
        assert_string_equal(clg_linear_algorithm(plan, direction), algorithm);
    return plan;
}

struct tensors {
    clg_tensor *x, *w, *b, *dy, *out, *db;
};

static struct tensors make_tensors(clg_linear *plan, clg_linear_direction direction,
                                   const struct data *d)
{
    const clg_tensor_desc *out = direction == CLG_LINEAR_FORWARD         ? clg_linear_y_desc(plan)
                                 : direction == CLG_LINEAR_BACKWARD_DATA ? clg_linear_x_desc(plan)
                                                                         : clg_linear_w_desc(plan);
    return (struct tensors){
        .x = testing_tensor_from(clg_linear_x_desc(plan), d->x),
        .w = testing_tensor_from(clg_linear_w_desc(plan), d->w),
        .b = testing_tensor_from(clg_linear_b_desc(plan), d->b),
        .dy = testing_tensor_from(clg_linear_y_desc(plan), d->dy),
        .out = testing_tensor(out, NULL),
        .db = testing_tensor(clg_linear_b_desc(plan), NULL),
    };
}

static void free_tensors(struct tensors *t)
{
    clg_tensor *all[] = {t->x, t->w, t->b, t->dy, t->out, t->db};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        clg_tensor_destroy(all[i]);
}

static void run(clg_linear *plan, clg_linear_direction direction, struct tensors *t,
                const clg_run *options)
{
    if (direction == CLG_LINEAR_FORWARD)
        OK(clg_linear_forward(plan, t->out, t->x, t->w, t->b, options));
    else if (direction == CLG_LINEAR_BACKWARD_DATA)
        OK(clg_linear_backward_data(plan, t->out, t->dy, t->w, options));
    else
        OK(clg_linear_backward_weight(plan, t->out, t->db, t->x, t->dy, options));
}

static void expect(const char *label, bool exact, const clg_tensor *tensor, double *want,
                   double times)
{
    int64_t count = clg_tensor_count(tensor);
    double *scaled = ref_array_zeros(count);
    for (int64_t i = 0; i < count; i++)
        scaled[i] = times * want[i];
    if (exact)
        testing_expect_exact(label, tensor, scaled);
    else
        testing_expect_close(label, tensor, scaled);
    free(scaled);
}

/* Overwrites NaNs, then adds the same once more. False when the algorithm refuses the problem. */
static bool check(const struct ref_linear *p, clg_linear_direction direction, const char *algorithm,
                  bool exact)
{
    clg_linear *plan = create(p, direction, algorithm);
    if (!plan)
        return false;
    struct data d = make_data(p, exact);
    struct tensors t = make_tensors(plan, direction, &d);
    double *wants[] = {d.y, d.dx, d.dw};
    char label[128];
    for (int times = 1; times <= 2; times++) {
        snprintf(label, sizeof label, "%s, direction %d, n %lld in %lld out %lld%s", algorithm,
                 (int)direction, (long long)p->n, (long long)p->in, (long long)p->out,
                 times > 1 ? ", accumulated" : "");
        clg_run options = {.accumulate = times > 1};
        run(plan, direction, &t, &options);
        expect(label, exact, t.out, wants[direction], times);
        if (direction == CLG_LINEAR_BACKWARD_WEIGHT)
            expect(label, exact, t.db, d.db, times);
    }
    free_tensors(&t);
    free_data(&d);
    clg_linear_destroy(plan);
    return true;
}

static void every_algorithm_equals_the_reference_in_every_direction(void **state)
{
    (void)state;
    const char *names[8];
    size_t count = clg_linear_algorithms(names, 8);
    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        if (testing_small() && strcmp(names[i], "clblast") == 0)
            continue; /* its kernels take very long to compile there */
        int done = 0;
        for (int j = 0; j < NUM_PROBLEMS; j++) {
            const struct ref_linear *p = &problems[j];
            if (!fits(p))
                continue;
            for (int direction = 0; direction < NUM_DIRECTIONS; direction++) {
                done += check(p, (clg_linear_direction)direction, names[i], true);
                if (!testing_interpreted())
                    check(p, (clg_linear_direction)direction, names[i], false);
            }
        }
        assert_true(done > 0);
    }
}

/* Relu behind the product; NaNs, here those of the bias, stay. */
static bool check_relu(const struct ref_linear *p, const char *algorithm)
{
    clg_linear_desc desc = {.x = clg_desc_2d(p->n, p->in),
                            .out = p->out,
                            .epilogue = CLG_EPILOGUE_RELU,
                            .directions = 1u << CLG_LINEAR_FORWARD,
                            .algorithm = {algorithm}};
    clg_linear *plan;
    clg_status status = clg_linear_create(testing_context(), &desc, &plan);
    if (status == CLG_UNSUPPORTED && algorithm)
        return false;
    OK(status);
    struct data d = make_data(p, true);
    struct tensors t = make_tensors(plan, CLG_LINEAR_FORWARD, &d);
    for (int64_t i = 0; i < p->n * p->out; i++)
        d.y[i] = d.y[i] < 0 ? 0 : d.y[i];
    run(plan, CLG_LINEAR_FORWARD, &t, NULL);
    expect(clg_linear_algorithm(plan, CLG_LINEAR_FORWARD), true, t.out, d.y, 1);
    OK(clg_tensor_fill(t.b, NAN, NULL));
    run(plan, CLG_LINEAR_FORWARD, &t, NULL);
    float *y = testing_download(t.out);
    for (int64_t i = 0; i < p->n * p->out; i++)
        assert_true(isnan(y[i]));
    free(y);
    clg_run add = {.accumulate = true};
    FAILS(CLG_UNSUPPORTED, "accumulate with an epilogue",
          clg_linear_forward(plan, t.out, t.x, t.w, t.b, &add));
    free_tensors(&t);
    free_data(&d);
    clg_linear_destroy(plan);
    return true;
}

static void every_algorithm_applies_relu_and_keeps_nans(void **state)
{
    (void)state;
    const char *names[9] = {NULL};
    size_t count = clg_linear_algorithms(names, 8);
    for (size_t i = 0; i <= count; i++) { /* the last one is NULL: the library's choice */
        if (testing_small() && names[i] && strcmp(names[i], "clblast") == 0)
            continue;
        int done = 0;
        for (int j = 0; j < NUM_PROBLEMS; j++)
            done += fits(&problems[j]) && check_relu(&problems[j], names[i]);
        assert_true(done > 0);
    }
}

/* ---- One plan for all ---- */

static void a_plan_serves_all_directions_and_chooses_itself(void **state)
{
    (void)state;
    struct ref_linear p = {17, 70, 30};
    clg_linear_desc desc = {.x = clg_desc_2d(p.n, p.in), .out = p.out};
    clg_linear *plan;
    OK(clg_linear_create(testing_context(), &desc, &plan));
    struct data d = make_data(&p, true);
    double *wants[] = {d.y, d.dx, d.dw};
    for (int direction = 0; direction < NUM_DIRECTIONS; direction++) {
        struct tensors t = make_tensors(plan, (clg_linear_direction)direction, &d);
        run(plan, (clg_linear_direction)direction, &t, NULL);
        expect("chosen", true, t.out, wants[direction], 1);
        free_tensors(&t);
    }
    clg_linear_destroy(plan);
    free_data(&d);
}

static void the_bias_and_each_of_its_gradients_may_be_left_out(void **state)
{
    (void)state;
    struct ref_linear p = {6, 20, 11};
    clg_linear_desc desc = {.x = clg_desc_2d(p.n, p.in), .out = p.out};
    clg_linear *plan;
    OK(clg_linear_create(testing_context(), &desc, &plan));
    struct data d = make_data(&p, true);
    struct tensors t = make_tensors(plan, CLG_LINEAR_FORWARD, &d);
    clg_tensor *dw = testing_tensor(clg_linear_w_desc(plan), NULL);
    OK(clg_linear_forward(plan, t.out, t.x, t.w, NULL, NULL));
    ref_linear_forward(&p, d.x, d.w, NULL, d.y);
    testing_expect_exact("no bias", t.out, d.y);
    OK(clg_linear_backward_weight(plan, dw, NULL, t.x, t.dy, NULL));
    testing_expect_exact("dw alone", dw, d.dw);
    OK(clg_linear_backward_weight(plan, NULL, t.db, NULL, t.dy, NULL));
    testing_expect_exact("db alone", t.db, d.db);
    clg_tensor_destroy(dw);
    free_tensors(&t);
    free_data(&d);
    clg_linear_destroy(plan);
}

static void tensors_may_be_views_with_an_offset(void **state)
{
    (void)state;
    struct ref_linear p = {9, 12, 5};
    clg_linear_desc desc = {.x = clg_desc_2d(p.n, p.in), .out = p.out};
    clg_linear *plan;
    OK(clg_linear_create(testing_context(), &desc, &plan));
    struct data d = make_data(&p, true);
    clg_tensor_desc four = clg_desc_4d(p.n + 1, 3, 2, 2), long_y = clg_desc_1d(p.n * p.out + 3);
    double *more = testing_integers((p.n + 1) * p.in, 3, 9);
    memcpy(more + p.in, d.x, (size_t)(p.n * p.in) * sizeof *more);
    struct tensors t = make_tensors(plan, CLG_LINEAR_FORWARD, &d);
    clg_tensor *images = testing_tensor_from(&four, more), *place = testing_tensor(&long_y, NULL);
    clg_tensor *x, *y;
    /* All images but the first, flattened. */
    OK(clg_tensor_view(clg_tensor_buffer(images, NULL), (size_t)p.in * 4, &desc.x, &x));
    OK(clg_tensor_view(clg_tensor_buffer(place, NULL), 12, clg_linear_y_desc(plan), &y));
    OK(clg_linear_forward(plan, y, x, t.w, t.b, NULL));
    testing_expect_exact("views", y, d.y);
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_tensor_destroy(images);
    clg_tensor_destroy(place);
    free_tensors(&t);
    free(more);
    free_data(&d);
    clg_linear_destroy(plan);
}

static void two_runs_give_the_same_bits(void **state)
{
    (void)state;
    const struct ref_linear small = {7, 600, 9}, large = {70, 900, 33};
    const struct ref_linear p = testing_interpreted() ? small : large;
    clg_linear_desc desc = {.x = clg_desc_2d(p.n, p.in), .out = p.out};
    clg_linear *plan;
    OK(clg_linear_create(testing_context(), &desc, &plan));
    struct data d = make_data(&p, false);
    for (int i = 0; i < NUM_DIRECTIONS; i++) {
        struct tensors first = make_tensors(plan, (clg_linear_direction)i, &d);
        struct tensors second = make_tensors(plan, (clg_linear_direction)i, &d);
        run(plan, (clg_linear_direction)i, &first, NULL);
        run(plan, (clg_linear_direction)i, &second, NULL);
        testing_expect_same_bits("output", first.out, second.out);
        if (i == CLG_LINEAR_BACKWARD_WEIGHT)
            testing_expect_same_bits("db", first.db, second.db);
        free_tensors(&first);
        free_tensors(&second);
    }
    free_data(&d);
    clg_linear_destroy(plan);
}

/* 20001 rows of 1.1: adding one after the other in float32 would be off by 1e-4 of the sum. */
static void the_bias_gradient_of_a_large_batch_is_accurate(void **state)
{
    (void)state;
    int64_t n = testing_small() ? 2001 : 20001;
    clg_linear_desc desc = {
        .x = clg_desc_2d(n, 1), .out = 2, .directions = 1u << CLG_LINEAR_BACKWARD_WEIGHT};
    clg_linear *plan;
    OK(clg_linear_create(testing_context(), &desc, &plan));
    clg_tensor *dy = testing_tensor(clg_linear_y_desc(plan), NULL);
    clg_tensor *db = testing_tensor(clg_linear_b_desc(plan), NULL);
    OK(clg_tensor_fill(dy, 1.1f, NULL));
    OK(clg_linear_backward_weight(plan, NULL, db, NULL, dy, NULL));
    double want[] = {(double)1.1f * (double)n, (double)1.1f * (double)n};
    testing_expect_close_tol("db", db, want, 1e-6, 1e-6);
    clg_tensor_destroy(dy);
    clg_tensor_destroy(db);
    clg_linear_destroy(plan);
}

/* ---- Errors ---- */

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_linear *plan = (clg_linear *)&plan;
    const clg_linear_desc good = {.x = clg_desc_2d(4, 600), .out = 5};
    clg_linear_desc desc = good;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_linear_create(ctx, NULL, &plan));
    desc.out = 0;
    FAILS(CLG_INVALID_SHAPE, "dimension 1 of 4x0", clg_linear_create(ctx, &desc, &plan));
    assert_null(plan);
    desc.out = (int64_t)1 << 29;
    FAILS(CLG_TOO_LARGE, "y: 4x536870912", clg_linear_create(ctx, &desc, &plan));
    desc.out = 1 << 22;
    FAILS(CLG_TOO_LARGE, "w: 4194304x600", clg_linear_create(ctx, &desc, &plan));
    desc = good;
    desc.x = clg_desc_4d(1, 2, 3, 4);
    FAILS(CLG_INVALID_SHAPE, "1x2x3x4", clg_linear_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_linear_create(ctx, &desc, &plan));
    desc = good;
    desc.directions = 8;
    FAILS(CLG_INVALID_ARGUMENT, "directions 0x8", clg_linear_create(ctx, &desc, &plan));
    desc = good;
    desc.algorithm[1] = "magic";
    FAILS(CLG_INVALID_ARGUMENT, "linear backward_data: matrix product has no algorithm \"magic\"",
          clg_linear_create(ctx, &desc, &plan));
    desc = good;
    desc.algorithm[0] = "clblast";
    desc.workspace_limit = 1;
    FAILS(CLG_UNSUPPORTED, "the limit is 1", clg_linear_create(ctx, &desc, &plan));
    assert_null(plan);
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    struct ref_linear p = {2, 3, 4};
    clg_linear *plan = create(&p, CLG_LINEAR_FORWARD, NULL);
    clg_linear *weight = create(&p, CLG_LINEAR_BACKWARD_WEIGHT, NULL);
    assert_string_equal(clg_linear_algorithm(plan, CLG_LINEAR_BACKWARD_DATA), "none");
    assert_int_equal(clg_linear_workspace_size(plan, CLG_LINEAR_BACKWARD_WEIGHT), 0);
    struct data d = make_data(&p, true);
    struct tensors t = make_tensors(plan, CLG_LINEAR_FORWARD, &d);
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL",
          clg_linear_forward(NULL, t.out, t.x, t.w, t.b, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "w is NULL", clg_linear_forward(plan, t.out, t.x, NULL, t.b, NULL));
    FAILS(CLG_INVALID_SHAPE, "x is 4x3 float32, expected 2x3",
          clg_linear_forward(plan, t.out, t.w, t.w, t.b, NULL));
    FAILS(CLG_INVALID_SHAPE, "b is 2x3 float32, expected 4",
          clg_linear_forward(plan, t.out, t.x, t.w, t.x, NULL));
    FAILS(CLG_INVALID_STATE, "without this one",
          clg_linear_backward_data(plan, t.x, t.dy, t.w, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "both dw and db are NULL",
          clg_linear_backward_weight(weight, NULL, NULL, t.x, t.dy, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL",
          clg_linear_backward_weight(weight, t.w, NULL, NULL, t.dy, NULL));
    FAILS(CLG_INVALID_SHAPE, "db is 2x3",
          clg_linear_backward_weight(weight, t.w, t.x, t.x, t.dy, NULL));
    free_tensors(&t);
    free_data(&d);
    clg_linear_destroy(plan);
    clg_linear_destroy(weight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_equals_the_reference_in_every_direction),
        cmocka_unit_test(every_algorithm_applies_relu_and_keeps_nans),
        cmocka_unit_test(a_plan_serves_all_directions_and_chooses_itself),
        cmocka_unit_test(the_bias_and_each_of_its_gradients_may_be_left_out),
        cmocka_unit_test(tensors_may_be_views_with_an_offset),
        cmocka_unit_test(two_runs_give_the_same_bits),
        cmocka_unit_test(the_bias_gradient_of_a_large_batch_is_accurate),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
