#include "train/batch_plan.h"

#include <stdlib.h>

clg_status clg__batch_plans_create(clg_model *model)
{
    struct clg__batch_plans *list = calloc(1, sizeof *list);
    if (!list)
        return clg__fail_alloc("a model's plans");
    model->plans = list;
    list->room = model->desc.max_batch_sizes;
    list->items = calloc((size_t)list->room, sizeof(struct clg__batch_plan *));
    return list->items ? CLG_OK : clg__fail_alloc("a model's plans");
}

static void destroy_placed(struct clg__placed *at)
{
    if (at->node && at->state)
        at->node->layer->release(at->state);
    free(at->x);
    free(at->dx);
    free(at->add_dx);
}

static void batch_plan_destroy(struct clg__batch_plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; plan->placed && i < plan->placement.num_nodes; i++)
        destroy_placed(&plan->placed[i]);
    for (int i = 0; plan->edge_add && i < plan->placement.num_edges; i++)
        clg_add_destroy(plan->edge_add[i]);
    free(plan->placed);
    free(plan->edge_add);
    clg__loss_release(&plan->loss);
    clg_tensor_destroy(plan->sums.loss);
    clg_tensor_destroy(plan->sums.correct);
    clg__border_release(&plan->input);
    clg__border_release(&plan->target);
    clg__border_release(&plan->output);
    clg__placement_release(&plan->placement);
    free(plan);
}

void clg__batch_plans_destroy(struct clg__batch_plans *list)
{
    if (!list)
        return;
    for (int i = 0; i < list->count; i++)
        batch_plan_destroy(list->items[i]);
    free(list->items);
    free(list);
}

/* ---- Making one ---- */

static clg_status fill_placed(const clg_model *model, struct clg__batch_plan *plan, int i)
{
    struct clg__placement *placement = &plan->placement;
    struct clg__placed *at = &plan->placed[i];
    struct clg__node *node = &model->nodes[i];
    size_t inputs = (size_t)node->num_inputs + 1;
    *at = (struct clg__placed){.ctx = model->ctx,
                               .model = model,
                               .node = node,
                               .index = i,
                               .batch = plan->batch,
                               .training = plan->training && node->has_gradient,
                               .y = placement->y[i],
                               .dy = placement->dy[i],
                               .masked_dy = placement->masked_dy[i]};
    if (!at->masked_dy)
        at->masked_dy = at->dy;
    at->x = calloc(inputs, sizeof(clg_tensor *));
    at->dx = calloc(inputs, sizeof(clg_tensor *));
    at->add_dx = calloc(inputs, sizeof *at->add_dx);
    if (!at->x || !at->dx || !at->add_dx)
        return clg__fail_alloc("a layer");
    for (int k = 0; k < node->num_inputs; k++) {
        const struct clg__edge *edge = &placement->edge[i][k];
        at->x[k] = placement->y[node->inputs[k]];
        at->add_dx[k] = edge->kind == CLG__EDGE_ADD;
        if (edge->kind == CLG__EDGE_WRITE || edge->kind == CLG__EDGE_ADD)
            at->dx[k] = placement->dy[node->inputs[k]];
        else if (edge->kind == CLG__EDGE_APART)
            at->dx[k] = edge->part;
    }
    return CLG_OK;
}

/* The plans with which the graph itself copies and sums gradients. */
static clg_status prepare_edges(const clg_model *model, struct clg__batch_plan *plan)
{
    for (int i = 0; i < plan->placement.num_edges; i++)
        if (plan->placement.edges[i].part)
            CLG__TRY(clg_add_create(model->ctx,
                                    &(clg_add_desc){.x = plan->placement.edges[i].part->desc},
                                    &plan->edge_add[i]));
    return CLG_OK;
}

static clg_status prepare_layers(const clg_model *model, struct clg__batch_plan *plan)
{
    for (int i = 0; i < model->num_nodes; i++) {
        const struct clg__node *node = &model->nodes[i];
        CLG__TRY(fill_placed(model, plan, i));
        clg_status status = node->layer->prepare ? node->layer->prepare(&plan->placed[i]) : CLG_OK;
        if (status != CLG_OK)
            return clg__fail_in(status, "layer \"%s\" (%s)", node->name, node->layer->kind);
    }
    return CLG_OK;
}

