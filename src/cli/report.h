/* What a trained model gets right and wrong, for the terminal. */
#ifndef CLG_CLI_REPORT_H
#define CLG_CLI_REPORT_H

#include "cli/trainer.h"

/* "352 of 355 test images right, 99.15%" */
void report_accuracy(const struct predictions *predictions);

/* A line for each class: its images, how many were recognised, what it was most often taken for. */
clg_status report_classes(const clg_image_set *set, const struct predictions *predictions,
                          int classes);

/* Rows are the true classes, columns the model's answers. */
clg_status report_confusion(const clg_image_set *set, const struct predictions *predictions,
                            int classes);

/* A few test images with the model's answers: the first right ones and the wrong ones. */
void report_images(const clg_image_set *set, const struct predictions *predictions);

#endif
