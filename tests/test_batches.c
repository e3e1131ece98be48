/* Batches of an image set: order, last batch, normalisation, shifts, and that uploads keep out of
 * the way of what still reads the batch before. */
#include "support/testing.h"

#include <math.h>

enum { IMAGES = 23, CHANNELS = 2, HEIGHT = 4, WIDTH = 5, PLANE = HEIGHT * WIDTH };

static uint8_t pixels[IMAGES * CHANNELS * PLANE];
static int32_t labels[IMAGES];
static const clg_image_set set = {IMAGES, CHANNELS, HEIGHT, WIDTH, IMAGES, pixels, labels};

static int fill_set(void **state)
{
    (void)state;
    struct ref_random random = {5};
    for (int i = 0; i < IMAGES * CHANNELS * PLANE; i++)
        pixels[i] = (uint8_t)(1 + ref_random_bits(&random) % 255);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i;
    return 0;
}

static clg_batches *create(clg_batches_desc desc)
{
    clg_batches *batches;
    desc.set = &set;
    OK(clg_batches_create(testing_context(), &desc, &batches));
    return batches;
}

static int32_t *download_labels(const clg_batch *batch)
{
    int32_t *values = calloc((size_t)batch->count, sizeof *values);
    OK(clg_tensor_download(batch->labels, values, NULL));
    return values;
}

/* The images of an epoch, in order; returns how many. */
static int64_t epoch_order(clg_batches *batches, uint64_t epoch, int64_t *order)
{
    int64_t count = 0;
    clg_batch batch;
    clg_batches_begin(batches, epoch);
    for (;;) {
        OK(clg_batches_next(batches, &batch));
        if (batch.count == 0)
            return count;
        int32_t *values = download_labels(&batch);
        for (int64_t i = 0; i < batch.count; i++) {
            assert_int_equal(values[i], batch.indices[i]);
            order[count++] = batch.indices[i];
        }
        free(values);
    }
}

static void an_epoch_gives_every_image_once_with_a_smaller_last_batch(void **state)
{
    (void)state;
    clg_batches *batches = create((clg_batches_desc){.batch = 6});
    clg_batch batch;
    assert_int_equal(clg_batches_count(batches), 4);
    static const int64_t counts[] = {6, 6, 6, 5};
    for (int i = 0; i < 4; i++) {
        OK(clg_batches_next(batches, &batch));
        assert_int_equal(batch.count, counts[i]);
        assert_int_equal(clg_tensor_get_desc(batch.x)->dims[0], counts[i]);
        assert_int_equal(batch.indices[0], 6 * i);
        float *x = testing_download(batch.x);
        for (int64_t j = 0; j < batch.count * CHANNELS * PLANE; j++)
            assert_true(fabsf(x[j] - (float)pixels[6 * i * CHANNELS * PLANE + j] / 255) <= 1e-6f);
        free(x);
    }
    OK(clg_batches_next(batches, &batch));
    assert_int_equal(batch.count, 0);
    OK(clg_batches_next(batches, &batch));
    assert_int_equal(batch.count, 0);
    clg_batches_destroy(batches);
}

static void shuffled_epochs_differ_and_repeat_with_the_seed(void **state)
{
    (void)state;
    clg_batches_desc desc = {.batch = 6, .shuffle = true, .seed = 9};
    clg_batches *batches = create(desc), *again = create(desc);
    desc.seed = 10;
    clg_batches *other = create(desc);
    int64_t first[IMAGES], second[IMAGES], order[IMAGES];
    bool seen[IMAGES] = {false};
    assert_int_equal(epoch_order(batches, 0, first), IMAGES);
    for (int i = 0; i < IMAGES; i++)
        seen[first[i]] = true;
    for (int i = 0; i < IMAGES; i++)
        assert_true(seen[i]);
    epoch_order(batches, 1, second);
    assert_memory_not_equal(first, second, sizeof first);
    epoch_order(batches, 0, order);
    assert_memory_equal(first, order, sizeof first);
    epoch_order(again, 1, order);
    assert_memory_equal(second, order, sizeof first);
    epoch_order(other, 0, order);
    assert_memory_not_equal(first, order, sizeof first);
    clg_batches_destroy(batches);
    clg_batches_destroy(again);
    clg_batches_destroy(other);
}

static void pixels_are_normalised_by_channel(void **state)
{
    (void)state;
    float mean[CHANNELS], std[CHANNELS];
    OK(clg_image_set_statistics(&set, mean, std));
    clg_batches *batches = create((clg_batches_desc){.batch = 100, .mean = mean, .std = std});
    clg_batch batch;
    OK(clg_batches_next(batches, &batch));
    assert_int_equal(batch.count, IMAGES);
    float *x = testing_download(batch.x);
    for (int c = 0; c < CHANNELS; c++) {
        double sum = 0, squares = 0;
        for (int n = 0; n < IMAGES; n++)
            for (int i = 0; i < PLANE; i++) {
                double v = (double)x[(n * CHANNELS + c) * PLANE + i];
                sum += v;
                squares += v * v;
            }
        assert_true(fabs(sum / (IMAGES * PLANE)) < 1e-5);
        assert_true(fabs(squares / (IMAGES * PLANE) - 1) < 1e-5);
    }
    free(x);
    clg_batches_destroy(batches);
}

