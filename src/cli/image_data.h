/* The images that train and eval work on: the embedded digits, or a folder of IDX files. */
#ifndef CLG_CLI_IMAGE_DATA_H
#define CLG_CLI_IMAGE_DATA_H

#include "clgrad/clgrad.h"

struct image_data {
    clg_image_set train, test;
    int classes;
};

/* data: "digits", or a folder with the parts train and t10k. On failure *data is all zero.
 * Errors: those of clg_image_set_load_idx; CLG_INVALID_SHAPE (training and test images of different
 * size). */
clg_status image_data_load(const char *name, struct image_data *data);
void image_data_free(struct image_data *data);

#endif
