#include "clgrad/models.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "clgrad/safetensors.h"

/* ---- The networks ---- */

static clg_node conv(clg_model *model, clg_node x, const char *name, int64_t filters,
                     int64_t kernel, int64_t padding)
{
    return clg_model_conv2d(model, x, name,
                            &(clg_conv2d_layer){.filters = filters,
                                                .kernel = {kernel},
                                                .padding = {padding, padding, padding, padding}});
}

static clg_node linear(clg_model *model, clg_node x, const char *name, int64_t features)
{
    return clg_model_linear(model, x, name, &(clg_linear_layer){.features = features});
}

static clg_node max_pool(clg_model *model, clg_node x, int64_t size)
{
    return clg_model_max_pool2d(model, x, NULL, &(clg_pool2d_layer){.size = {size}});
}

/* Convolution without bias and batch norm. */
static clg_node conv_norm(clg_model *model, clg_node x, const char *conv_name,
                          const char *norm_name, clg_conv2d_layer layer)
{
    layer.no_bias = true;
    return clg_model_batch_norm(model, clg_model_conv2d(model, x, conv_name, &layer), norm_name,
                                NULL);
}

static clg_node digits(clg_model *model, int64_t classes)
{
    static const struct {
        const char *conv, *norm;
        int64_t filters;
        bool pool;
    } stages[] = {
        {"conv1", "bn1", 16, false}, {"conv2", "bn2", 32, true}, {"conv3", "bn3", 64, true}};
    clg_node x = clg_model_input(model);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        clg_conv2d_layer layer = {
            .filters = stages[i].filters, .kernel = {3}, .padding = {1, 1, 1, 1}};
        x = clg_model_relu(model, conv_norm(model, x, stages[i].conv, stages[i].norm, layer));
        if (stages[i].pool)
            x = max_pool(model, x, 2);
    }
    return linear(model, clg_model_flatten(model, x, NULL), "fc", classes);
}

static clg_node lenet5(clg_model *model, int64_t classes)
{
    clg_node x = clg_model_input(model);
    x = clg_model_relu(model, conv(model, x, "0", 6, 5, 2));
    x = max_pool(model, x, 2);
    x = clg_model_relu(model, conv(model, x, "3", 16, 5, 0));
    x = max_pool(model, x, 2);
    x = clg_model_flatten(model, x, NULL);
    x = clg_model_relu(model, linear(model, x, "7", 120));
    x = clg_model_relu(model, linear(model, x, "9", 84));
    return linear(model, x, "11", classes);
}

static clg_node mlp(clg_model *model, int64_t classes)
{
    clg_node x = clg_model_flatten(model, clg_model_input(model), NULL);
    x = clg_model_relu(model, linear(model, x, "fc1", 128));
    return linear(model, x, "fc2", classes);
}

/* The convolutions of a residual block, each with its batch norm; relu between them. */
struct part {
    const char *conv, *norm;
    int64_t kernel;
    bool strided;  /* has the block's stride */
    int64_t times; /* filters, as a multiple of the stage's width */
};

/* What goes around them: the block's input, through a 1x1 convolution where shape or stride
 * change. */
static const struct part across = {"downsample.0", "downsample.1", 1, true, 0};

static const struct part basic[] = {{"conv1", "bn1", 3, true, 1}, {"conv2", "bn2", 3, false, 1}};
static const struct part bottleneck[] = {
    {"conv1", "bn1", 1, false, 1}, {"conv2", "bn2", 3, true, 1}, {"conv3", "bn3", 1, false, 4}};

struct residual {
    const struct part *parts;
    int num_parts, stages;
    int64_t widths[4], depths[4]; /* of each stage */
};

static clg_node block_conv(clg_model *model, clg_node x, const char *block, const struct part *part,
                           int64_t filters, int64_t stride)
{
    char conv_name[64], norm_name[64];
    snprintf(conv_name, sizeof conv_name, "%s.%s", block, part->conv);
    snprintf(norm_name, sizeof norm_name, "%s.%s", block, part->norm);
    int64_t pad = part->kernel / 2;
    clg_conv2d_layer layer = {.filters = filters,
                              .kernel = {part->kernel},
                              .stride = {part->strided ? stride : 1},
                              .padding = {pad, pad, pad, pad}};
    return conv_norm(model, x, conv_name, norm_name, layer);
}

