#include "train/placement.h"

#include <stdlib.h>

#include "train/memory_plan.h"

/* A tensor before it has memory. */
struct value {
    clg_tensor_desc desc;
    int group; /* -1: does not exist */
    int first, last;
};

struct plan {
    const clg_model *model;
    struct clg__placement *to;
    int n; /* nodes */
    bool training;
    int64_t batch;
    struct value *y, *dy; /* [n] */
    struct value *masked; /* [n], dy after relu where it cannot stay in place */
    struct value *part;   /* [edges], temporaries */
    int num_parts;
    struct value **values; /* all that exist */
    int num_values;
    struct clg__memory_block *groups;
    int num_groups;
};

enum { OUTSIDE = 0 }; /* the group of the caller's x */

static const struct clg__node *node_at(const struct plan *plan, int i)
{
    return &plan->model->nodes[i];
}

static int backward_time(const struct plan *plan, int i)
{
    return 2 * plan->n - i;
}

/* Makes the value exist, in a group of its own when group is -1. */
static void add_value(struct plan *plan, struct value *value, int group, int first, int last)
{
    if (group < 0) {
        group = plan->num_groups++;
        plan->groups[group].first = first;
        plan->groups[group].last = last;
        plan->groups[group].bytes = (size_t)clg__desc_count(&value->desc) * sizeof(float);
    }
    struct clg__memory_block *block = &plan->groups[group];
    if (block->first > first)
        block->first = first;
    if (block->last < last)
        block->last = last;
    value->group = group;
    value->first = first;
    value->last = last;
    plan->values[plan->num_values++] = value;
}

/* Whether nothing reads the group's present contents after `time`. */
static bool may_overwrite(const struct plan *plan, int group, int time)
{
    if (group == OUTSIDE)
        return false;
    for (int i = 0; i < plan->num_values; i++)
        if (plan->values[i]->group == group && plan->values[i]->last > time)
            return false;
    return true;
}

/* ---- Activations ---- */

/* When each output is read last. */
static void find_last_reads(struct plan *plan, int *last)
{
    for (int i = 0; i < plan->n; i++) {
        const struct clg__node *node = node_at(plan, i);
        bool backward = plan->training && node->has_gradient;
        last[i] = backward && (node->flags & CLG__READS_Y) ? backward_time(plan, i) : i;
        for (int k = 0; k < node->num_inputs; k++) {
            int j = node->inputs[k];
            bool reads = (node->flags & CLG__READS_X) && !(k > 0 && (node->flags & CLG__RESIDUAL));
            int time = backward && reads ? backward_time(plan, i) : i;
            if (last[j] < time)
                last[j] = time;
        }
    }
    if (last[plan->n - 1] < plan->n)
        last[plan->n - 1] = plan->n; /* the loss */
}

/* The group of an input that y may take over; -1. */
static int group_in_place(const struct plan *plan, int i)
{
    const struct clg__node *node = node_at(plan, i);
    for (int k = 0; (node->flags & CLG__IN_PLACE) && k < node->num_inputs; k++) {
        int group = plan->y[node->inputs[k]].group;
        if (may_overwrite(plan, group, i))
            return group;
    }
    return -1;
}

static void place_outputs(struct plan *plan, const int *last)
{
    for (int i = 0; i < plan->n; i++) {
        const struct clg__node *node = node_at(plan, i);
        int group =
            node->flags & CLG__VIEW ? plan->y[node->inputs[0]].group : group_in_place(plan, i);
        plan->y[i].desc = clg__node_desc(node, plan->batch);
        add_value(plan, &plan->y[i], group, i, last[i]);
        plan->to->outside[i] = plan->y[i].group == OUTSIDE;
    }
}

/* ---- Gradients ---- */

/* Whether the gradient of input k may take the place of dy. */
static bool dx_in_place(const struct plan *plan, int i, int k)
{
    const struct clg__node *node = node_at(plan, i);
    bool left_to_other =
        k == 0 && (node->flags & CLG__RESIDUAL) && node_at(plan, node->inputs[1])->has_gradient;
    return (node->flags & CLG__IN_PLACE) && !left_to_other &&
           may_overwrite(plan, plan->dy[i].group, backward_time(plan, i));
}

/* The first node, going backward, that adds to the gradient of its input k, node j. */
static void place_first(struct plan *plan, int i, int k, struct clg__edge *edge)
{
    const struct clg__node *node = node_at(plan, i);
    int time = backward_time(plan, i), group = -1, j = node->inputs[k];
    bool alone = node_at(plan, j)->uses == 1;
    edge->kind = node->flags & CLG__PASSES_GRADIENT ? CLG__EDGE_COPY : CLG__EDGE_WRITE;
    if (alone && edge->kind == CLG__EDGE_COPY)
        edge->kind = CLG__EDGE_SHARE;
    if (edge->kind == CLG__EDGE_SHARE || (edge->kind == CLG__EDGE_WRITE && dx_in_place(plan, i, k)))
        group = plan->dy[i].group;
    add_value(plan, &plan->dy[j], group, time, backward_time(plan, j));
}

