#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "support/conv2d_problems.h"

/* The host data of one case, with the results of the reference. */
struct data {
    int64_t x_count, y_count, w_count, k;
    double *x, *w, *b, *dy;
    double *y, *dx, *dw, *db;
};

static struct data make_data(const struct conv2d_case *problem, bool integers)
{
    struct ref_conv2d ref = conv2d_case_reference(problem);
    struct data d = {.k = problem->k};
    d.x_count = ref.n * ref.c * ref.h * ref.w;
    d.y_count = ref.n * ref.k * ref_conv2d_p(&ref) * ref_conv2d_q(&ref);
    d.w_count = ref.k * (ref.c / ref.groups) * ref.r * ref.s;
    const struct {
        double **data;
        int64_t count;
    } inputs[] = {{&d.x, d.x_count}, {&d.w, d.w_count}, {&d.b, d.k}, {&d.dy, d.y_count}};
    for (uint64_t i = 0; i < 4; i++)
        *inputs[i].data = integers ? testing_integers(inputs[i].count, 4, i + 1)
                                   : testing_uniform(inputs[i].count, i + 1);
    d.y = ref_array_zeros(d.y_count);
    d.dx = ref_array_zeros(d.x_count);
    d.dw = ref_array_zeros(d.w_count);
    d.db = ref_array_zeros(d.k);
    ref_conv2d_forward(&ref, d.x, d.w, d.b, d.y);
    ref_conv2d_backward_data(&ref, d.w, d.dy, d.dx);
    ref_conv2d_backward_filter(&ref, d.x, d.dy, d.dw);
    ref_conv2d_backward_bias(&ref, d.dy, d.db);
    return d;
}

