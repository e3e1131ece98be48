/* Running a model: forward, backward, update, metrics. Enqueues; never waits inside a step. */
#include "train/batch_plan.h"

static clg_status check_built(const char *call, const clg_model *model)
{
    if (!model)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: model is NULL", call);
    if (model->state != CLG__MODEL_BUILT)
        return clg__fail(CLG_INVALID_STATE, "%s: the model is not built", call);
    return CLG_OK;
}

static clg_status check_input(const char *call, const clg_model *model, const clg_tensor *x)
{
    CLG__TRY(check_built(call, model));
    if (!x)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: x is NULL", call);
    clg_tensor_desc expected = clg__node_desc(&model->nodes[0], x->desc.dims[0]);
    return clg__border_expect(call, "x", model->ctx, x, &expected);
}

/* The bracket around all commands of a call, and what the operations get of its run options. */
struct bracket {
    struct clg__stream stream;
    struct clg__pass pass;
};

static clg_status begin(struct bracket *bracket, clg_model *model, const clg_run *run)
{
    CLG__TRY(clg__stream_begin(&bracket->stream, model->ctx, run, 0));
    bracket->pass = (struct clg__pass){.step = model->step};
    if (run) {
        bracket->pass.accumulate = run->accumulate;
        bracket->pass.run.queue = run->queue;
        bracket->pass.run.workspace = run->workspace;
    }
    return CLG_OK;
}

static clg_status at_layer(clg_status status, const struct clg__placed *at)
{
    if (status == CLG_OK)
        return CLG_OK;
    return clg__fail_in(status, "layer \"%s\" (%s)", at->node->name, at->node->layer->kind);
}

static clg_status forward(const clg_model *model, struct clg__batch_plan *plan, const clg_tensor *x,
                          const struct clg__pass *pass)
{
    clg_tensor_desc inside = clg__node_desc(&model->nodes[0], plan->batch);
    CLG__TRY(clg__border_enter(model->ctx, &plan->input, &inside, x, &pass->run, &x));
    clg__placement_set_input(&plan->placement, x);
    for (int i = 1; i < plan->placement.num_nodes; i++) {
        const struct clg__placed *at = &plan->placed[i];
        if (!(at->node->flags & CLG__VIEW))
            CLG__TRY(at_layer(at->node->layer->forward(at, pass), at));
    }
    return CLG_OK;
}

/* What the graph itself does for the gradient of an input. */
static clg_status pass_edge(const struct clg__batch_plan *plan, const struct clg__edge *edge,
                            clg_tensor *dx, const struct clg__pass *pass)
{
    clg_add *add = plan->edge_add[edge - plan->placement.edges];
    clg_run run = clg__run_with(pass, edge->kind == CLG__EDGE_SUM);
    if (edge->kind == CLG__EDGE_COPY || edge->kind == CLG__EDGE_SUM)
        return clg_add_backward(add, dx, NULL, edge->part, &run);
    if (edge->kind == CLG__EDGE_APART)
        return clg_add_forward(add, dx, dx, edge->part, &run);
    return CLG_OK;
}

static clg_status backward(const struct clg__batch_plan *plan, const struct clg__pass *pass)
{
    const struct clg__placement *placement = &plan->placement;
    for (int i = placement->num_nodes - 1; i > 0; i--) {
        const struct clg__placed *at = &plan->placed[i];
        if (!at->node->has_gradient)
            continue;
        if (!(at->node->flags & CLG__PASSES_GRADIENT))
            CLG__TRY(at_layer(at->node->layer->backward(at, pass), at));
        for (int k = 0; k < at->node->num_inputs; k++)
            CLG__TRY(at_layer(
                pass_edge(plan, &placement->edge[i][k], placement->dy[at->node->inputs[k]], pass),
                at));
    }
    return CLG_OK;
}

static clg_tensor *output_of(const struct clg__batch_plan *plan)
{
    return plan->placement.y[plan->placement.num_nodes - 1];
}

/* Loss and right answers to the sums, the gradient of the output to its place. */
static clg_status loss(clg_context *ctx, struct clg__batch_plan *plan, const clg_tensor *target,
                       const struct clg__pass *pass)
{
    CLG__TRY(
        clg__border_enter(ctx, &plan->target, &plan->loss.target, target, &pass->run, &target));
    clg_run run = clg__run_with(pass, plan->pending > 0);
    clg_tensor *dx = pass->training ? plan->placement.dy[plan->placement.num_nodes - 1] : NULL;
    CLG__TRY(clg__loss_run(&plan->loss, &plan->sums, dx, output_of(plan), target, &run));
    plan->pending++;
    return CLG_OK;
}

static clg_status run_training(clg_model *model, struct clg__batch_plan *plan, const clg_tensor *x,
                               const clg_tensor *target, struct clg__pass *pass)
{
    pass->training = true;
    CLG__TRY(forward(model, plan, x, pass));
    CLG__TRY(loss(model->ctx, plan, target, pass));
    CLG__TRY(backward(plan, pass));
    model->step++;
    for (int i = 0; i < model->num_nodes; i++)
        if (model->nodes[i].layer->tracks_batches)
            model->nodes[i].num_batches_tracked++;
    return CLG_OK;
}

