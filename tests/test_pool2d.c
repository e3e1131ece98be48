#include "support/testing.h"

#include <math.h>
#include <stdio.h>

#include "ref/pool2d.h"

/* Windows that touch, overlap and leave gaps, padding on one and both axes, rows left out at the
 * end, dilation, a window of nothing but padding. */
static const struct problem {
    int64_t n, c, h, w, size[2], stride[2], pad[2], dilation[2];
} problems[] = {
    {1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0}, {1, 1}},
    {2, 3, 8, 8, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
    {1, 17, 7, 9, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
    {2, 2, 9, 8, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {1, 5, 6, 7, {3, 2}, {1, 2}, {1, 0}, {1, 1}},
    {3, 1, 11, 5, {5, 4}, {1, 1}, {2, 2}, {1, 1}},
    {1, 2, 12, 13, {2, 3}, {4, 5}, {0, 1}, {1, 1}},
    {2, 3, 9, 10, {3, 3}, {2, 2}, {1, 1}, {2, 2}},
    {1, 4, 13, 9, {3, 2}, {3, 1}, {3, 1}, {3, 2}},
    {1, 2, 1, 5, {2, 2}, {1, 1}, {2, 0}, {4, 1}},
    {1, 3, 31, 33, {7, 5}, {3, 2}, {2, 1}, {1, 1}},
    {4, 70, 3, 3, {3, 3}, {3, 3}, {0, 0}, {1, 1}},
    {2, 1, 3, 4, {6, 2}, {9, 1}, {3, 0}, {1, 1}},
    /* channels in vectors, in fours of them and what is left; rows in vectors and what is left */
    {1, 16, 9, 15, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {2, 64, 9, 9, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {1, 80, 8, 6, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
    {1, 97, 7, 7, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {3, 130, 5, 4, {3, 2}, {2, 1}, {1, 0}, {1, 1}},
    {1, 192, 8, 8, {2, 3}, {3, 4}, {1, 1}, {1, 1}},
    {1, 64, 9, 11, {3, 3}, {2, 1}, {2, 2}, {2, 2}},
    {1, 3, 40, 16, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {1, 1, 37, 17, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
    {2, 3, 33, 33, {3, 3}, {1, 1}, {1, 1}, {1, 1}},
    {2, 2, 5, 35, {2, 2}, {2, 2}, {1, 1}, {1, 1}},
    {1, 2, 9, 70, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {2, 17, 3, 1, {2, 1}, {1, 1}, {0, 0}, {1, 1}},
    {1, 2, 6, 100, {2, 3}, {3, 3}, {1, 1}, {1, 1}},
    {1, 2, 7, 68, {3, 5}, {1, 1}, {1, 2}, {1, 1}},
    {1, 2, 8, 66, {3, 3}, {1, 2}, {2, 2}, {2, 2}},
};

static clg_pool2d_desc desc_of(const struct problem *p, clg_pool_kind kind, clg_layout layout)
{
    clg_pool2d_desc desc = {.x = clg_desc_4d(p->n, p->c, p->h, p->w), .kind = kind};
    desc.x.layout = layout;
    for (int axis = 0; axis < 2; axis++) {
        desc.size[axis] = p->size[axis];
        desc.stride[axis] = p->stride[axis];
        desc.pad[axis] = p->pad[axis];
        desc.dilation[axis] = p->dilation[axis];
    }
    return desc;
}

static struct ref_pool2d reference_of(const clg_pool2d_desc *d)
{
    return (struct ref_pool2d){d->x.dims[0],        d->x.dims[1], d->x.dims[2],   d->x.dims[3],
                               d->size[0],          d->size[1],   d->stride[0],   d->stride[1],
                               d->pad[0],           d->pad[1],    d->dilation[0], d->dilation[1],
                               d->count_include_pad};
}

static clg_tensor_desc output_of(const clg_pool2d_desc *desc)
{
    clg_tensor_desc y = desc->x;
    OK(clg_pool2d_output_size(desc, &y.dims[2], &y.dims[3]));
    return y;
}

/* What a plan makes of x and dy. */
struct results {
    clg_tensor *x, *dy, *y, *dx;
};

static struct results run_plan(const clg_pool2d_desc *desc, const double *x, const double *dy)
{
    clg_tensor_desc out = output_of(desc);
    struct results r = {testing_tensor_from(&desc->x, x), testing_tensor_from(&out, dy),
                        testing_tensor(&out, NULL), testing_tensor(&desc->x, NULL)};
    clg_pool2d *plan;
    OK(clg_pool2d_create(testing_context(), desc, &plan));
    OK(clg_pool2d_forward(plan, r.y, r.x, NULL));
    OK(clg_pool2d_backward(plan, r.dx, r.dy, r.x, r.y, NULL));
    clg_pool2d_destroy(plan);
    return r;
}

static void release(const struct results *r)
{
    clg_tensor_destroy(r->x);
    clg_tensor_destroy(r->dy);
    clg_tensor_destroy(r->y);
    clg_tensor_destroy(r->dx);
}

static void compare(const clg_pool2d_desc *desc, const double *x, const double *dy,
                    const char *label)
{
    struct ref_pool2d ref = reference_of(desc);
    clg_tensor_desc out = output_of(desc);
    assert_int_equal(out.dims[2], ref_pool2d_p(&ref));
    assert_int_equal(out.dims[3], ref_pool2d_q(&ref));
    double *y = ref_array_zeros(ref.n * ref.c * out.dims[2] * out.dims[3]);
    double *dx = ref_array_zeros(ref.n * ref.c * ref.h * ref.w);
    struct results r = run_plan(desc, x, dy);
    if (desc->kind == CLG_POOL_MAX) {
        ref_pool2d_max_forward(&ref, x, y);
        ref_pool2d_max_backward(&ref, x, dy, dx);
        for (int64_t i = 0; desc->x_is_relu && i < ref.n * ref.c * ref.h * ref.w; i++)
            dx[i] = x[i] <= 0 ? 0 : dx[i];
        testing_expect_exact(label, r.y, y);
        testing_expect_exact(label, r.dx, dx);
    } else {
        ref_pool2d_avg_forward(&ref, x, y);
        ref_pool2d_avg_backward(&ref, dy, dx);
        testing_expect_close(label, r.y, y);
        testing_expect_close(label, r.dx, dx);
    }
    release(&r);
    free(y);
    free(dx);
}

static void label_of(const clg_pool2d_desc *d, char *label, size_t size)
{
    snprintf(label, size,
             "pool2d %s %lldx%lldx%lldx%lld size %lld,%lld stride %lld,%lld pad %lld,%lld "
             "dilation %lld,%lld include %d layout %d",
             clg_pool_kind_name(d->kind), (long long)d->x.dims[0], (long long)d->x.dims[1],
             (long long)d->x.dims[2], (long long)d->x.dims[3], (long long)d->size[0],
             (long long)d->size[1], (long long)d->stride[0], (long long)d->stride[1],
             (long long)d->pad[0], (long long)d->pad[1], (long long)d->dilation[0],
             (long long)d->dilation[1], d->count_include_pad, (int)d->x.layout);
}

/* Few different integers: many ties. */
static void compare_on_integers(const clg_pool2d_desc *desc)
{
    char label[192];
    label_of(desc, label, sizeof label);
    clg_tensor_desc out = output_of(desc);
    int64_t planes = desc->x.dims[0] * desc->x.dims[1];
    double *x = testing_integers(planes * desc->x.dims[2] * desc->x.dims[3], 2, 3);
    double *dy = testing_integers(planes * out.dims[2] * out.dims[3], 9, 4);
    compare(desc, x, dy, label);
    free(x);
    free(dy);
}

static void max_equals_the_reference_exactly_and_gives_ties_to_the_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        for (int layout = 0; layout < 2; layout++) {
            clg_pool2d_desc desc = desc_of(&problems[i], CLG_POOL_MAX, (clg_layout)layout);
            compare_on_integers(&desc);
        }
}

static void behind_a_relu_the_gradient_is_that_of_what_it_took(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        for (int layout = 0; layout < 2; layout++) {
            clg_pool2d_desc desc = desc_of(&problems[i], CLG_POOL_MAX, (clg_layout)layout);
            desc.x_is_relu = true;
            compare_on_integers(&desc);
        }
}

static void average_equals_the_reference_with_and_without_counting_padding(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        for (int layout = 0; layout < 2; layout++) {
            clg_pool2d_desc desc = desc_of(&problems[i], CLG_POOL_AVG, (clg_layout)layout);
            if (desc.dilation[0] != 1 || desc.dilation[1] != 1)
                continue;
            compare_on_integers(&desc);
            desc.count_include_pad = true;
            compare_on_integers(&desc);
        }
}

static void global_pooling_is_one_window_over_the_plane(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int layout = 0; layout < 2; layout++) {
            clg_pool2d_desc desc = {.x = clg_desc_4d(2, 5, 7, 6), .kind = (clg_pool_kind)kind};
            desc.x.layout = (clg_layout)layout;
            desc.global = true;
            struct ref_pool2d ref = {2, 5, 7, 6, 7, 6, 7, 6, 0, 0, 1, 1, false};
            clg_tensor_desc out = output_of(&desc);
            assert_int_equal(out.dims[2] * out.dims[3], 1);
            double *x = testing_uniform(2 * 5 * 7 * 6, 5), *dy = testing_uniform(2 * 5, 6);
            double y[2 * 5], *dx = ref_array_zeros(2 * 5 * 7 * 6);
            if (kind == CLG_POOL_MAX) {
                ref_pool2d_max_forward(&ref, x, y);
                ref_pool2d_max_backward(&ref, x, dy, dx);
            } else {
                ref_pool2d_avg_forward(&ref, x, y);
                ref_pool2d_avg_backward(&ref, dy, dx);
            }
            struct results r = run_plan(&desc, x, dy);
            testing_expect_close(clg_pool_kind_name(desc.kind), r.y, y);
            testing_expect_close(clg_pool_kind_name(desc.kind), r.dx, dx);
            release(&r);
            free(x);
            free(dy);
            free(dx);
        }
}

static void a_nan_wins_every_window_and_takes_the_gradient(void **state)
{
    (void)state;
    clg_pool2d_desc desc = {.x = clg_desc_4d(1, 1, 3, 4),
                            .kind = CLG_POOL_MAX,
                            .size = {2, 2},
                            .stride = {1, 1},
                            .dilation = {1, 1}};
    const double nan = (double)NAN, inf = (double)INFINITY;
    const double x[] = {inf, nan, 1, 2, 3, nan, 0, -inf, 5, 6, -inf, -inf};
    const double dy[] = {1, 10, 100, 1000, 10000, 100000};
    struct ref_pool2d ref = reference_of(&desc);
    double dx[12];
    ref_pool2d_max_backward(&ref, x, dy, dx);
    struct results r = run_plan(&desc, x, dy);
    float *y = testing_download(r.y);
    static const int is_nan[] = {1, 1, 0, 1, 1, 0};
    for (int i = 0; i < 6; i++)
        assert_int_equal(isnan(y[i]) != 0, is_nan[i]);
    assert_true(y[2] == 2 && y[5] == 0);
    testing_expect_exact("the last NaN of a window", r.dx, dx);
    free(y);
    release(&r);
}

static void nans_among_many_channels_take_what_is_theirs(void **state)
{
    (void)state;
    static const struct problem some[] = {{2, 83, 9, 8, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
                                          {1, 3, 9, 37, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
                                          {1, 70, 11, 12, {2, 2}, {2, 2}, {0, 0}, {1, 1}}};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        for (int layout = 0; layout < 2; layout++) {
            clg_pool2d_desc desc = desc_of(&some[i], CLG_POOL_MAX, (clg_layout)layout);
            struct ref_pool2d ref = reference_of(&desc);
            clg_tensor_desc out = output_of(&desc);
            int64_t count = ref.n * ref.c * ref.h * ref.w;
            int64_t outputs = ref.n * ref.c * out.dims[2] * out.dims[3];
            double *x = testing_integers(count, 4, 11), *dx = ref_array_zeros(count);
            double *dy = testing_integers(outputs, 9, 12);
            for (int64_t k = 0; k < count; k += 1 + k % 23)
                x[k] = (double)NAN;
            ref_pool2d_max_backward(&ref, x, dy, dx);
            struct results r = run_plan(&desc, x, dy);
            testing_expect_exact("the last NaN of each window", r.dx, dx);
            release(&r);
            free(x);
            free(dx);
            free(dy);
        }
}

static void windows_of_minus_infinity_give_it_and_the_gradient_to_the_first(void **state)
{
    (void)state;
    clg_pool2d_desc desc = {.x = clg_desc_4d(1, 1, 2, 2),
                            .kind = CLG_POOL_MAX,
                            .size = {2, 2},
                            .stride = {1, 1},
                            .pad = {1, 1},
                            .dilation = {1, 1}};
    double x[4];
    const double dy[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 2000000, 4000000};
    for (int i = 0; i < 4; i++)
        x[i] = -(double)INFINITY;
    compare(&desc, x, dy, "all -infinity");
}

static void an_average_keeps_a_nan_in_its_windows(void **state)
{
    (void)state;
    clg_pool2d_desc desc = {.x = clg_desc_4d(1, 1, 1, 4),
                            .kind = CLG_POOL_AVG,
                            .size = {1, 2},
                            .stride = {1, 2},
                            .dilation = {1, 1}};
    const double x[] = {1, (double)NAN, 2, 4}, dy[] = {1, 1};
    struct results r = run_plan(&desc, x, dy);
    float *y = testing_download(r.y);
    assert_true(isnan(y[0]) && y[1] == 3);
    free(y);
    release(&r);
}

static void large_windows_with_a_large_mean_keep_their_precision(void **state)
{
    (void)state;
    const bool limited = clg_context_device(testing_context())->longest_loop > 0;
    int64_t size = testing_small() || limited ? 40 : 300;
    clg_pool2d_desc desc = {.x = clg_desc_4d(1, 2, size, size), .global = true};
    desc.kind = CLG_POOL_AVG;
    double *x = testing_uniform(2 * size * size, 8), dy[] = {1, 2}, y[2];
    struct ref_pool2d ref = {1, 2, size, size, size, size, size, size, 0, 0, 1, 1, false};
    for (int64_t i = 0; i < 2 * size * size; i++)
        x[i] = (double)(float)(x[i] + 1000);
    ref_pool2d_avg_forward(&ref, x, y);
    struct results r = run_plan(&desc, x, dy);
    testing_expect_close_tol("mean 1000", r.y, y, 5e-7, 5e-7);
    release(&r);
    free(x);
}

static void the_gradients_have_the_same_bits_on_every_run(void **state)
{
    (void)state;
    const struct problem p = {2, 3, 19, 21, {5, 5}, {1, 1}, {2, 2}, {1, 1}};
    double *x = testing_uniform(2 * 3 * 19 * 21, 1), *dy = testing_uniform(2 * 3 * 19 * 21, 2);
    for (int kind = 0; kind < 2; kind++) {
        clg_pool2d_desc desc = desc_of(&p, (clg_pool_kind)kind, CLG_NHWC);
        struct results a = run_plan(&desc, x, dy), b = run_plan(&desc, x, dy);
        testing_expect_same_bits(clg_pool_kind_name(desc.kind), a.dx, b.dx);
        release(&a);
        release(&b);
    }
    free(x);
    free(dy);
}

/* What is one number too short is refused. */
static void the_caller_may_bring_the_workspace(void **state)
{
    (void)state;
    const clg_pool2d_desc desc = desc_of(&problems[3], CLG_POOL_MAX, CLG_NHWC);
    clg_pool2d *plan;
    OK(clg_pool2d_create(testing_context(), &desc, &plan));
    clg_tensor_desc yd = desc.x;
    OK(clg_pool2d_output_size(&desc, &yd.dims[2], &yd.dims[3]));
    clg_tensor *x = testing_tensor(&desc.x, NULL), *dx = testing_tensor(&desc.x, NULL);
    clg_tensor *y = testing_tensor(&yd, NULL); /* and dy */
    OK(clg_tensor_fill(x, 1, NULL));
    OK(clg_pool2d_forward(plan, y, x, NULL));
    const size_t bytes = clg_pool2d_workspace_size(plan);
    const bool gpu = clg_context_device(testing_context())->family == CLG_FAMILY_GPU;
    assert_int_equal(bytes, gpu ? (size_t)clg_tensor_count(y) * sizeof(int32_t) : 0);
    clg_run run = {0};
    OK(clg_buffer_create(testing_context(), bytes > 0 ? bytes : 4, &run.workspace));
    OK(clg_pool2d_backward(plan, dx, y, x, y, &run));
    clg_buffer_destroy(run.workspace);
    if (bytes > 0) {
        OK(clg_buffer_create(testing_context(), bytes - 4, &run.workspace));
        FAILS(CLG_INVALID_ARGUMENT, "workspace", clg_pool2d_backward(plan, dx, y, x, y, &run));
        clg_buffer_destroy(run.workspace);
    }
    clg_tensor *all[] = {x, dx, y};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        clg_tensor_destroy(all[i]);
    clg_pool2d_destroy(plan);
}

static void names_go_both_ways(void **state)
{
    (void)state;
    clg_pool_kind kind;
    OK(clg_pool_kind_from_name("avg", &kind));
    assert_int_equal(kind, CLG_POOL_AVG);
    assert_string_equal(clg_pool_kind_name(CLG_POOL_MAX), "max");
    assert_string_equal(clg_pool_kind_name((clg_pool_kind)2), "unknown");
    FAILS(CLG_INVALID_ARGUMENT, "\"min\"", clg_pool_kind_from_name("min", &kind));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_pool_kind_from_name("max", NULL));
}

static void bad_descriptions_are_refused_with_the_numbers(void **state)
{
    (void)state;
    const struct problem p = {2, 3, 8, 9, {3, 3}, {2, 2}, {1, 1}, {1, 1}};
    clg_context *ctx = testing_context();
    clg_pool2d_desc good = desc_of(&p, CLG_POOL_MAX, CLG_NCHW), desc = good;
    clg_pool2d *plan = (clg_pool2d *)&plan;
    int64_t out;
    FAILS(CLG_INVALID_ARGUMENT, "desc is NULL", clg_pool2d_create(ctx, NULL, &plan));
    FAILS(CLG_INVALID_ARGUMENT, "NULL", clg_pool2d_output_size(NULL, &out, &out));
    desc.kind = (clg_pool_kind)7;
    FAILS(CLG_INVALID_ARGUMENT, "kind 7", clg_pool2d_create(ctx, &desc, &plan));
    assert_null(plan);
    desc = good;
    desc.size[0] = 0;
    FAILS(CLG_INVALID_ARGUMENT, "size is 0, 3", clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.stride[1] = 0;
    FAILS(CLG_INVALID_ARGUMENT, "stride is 2, 0", clg_pool2d_output_size(&desc, &out, &out));
    desc = good;
    desc.dilation[1] = -1;
    FAILS(CLG_INVALID_ARGUMENT, "dilation is 1, -1", clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.stride[0] = INT64_MAX;
    FAILS(CLG_TOO_LARGE, "stride is 9223372036854775807", clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.kind = CLG_POOL_AVG;
    desc.dilation[0] = 2;
    FAILS(CLG_UNSUPPORTED, "average pooling with dilation 2, 1",
          clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x = clg_desc_2d(8, 9);
    FAILS(CLG_INVALID_SHAPE, "x is 8x9", clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x.dims[2] = 0;
    FAILS(CLG_INVALID_SHAPE, "dimension 2 of 2x3x0x9", clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.x.type = CLG_INT32;
    FAILS(CLG_UNSUPPORTED, "int32", clg_pool2d_create(ctx, &desc, &plan));
}

static void impossible_windows_are_refused_with_the_numbers(void **state)
{
    (void)state;
    const struct problem p = {2, 3, 8, 9, {3, 3}, {2, 2}, {1, 1}, {1, 1}};
    clg_context *ctx = testing_context();
    clg_pool2d_desc good = desc_of(&p, CLG_POOL_MAX, CLG_NCHW), desc = good;
    clg_pool2d *plan;
    desc.pad[1] = 2;
    FAILS(CLG_INVALID_ARGUMENT, "padding 2 of the width, it must be 0 to 1",
          clg_pool2d_create(ctx, &desc, &plan));
    desc.dilation[1] = 2;
    OK(clg_pool2d_create(ctx, &desc, &plan)); /* half of the dilated window */
    clg_pool2d_destroy(plan);
    desc = good;
    desc.pad[0] = -1;
    FAILS(CLG_INVALID_ARGUMENT, "padding -1 of the height", clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.size[0] = 11;
    FAILS(CLG_INVALID_SHAPE, "a window of 11 (size 11, dilation 1) is larger than the height 8",
          clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.dilation[1] = 6;
    FAILS(CLG_INVALID_SHAPE, "a window of 13 (size 3, dilation 6) is larger than the width 9",
          clg_pool2d_create(ctx, &desc, &plan));
    desc = good;
    desc.size[1] = INT32_MAX;
    desc.pad[1] = INT32_MAX / 2;
    FAILS(CLG_TOO_LARGE, "width 9 padded by 1073741823", clg_pool2d_create(ctx, &desc, &plan));
    assert_null(plan);
}

static void running_with_the_wrong_tensors_is_refused(void **state)
{
    (void)state;
    const struct problem p = {2, 3, 8, 9, {3, 3}, {2, 2}, {1, 1}, {1, 1}};
    clg_pool2d_desc desc = desc_of(&p, CLG_POOL_MAX, CLG_NCHW);
    clg_tensor_desc out = output_of(&desc);
    clg_pool2d *max, *avg;
    OK(clg_pool2d_create(testing_context(), &desc, &max));
    desc.kind = CLG_POOL_AVG;
    OK(clg_pool2d_create(testing_context(), &desc, &avg));
    clg_tensor *x = testing_tensor(&desc.x, NULL), *y = testing_tensor(&out, NULL);
    clg_run accumulate = {.accumulate = true};
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_pool2d_forward(NULL, y, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "plan is NULL", clg_pool2d_backward(NULL, x, y, x, y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL", clg_pool2d_forward(max, y, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "y is 2x3x8x9", clg_pool2d_forward(max, x, x, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "x is NULL", clg_pool2d_backward(max, x, y, NULL, y, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "y is NULL", clg_pool2d_backward(max, x, y, x, NULL, NULL));
    FAILS(CLG_INVALID_SHAPE, "dy is 2x3x8x9", clg_pool2d_backward(avg, x, x, NULL, NULL, NULL));
    OK(clg_pool2d_backward(avg, x, y, NULL, NULL, NULL));
    FAILS(CLG_UNSUPPORTED, "accumulate", clg_pool2d_backward(max, x, y, x, y, &accumulate));
    FAILS(CLG_UNSUPPORTED, "accumulate", clg_pool2d_backward(avg, x, y, x, y, &accumulate));
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    clg_pool2d_destroy(max);
    clg_pool2d_destroy(avg);
    clg_pool2d_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_equals_the_reference_exactly_and_gives_ties_to_the_first),
        cmocka_unit_test(behind_a_relu_the_gradient_is_that_of_what_it_took),
        cmocka_unit_test(average_equals_the_reference_with_and_without_counting_padding),
        cmocka_unit_test(global_pooling_is_one_window_over_the_plane),
        cmocka_unit_test(a_nan_wins_every_window_and_takes_the_gradient),
        cmocka_unit_test(nans_among_many_channels_take_what_is_theirs),
        cmocka_unit_test(windows_of_minus_infinity_give_it_and_the_gradient_to_the_first),
        cmocka_unit_test(an_average_keeps_a_nan_in_its_windows),
        cmocka_unit_test(large_windows_with_a_large_mean_keep_their_precision),
        cmocka_unit_test(the_gradients_have_the_same_bits_on_every_run),
        cmocka_unit_test(the_caller_may_bring_the_workspace),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(bad_descriptions_are_refused_with_the_numbers),
        cmocka_unit_test(impossible_windows_are_refused_with_the_numbers),
        cmocka_unit_test(running_with_the_wrong_tensors_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