/* How the image was moved, or -100: looks for the move that explains every pixel. */
static int find_shift(const float *x, int64_t image, int most)
{
    for (int down = -most; down <= most; down++)
        for (int right = -most; right <= most; right++) {
            bool same = true;
            for (int i = 0; i < CHANNELS * PLANE && same; i++) {
                int c = i / PLANE, v = i % PLANE / WIDTH - down, u = i % WIDTH - right;
                bool inside = v >= 0 && v < HEIGHT && u >= 0 && u < WIDTH;
                int pixel = inside ? pixels[(image * CHANNELS + c) * PLANE + v * WIDTH + u] : 0;
                same = fabsf(x[i] * 255 - (float)pixel) < 0.01f;
            }
            if (same)
                return 10 * down + right;
        }
    return -100;
}

static void shifts_move_whole_images(void **state)
{
    (void)state;
    clg_batches *batches = create((clg_batches_desc){.batch = IMAGES, .max_shift = 2, .seed = 3});
    clg_batch batch;
    bool moved = false;
    OK(clg_batches_next(batches, &batch));
    float *x = testing_download(batch.x);
    for (int i = 0; i < IMAGES; i++) {
        int shift = find_shift(x + i * CHANNELS * PLANE, i, 2);
        assert_int_not_equal(shift, -100);
        moved = moved || shift != 0;
    }
    assert_true(moved);
    free(x);
    clg_batches_destroy(batches);
}

static void a_batch_is_not_overwritten_while_enqueued_work_reads_it(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_batches *batches = create((clg_batches_desc){.batch = 2});
    clg_tensor_desc desc = clg_desc_4d(2, CHANNELS, HEIGHT, WIDTH);
    clg_tensor *copy[11];
    cl_int code;
    cl_event gate = clCreateUserEvent(clg_context_cl_context(ctx), &code);
    clg_batch batch;
    for (int i = 0; i < 11; i++)
        copy[i] = testing_tensor(&desc, NULL);
    for (int i = 0; i < 11; i++) {
        OK(clg_batches_next(batches, &batch));
        /* The first copy waits at the gate while the next batch is fetched already. */
        clg_run run = {.num_wait = i == 0, .wait_list = i == 0 ? &gate : NULL};
        OK(clg_tensor_copy(copy[i], batch.x, &run));
        if (i == 1)
            clSetUserEventStatus(gate, CL_COMPLETE);
    }
    for (int i = 0; i < 11; i++) {
        float *x = testing_download(copy[i]);
        for (int j = 0; j < 2 * CHANNELS * PLANE; j++)
            assert_true(fabsf(x[j] * 255 - (float)pixels[i * 2 * CHANNELS * PLANE + j]) < 0.01f);
        free(x);
        clg_tensor_destroy(copy[i]);
    }
    clReleaseEvent(gate);
    clg_batches_destroy(batches);
}

static void bad_descriptions_are_refused(void **state)
{
    (void)state;
    clg_batches *batches;
    clg_context *ctx = testing_context();
    const float zero[CHANNELS] = {0}, nan[CHANNELS] = {NAN, 0};
    clg_batches_desc desc = {.batch = 2};
    FAILS(CLG_INVALID_ARGUMENT, "set is NULL", clg_batches_create(ctx, &desc, &batches));
    desc = (clg_batches_desc){.set = &set};
    FAILS(CLG_INVALID_ARGUMENT, "a batch of 0", clg_batches_create(ctx, &desc, &batches));
    desc = (clg_batches_desc){.set = &set, .batch = 2, .max_shift = 4};
    FAILS(CLG_INVALID_ARGUMENT, "4 pixels for images of 4 x 5",
          clg_batches_create(ctx, &desc, &batches));
    desc = (clg_batches_desc){.set = &set, .batch = 2, .std = zero};
    FAILS(CLG_INVALID_ARGUMENT, "deviation 0", clg_batches_create(ctx, &desc, &batches));
    desc = (clg_batches_desc){.set = &set, .batch = 2, .mean = nan};
    FAILS(CLG_INVALID_ARGUMENT, "mean nan", clg_batches_create(ctx, &desc, &batches));
    assert_null(batches);
    clg_batch batch;
    FAILS(CLG_INVALID_ARGUMENT, "batches or batch", clg_batches_next(NULL, &batch));
    FAILS(CLG_INVALID_ARGUMENT, "set, mean or std", clg_image_set_statistics(&set, NULL, NULL));
    clg_batches_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_gives_every_image_once_with_a_smaller_last_batch),
        cmocka_unit_test(shuffled_epochs_differ_and_repeat_with_the_seed),
        cmocka_unit_test(pixels_are_normalised_by_channel),
        cmocka_unit_test(shifts_move_whole_images),
        cmocka_unit_test(a_batch_is_not_overwritten_while_enqueued_work_reads_it),
        cmocka_unit_test(bad_descriptions_are_refused),
    };
    return cmocka_run_group_tests(tests, fill_set, testing_teardown);
}
