#include "cli/image_data.h"

#include <string.h>

#include "base/error.h"

static clg_status load(const char *name, struct image_data *data)
{
    if (strcmp(name, "digits") == 0)
        return clg_image_set_load_digits(&data->train, &data->test);
    CLG__TRY(clg_image_set_load_idx(name, "train", &data->train));
    return clg_image_set_load_idx(name, "t10k", &data->test);
}

static clg_status check(const char *name, const struct image_data *data)
{
    const clg_image_set *a = &data->train, *b = &data->test;
    if (a->channels == b->channels && a->height == b->height && a->width == b->width)
        return CLG_OK;
    return clg__fail(CLG_INVALID_SHAPE,
                     "%s: the training images are %d x %d x %d, the test images %d x %d x %d", name,
                     a->channels, a->height, a->width, b->channels, b->height, b->width);
}

clg_status image_data_load(const char *name, struct image_data *data)
{
    *data = (struct image_data){0};
    clg_status status = load(name, data);
    if (status == CLG_OK)
        status = check(name, data);
    if (status != CLG_OK) {
        image_data_free(data);
        return status;
    }
    data->classes =
        data->train.classes > data->test.classes ? data->train.classes : data->test.classes;
    return CLG_OK;
}

void image_data_free(struct image_data *data)
{
    clg_image_set_free(&data->train);
    clg_image_set_free(&data->test);
    *data = (struct image_data){0};
}
