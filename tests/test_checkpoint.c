/* Models in files: what is written, what is read back, what is refused. */
#include "support/testing.h"

#include <stdio.h>

#include "support/scratch.h"

static clg_model *build(uint64_t seed, int64_t filters)
{
    clg_model *model;
    clg_model_desc desc = {.channels = 2, .height = 6, .width = 6, .seed = seed};
    clg_conv2d_layer conv = {.filters = filters, .kernel = {3}, .groups = 2};
    OK(clg_model_create(testing_context(), &desc, &model));
    clg_node x = clg_model_conv2d(model, clg_model_input(model), "layer1.0.conv1", &conv);
    x = clg_model_batch_norm(model, x, "layer1.0.bn1", NULL);
    x = clg_model_flatten(model, clg_model_relu(model, x), NULL);
    x = clg_model_linear(model, x, "fc", &(clg_linear_layer){.features = 3});
    OK(clg_model_build(model, x, NULL));
    return model;
}

static void train(clg_model *model, int steps)
{
    clg_tensor_desc desc = clg_desc_4d(4, 2, 6, 6);
    double *host = testing_uniform(4 * 72, 3);
    clg_tensor *x = testing_tensor_from(&desc, host);
    clg_tensor *y = testing_labels(4, (const int32_t[]){0, 1, 2, 0});
    for (int i = 0; i < steps; i++)
        OK(clg_model_train_step(model, x, y, NULL));
    clg_tensor_destroy(x);
    clg_tensor_destroy(y);
    free(host);
}

static void expect_same_parameters(const clg_model *a, const clg_model *b)
{
    for (int i = 0; i < clg_model_num_parameters(a); i++) {
        clg_parameter left, right;
        OK(clg_model_parameter(a, i, &left));
        OK(clg_model_parameter(b, i, &right));
        testing_expect_same_bits(left.name, left.value, right.value);
    }
}

static void a_model_comes_back_as_it_was_saved(void **state)
{
    (void)state;
    const char *path = scratch_path("model.safetensors");
    clg_model *saved = build(1, 4), *loaded = build(2, 4);
    train(saved, 3);
    OK(clg_model_save(saved, path));
    OK(clg_model_load(loaded, path));
    expect_same_parameters(saved, loaded);
    clg_model_destroy(saved);
    clg_model_destroy(loaded);
}

static void the_file_holds_pytorchs_names_shapes_and_types(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        clg_safetensors_type type;
        int ndim;
        int64_t dims[4];
    } expected[] = {
        {"layer1.0.conv1.weight", CLG_SAFETENSORS_F32, 4, {4, 1, 3, 3}},
        {"layer1.0.conv1.bias", CLG_SAFETENSORS_F32, 1, {4}},
        {"layer1.0.bn1.weight", CLG_SAFETENSORS_F32, 1, {4}},
        {"layer1.0.bn1.bias", CLG_SAFETENSORS_F32, 1, {4}},
        {"layer1.0.bn1.running_mean", CLG_SAFETENSORS_F32, 1, {4}},
        {"layer1.0.bn1.running_var", CLG_SAFETENSORS_F32, 1, {4}},
        {"layer1.0.bn1.num_batches_tracked", CLG_SAFETENSORS_I64, 0, {0}},
        {"fc.weight", CLG_SAFETENSORS_F32, 2, {3, 64}},
        {"fc.bias", CLG_SAFETENSORS_F32, 1, {3}},
    };
    const char *path = scratch_path("model.safetensors");
    clg_model *model = build(1, 4);
    train(model, 3);
    OK(clg_model_set_metadata(model, "note", "first"));
    OK(clg_model_set_metadata(model, "note", "second"));
    OK(clg_model_set_metadata(model, "gone", "x"));
    OK(clg_model_set_metadata(model, "gone", NULL));
    OK(clg_model_save(model, path));
    clg_safetensors *file;
    OK(clg_safetensors_open(path, &file));
    assert_int_equal(clg_safetensors_count(file), 9);
    for (size_t i = 0; i < 9; i++) {
        const clg_safetensors_tensor *found = clg_safetensors_find(file, expected[i].name);
        assert_non_null(found);
        assert_int_equal(found->type, expected[i].type);
        assert_int_equal(found->ndim, expected[i].ndim);
        for (int d = 0; d < found->ndim; d++)
            assert_int_equal(found->dims[d], expected[i].dims[d]);
    }
    int64_t batches;
    memcpy(&batches, clg_safetensors_find(file, expected[6].name)->data, sizeof batches);
    assert_int_equal(batches, 3);
    assert_string_equal(clg_safetensors_metadata(file, "note"), "second");
    assert_null(clg_safetensors_metadata(file, "gone"));
    clg_safetensors_close(file);
    clg_model_destroy(model);
}