static clg_status update(clg_model *model, const struct clg__pass *pass)
{
    if (!model->optimizer)
        return CLG_OK;
    clg_run run = clg__run_with(pass, false);
    return clg_optimizer_step(model->optimizer, model->values, model->gradients, &run);
}

static clg_status train(const char *call, clg_model *model, const clg_tensor *x,
                        const clg_tensor *target, const clg_run *run, bool with_update)
{
    struct clg__batch_plan *plan;
    struct bracket bracket;
    CLG__TRY(check_input(call, model, x));
    CLG__TRY(clg__batch_plan_get(model, call, x->desc.dims[0], true, &plan));
    CLG__TRY(clg__border_expect(call, "target", model->ctx, target, &plan->loss.target));
    CLG__TRY(begin(&bracket, model, run));
    clg_status status = run_training(model, plan, x, target, &bracket.pass);
    if (status == CLG_OK && with_update)
        status = update(model, &bracket.pass);
    return clg__stream_end(&bracket.stream, status);
}

clg_status clg_model_train_step(clg_model *model, const clg_tensor *x, const clg_tensor *target,
                                const clg_run *run)
{
    return train("clg_model_train_step", model, x, target, run, true);
}

clg_status clg_model_forward_backward(clg_model *model, const clg_tensor *x,
                                      const clg_tensor *target, const clg_run *run)
{
    return train("clg_model_forward_backward", model, x, target, run, false);
}

clg_status clg_model_update(clg_model *model, const clg_run *run)
{
    struct bracket bracket;
    CLG__TRY(check_built("clg_model_update", model));
    CLG__TRY(begin(&bracket, model, run));
    return clg__stream_end(&bracket.stream, update(model, &bracket.pass));
}

static clg_status run_evaluation(clg_model *model, struct clg__batch_plan *plan,
                                 const clg_tensor *x, const clg_tensor *target,
                                 const struct clg__pass *pass)
{
    CLG__TRY(forward(model, plan, x, pass));
    return loss(model->ctx, plan, target, pass);
}

clg_status clg_model_evaluate(clg_model *model, const clg_tensor *x, const clg_tensor *target,
                              const clg_run *run)
{
    static const char call[] = "clg_model_evaluate";
    struct clg__batch_plan *plan;
    struct bracket bracket;
    CLG__TRY(check_input(call, model, x));
    CLG__TRY(clg__batch_plan_get(model, call, x->desc.dims[0], false, &plan));
    CLG__TRY(clg__border_expect(call, "target", model->ctx, target, &plan->loss.target));
    CLG__TRY(begin(&bracket, model, run));
    return clg__stream_end(&bracket.stream, run_evaluation(model, plan, x, target, &bracket.pass));
}

static clg_status run_prediction(clg_model *model, struct clg__batch_plan *plan, clg_tensor *y,
                                 const clg_tensor *x, const struct clg__pass *pass)
{
    CLG__TRY(forward(model, plan, x, pass));
    return clg__border_leave(model->ctx, &plan->output, y, output_of(plan), &pass->run);
}

clg_status clg_model_predict(clg_model *model, clg_tensor *y, const clg_tensor *x,
                             const clg_run *run)
{
    static const char call[] = "clg_model_predict";
    struct clg__batch_plan *plan;
    struct bracket bracket;
    CLG__TRY(check_input(call, model, x));
    CLG__TRY(clg__batch_plan_get(model, call, x->desc.dims[0], false, &plan));
    CLG__TRY(clg__border_expect(call, "y", model->ctx, y, &output_of(plan)->desc));
    CLG__TRY(begin(&bracket, model, run));
    return clg__stream_end(&bracket.stream, run_prediction(model, plan, y, x, &bracket.pass));
}

clg_status clg_model_prepare(clg_model *model, int64_t batch, bool training)
{
    struct clg__batch_plan *plan;
    CLG__TRY(check_built("clg_model_prepare", model));
    return clg__batch_plan_get(model, "clg_model_prepare", batch, training, &plan);
}

size_t clg_model_activation_bytes(const clg_model *model, int64_t batch)
{
    const struct clg__batch_plan *plan = model ? clg__batch_plan_find(model, batch) : NULL;
    return plan ? plan->placement.bytes : 0;
}

size_t clg_model_workspace_size(const clg_model *model, int64_t batch)
{
    const struct clg__batch_plan *plan = model ? clg__batch_plan_find(model, batch) : NULL;
    return plan ? clg__batch_plan_workspace(model, plan) : 0;
}

clg_status clg_model_read_metrics(clg_model *model, clg_metrics *metrics)
{
    CLG__TRY(check_built("clg_model_read_metrics", model));
    if (!metrics)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_model_read_metrics: metrics is NULL");
    for (int i = 0; i < model->plans->count; i++)
        CLG__TRY(clg__batch_plan_settle(model->plans->items[i], &model->settled));
    *metrics = model->settled;
    if (metrics->count > 0)
        metrics->loss /= (double)metrics->count;
    model->settled = (clg_metrics){0};
    return CLG_OK;
}

clg_optimizer *clg_model_optimizer(clg_model *model)
{
    return model ? model->optimizer : NULL;
}