static void place_further(struct plan *plan, int i, int j, struct clg__edge *edge)
{
    unsigned flags = node_at(plan, i)->flags;
    edge->kind = flags & CLG__PASSES_GRADIENT ? CLG__EDGE_SUM
                 : flags & CLG__ACCUMULATES   ? CLG__EDGE_ADD
                                              : CLG__EDGE_APART;
    if (edge->kind != CLG__EDGE_APART)
        return;
    struct value *part = &plan->part[plan->num_parts++];
    int time = backward_time(plan, i);
    part->desc = plan->y[j].desc;
    add_value(plan, part, -1, time, time);
}

/* Relu's gradient stays in the place of dy unless something else reads that afterwards. */
static void place_masked(struct plan *plan, int i)
{
    int time = backward_time(plan, i);
    if (!(node_at(plan, i)->flags & CLG__MASKS_DY) || plan->dy[i].group < 0 ||
        may_overwrite(plan, plan->dy[i].group, time))
        return;
    plan->masked[i].desc = plan->y[i].desc;
    add_value(plan, &plan->masked[i], -1, time, time);
}

static void place_gradients(struct plan *plan)
{
    int last = plan->n - 1;
    if (!plan->training || !node_at(plan, last)->has_gradient)
        return;
    for (int i = 0; i <= last; i++)
        plan->dy[i].desc = plan->y[i].desc;
    add_value(plan, &plan->dy[last], -1, plan->n, backward_time(plan, last));
    for (int i = last; i > 0; i--) {
        const struct clg__node *node = node_at(plan, i);
        place_masked(plan, i);
        for (int k = 0; node->has_gradient && k < node->num_inputs; k++) {
            int j = node->inputs[k];
            struct clg__edge *edge = &plan->to->edge[i][k];
            if (!node_at(plan, j)->has_gradient)
                edge->kind = CLG__EDGE_NONE;
            else if (plan->dy[j].group < 0)
                place_first(plan, i, k, edge);
            else
                place_further(plan, i, j, edge);
        }
    }
}

/* ---- Memory ---- */

static clg_status allocate(struct plan *plan)
{
    struct clg__placement *to = plan->to;
    size_t *sizes = NULL;
    int count = 0;
    /* Group 0 has the caller's memory. */
    clg_status status = clg__memory_plan(
        plan->groups + 1, plan->num_groups - 1,
        (size_t)clg_context_device(plan->model->ctx)->max_allocation, &sizes, &count);
    if (status == CLG_OK) {
        to->arenas = calloc((size_t)count + 1, sizeof(clg_buffer *));
        if (!to->arenas)
            status = clg__fail_alloc("a model's memory");
    }
    for (int i = 0; i < count && status == CLG_OK; i++) {
        status = clg_buffer_create(plan->model->ctx, sizes[i], &to->arenas[i]);
        to->num_arenas = i + 1;
        to->bytes += sizes[i];
    }
    free(sizes);
    return status;
}

/* A tensor without memory, to be pointed at the caller's x. */
static clg_status create_outside(const clg_tensor_desc *desc, clg_tensor **tensor)
{
    clg_tensor *made = calloc(1, sizeof *made);
    if (!made)
        return clg__fail_alloc("a tensor");
    made->desc = *desc;
    made->count = clg__desc_count(desc);
    *tensor = made;
    return CLG_OK;
}

static clg_status create_tensor(const struct plan *plan, const struct value *value,
                                const clg_tensor_desc *desc, clg_tensor **tensor)
{
    if (value->group < 0)
        return CLG_OK;
    if (value->group == OUTSIDE)
        return create_outside(desc, tensor);
    const struct clg__memory_block *block = &plan->groups[value->group];
    return clg_tensor_view(plan->to->arenas[block->arena], block->offset, desc, tensor);
}

static clg_status create_tensors(struct plan *plan)
{
    struct clg__placement *to = plan->to;
    const struct value *part = plan->part;
    for (int i = 0; i < plan->n; i++) {
        CLG__TRY(create_tensor(plan, &plan->y[i], &plan->y[i].desc, &to->y[i]));
        CLG__TRY(create_tensor(plan, &plan->dy[i], &plan->y[i].desc, &to->dy[i]));
        CLG__TRY(create_tensor(plan, &plan->masked[i], &plan->y[i].desc, &to->masked_dy[i]));
    }
    /* Temporaries in the order in which they were counted. */
    for (int i = plan->n - 1; i > 0; i--)
        for (int k = 0; k < node_at(plan, i)->num_inputs; k++) {
            struct clg__edge *edge = &to->edge[i][k];
            const clg_tensor_desc *x = &plan->y[node_at(plan, i)->inputs[k]].desc;
            if (edge->kind == CLG__EDGE_APART)
                CLG__TRY(create_tensor(plan, part++, x, &edge->part));
            else if (edge->kind == CLG__EDGE_COPY || edge->kind == CLG__EDGE_SUM)
                CLG__TRY(create_tensor(plan, &plan->dy[i], x, &edge->part));
        }
    return CLG_OK;
}

