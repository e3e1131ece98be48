#include "runtime/prepared.h"

#include <stdlib.h>

#include "base/error.h"

clg_status clg__prepared_create(clg_context *ctx, size_t size, const struct clg__kernel_spec *specs,
                                size_t count, void **state)
{
    *state = NULL;
    if (count > CLG__MAX_KERNELS || size < sizeof(struct clg__kernels))
        return clg__fail(CLG_INTERNAL_ERROR, "a state of %zu bytes with %zu kernels", size, count);
    struct clg__kernels *made = calloc(1, size);
    if (!made)
        return clg__fail_alloc("an algorithm's state");
    for (size_t i = 0; i < count; i++) {
        if (!specs[i].name)
            continue;
        clg_status status =
            clg__kernel_create(ctx, specs[i].source, specs[i].name, specs[i].options, &made->at[i]);
        if (status != CLG_OK) {
            clg__prepared_release(made);
            return status;
        }
    }
    *state = made;
    return CLG_OK;
}

void clg__prepared_release(void *state)
{
    struct clg__kernels *kernels = state;
    if (!kernels)
        return;
    for (size_t i = 0; i < CLG__MAX_KERNELS; i++)
        clg__kernel_destroy(kernels->at[i]);
    free(kernels);
}

bool clg__accepts(const struct clg__objection *objections, size_t count, const char **why_not)
{
    for (size_t i = 0; i < count; i++)
        if (objections[i].applies) {
            *why_not = objections[i].why;
            return false;
        }
    return true;
}
