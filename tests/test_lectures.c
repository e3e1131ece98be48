/* The lectures' worked examples, with the numbers written out. */
#include "support/testing.h"

/* One image, one channel, one filter: runs a convolution with `algorithm` and gives what is asked
 * for; outputs may be NULL. */
struct example {
    int64_t h, w, r, s, stride;
    const double *x, *k, *dz;
    double *z, *dx, *dk, *db;
};

static void copy_out(const clg_tensor *tensor, double *out)
{
    float *data = testing_download(tensor);
    for (int64_t i = 0; i < clg_tensor_count(tensor); i++)
        out[i] = (double)data[i];
    free(data);
}

/* False, and nothing done, when the algorithm is not for this device. */
static bool run_example(const struct example *e, const char *algorithm)
{
    clg_conv2d_desc desc = clg_conv2d_desc_init(clg_desc_4d(1, 1, e->h, e->w), 1, e->r, e->s);
    desc.stride[0] = desc.stride[1] = e->stride;
    for (int i = 0; i < 3; i++)
        desc.algorithm[i] = algorithm;
    clg_conv2d *plan;
    clg_status status = clg_conv2d_create(testing_context(), &desc, &plan);
    if (algorithm && status == CLG_UNSUPPORTED)
        return false;
    OK(status);
    clg_tensor_desc one = clg_desc_1d(1);
    clg_tensor *x = testing_tensor_from(&desc.x, e->x);
    clg_tensor *k = testing_tensor_from(clg_conv2d_w_desc(plan), e->k);
    clg_tensor *z = testing_tensor(clg_conv2d_y_desc(plan), NULL);
    OK(clg_conv2d_forward(plan, z, x, k, NULL, NULL));
    if (e->z)
        copy_out(z, e->z);
    if (e->dz) {
        clg_tensor *dz = testing_tensor_from(clg_conv2d_y_desc(plan), e->dz);
        clg_tensor *dx = testing_tensor(&desc.x, NULL), *db = testing_tensor(&one, NULL);
        clg_tensor *dk = testing_tensor(clg_conv2d_w_desc(plan), NULL);
        OK(clg_conv2d_backward_data(plan, dx, dz, k, NULL));
        OK(clg_conv2d_backward_filter(plan, dk, db, x, dz, NULL));
        copy_out(dx, e->dx);
        copy_out(dk, e->dk);
        copy_out(db, e->db);
        clg_tensor *gradients[] = {dz, dx, dk, db};
        for (size_t i = 0; i < 4; i++)
            clg_tensor_destroy(gradients[i]);
    }
    clg_tensor_destroy(x);
    clg_tensor_destroy(k);
    clg_tensor_destroy(z);
    clg_conv2d_destroy(plan);
    return true;
}

/* Runs `test` for the library's choice and by name for every exact algorithm that all directions
 * have: a filter gradient's. */
static void for_every_algorithm(void (*test)(const char *algorithm))
{
    const char *names[16];
    size_t count = clg_conv2d_algorithms(CLG_CONV2D_BACKWARD_FILTER, names, 16);
    test(NULL);
    for (size_t i = 0; i < count; i++)
        if (clg_conv2d_algorithm_exact(CLG_CONV2D_BACKWARD_FILTER, names[i]))
            test(names[i]);
}

static void expect_equal(const double *got, const double *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (got[i] < want[i] || got[i] > want[i]) {
            print_error("element %zu is %g, expected %g\n", i, got[i], want[i]);
            fail();
        }
}

static void sobel(const char *algorithm)
{
    /* Left half dark, right half bright. */
    double x[64], z[36];
    for (int i = 0; i < 64; i++)
        x[i] = i % 8 >= 4 ? 1 : 0;
    static const double k[] = {-1, 0, 1, -2, 0, 2, -1, 0, 1};
    static const double row[] = {0, 0, 4, 4, 0, 0};
    if (!run_example(&(struct example){8, 8, 3, 3, 1, x, k, NULL, z, NULL, NULL, NULL}, algorithm))
        return;
    for (int i = 0; i < 6; i++)
        expect_equal(z + 6 * i, row, 6);
}

static void the_sobel_filter_finds_the_edge_of_the_8x8_image(void **state)
{
    (void)state;
    for_every_algorithm(sobel);
}

