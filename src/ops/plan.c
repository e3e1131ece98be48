#include "ops/plan.h"

#include "base/error.h"
#include "runtime/tensor.h"

clg_status clg__check_create(const char *call, const clg_context *ctx, const void *desc,
                             const void *out)
{
    if (!ctx || !desc || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is NULL", call,
                         !ctx    ? "ctx"
                         : !desc ? "desc"
                                 : "plan");
    return CLG_OK;
}

clg_status clg__check_plan(const char *call, const void *plan)
{
    return plan ? CLG_OK : clg__fail(CLG_INVALID_ARGUMENT, "%s: plan is NULL", call);
}

clg_status clg__refuse_accumulate(const char *call, const clg_run *run)
{
    if (run && run->accumulate)
        return clg__fail(CLG_UNSUPPORTED, "%s overwrites its gradient, it cannot accumulate", call);
    return CLG_OK;
}

clg_status clg__check_float(const char *call, const char *name, const clg_tensor_desc *desc,
                            int64_t *count)
{
    char text[CLG__DESC_TEXT];
    clg_status status = clg_tensor_desc_count(desc, count);
    if (status != CLG_OK)
        return clg__fail_in(status, "%s: %s", call, name);
    if (desc->type != CLG_FLOAT32)
        return clg__fail(CLG_UNSUPPORTED, "%s: %s is %s, only float32 is supported", call, name,
                         clg__desc_text(desc, text));
    return CLG_OK;
}

clg_status clg__check_float_4d(const char *call, const char *name, const clg_tensor_desc *desc)
{
    int64_t count;
    char text[CLG__DESC_TEXT];
    CLG__TRY(clg__check_float(call, name, desc, &count));
    if (desc->ndim != 4)
        return clg__fail(CLG_INVALID_SHAPE, "%s: %s is %s, four dimensions N C H W are needed",
                         call, name, clg__desc_text(desc, text));
    return CLG_OK;
}

clg_status clg__check_float_2d(const char *call, const char *name, const clg_tensor_desc *desc)
{
    int64_t count;
    char text[CLG__DESC_TEXT];
    CLG__TRY(clg__check_float(call, name, desc, &count));
    if (desc->ndim != 2)
        return clg__fail(CLG_INVALID_SHAPE, "%s: %s is %s, two dimensions are needed", call, name,
                         clg__desc_text(desc, text));
    return CLG_OK;
}

clg_status clg__expect_optional(const char *call, const char *name, const clg_context *ctx,
                                const clg_tensor *tensor, const clg_tensor_desc *expected)
{
    return tensor ? clg__expect_tensor(call, name, ctx, tensor, expected) : CLG_OK;
}

struct clg__grid clg__grid_2d(int64_t columns, int64_t rows)
{
    size_t width = 64;
    while (width / 2 >= (size_t)columns)
        width /= 2;
    size_t height = 64 / width;
    size_t across = ((size_t)columns + width - 1) / width * width;
    size_t down = ((size_t)rows + height - 1) / height * height;
    return (struct clg__grid){2, {across, down}, {width, height}};
}
