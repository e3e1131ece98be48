#include "train/border.h"

#include "base/error.h"

bool clg__layout_is_free(const clg_tensor_desc *desc)
{
    return desc->ndim != 4 || desc->dims[1] == 1 || desc->dims[2] * desc->dims[3] == 1;
}

void clg__border_release(struct clg__border *border)
{
    clg_reorder_destroy(border->change);
    clg_tensor_destroy(border->inside);
    *border = (struct clg__border){0};
}

clg_status clg__border_expect(const char *call, const char *name, const clg_context *ctx,
                              const clg_tensor *tensor, const clg_tensor_desc *expected)
{
    clg_tensor_desc either = *expected;
    if (tensor && tensor->desc.ndim == 4 && expected->ndim == 4)
        either.layout = tensor->desc.layout;
    return clg__expect_tensor(call, name, ctx, tensor, &either);
}

/* Whether the memory can be used as it is, under the other name of its layout. */
static bool same_order(const clg_tensor_desc *a, const clg_tensor_desc *b)
{
    return a->layout == b->layout || clg__layout_is_free(a);
}

/* The tensor's memory, described as said; it holds no reference. */
static clg_tensor *rename_layout(struct clg__border *border, const clg_tensor *tensor,
                                 const clg_tensor_desc *desc)
{
    border->alias = *tensor;
    border->alias.desc = *desc;
    return &border->alias;
}

clg_status clg__border_enter(clg_context *ctx, struct clg__border *border,
                             const clg_tensor_desc *inside, const clg_tensor *x, const clg_run *run,
                             const clg_tensor **entered)
{
    if (same_order(inside, &x->desc)) {
        *entered = rename_layout(border, x, inside);
        return CLG_OK;
    }
    if (!border->inside)
        CLG__TRY(clg_tensor_create(ctx, inside, &border->inside));
    if (!border->change)
        CLG__TRY(clg_reorder_create(ctx, &(clg_reorder_desc){.from = x->desc, .to = *inside},
                                    &border->change));
    *entered = border->inside;
    return clg_reorder_forward(border->change, border->inside, x, run);
}

clg_status clg__border_leave(clg_context *ctx, struct clg__border *border, clg_tensor *y,
                             const clg_tensor *inside, const clg_run *run)
{
    if (same_order(&inside->desc, &y->desc))
        return clg_tensor_copy(rename_layout(border, y, &inside->desc), inside, run);
    if (!border->change)
        CLG__TRY(clg_reorder_create(ctx, &(clg_reorder_desc){.from = inside->desc, .to = y->desc},
                                    &border->change));
    return clg_reorder_forward(border->change, y, inside, run);
}