static clg_node block(clg_model *model, clg_node x, const char *name,
                      const struct residual *network, int64_t width, int64_t stride, bool project)
{
    const struct part *last = &network->parts[network->num_parts - 1];
    clg_node y = x;
    for (const struct part *part = network->parts; part <= last; part++) {
        y = block_conv(model, y, name, part, width * part->times, stride);
        if (part < last)
            y = clg_model_relu(model, y);
    }
    if (project)
        x = block_conv(model, x, name, &across, width * last->times, stride);
    return clg_model_relu(model, clg_model_add(model, y, x, NULL));
}

static clg_node residual_stages(clg_model *model, clg_node x, int64_t channels,
                                const struct residual *network)
{
    for (int i = 0; i < network->stages; i++)
        for (int j = 0; j < network->depths[i]; j++) {
            char name[32];
            snprintf(name, sizeof name, "layer%d.%d", i + 1, j);
            int64_t stride = i > 0 && j == 0 ? 2 : 1, width = network->widths[i];
            int64_t out = width * network->parts[network->num_parts - 1].times;
            x = block(model, x, name, network, width, stride, stride > 1 || channels != out);
            channels = out;
        }
    return x;
}

static clg_node classifier(clg_model *model, clg_node x, int64_t classes)
{
    x = clg_model_global_avg_pool2d(model, x, NULL);
    return linear(model, clg_model_flatten(model, x, NULL), "fc", classes);
}

static clg_node resnet20(clg_model *model, int64_t classes)
{
    static const struct residual network = {basic, 2, 3, {16, 32, 64}, {3, 3, 3}};
    clg_conv2d_layer stem = {.filters = 16, .kernel = {3}, .padding = {1, 1, 1, 1}};
    clg_node x = conv_norm(model, clg_model_input(model), "conv1", "bn1", stem);
    return classifier(model, residual_stages(model, clg_model_relu(model, x), 16, &network),
                      classes);
}

/* The networks for large images. */
static clg_node resnet(clg_model *model, int64_t classes, const struct residual *network)
{
    clg_conv2d_layer stem = {.filters = 64, .kernel = {7}, .stride = {2}, .padding = {3, 3, 3, 3}};
    clg_node x = conv_norm(model, clg_model_input(model), "conv1", "bn1", stem);
    x = clg_model_max_pool2d(model, clg_model_relu(model, x), NULL,
                             &(clg_pool2d_layer){.size = {3}, .stride = {2}, .padding = {1, 1}});
    return classifier(model, residual_stages(model, x, 64, network), classes);
}

static clg_node resnet18(clg_model *model, int64_t classes)
{
    static const struct residual network = {basic, 2, 4, {64, 128, 256, 512}, {2, 2, 2, 2}};
    return resnet(model, classes, &network);
}

static clg_node resnet50(clg_model *model, int64_t classes)
{
    static const struct residual network = {bottleneck, 3, 4, {64, 128, 256, 512}, {3, 4, 6, 3}};
    return resnet(model, classes, &network);
}

static const struct network {
    const char *name;
    int64_t channels, height, width, classes;
    clg_node (*describe)(clg_model *model, int64_t classes);
} networks[] = {
    {"digits", 1, 8, 8, 10, digits},       {"lenet5", 1, 28, 28, 10, lenet5},
    {"mlp", 1, 28, 28, 10, mlp},           {"resnet18", 3, 224, 224, 1000, resnet18},
    {"resnet20", 3, 32, 32, 10, resnet20}, {"resnet50", 3, 224, 224, 1000, resnet50},
};

enum { NETWORKS = sizeof networks / sizeof networks[0] };

int clg_model_num_names(void)
{
    return NETWORKS;
}

const char *clg_model_name(int i)
{
    return i >= 0 && i < NETWORKS ? networks[i].name : NULL;
}

/* ---- By name ---- */

/* NULL, with a message, when there is none of that name. */
static const struct network *find(const char *name)
{
    char known[256] = "";
    for (int i = 0; i < NETWORKS; i++) {
        if (name && strcmp(networks[i].name, name) == 0)
            return &networks[i];
        strcat(strcat(known, i ? ", " : ""), networks[i].name);
    }
    (void)clg__fail(CLG_INVALID_ARGUMENT, "no network \"%s\"; there are: %s", name ? name : "",
                    known);
    return NULL;
}

