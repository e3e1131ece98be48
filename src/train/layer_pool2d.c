/* The pooling layers: max, average, global average. */
#include "clgrad/pool2d.h"

#include <string.h>

#include "train/layer.h"

struct pool {
    clg_pool2d_layer layer;
    clg_pool_kind kind;
    bool global;
};

static clg_pool2d_desc describe(const struct pool *pool, clg_tensor_desc x)
{
    clg_pool2d_desc desc = {.x = x,
                            .kind = pool->kind,
                            .global = pool->global,
                            .count_include_pad = !pool->layer.padding_not_averaged};
    for (int i = 0; i < 2; i++) {
        desc.size[i] = pool->layer.size[i];
        desc.stride[i] = pool->layer.stride[i];
        desc.pad[i] = pool->layer.padding[i];
        desc.dilation[i] = pool->layer.dilation[i];
    }
    return desc;
}

static clg_status infer(clg_model *model, struct clg__node *node, const clg_tensor_desc *x)
{
    (void)model;
    struct pool *pool = node->desc;
    clg__default_pair(pool->layer.size, 0);
    if (pool->layer.stride[0] == 0 && pool->layer.stride[1] == 0)
        memcpy(pool->layer.stride, pool->layer.size, sizeof pool->layer.stride);
    clg__default_pair(pool->layer.stride, 0);
    clg__default_pair(pool->layer.dilation, 1);
    CLG__TRY(clg__expect_dims(x, 4));
    clg_pool2d_desc desc = describe(pool, *x);
    node->y = *x;
    node->flags = pool->kind == CLG_POOL_MAX ? CLG__READS_X | CLG__READS_Y : 0;
    return clg_pool2d_output_size(&desc, &node->y.dims[2], &node->y.dims[3]);
}

static clg_status prepare(struct clg__placed *at)
{
    clg_pool2d_desc desc = describe(at->node->desc, clg__placed_x(at, 0));
    desc.x_is_relu = (at->node->flags & CLG__MASKS_DX) != 0;
    clg_pool2d *plan = NULL;
    clg_status status = clg_pool2d_create(at->ctx, &desc, &plan);
    at->state = plan;
    return status;
}

static clg_status forward(const struct clg__placed *at, const struct clg__pass *pass)
{
    return clg_pool2d_forward(at->state, at->y, at->x[0], &pass->run);
}

static clg_status backward(const struct clg__placed *at, const struct clg__pass *pass)
{
    const struct pool *pool = at->node->desc;
    bool max = pool->kind == CLG_POOL_MAX;
    return clg_pool2d_backward(at->state, at->dx[0], at->dy, max ? at->x[0] : NULL,
                               max ? at->y : NULL, &pass->run);
}

static size_t workspace(const void *state)
{
    return clg_pool2d_workspace_size(state);
}

static void release(void *state)
{
    clg_pool2d_destroy(state);
}

/* One kind for each name that messages and unnamed layers show. */
#define POOL(constant, text, masks)                                                                \
    static const struct clg__layer constant = {.kind = text,                                       \
                                               .desc_size = sizeof(struct pool),                   \
                                               .infer = infer,                                     \
                                               .prepare = prepare,                                 \
                                               .forward = forward,                                 \
                                               .backward = backward,                               \
                                               .workspace = workspace,                             \
                                               .release = release,                                 \
                                               .masks_dx = masks}
POOL(max_pool2d, "max_pool2d", true);
POOL(avg_pool2d, "avg_pool2d", false);
POOL(global_avg_pool2d, "global_avg_pool2d", false);

clg_node clg_model_max_pool2d(clg_model *model, clg_node x, const char *name,
                              const clg_pool2d_layer *desc)
{
    struct pool pool = {.kind = CLG_POOL_MAX};
    if (desc)
        pool.layer = *desc;
    return clg__add_node(model, &max_pool2d, name, &x, 1, &pool);
}

clg_node clg_model_avg_pool2d(clg_model *model, clg_node x, const char *name,
                              const clg_pool2d_layer *desc)
{
    struct pool pool = {.kind = CLG_POOL_AVG};
    if (desc)
        pool.layer = *desc;
    return clg__add_node(model, &avg_pool2d, name, &x, 1, &pool);
}

clg_node clg_model_global_avg_pool2d(clg_model *model, clg_node x, const char *name)
{
    return clg__add_node(model, &global_avg_pool2d, name, &x, 1,
                         &(struct pool){.kind = CLG_POOL_AVG, .global = true});
}
