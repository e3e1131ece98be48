/* What train, eval and demo share: a model over image data, epochs with progress, predictions. */
#ifndef CLG_CLI_TRAINER_H
#define CLG_CLI_TRAINER_H

#include "cli/image_data.h"

struct trainer_settings {
    const char *model;
    const char *optimizer; /* sgd (momentum 0.9), adam or adamw */
    int64_t epochs, batch;
    uint64_t seed;
    double lr; /* at the start; falls to zero along half a cosine. 0: the optimiser's default */
    double weight_decay;
    double label_smoothing;
    int max_shift;
};

struct trainer {
    clg_context *ctx;
    const struct image_data *data;
    clg_model *model;
    float *mean, *std; /* [C] */
    clg_batches *train, *test;
};

/* The settings with which a kind of data trains well. */
struct trainer_settings trainer_defaults(const char *data_name, const struct image_data *data);

/* A new model for the data, with mean and standard deviation in its metadata. Everything is
 * released by trainer_release, also after a failure. */
clg_status trainer_create(struct trainer *trainer, clg_context *ctx, const struct image_data *data,
                          const struct trainer_settings *settings);
/* A model from a file, with what its metadata says. */
clg_status trainer_open(struct trainer *trainer, clg_context *ctx, const struct image_data *data,
                        const char *path, int64_t batch);
void trainer_release(struct trainer *trainer);

/* Trains all epochs and prints a line after each. *accuracy: of the test images, at the end.
 * Errors: also CLG_INVALID_STATE (the loss is not a number). */
clg_status trainer_run(struct trainer *trainer, const struct trainer_settings *settings,
                       double *accuracy);

/* The model's answers for all test images: labels and the probabilities of those, [count] each,
 * which the caller frees. */
struct predictions {
    int32_t *label;
    float *probability;
    int64_t count, right;
};
clg_status trainer_predict(struct trainer *trainer, struct predictions *predictions);
void predictions_free(struct predictions *predictions);

/* 100 part / whole; 0 of nothing. */
double trainer_percent(int64_t part, int64_t whole);

#endif
