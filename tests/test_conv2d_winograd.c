#include "support/testing.h"

#include <stdio.h>

#include "ref/array.h"
#include "ref/conv2d.h"

/* What docs/algorithms.md promises: the relative L2 error against double precision. The plain sum
 * in float32 has about 1e-6. */
static const double most_error = 2e-5;

struct data {
    struct ref_conv2d ref;
    double *x, *w, *dy; /* inputs */
    double *out[3];     /* y, dx, dw */
};

static struct data make_data(int64_t channels, int64_t size)
{
    struct data d = {.ref = {.n = 2,
                             .c = channels,
                             .h = size,
                             .w = size,
                             .k = channels,
                             .r = 3,
                             .s = 3,
                             .stride_h = 1,
                             .stride_w = 1,
                             .pad_top = 1,
                             .pad_left = 1,
                             .pad_bottom = 1,
                             .pad_right = 1,
                             .dilation_h = 1,
                             .dilation_w = 1,
                             .groups = 1}};
    int64_t pixels = 2 * channels * size * size, taps = channels * channels * 9;
    d.x = testing_uniform(pixels, 1);
    d.w = testing_uniform(taps, 2);
    d.dy = testing_uniform(pixels, 3);
    for (int i = 0; i < 3; i++)
        d.out[i] = ref_array_zeros(i == 2 ? taps : pixels);
    ref_conv2d_forward(&d.ref, d.x, d.w, NULL, d.out[0]);
    ref_conv2d_backward_data(&d.ref, d.w, d.dy, d.out[1]);
    ref_conv2d_backward_filter(&d.ref, d.x, d.dy, d.out[2]);
    return d;
}

static void free_data(struct data *d)
{
    double *all[] = {d->x, d->w, d->dy, d->out[0], d->out[1], d->out[2]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

static clg_conv2d_desc describe(const struct data *d)
{
    clg_tensor_desc shape = clg_desc_4d(d->ref.n, d->ref.c, d->ref.h, d->ref.w);
    shape.layout = CLG_NHWC;
    clg_conv2d_desc desc = clg_conv2d_desc_init(shape, d->ref.k, 3, 3);
    for (int i = 0; i < 4; i++)
        desc.padding[i] = 1;
    desc.y_layout = CLG_NHWC;
    return desc;
}

static void expect_small_error(const struct data *d, clg_conv2d_direction direction,
                               const char *algorithm)
{
    clg_conv2d_desc desc = describe(d);
    desc.directions = 1u << direction;
    desc.algorithm[direction] = algorithm;
    clg_conv2d *plan;
    clg_status status = clg_conv2d_create(testing_context(), &desc, &plan);
    if (status == CLG_UNSUPPORTED)
        return; /* not for this device */
    OK(status);
    clg_tensor *x = testing_tensor_from(clg_conv2d_x_desc(plan), d->x);
    clg_tensor *w = testing_tensor_from(clg_conv2d_w_desc(plan), d->w);
    clg_tensor *dy = testing_tensor_from(clg_conv2d_y_desc(plan), d->dy);
    const clg_tensor_desc *outs[] = {clg_conv2d_y_desc(plan), clg_conv2d_x_desc(plan),
                                     clg_conv2d_w_desc(plan)};
    clg_tensor *out = testing_tensor(outs[direction], NULL);
    OK(direction == CLG_CONV2D_FORWARD ? clg_conv2d_forward(plan, out, x, w, NULL, NULL)
       : direction == CLG_CONV2D_BACKWARD_DATA
           ? clg_conv2d_backward_data(plan, out, dy, w, NULL)
           : clg_conv2d_backward_filter(plan, out, NULL, x, dy, NULL));
    char label[80];
    snprintf(label, sizeof label, "%s, direction %d, %lld channels", algorithm, (int)direction,
             (long long)d->ref.c);
    testing_expect_close_tol(label, out, d->out[direction], most_error, 1e-4);
    clg_tensor *all[] = {x, w, dy, out};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        clg_tensor_destroy(all[i]);
    clg_conv2d_destroy(plan);
}

static void the_error_stays_below_its_bound_from_64_to_512_channels(void **state)
{
    (void)state;
    const int64_t problems[][2] = {{64, 14}, {128, 14}, {256, 10}, {512, 7}};
    const size_t count = testing_small() ? 1 : sizeof problems / sizeof problems[0];
    for (size_t i = 0; i < count; i++) {
        struct data d = make_data(problems[i][0], testing_small() ? 5 : problems[i][1]);
        for (int direction = 0; direction < 3; direction++) {
            const char *names[32];
            size_t algorithms = clg_conv2d_algorithms((clg_conv2d_direction)direction, names, 32);
            for (size_t j = 0; j < algorithms; j++)
                if (!clg_conv2d_algorithm_exact((clg_conv2d_direction)direction, names[j]))
                    expect_small_error(&d, (clg_conv2d_direction)direction, names[j]);
        }
        free_data(&d);
    }
}

/* The transformed filter is the workspace: a plan that may not have it takes something else. */
static void a_short_workspace_is_refused(void **state)
{
    (void)state;
    struct data d = {.ref = {.n = 1, .c = 64, .h = 28, .w = 28, .k = 64}};
    clg_conv2d_desc desc = describe(&d);
    desc.directions = 1u << CLG_CONV2D_FORWARD;
    desc.workspace_limit = 256 * 1024;
    clg_conv2d *plan;
    OK(clg_conv2d_create(testing_context(), &desc, &plan));
    assert_true(clg_conv2d_workspace_size(plan, CLG_CONV2D_FORWARD) <= desc.workspace_limit);
    clg_conv2d_destroy(plan);
    desc.algorithm[CLG_CONV2D_FORWARD] = "winograd4";
    FAILS(CLG_UNSUPPORTED, "winograd4", clg_conv2d_create(testing_context(), &desc, &plan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_error_stays_below_its_bound_from_64_to_512_channels),
        cmocka_unit_test(a_short_workspace_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