static clg_status check_sizes(const clg_model *model, int64_t batch)
{
    for (int i = 0; i < model->num_nodes; i++) {
        clg_tensor_desc desc = clg__node_desc(&model->nodes[i], batch);
        int64_t count;
        clg_status status = clg_tensor_desc_count(&desc, &count);
        if (status != CLG_OK)
            return clg__fail_in(status, "a batch of %lld, layer \"%s\"", (long long)batch,
                                model->nodes[i].name);
    }
    return CLG_OK;
}

static clg_status create_lists(const clg_model *model, struct clg__placement *to)
{
    size_t n = (size_t)model->num_nodes;
    to->num_nodes = model->num_nodes;
    for (size_t i = 0; i < n; i++)
        to->num_edges += model->nodes[i].num_inputs;
    to->y = calloc(n, sizeof(clg_tensor *));
    to->dy = calloc(n, sizeof(clg_tensor *));
    to->masked_dy = calloc(n, sizeof(clg_tensor *));
    to->edge = calloc(n, sizeof(struct clg__edge *));
    to->edges = calloc((size_t)to->num_edges + 1, sizeof *to->edges);
    to->outside = calloc(n, sizeof *to->outside);
    if (!to->y || !to->dy || !to->masked_dy || !to->edge || !to->edges || !to->outside)
        return clg__fail_alloc("a model's tensors");
    struct clg__edge *edge = to->edges;
    for (size_t i = 0; i < n; i++) {
        to->edge[i] = edge;
        edge += model->nodes[i].num_inputs;
    }
    return CLG_OK;
}

static clg_status fill(struct plan *plan)
{
    size_t n = (size_t)plan->n, edges = (size_t)plan->to->num_edges, most = 3 * n + edges;
    plan->y = calloc(n, sizeof *plan->y);
    plan->dy = calloc(n, sizeof *plan->dy);
    plan->masked = calloc(n, sizeof *plan->masked);
    plan->part = calloc(edges + 1, sizeof *plan->part);
    plan->values = calloc(most, sizeof(struct value *));
    plan->groups = calloc(most, sizeof *plan->groups);
    int *last = calloc(n, sizeof *last);
    if (!plan->y || !plan->dy || !plan->masked || !plan->part || !plan->values || !plan->groups ||
        !last) {
        free(last);
        return clg__fail_alloc("a model's memory plan");
    }
    for (size_t i = 0; i < n; i++)
        plan->y[i].group = plan->dy[i].group = plan->masked[i].group = -1;
    find_last_reads(plan, last);
    place_outputs(plan, last);
    place_gradients(plan);
    free(last);
    CLG__TRY(allocate(plan));
    return create_tensors(plan);
}

clg_status clg__placement_create(const clg_model *model, int64_t batch, bool training,
                                 struct clg__placement *placement)
{
    *placement = (struct clg__placement){0};
    CLG__TRY(check_sizes(model, batch));
    struct plan plan = {.model = model,
                        .to = placement,
                        .n = model->num_nodes,
                        .training = training,
                        .batch = batch};
    clg_status status = create_lists(model, placement);
    if (status == CLG_OK)
        status = fill(&plan);
    free(plan.y);
    free(plan.dy);
    free(plan.masked);
    free(plan.part);
    free(plan.values);
    free(plan.groups);
    if (status != CLG_OK)
        clg__placement_release(placement);
    return status;
}

void clg__placement_release(struct clg__placement *placement)
{
    for (int i = 0; i < placement->num_nodes; i++) {
        if (placement->y && placement->outside && placement->outside[i] && placement->y[i])
            placement->y[i]->buffer = NULL; /* the caller's, never retained */
        if (placement->y)
            clg_tensor_destroy(placement->y[i]);
        if (placement->dy)
            clg_tensor_destroy(placement->dy[i]);
        if (placement->masked_dy)
            clg_tensor_destroy(placement->masked_dy[i]);
    }
    for (int i = 0; placement->edges && i < placement->num_edges; i++)
        clg_tensor_destroy(placement->edges[i].part);
    for (int i = 0; i < placement->num_arenas; i++)
        clg_buffer_destroy(placement->arenas[i]);
    free(placement->y);
    free(placement->dy);
    free(placement->masked_dy);
    free(placement->edge);
    free(placement->edges);
    free(placement->outside);
    free(placement->arenas);
    *placement = (struct clg__placement){0};
}

void clg__placement_set_input(struct clg__placement *placement, const clg_tensor *x)
{
    for (int i = 0; i < placement->num_nodes; i++)
        if (placement->outside[i]) {
            placement->y[i]->buffer = x->buffer;
            placement->y[i]->offset = x->offset;
        }
}