static void batches_tracked_go_on_from_the_file_and_may_be_missing(void **state)
{
    (void)state;
    const char *path = scratch_path("model.safetensors"),
               *again = scratch_path("again.safetensors");
    clg_model *model = build(1, 4), *other = build(2, 4);
    train(model, 3);
    OK(clg_model_save(model, path));
    OK(clg_model_load(other, path));
    train(other, 2);
    OK(clg_model_save(other, again));
    clg_safetensors *file;
    OK(clg_safetensors_open(again, &file));
    clg_safetensors_tensor tensors[9];
    size_t kept = 0;
    for (size_t i = 0; i < 9; i++) {
        const clg_safetensors_tensor *tensor = clg_safetensors_at(file, i);
        int64_t batches;
        if (tensor->type != CLG_SAFETENSORS_I64) {
            tensors[kept++] = *tensor;
            continue;
        }
        memcpy(&batches, tensor->data, sizeof batches);
        assert_int_equal(batches, 5);
    }
    OK(clg_safetensors_write(path, tensors, kept, NULL, 0));
    OK(clg_model_load(model, path));
    expect_same_parameters(model, other);
    clg_safetensors_close(file);
    clg_model_destroy(model);
    clg_model_destroy(other);
}

/* Writes a good file with one thing changed. */
struct change {
    const char *name; /* the tensor that is changed */
    const char *rename;
    int ndim; /* 0: as it was */
    int64_t dims[4];
    bool as_i32, drop, twice;
    clg_status status;
    const char *message;
};

static const struct change changes[] = {
    {.name = "fc.bias",
     .drop = true,
     .status = CLG_INVALID_SHAPE,
     .message = "lacks 1 of the model's 8 tensors (\"fc.bias\")"},
    {.name = "fc.bias",
     .rename = "fc.bais",
     .status = CLG_INVALID_SHAPE,
     .message = "has 1 that the model does not know (\"fc.bais\")"},
    {.name = "fc.weight",
     .ndim = 2,
     .dims = {64, 3},
     .status = CLG_INVALID_SHAPE,
     .message = "\"fc.weight\" is F32 of 64x3 in the file, the model's is F32 of 3x64"},
    {.name = "fc.weight",
     .ndim = 3,
     .dims = {3, 8, 8},
     .status = CLG_INVALID_SHAPE,
     .message = "F32 of 3x8x8 in the file"},
    {.name = "fc.bias",
     .as_i32 = true,
     .status = CLG_INVALID_SHAPE,
     .message = "\"fc.bias\" is I32 of 3 in the file, the model's is F32 of 3"},
    {.name = "layer1.0.bn1.num_batches_tracked",
     .ndim = 1,
     .dims = {1},
     .status = CLG_INVALID_SHAPE,
     .message = "is I64 of 1 in the file, the model's is I64 of no dimensions"},
};

static void write_changed(const char *from, const char *to, const struct change *change)
{
    clg_safetensors *file;
    clg_safetensors_tensor tensors[9];
    size_t count = 0;
    OK(clg_safetensors_open(from, &file));
    for (size_t i = 0; i < clg_safetensors_count(file); i++) {
        clg_safetensors_tensor tensor = *clg_safetensors_at(file, i);
        if (strcmp(tensor.name, change->name) == 0) {
            if (change->drop)
                continue;
            if (change->rename)
                tensor.name = change->rename;
            if (change->as_i32)
                tensor.type = CLG_SAFETENSORS_I32;
            if (change->ndim) {
                tensor.ndim = change->ndim;
                memcpy(tensor.dims, change->dims, sizeof change->dims);
            }
        }
        tensors[count++] = tensor;
    }
    OK(clg_safetensors_write(to, tensors, count, NULL, 0));
    clg_safetensors_close(file);
}

