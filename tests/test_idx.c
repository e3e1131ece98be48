#include "clgrad/idx.h"

#include "clgrad/image_set.h"
#include "support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HEADER_3D = 16, IMAGES_SIZE = HEADER_3D + 12 };

/* Two images of 2 x 3, and their labels. */
static const unsigned char images[IMAGES_SIZE] = {0, 0, 8, 3, 0, 0,   0, 2, 0, 0, 0, 2, 0, 0,
                                                  0, 3, 1, 2, 3, 255, 5, 6, 7, 8, 9, 0, 1, 2};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 3, 1};

static void assert_refused(const char *path, clg_status status, const char *says)
{
    clg_idx idx = {.ndim = 7};
    assert_int_equal(clg_idx_read(path, &idx), status);
    assert_true(last_error_says(path));
    assert_true(last_error_says(says));
    assert_null(idx.data);
    assert_int_equal(idx.ndim, 0);
}

static void assert_images(const char *path)
{
    clg_idx idx;
    assert_int_equal(clg_idx_read(path, &idx), CLG_OK);
    assert_int_equal(idx.ndim, 3);
    assert_int_equal(idx.dims[0], 2);
    assert_int_equal(idx.dims[1], 2);
    assert_int_equal(idx.dims[2], 3);
    assert_memory_equal(idx.data, images + HEADER_3D, 12);
    clg_idx_free(&idx);
    assert_null(idx.data);
}

static void plain_and_gzip_files_read_the_same(void **state)
{
    (void)state;
    assert_images(scratch_write("plain", images, sizeof images));
    assert_images(scratch_write_gzip("gzip", images, sizeof images));
}

static void every_number_of_dimensions_is_read(void **state)
{
    (void)state;
    for (int ndim = 1; ndim <= CLG_IDX_MAX_DIMS; ndim++) {
        unsigned char bytes[4 + 4 * CLG_IDX_MAX_DIMS + 16] = {0, 0, 8, (unsigned char)ndim};
        clg_idx idx;
        for (int i = 0; i < ndim; i++)
            bytes[4 + 4 * i + 3] = 2;
        const char *path = scratch_write("a", bytes, (size_t)(4 + 4 * ndim + (1 << ndim)));
        assert_int_equal(clg_idx_read(path, &idx), CLG_OK);
        assert_int_equal(idx.ndim, ndim);
        for (int i = 0; i < ndim; i++)
            assert_int_equal(idx.dims[i], 2);
        clg_idx_free(&idx);
    }
}

static void data_larger_than_the_first_buffer_is_read(void **state)
{
    (void)state;
    const size_t size = (3U << 20) + 5;
    unsigned char *bytes = calloc(1, 8 + size);
    clg_idx idx;
    assert_non_null(bytes);
    memcpy(bytes, "\0\0\x08\x01\0\x30\0\x05", 8);
    for (size_t i = 0; i < size; i++)
        bytes[8 + i] = (unsigned char)(i * i >> 7);
    for (int gzip = 0; gzip < 2; gzip++) {
        const char *path =
            gzip ? scratch_write_gzip("a", bytes, 8 + size) : scratch_write("a", bytes, 8 + size);
        assert_int_equal(clg_idx_read(path, &idx), CLG_OK);
        assert_int_equal(idx.dims[0], size);
        assert_memory_equal(idx.data, bytes + 8, size);
        clg_idx_free(&idx);
    }
    free(bytes);
}

static void an_idx_file_cut_short_is_refused_at_every_byte(void **state)
{
    (void)state;
    for (size_t kept = 0; kept < sizeof images; kept++) {
        assert_refused(scratch_write("plain", images, kept), CLG_BAD_FORMAT, "'");
        assert_refused(scratch_write_gzip("gzip", images, kept), CLG_BAD_FORMAT, "'");
    }
    assert_refused(scratch_write("plain", images, sizeof images - 1), CLG_BAD_FORMAT,
                   "11 bytes of data, but its header says 12");
}

static void gzip_data_cut_short_is_refused_at_every_byte(void **state)
{
    (void)state;
    size_t size = 0;
    scratch_write_gzip("gzip", images, sizeof images);
    unsigned char *bytes = scratch_read("gzip", &size);
    for (size_t kept = 0; kept < size; kept++)
        assert_refused(scratch_write("short", bytes, kept), CLG_BAD_FORMAT, "'");
    assert_refused(scratch_write("short", bytes, size - 1), CLG_BAD_FORMAT, "no end");
    free(bytes);
}

static void damaged_gzip_data_is_refused(void **state)
{
    (void)state;
    size_t size = 0;
    scratch_write_gzip("gzip", images, sizeof images);
    unsigned char *bytes = scratch_read("gzip", &size);
    bytes[size - 8] ^= 1; /* the sum */
    assert_refused(scratch_write("damaged", bytes, size), CLG_BAD_FORMAT, "damaged gzip data");
    free(bytes);
}

static void malformed_idx_files_are_refused(void **state)
{
    (void)state;
    unsigned char bytes[IMAGES_SIZE + 1] = {0};
    memcpy(bytes, images, sizeof images);
    assert_refused(scratch_write("a", bytes, sizeof bytes), CLG_BAD_FORMAT, "too long");
    assert_refused(scratch_write_gzip("a", bytes, sizeof bytes), CLG_BAD_FORMAT, "too long");
    bytes[4] = 0x7f;
    assert_refused(scratch_write("a", bytes, sizeof images), CLG_BAD_FORMAT, "cut short");
    memset(bytes + 4, 255, 12);
    assert_refused(scratch_write("a", bytes, sizeof images), CLG_BAD_FORMAT, "overflows");
    static const unsigned char magics[][4] = {
        {1, 0, 8, 3}, {0, 1, 8, 3}, {0, 0, 8, 0}, {0, 0, 8, 5}};
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        memcpy(bytes, magics[i], 4);
        assert_refused(scratch_write("a", bytes, sizeof images), CLG_BAD_FORMAT, "not an IDX");
    }
    memcpy(bytes, "\0\0\x0d\x03", 4);
    assert_refused(scratch_write("a", bytes, sizeof images), CLG_UNSUPPORTED, "type 0x0d");
}

