/* Losses as the model runs them: one constant each, in a table. */
#ifndef CLG_TRAIN_LOSS_H
#define CLG_TRAIN_LOSS_H

#include "train/model.h"

/* The two numbers that training sums up on the device. */
struct clg__sums {
    clg_tensor *loss;    /* [1] float32: the sum of the batches' mean losses */
    clg_tensor *correct; /* [1] int32 */
};

struct clg__loss;

/* A loss for one batch size. */
struct clg__loss_plan {
    const struct clg__loss *loss;
    clg_tensor_desc target;
    void *state;
};

/* Checks loss and settings against the output of the network.
 * Errors: CLG_INVALID_ARGUMENT, CLG_INVALID_SHAPE. */
clg_status clg__loss_check(const clg_train_desc *train, const clg_tensor_desc *output);

clg_status clg__loss_create(clg_context *ctx, const clg_train_desc *train,
                            const clg_tensor_desc *output, struct clg__loss_plan *plan);
void clg__loss_release(struct clg__loss_plan *plan);
size_t clg__loss_workspace(const struct clg__loss_plan *plan);

/* Loss and right answers of output x go to the sums, which are overwritten or, with
 * run->accumulate, added to; the gradient goes to dx unless that is NULL. */
clg_status clg__loss_run(const struct clg__loss_plan *plan, const struct clg__sums *sums,
                         clg_tensor *dx, const clg_tensor *x, const clg_tensor *target,
                         const clg_run *run);

#endif