static clg_status create_sums(const clg_model *model, struct clg__sums *sums)
{
    clg_tensor_desc loss = clg_desc_1d(1), correct = {CLG_INT32, CLG_NCHW, 1, {1}};
    static const int32_t zero = 0;
    CLG__TRY(clg_tensor_create(model->ctx, &loss, &sums->loss));
    CLG__TRY(clg_tensor_create(model->ctx, &correct, &sums->correct));
    return clg_tensor_upload(sums->correct, &zero, NULL);
}

static clg_status prepare(const clg_model *model, struct clg__batch_plan *plan)
{
    CLG__TRY(clg__placement_create(model, plan->batch, plan->training, &plan->placement));
    plan->placed = calloc((size_t)model->num_nodes, sizeof *plan->placed);
    plan->edge_add = calloc((size_t)plan->placement.num_edges + 1, sizeof(clg_add *));
    if (!plan->placed || !plan->edge_add)
        return clg__fail_alloc("a model's plans");
    CLG__TRY(prepare_layers(model, plan));
    CLG__TRY(prepare_edges(model, plan));
    clg_tensor_desc output = clg__node_desc(&model->nodes[model->num_nodes - 1], plan->batch);
    CLG__TRY(clg__loss_create(model->ctx, &model->train, &output, &plan->loss));
    return create_sums(model, &plan->sums);
}

/* ---- The list ---- */

static clg_status remove_at(clg_model *model, int index)
{
    struct clg__batch_plans *list = model->plans;
    CLG__TRY(clg__batch_plan_settle(list->items[index], &model->settled));
    batch_plan_destroy(list->items[index]);
    list->items[index] = list->items[--list->count];
    return CLG_OK;
}

/* Removes what the new plan replaces, and the least recently used one when the list is full. */
static clg_status make_room(clg_model *model, int64_t batch)
{
    struct clg__batch_plans *list = model->plans;
    for (int i = 0; i < list->count; i++)
        if (list->items[i]->batch == batch)
            return remove_at(model, i);
    if (list->count < list->room)
        return CLG_OK;
    int oldest = 0;
    for (int i = 1; i < list->count; i++)
        if (list->items[i]->last_use < list->items[oldest]->last_use)
            oldest = i;
    return remove_at(model, oldest);
}

static struct clg__batch_plan *find(const clg_model *model, int64_t batch)
{
    const struct clg__batch_plans *list = model->plans;
    for (int i = 0; list && i < list->count; i++)
        if (list->items[i]->batch == batch)
            return list->items[i];
    return NULL;
}

const struct clg__batch_plan *clg__batch_plan_find(const clg_model *model, int64_t batch)
{
    return find(model, batch);
}

clg_status clg__batch_plan_get(clg_model *model, const char *call, int64_t batch, bool training,
                               struct clg__batch_plan **out)
{
    struct clg__batch_plans *list = model->plans;
    struct clg__batch_plan *plan = find(model, batch);
    if (!plan || (training && !plan->training)) {
        plan = calloc(1, sizeof *plan);
        if (!plan)
            return clg__fail_alloc("a model's plan");
        plan->batch = batch;
        plan->training = training;
        clg_status status = make_room(model, batch);
        if (status == CLG_OK)
            status = prepare(model, plan);
        if (status != CLG_OK) {
            batch_plan_destroy(plan);
            return clg__fail_in(status, "%s", call);
        }
        list->items[list->count++] = plan;
    }
    plan->last_use = ++list->uses;
    *out = plan;
    return CLG_OK;
}

/* ---- Using one ---- */

clg_status clg__batch_plan_settle(struct clg__batch_plan *plan, clg_metrics *metrics)
{
    float loss;
    int32_t correct;
    if (plan->pending == 0)
        return CLG_OK;
    CLG__TRY(clg_tensor_download(plan->sums.loss, &loss, NULL));
    CLG__TRY(clg_tensor_download(plan->sums.correct, &correct, NULL));
    metrics->loss += (double)loss * (double)plan->batch;
    metrics->correct += correct;
    metrics->count += plan->pending * plan->batch;
    plan->pending = 0;
    return CLG_OK;
}

size_t clg__batch_plan_workspace(const clg_model *model, const struct clg__batch_plan *plan)
{
    size_t most = clg__loss_workspace(&plan->loss);
    for (int i = 0; i < model->num_nodes; i++) {
        const struct clg__placed *at = &plan->placed[i];
        size_t bytes =
            at->state && at->node->layer->workspace ? at->node->layer->workspace(at->state) : 0;
        if (bytes > most)
            most = bytes;
    }
    return most;
}