static void unreadable_idx_files_are_refused(void **state)
{
    (void)state;
    clg_idx idx;
    assert_refused(scratch_path("missing"), CLG_IO_ERROR, "No such file");
    assert_refused(scratch_path("."), CLG_IO_ERROR, "Is a directory");
    assert_int_equal(clg_idx_read(NULL, &idx), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_idx_read("a", NULL), CLG_INVALID_ARGUMENT);
    clg_idx_free(NULL);
}

static void assert_set(const char *part)
{
    clg_image_set set;
    assert_int_equal(clg_image_set_load_idx(scratch_path("."), part, &set), CLG_OK);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.channels, 1);
    assert_int_equal(set.height, 2);
    assert_int_equal(set.width, 3);
    assert_int_equal(set.classes, 4);
    assert_memory_equal(set.pixels, images + HEADER_3D, 12);
    assert_int_equal(set.labels[0], 3);
    assert_int_equal(set.labels[1], 1);
    clg_image_set_free(&set);
    assert_null(set.pixels);
}

static void image_sets_are_found_under_each_name(void **state)
{
    (void)state;
    scratch_write("train-images-idx3-ubyte", images, sizeof images);
    scratch_write_gzip("train-labels-idx1-ubyte.gz", labels, sizeof labels);
    assert_set("train");
    scratch_write_gzip("t10k-images.idx3-ubyte.gz", images, sizeof images);
    scratch_write("t10k-labels.idx1-ubyte", labels, sizeof labels);
    assert_set("t10k");
}

static void colour_images_have_channels(void **state)
{
    (void)state;
    const unsigned char colour[] = {0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 3, 0,
                                    0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6};
    clg_image_set set;
    scratch_write("train-images-idx4-ubyte", colour, sizeof colour);
    scratch_write("train-labels-idx1-ubyte", labels, sizeof labels);
    assert_int_equal(clg_image_set_load_idx(scratch_path("."), "train", &set), CLG_OK);
    assert_int_equal(set.channels, 3);
    assert_int_equal(set.height, 1);
    assert_int_equal(set.width, 1);
    assert_memory_equal(set.pixels, colour + 20, 6);
    clg_image_set_free(&set);
}

static void assert_set_refused(clg_status status, const char *says)
{
    clg_image_set set = {.count = 7};
    assert_int_equal(clg_image_set_load_idx(scratch_path("."), "train", &set), status);
    assert_true(last_error_says(says));
    assert_null(set.pixels);
    assert_null(set.labels);
    assert_int_equal(set.count, 0);
}

static void image_sets_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    const unsigned char three[] = {0, 0, 8, 1, 0, 0, 0, 3, 3, 1, 2};
    const unsigned char none[] = {0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3};
    assert_set_refused(CLG_IO_ERROR,
                       "none of: train-images-idx3-ubyte, train-images-idx3-ubyte.gz, "
                       "train-images.idx3-ubyte, train-images.idx3-ubyte.gz, ");
    scratch_write("train-images-idx3-ubyte", images, sizeof images);
    assert_set_refused(CLG_IO_ERROR, "none of: train-labels-idx1-ubyte, ");
    scratch_write("train-labels-idx1-ubyte", three, sizeof three);
    assert_set_refused(CLG_BAD_FORMAT, "3 labels for 2 images");
    scratch_write("train-labels-idx1-ubyte", images, sizeof images);
    assert_set_refused(CLG_BAD_FORMAT, "3 dimensions, labels have 1");
    scratch_write("train-labels-idx1-ubyte", labels, sizeof labels - 1);
    assert_set_refused(CLG_BAD_FORMAT, "cut short");
    scratch_write("train-images-idx3-ubyte", labels, sizeof labels);
    assert_set_refused(CLG_BAD_FORMAT, "1 dimensions, images have 3 or 4");
    scratch_write("train-images-idx3-ubyte", none, sizeof none);
    assert_set_refused(CLG_BAD_FORMAT, "is empty");
    clg_image_set set;
    assert_int_equal(clg_image_set_load_idx(NULL, "train", &set), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_image_set_load_idx("a", NULL, &set), CLG_INVALID_ARGUMENT);
    assert_int_equal(clg_image_set_load_idx("a", "train", NULL), CLG_INVALID_ARGUMENT);
    clg_image_set_free(NULL);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(plain_and_gzip_files_read_the_same),
        IN_SCRATCH(every_number_of_dimensions_is_read),
        IN_SCRATCH(data_larger_than_the_first_buffer_is_read),
        IN_SCRATCH(an_idx_file_cut_short_is_refused_at_every_byte),
        IN_SCRATCH(gzip_data_cut_short_is_refused_at_every_byte),
        IN_SCRATCH(damaged_gzip_data_is_refused),
        IN_SCRATCH(malformed_idx_files_are_refused),
        IN_SCRATCH(unreadable_idx_files_are_refused),
        IN_SCRATCH(image_sets_are_found_under_each_name),
        IN_SCRATCH(colour_images_have_channels),
        IN_SCRATCH(image_sets_that_do_not_fit_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
