/* The plans and tensors of a model for one batch size, and the few that are kept. */
#ifndef CLG_TRAIN_BATCH_PLAN_H
#define CLG_TRAIN_BATCH_PLAN_H

#include "clgrad/add.h"
#include "train/border.h"
#include "train/layer.h"
#include "train/loss.h"
#include "train/placement.h"

struct clg__batch_plan {
    int64_t batch;
    bool training; /* can run backward */
    struct clg__placement placement;
    struct clg__placed *placed; /* [num_nodes] */
    clg_add **edge_add;         /* [edges]: of those that the graph copies or sums */
    struct clg__loss_plan loss;
    struct clg__sums sums;
    int64_t pending; /* batches in the sums that nobody has read */
    struct clg__border input, target, output;
    uint64_t last_use;
};

struct clg__batch_plans {
    struct clg__batch_plan **items; /* [room] */
    int count, room;
    uint64_t uses;
};

clg_status clg__batch_plans_create(clg_model *model);
void clg__batch_plans_destroy(struct clg__batch_plans *list); /* NULL is allowed */

/* The plan for a batch size, made when there is none that can do what is asked for; the least
 * recently used one makes room. `call` is for messages. */
clg_status clg__batch_plan_get(clg_model *model, const char *call, int64_t batch, bool training,
                               struct clg__batch_plan **plan);

/* The plan that there is; NULL. */
const struct clg__batch_plan *clg__batch_plan_find(const clg_model *model, int64_t batch);

/* Reads what the plan has summed up and adds it to *metrics, whose loss is a sum here. */
clg_status clg__batch_plan_settle(struct clg__batch_plan *plan, clg_metrics *metrics);

size_t clg__batch_plan_workspace(const clg_model *model, const struct clg__batch_plan *plan);

#endif