static void free_data(struct data *d)
{
    double *all[] = {d->x, d->w, d->b, d->dy, d->y, d->dx, d->dw, d->db};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

static void expect(const char *label, bool exact, const clg_tensor *tensor, const double *want)
{
    if (exact)
        testing_expect_exact(label, tensor, want);
    else
        testing_expect_close(label, tensor, want);
}

/* Runs one direction twice, overwriting and then adding: the second result is twice the first. */
static void run_direction(clg_conv2d *plan, clg_conv2d_direction direction, const struct data *d,
                          const char *label, bool exact)
{
    const clg_tensor_desc *xd = clg_conv2d_x_desc(plan), *yd = clg_conv2d_y_desc(plan),
                          *wd = clg_conv2d_w_desc(plan);
    clg_tensor_desc bd = clg_desc_1d(d->k);
    clg_tensor *w = testing_tensor_from(wd, d->w), *b = testing_tensor_from(&bd, d->b);
    clg_tensor *x = testing_tensor_from(xd, d->x), *dy = testing_tensor_from(yd, d->dy);
    clg_run add = {.accumulate = true};
    clg_tensor *out = NULL, *db = NULL;
    double *twice = NULL;
    if (direction == CLG_CONV2D_FORWARD) {
        out = testing_tensor(yd, NULL);
        OK(clg_conv2d_forward(plan, out, x, w, b, NULL));
        expect(label, exact, out, d->y);
        OK(clg_conv2d_forward(plan, out, x, w, NULL, &add));
        int64_t plane = d->y_count / d->k / xd->dims[0];
        twice = ref_array_zeros(d->y_count); /* the bias counts once */
        for (int64_t i = 0; i < d->y_count; i++)
            twice[i] = 2 * d->y[i] - d->b[i / plane % d->k];
    } else if (direction == CLG_CONV2D_BACKWARD_DATA) {
        out = testing_tensor(xd, NULL);
        OK(clg_conv2d_backward_data(plan, out, dy, w, NULL));
        expect(label, exact, out, d->dx);
        OK(clg_conv2d_backward_data(plan, out, dy, w, &add));
        twice = ref_array_zeros(d->x_count);
        for (int64_t i = 0; i < d->x_count; i++)
            twice[i] = 2 * d->dx[i];
    } else {
        out = testing_tensor(wd, NULL);
        db = testing_tensor(&bd, NULL);
        OK(clg_conv2d_backward_filter(plan, out, db, x, dy, NULL));
        expect(label, exact, out, d->dw);
        expect(label, exact, db, d->db);
        OK(clg_conv2d_backward_filter(plan, out, NULL, x, dy, &add));
        twice = ref_array_zeros(d->w_count);
        for (int64_t i = 0; i < d->w_count; i++)
            twice[i] = 2 * d->dw[i];
    }
    if (twice)
        expect(label, exact, out, twice);
    free(twice);
    clg_tensor *all[] = {x, w, b, dy, out, db};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        clg_tensor_destroy(all[i]);
}

static const char *const direction_names[] = {"forward", "backward_data", "backward_filter"};

/* Runs every algorithm (and the library's choice) of every direction on one case. */
static void run_case(const struct conv2d_case *problem, clg_layout x, clg_layout y, bool integers)
{
    struct data data = make_data(problem, integers);
    for (int direction = 0; direction < 3; direction++) {
        const char *names[33] = {NULL};
        size_t count = clg_conv2d_algorithms((clg_conv2d_direction)direction, names, 32);
        for (size_t i = 0; i <= count; i++) { /* the last one is NULL: the library's choice */
            clg_conv2d_desc desc = conv2d_case_desc(problem, x, y);
            desc.directions = 1u << direction;
            desc.algorithm[direction] = names[i];
            /* Which gradients know nothing of. */
            desc.epilogue = direction ? CLG_EPILOGUE_RELU : CLG_EPILOGUE_NONE;
            clg_conv2d *plan;
            clg_status status = clg_conv2d_create(testing_context(), &desc, &plan);
            if (status == CLG_UNSUPPORTED && names[i])
                continue; /* refused, with a reason; the last algorithm refuses nothing */
            OK(status);
            bool exact =
                integers && clg_conv2d_algorithm_exact(
                                (clg_conv2d_direction)direction,
                                clg_conv2d_algorithm(plan, (clg_conv2d_direction)direction));
            char label[160];
            snprintf(label, sizeof label, "%s, %s %s, x %s, y %s", problem->name,
                     direction_names[direction],
                     clg_conv2d_algorithm(plan, (clg_conv2d_direction)direction),
                     x == CLG_NHWC ? "NHWC" : "NCHW", y == CLG_NHWC ? "NHWC" : "NCHW");
            run_direction(plan, (clg_conv2d_direction)direction, &data, label, exact);
            clg_conv2d_destroy(plan);
        }
    }
    free_data(&data);
}

/* An interpreter has the time for one layout of each, and for a part of them where every item of a
 * large tile is to be followed. */
static bool has_time_for(size_t i)
{
    const bool tiles = clg_context_device(testing_context())->family == CLG_FAMILY_GPU;
    return !testing_interpreted() || !tiles || i % 3 == 0;
}

static void every_algorithm_is_exact_on_small_integers(void **state)
{
    (void)state;
    for (size_t i = 0; i < conv2d_num_cases; i++) {
        clg_layout layout = testing_interpreted() && i % 2 ? CLG_NHWC : CLG_NCHW;
        if (conv2d_case_fits(&conv2d_cases[i]) && has_time_for(i))
            run_case(&conv2d_cases[i], layout, layout, true);
    }
}

/* The small ones, on slow devices a part of them. */
static bool a_sample(size_t i)
{
    size_t step = testing_interpreted() ? 8 : testing_small() ? 4 : 1;
    return !conv2d_cases[i].large && i % step == 0 && conv2d_case_fits(&conv2d_cases[i]);
}

static void every_algorithm_takes_every_pair_of_layouts(void **state)
{
    (void)state;
    static const clg_layout layouts[][2] = {
        {CLG_NHWC, CLG_NHWC}, {CLG_NHWC, CLG_NCHW}, {CLG_NCHW, CLG_NHWC}};
    if (testing_interpreted())
        skip();
    for (size_t i = 0; i < conv2d_num_cases; i++) {
        if (!a_sample(i))
            continue;
        for (size_t j = 0; j < 3; j++)
            run_case(&conv2d_cases[i], layouts[j][0], layouts[j][1], true);
    }
}

static void every_algorithm_stays_close_to_double_precision(void **state)
{
    (void)state;
    for (size_t i = 0; i < conv2d_num_cases; i++)
        if (conv2d_cases[i].large ? !testing_small() : i % 3 == 0 && !testing_interpreted())
            run_case(&conv2d_cases[i], CLG_NCHW, CLG_NCHW, false);
}

static void two_runs_give_the_same_bits(void **state)
{
    (void)state;
    struct conv2d_case problem = conv2d_cases[4];
    struct data d = make_data(&problem, false);
    for (int layout = 0; layout < 2; layout++) {
        clg_conv2d_desc desc = conv2d_case_desc(&problem, (clg_layout)layout, (clg_layout)layout);
        clg_conv2d *plan;
        OK(clg_conv2d_create(testing_context(), &desc, &plan));
        clg_tensor *x = testing_tensor_from(&desc.x, d.x);
        clg_tensor *dy = testing_tensor_from(clg_conv2d_y_desc(plan), d.dy);
        clg_tensor *dw[2];
        for (int i = 0; i < 2; i++) {
            dw[i] = testing_tensor(clg_conv2d_w_desc(plan), NULL);
            OK(clg_conv2d_backward_filter(plan, dw[i], NULL, x, dy, NULL));
        }
        testing_expect_same_bits("dw", dw[0], dw[1]);
        clg_tensor_destroy(dw[0]);
        clg_tensor_destroy(dw[1]);
        clg_tensor_destroy(x);
        clg_tensor_destroy(dy);
        clg_conv2d_destroy(plan);
    }
    free_data(&d);
}

/* <dy, conv(v)> = <dx, v>: the gradient is the transpose of the linear map, in any direction v. */
static void the_gradient_is_the_directional_derivative(void **state)
{
    (void)state;
    const struct conv2d_case *problem = &conv2d_cases[15];
    struct data d = make_data(problem, false);
    clg_conv2d_desc desc = conv2d_case_desc(problem, CLG_NCHW, CLG_NCHW);
    clg_conv2d *plan;
    OK(clg_conv2d_create(testing_context(), &desc, &plan));
    double *v = testing_uniform(d.x_count, 77);
    clg_tensor *tv = testing_tensor_from(&desc.x, v),
               *w = testing_tensor_from(clg_conv2d_w_desc(plan), d.w);
    clg_tensor *dy = testing_tensor_from(clg_conv2d_y_desc(plan), d.dy);
    clg_tensor *y = testing_tensor(clg_conv2d_y_desc(plan), NULL),
               *dx = testing_tensor(&desc.x, NULL);
    OK(clg_conv2d_forward(plan, y, tv, w, NULL, NULL));
    OK(clg_conv2d_backward_data(plan, dx, dy, w, NULL));
    float *gy = testing_download(y), *gx = testing_download(dx);
    double left = 0, right = 0;
    for (int64_t i = 0; i < d.y_count; i++)
        left += d.dy[i] * (double)gy[i];
    for (int64_t i = 0; i < d.x_count; i++)
        right += v[i] * (double)gx[i];
    assert_true(left - right < 1e-4 && right - left < 1e-4);
    free(gy);
    free(gx);
    free(v);
    clg_tensor *all[] = {tv, w, dy, y, dx};
    for (size_t i = 0; i < 5; i++)
        clg_tensor_destroy(all[i]);
    clg_conv2d_destroy(plan);
    free_data(&d);
}

/* Relu through one algorithm; then again with a bias of NaNs, which stay. */
static void run_relu(const struct conv2d_case *problem, clg_layout layout, const char *name,
                     const struct data *d)
{
    clg_conv2d_desc desc = conv2d_case_desc(problem, layout, layout);
    desc.directions = 1u << CLG_CONV2D_FORWARD;
    desc.algorithm[CLG_CONV2D_FORWARD] = name;
    desc.epilogue = CLG_EPILOGUE_RELU;
    clg_conv2d *plan;
    clg_status status = clg_conv2d_create(testing_context(), &desc, &plan);
    if (status == CLG_UNSUPPORTED && name)
        return;
    OK(status);
    const char *algorithm = clg_conv2d_algorithm(plan, CLG_CONV2D_FORWARD);
    clg_tensor_desc bd = clg_desc_1d(d->k);
    double *want = ref_array_zeros(d->y_count);
    for (int64_t i = 0; i < d->y_count; i++)
        want[i] = d->y[i] < 0 ? 0 : d->y[i];
    clg_tensor *x = testing_tensor_from(&desc.x, d->x), *b = testing_tensor_from(&bd, d->b);
    clg_tensor *w = testing_tensor_from(clg_conv2d_w_desc(plan), d->w);
    clg_tensor *y = testing_tensor(clg_conv2d_y_desc(plan), NULL);
    char label[160];
    snprintf(label, sizeof label, "%s, relu in %s", problem->name, algorithm);
    OK(clg_conv2d_forward(plan, y, x, w, b, NULL));
    expect(label, clg_conv2d_algorithm_exact(CLG_CONV2D_FORWARD, algorithm), y, want);
    OK(clg_tensor_fill(b, NAN, NULL));
    OK(clg_conv2d_forward(plan, y, x, w, b, NULL));
    float *got = testing_download(y);
    for (int64_t i = 0; i < d->y_count; i++)
        assert_true(isnan(got[i]));
    FAILS(CLG_UNSUPPORTED, "accumulate with an epilogue",
          clg_conv2d_forward(plan, y, x, w, b, &(clg_run){.accumulate = true}));
    free(got);
    free(want);
    clg_tensor *all[] = {x, b, w, y};
    for (size_t i = 0; i < 4; i++)
        clg_tensor_destroy(all[i]);
    clg_conv2d_destroy(plan);
}

static void every_algorithm_applies_relu_and_keeps_nans(void **state)
{
    (void)state;
    const char *names[33] = {NULL};
    size_t count = clg_conv2d_algorithms(CLG_CONV2D_FORWARD, names, 32);
    for (size_t i = 0; i < conv2d_num_cases; i++) {
        if (!a_sample(i))
            continue;
        struct data data = make_data(&conv2d_cases[i], true);
        for (size_t j = 0; j <= count; j++)
            run_relu(&conv2d_cases[i], (clg_layout)(i % 2), j < count ? names[j] : NULL, &data);
        free_data(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_is_exact_on_small_integers),
        cmocka_unit_test(every_algorithm_takes_every_pair_of_layouts),
        cmocka_unit_test(every_algorithm_stays_close_to_double_precision),
        cmocka_unit_test(every_algorithm_applies_relu_and_keeps_nans),
        cmocka_unit_test(two_runs_give_the_same_bits),
        cmocka_unit_test(the_gradient_is_the_directional_derivative),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