static clg_status set_identity(clg_model *model, const struct network *network,
                               const clg_model_desc *desc, int64_t classes)
{
    char text[80];
    CLG__TRY(clg_model_set_metadata(model, "clgrad.model", network->name));
    snprintf(text, sizeof text, "%" PRId64 "x%" PRId64 "x%" PRId64, desc->channels, desc->height,
             desc->width);
    CLG__TRY(clg_model_set_metadata(model, "clgrad.input", text));
    snprintf(text, sizeof text, "%" PRId64, classes);
    return clg_model_set_metadata(model, "clgrad.classes", text);
}

clg_status clg_model_by_name(clg_context *ctx, const clg_network_desc *desc,
                             const clg_train_desc *train, clg_model **out)
{
    if (!ctx || !desc || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_by_name: ctx, desc or model is NULL");
    *out = NULL;
    const struct network *network = find(desc->name);
    if (!network)
        return CLG_INVALID_ARGUMENT;
    if (desc->classes < 0)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_by_name: %" PRId64 " classes",
                         desc->classes);
    clg_model_desc shape = desc->model;
    if (shape.channels == 0) {
        shape.channels = network->channels;
        shape.height = network->height;
        shape.width = network->width;
    }
    int64_t classes = desc->classes ? desc->classes : network->classes;
    clg_model *model;
    CLG__TRY(clg_model_create(ctx, &shape, &model));
    clg_status status = clg_model_build(model, network->describe(model, classes), train);
    if (status == CLG_OK)
        status = set_identity(model, network, &shape, classes);
    if (status != CLG_OK) {
        clg_model_destroy(model);
        return clg__fail_in(status, "network %s", network->name);
    }
    *out = model;
    return CLG_OK;
}

/* ---- From a file ---- */

/* `count` numbers from 1 to 2^31 - 1, separated by x, and nothing else. */
static bool read_sizes(const char *text, int count, int64_t *const *sizes)
{
    for (int i = 0; i < count; i++) {
        char *end;
        long long size = strtoll(text, &end, 10);
        if (end == text || *end != (i + 1 < count ? 'x' : '\0') || size < 1 || size > INT32_MAX)
            return false;
        *sizes[i] = size;
        text = end + 1;
    }
    return true;
}

static clg_status read_identity(const clg_safetensors *file, const char *path,
                                clg_network_desc *desc)
{
    const char *name = clg_safetensors_metadata(file, "clgrad.model");
    const char *input = clg_safetensors_metadata(file, "clgrad.input");
    const char *classes = clg_safetensors_metadata(file, "clgrad.classes");
    if (!name || !input || !classes)
        return clg__fail(CLG_BAD_FORMAT,
                         "%s does not say which network it holds: its metadata lacks "
                         "clgrad.model, clgrad.input or clgrad.classes",
                         path);
    desc->name = name;
    int64_t *const sizes[] = {&desc->model.channels, &desc->model.height, &desc->model.width};
    int64_t *const count[] = {&desc->classes};
    if (!read_sizes(input, 3, sizes) || !read_sizes(classes, 1, count))
        return clg__fail(CLG_BAD_FORMAT,
                         "%s: clgrad.input is \"%s\" and clgrad.classes \"%s\", not CxHxW and a "
                         "number",
                         path, input, classes);
    return CLG_OK;
}

static clg_status copy_metadata(clg_model *model, const clg_safetensors *file)
{
    clg_safetensors_pair pair;
    for (size_t i = 0; clg_safetensors_metadata_at(file, i, &pair); i++)
        if (*pair.key)
            CLG__TRY(clg_model_set_metadata(model, pair.key, pair.value));
    return CLG_OK;
}

clg_status clg_model_open(clg_context *ctx, const char *path, const clg_train_desc *train,
                          clg_model **out)
{
    if (!ctx || !path || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_open: ctx, path or model is NULL");
    *out = NULL;
    clg_safetensors *file;
    clg_network_desc desc = {0};
    clg_model *model = NULL;
    CLG__TRY(clg_safetensors_open(path, &file));
    clg_status status;
    CLG__TRY_GOTO(read_identity(file, path, &desc));
    CLG__TRY_GOTO(clg_model_by_name(ctx, &desc, train, &model));
    CLG__TRY_GOTO(copy_metadata(model, file));
    CLG__TRY_GOTO(clg_model_load(model, path));
    clg_safetensors_close(file);
    *out = model;
    return CLG_OK;
fail:
    clg_model_destroy(model);
    clg_safetensors_close(file);
    return status;
}