static void files_that_do_not_fit_are_refused_and_nothing_changes(void **state)
{
    (void)state;
    const char *good = scratch_path("good.safetensors"), *bad = scratch_path("bad.safetensors");
    clg_model *saved = build(1, 4), *model = build(2, 4), *same = build(2, 4);
    OK(clg_model_save(saved, good));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        write_changed(good, bad, &changes[i]);
        FAILS(changes[i].status, changes[i].message, clg_model_load(model, bad));
        expect_same_parameters(model, same);
    }
    clg_model *wider = build(1, 6);
    FAILS(CLG_INVALID_SHAPE,
          "\"layer1.0.conv1.weight\" is F32 of 4x1x3x3 in the file, the model's "
          "is F32 of 6x1x3x3",
          clg_model_load(wider, good));
    FAILS(CLG_IO_ERROR, "nowhere", clg_model_load(model, "/nowhere/at.all"));
    FAILS(CLG_IO_ERROR, "nowhere", clg_model_save(model, "/nowhere/at.all"));
    FAILS(CLG_INVALID_ARGUMENT, "path is NULL", clg_model_save(model, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "key is empty", clg_model_set_metadata(model, "", "x"));
    FILE *stream = fopen(bad, "w");
    assert_non_null(stream);
    fputs("not a model", stream);
    fclose(stream);
    FAILS(CLG_BAD_FORMAT, "", clg_model_load(model, bad));
    expect_same_parameters(model, same);
    clg_model_destroy(saved);
    clg_model_destroy(model);
    clg_model_destroy(same);
    clg_model_destroy(wider);
}

static void named_networks_are_made_again_from_their_file(void **state)
{
    (void)state;
    const char *path = scratch_path("digits.safetensors");
    clg_model *saved, *opened;
    clg_network_desc desc = {.name = "digits",
                             .model = {.channels = 2, .height = 9, .width = 8, .seed = 4},
                             .classes = 7};
    OK(clg_model_by_name(testing_context(), &desc, NULL, &saved));
    OK(clg_model_set_metadata(saved, "clgrad.mean", "0.5"));
    OK(clg_model_save(saved, path));
    OK(clg_model_open(testing_context(), path, NULL, &opened));
    expect_same_parameters(saved, opened);
    assert_string_equal(clg_model_metadata(opened, "clgrad.input"), "2x9x8");
    assert_string_equal(clg_model_metadata(opened, "clgrad.mean"), "0.5");
    clg_model_destroy(saved);
    clg_model_destroy(opened);
}

static void files_without_a_network_are_not_opened(void **state)
{
    (void)state;
    static const struct {
        const char *model, *input, *classes, *message;
        clg_status status;
    } bad[] = {
        {"digits", "1x8x8", NULL, "does not say which network", CLG_BAD_FORMAT},
        {"digits", "1x8", "10", "clgrad.input is \"1x8\"", CLG_BAD_FORMAT},
        {"digits", "1x8x8x", "10", "clgrad.input is \"1x8x8x\"", CLG_BAD_FORMAT},
        {"digits", "1x8x8", "ten", "clgrad.classes \"ten\"", CLG_BAD_FORMAT},
        {"digits", "1x8x99999999999999999999", "10", "9999", CLG_BAD_FORMAT},
        {"digots", "1x8x8", "10", "no network \"digots\"", CLG_INVALID_ARGUMENT},
        {"digits", "1x8x8", "10", "the file lacks", CLG_INVALID_SHAPE},
    };
    const char *path = scratch_path("bad.safetensors");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        clg_model *model = build(1, 4), *opened;
        OK(clg_model_set_metadata(model, "clgrad.model", bad[i].model));
        OK(clg_model_set_metadata(model, "clgrad.input", bad[i].input));
        OK(clg_model_set_metadata(model, "clgrad.classes", bad[i].classes));
        OK(clg_model_save(model, path));
        FAILS(bad[i].status, bad[i].message,
              clg_model_open(testing_context(), path, NULL, &opened));
        assert_null(opened);
        clg_model_destroy(model);
    }
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(a_model_comes_back_as_it_was_saved),
        IN_SCRATCH(the_file_holds_pytorchs_names_shapes_and_types),
        IN_SCRATCH(batches_tracked_go_on_from_the_file_and_may_be_missing),
        IN_SCRATCH(files_that_do_not_fit_are_refused_and_nothing_changes),
        IN_SCRATCH(named_networks_are_made_again_from_their_file),
        IN_SCRATCH(files_without_a_network_are_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