static void sums_written_out(const char *algorithm)
{
    static const double x[] = {2, 3, 5, 7, 11, 13, 17, 19, 23}, k[] = {1, -2, 3, 4};
    static const double dz[] = {29, -31, 37, 41};
    const double x11 = x[0], x12 = x[1], x13 = x[2], x21 = x[3], x22 = x[4], x23 = x[5], x31 = x[6],
                 x32 = x[7], x33 = x[8];
    const double k11 = k[0], k12 = k[1], k21 = k[2], k22 = k[3];
    const double d11 = dz[0], d12 = dz[1], d21 = dz[2], d22 = dz[3];
    double z[4], got_dx[9], got_dk[4], got_db[1];
    if (!run_example(&(struct example){3, 3, 2, 2, 1, x, k, dz, z, got_dx, got_dk, got_db},
                     algorithm))
        return;
    const double want_z[] = {
        x11 * k11 + x12 * k12 + x21 * k21 + x22 * k22,
        x12 * k11 + x13 * k12 + x22 * k21 + x23 * k22,
        x21 * k11 + x22 * k12 + x31 * k21 + x32 * k22,
        x22 * k11 + x23 * k12 + x32 * k21 + x33 * k22,
    };
    const double want_dk[] = {
        x11 * d11 + x12 * d12 + x21 * d21 + x22 * d22,
        x12 * d11 + x13 * d12 + x22 * d21 + x23 * d22,
        x21 * d11 + x22 * d12 + x31 * d21 + x32 * d22,
        x22 * d11 + x23 * d12 + x32 * d21 + x33 * d22,
    };
    const double want_dx[] = {
        d11 * k11,
        d11 * k12 + d12 * k11,
        d12 * k12,
        d11 * k21 + d21 * k11,
        d11 * k22 + d12 * k21 + d21 * k12 + d22 * k11,
        d12 * k22 + d22 * k12,
        d21 * k21,
        d21 * k22 + d22 * k21,
        d22 * k22,
    };
    const double want_db[] = {d11 + d12 + d21 + d22};
    expect_equal(z, want_z, 4);
    expect_equal(got_dk, want_dk, 4);
    expect_equal(got_dx, want_dx, 9);
    expect_equal(got_db, want_db, 1);
}

static void gradients_of_a_3x3_input_and_a_2x2_filter_equal_the_sums_written_out(void **state)
{
    (void)state;
    for_every_algorithm(sums_written_out);
}

static void stride_two_drops(const char *algorithm)
{
    double *x = testing_integers(9 * 8, 9, 5), *k = testing_integers(9, 5, 6);
    double every[7 * 6], dropped[4 * 3];
    bool runs = run_example(&(struct example){9, 8, 3, 3, 1, x, k, NULL, every, NULL, NULL, NULL},
                            algorithm) &&
                run_example(&(struct example){9, 8, 3, 3, 2, x, k, NULL, dropped, NULL, NULL, NULL},
                            algorithm);
    for (int p = 0; runs && p < 4; p++)
        for (int q = 0; q < 3; q++)
            expect_equal(&dropped[3 * p + q], &every[6 * 2 * p + 2 * q], 1);
    free(x);
    free(k);
}

static void stride_2_equals_stride_1_with_rows_and_columns_dropped(void **state)
{
    (void)state;
    for_every_algorithm(stride_two_drops);
}

/* The steps of the lecture, each as the public operation. dy 4x3 of a 9x7 input, window 3x3,
 * stride 2: zeros between the elements, 2 rows and columns of zeros around, the filter turned. */
