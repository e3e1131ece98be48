/* clgrad train, eval and demo, run as a user runs them. */
#include <stdio.h>

#include "support/program.h"
#include "support/scratch.h"
#include "support/testing.h"

/* The number that follows the last `before` in a text; -1 when there is none. */
static double number_after(const char *text, const char *before)
{
    const char *found = NULL;
    for (const char *at = text; (at = strstr(at, before)) != NULL; at += strlen(before))
        found = at;
    return found ? strtod(found + strlen(before), NULL) : -1;
}

static void the_demo_reaches_98_percent_and_shows_its_answers(void **state)
{
    (void)state;
    if (testing_small())
        skip();
    struct program_run run = PROGRAM("demo");
    program_expect_out(&run, 0, "confusion matrix");
    program_expect_out(&run, 0, "test images that were read right");
    program_expect_out(&run, 0, "of 355 test images right");
    assert_null(strchr(run.out, '\r')); /* no bar where there is no terminal */
    assert_null(strchr(run.out, '\033'));
    assert_true(number_after(run.out, "right: accuracy ") >= 98);
}

static void a_trained_model_is_kept_and_counts_the_same(void **state)
{
    (void)state;
    const char *path = scratch_path("digits.safetensors");
    struct program_run run = PROGRAM("train --epochs 1 --batch 100 --seed 5 --out %s", path);
    program_expect_out(&run, 0, "1442 training and 355 test images of 1 x 8 x 8, 10 classes");
    program_expect_out(&run, 0, "saved in ");
    double trained = number_after(run.out, "test "); /* the last "test 91.27%" */
    assert_true(trained > 20);
    run = PROGRAM("eval %s --batch 64", path);
    program_expect_out(&run, 0, "digits, 25978 parameters");
    program_expect_out(&run, 0, "most often taken for");
    double evaluated = number_after(run.out, "right: accuracy ");
    assert_true(evaluated - trained < 0.01 && trained - evaluated < 0.01);
}

static void the_same_seed_trains_the_same_model(void **state)
{
    (void)state;
    size_t size, other_size;
    static const char arguments[] = "train --epochs 1 --batch 200 --seed 9 --out";
    struct program_run run = PROGRAM("%s %s", arguments, scratch_path("a.safetensors"));
    assert_int_equal(run.code, 0);
    run = PROGRAM("%s %s", arguments, scratch_path("b.safetensors"));
    assert_int_equal(run.code, 0);
    unsigned char *a = scratch_read("a.safetensors", &size);
    unsigned char *b = scratch_read("b.safetensors", &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(a, b, size);
    free(a);
    free(b);
}

/* 40 images of 12 x 12, dark or bright by their label, as IDX files. */
static void write_idx(const char *part)
{
    enum { COUNT = 40, SIDE = 12 };
    unsigned char images[16 + COUNT * SIDE * SIDE] = {0, 0, 8, 3,    0, 0, 0, COUNT,
                                                      0, 0, 0, SIDE, 0, 0, 0, SIDE};
    unsigned char labels[8 + COUNT] = {0, 0, 8, 1, 0, 0, 0, COUNT};
    char name[64];
    for (int i = 0; i < COUNT; i++) {
        labels[8 + i] = (unsigned char)(i % 2);
        for (int j = 0; j < SIDE * SIDE; j++)
            images[16 + i * SIDE * SIDE + j] =
                (unsigned char)((i % 2 ? 150 : 20) + (i * 7 + j * 13) % 80);
    }
    snprintf(name, sizeof name, "%s-images-idx3-ubyte.gz", part);
    scratch_write_gzip(name, images, sizeof images);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", part);
    scratch_write(name, labels, sizeof labels);
}

static void a_folder_of_idx_files_is_trained_on(void **state)
{
    (void)state;
    write_idx("train");
    write_idx("t10k");
    const char *folder = scratch_path("."), *path = scratch_path("m.safetensors");
    struct program_run run = PROGRAM(
        "train --data %s --model mlp --optimizer sgd --epochs 8 --batch 16 --out %s", folder, path);
    program_expect_out(&run, 0, "40 training and 40 test images of 1 x 12 x 12, 2 classes");
    program_expect_out(&run, 0, "test 100.00%");
    run = PROGRAM("eval %s", path); /* the file knows the folder */
    program_expect_out(&run, 0, "40 of 40 test images right");
    run = PROGRAM("eval %s --data digits", path);
    program_expect_err(&run, 1, "the model takes images of 1x12x12, the data's are 1x8x8");
}

static void what_cannot_be_trained_is_said_before_training(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("train --model vgg");
    program_expect_usage(&run, "no network \"vgg\"");
    run = PROGRAM("train --model lenet5");
    program_expect_err(&run, 1, "network lenet5: layer \"3\" (conv2d)");
    run = PROGRAM("train --data /nowhere");
    program_expect_err(&run, 1, "/nowhere");
    run = PROGRAM("train --out /nowhere/model.safetensors");
    program_expect_usage(&run, "--out /nowhere/model.safetensors: there is no folder to write to");
    run = PROGRAM("train --optimizer adamm");
    program_expect_usage(&run, "did you mean adam");
    run = PROGRAM("train --lr 0");
    program_expect_usage(&run, "--lr 0 is outside");
    run = PROGRAM("eval");
    program_expect_usage(&run, "no model file; type clgrad eval FILE");
    run = PROGRAM("eval /nowhere/model.safetensors");
    program_expect_err(&run, 1, "/nowhere/model.safetensors");
}

static void a_loss_that_is_no_number_ends_the_training(void **state)
{
    (void)state;
    struct program_run run = PROGRAM("train --optimizer sgd --lr 1e6 --epochs 2 --batch 400");
    program_expect_err(&run, 1, "try a smaller --lr");
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_demo_reaches_98_percent_and_shows_its_answers),
        IN_SCRATCH(a_trained_model_is_kept_and_counts_the_same),
        IN_SCRATCH(the_same_seed_trains_the_same_model),
        IN_SCRATCH(a_folder_of_idx_files_is_trained_on),
        cmocka_unit_test(what_cannot_be_trained_is_said_before_training),
        cmocka_unit_test(a_loss_that_is_no_number_ends_the_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