static clg_tensor *full_convolution(const clg_tensor *dy, const clg_tensor *w)
{
    clg_context *ctx = testing_context();
    clg_dilate2d_desc dilate = {*clg_tensor_get_desc(dy), {2, 2}};
    clg_dilate2d *dilate_plan;
    OK(clg_dilate2d_create(ctx, &dilate, &dilate_plan));
    clg_tensor_desc spread_desc = clg_desc_4d(1, 1, 7, 5);
    clg_tensor *spread = testing_tensor(&spread_desc, NULL);
    OK(clg_dilate2d_forward(dilate_plan, spread, dy, NULL));

    clg_pad2d_desc pad = {spread_desc, {2, 2, 2, 2}, CLG_PAD_ZEROS, 0};
    clg_pad2d *pad_plan;
    OK(clg_pad2d_create(ctx, &pad, &pad_plan));
    clg_tensor_desc padded_desc = clg_desc_4d(1, 1, 11, 9);
    clg_tensor *padded = testing_tensor(&padded_desc, NULL);
    OK(clg_pad2d_forward(pad_plan, padded, spread, NULL));

    clg_flip2d_desc flip = {*clg_tensor_get_desc(w)};
    clg_flip2d *flip_plan;
    OK(clg_flip2d_create(ctx, &flip, &flip_plan));
    clg_tensor *turned = testing_tensor(&flip.x, NULL);
    OK(clg_flip2d_forward(flip_plan, turned, w, NULL));

    clg_conv2d_desc conv = clg_conv2d_desc_init(padded_desc, 1, 3, 3);
    clg_conv2d *conv_plan;
    OK(clg_conv2d_create(ctx, &conv, &conv_plan));
    clg_tensor *dx = testing_tensor(clg_conv2d_y_desc(conv_plan), NULL);
    OK(clg_conv2d_forward(conv_plan, dx, padded, turned, NULL, NULL));

    clg_tensor_destroy(spread);
    clg_tensor_destroy(padded);
    clg_tensor_destroy(turned);
    clg_dilate2d_destroy(dilate_plan);
    clg_pad2d_destroy(pad_plan);
    clg_flip2d_destroy(flip_plan);
    clg_conv2d_destroy(conv_plan);
    return dx;
}

static void
dilation_rotation_and_full_convolution_equal_the_direct_gradient_bit_for_bit(void **state)
{
    (void)state;
    double *dy = testing_integers(12, 9, 1), *w = testing_integers(9, 9, 2);
    clg_conv2d_desc desc = clg_conv2d_desc_init(clg_desc_4d(1, 1, 9, 7), 1, 3, 3);
    desc.stride[0] = desc.stride[1] = 2;
    desc.algorithm[CLG_CONV2D_BACKWARD_DATA] = "direct";
    clg_conv2d *plan;
    OK(clg_conv2d_create(testing_context(), &desc, &plan));
    clg_tensor *tdy = testing_tensor_from(clg_conv2d_y_desc(plan), dy);
    clg_tensor *tw = testing_tensor_from(clg_conv2d_w_desc(plan), w);
    clg_tensor *direct = testing_tensor(&desc.x, NULL);
    OK(clg_conv2d_backward_data(plan, direct, tdy, tw, NULL));
    clg_tensor *steps = full_convolution(tdy, tw);
    testing_expect_same_bits("dx by steps and direct", steps, direct);
    clg_tensor_destroy(tdy);
    clg_tensor_destroy(tw);
    clg_tensor_destroy(direct);
    clg_tensor_destroy(steps);
    clg_conv2d_destroy(plan);
    free(dy);
    free(w);
}

static void the_output_size_is_the_formula_of_the_lecture(void **state)
{
    (void)state;
    for (int64_t size = 1; size <= 12; size++)
        for (int64_t kernel = 1; kernel <= 5; kernel++)
            for (int64_t pad = 0; pad <= 3; pad++)
                for (int64_t stride = 1; stride <= 4; stride++) {
                    clg_conv2d_desc desc =
                        clg_conv2d_desc_init(clg_desc_4d(1, 1, size, size), 1, kernel, kernel);
                    for (int i = 0; i < 4; i++)
                        desc.padding[i] = pad;
                    desc.stride[0] = desc.stride[1] = stride;
                    clg_tensor_desc y;
                    clg_status status = clg_conv2d_output_size(&desc, &y, NULL);
                    assert_int_equal(status == CLG_OK, size - kernel + 2 * pad >= 0);
                    if (status == CLG_OK)
                        assert_int_equal(y.dims[2], (size - kernel + 2 * pad) / stride + 1);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sobel_filter_finds_the_edge_of_the_8x8_image),
        cmocka_unit_test(gradients_of_a_3x3_input_and_a_2x2_filter_equal_the_sums_written_out),
        cmocka_unit_test(stride_2_equals_stride_1_with_rows_and_columns_dropped),
        cmocka_unit_test(
            dilation_rotation_and_full_convolution_equal_the_direct_gradient_bit_for_bit),
        cmocka_unit_test(the_output_size_is_the_formula_of_the_lecture),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
