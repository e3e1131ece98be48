/* conv2d x=FILE w=FILE [b=FILE] [dy=FILE] stride= pad= dilation= groups= pad_mode= pad_value=: y,
 * and dx, dw, db when dy is given. */
#include <string.h>

#include "base/error.h"
#include "cli/op_args.h"

struct operands {
    clg_tensor *x, *w, *b, *dy;
};

static clg_status run_direction(struct op_call *call, clg_conv2d *plan,
                                clg_conv2d_direction direction, const struct operands *in)
{
    clg_tensor *out, *db = NULL;
    if (direction == CLG_CONV2D_FORWARD) {
        CLG__TRY(op_output(call, "y", clg_conv2d_y_desc(plan), &out));
        return clg_conv2d_forward(plan, out, in->x, in->w, in->b, NULL);
    }
    if (direction == CLG_CONV2D_BACKWARD_DATA) {
        CLG__TRY(op_output(call, "dx", clg_conv2d_x_desc(plan), &out));
        return clg_conv2d_backward_data(plan, out, in->dy, in->w, NULL);
    }
    CLG__TRY(op_output(call, "dw", clg_conv2d_w_desc(plan), &out));
    if (in->b)
        CLG__TRY(op_output(call, "db", clg_tensor_get_desc(in->b), &db));
    return clg_conv2d_backward_filter(plan, out, db, in->x, in->dy, NULL);
}

static clg_status read_desc(struct op_call *call, const struct operands *in, clg_conv2d_desc *desc)
{
    const clg_tensor_desc *x = clg_tensor_get_desc(in->x), *w = clg_tensor_get_desc(in->w);
    if (w->ndim != 4)
        return clg__fail(CLG_INVALID_SHAPE, "conv2d: w has %d dimensions, not K C R S", w->ndim);
    *desc = clg_conv2d_desc_init(*x, w->dims[0], w->dims[2], w->dims[3]);
    CLG__TRY(op_ints(call, "stride", 2, desc->stride));
    CLG__TRY(op_ints(call, "pad", 4, desc->padding));
    CLG__TRY(op_ints(call, "dilation", 2, desc->dilation));
    CLG__TRY(op_int(call, "groups", 1, &desc->groups));
    const char *mode;
    double value;
    CLG__TRY(op_text(call, "pad_mode", "zeros", &mode));
    CLG__TRY(clg_pad_mode_from_name(mode, &desc->pad_mode));
    CLG__TRY(op_float(call, "pad_value", 0, &value));
    desc->pad_value = (float)value;
    return CLG_OK;
}

/* An algorithm that another direction has is refused here, which an unknown one is not. */
static clg_status create(const struct op_call *call, const clg_conv2d_desc *desc,
                         clg_conv2d_direction direction, clg_conv2d **plan)
{
    const char *names[32], *asked = op_algorithm(call);
    size_t count = clg_conv2d_algorithms(direction, names, 32), i = 0;
    while (asked && i < count && i < 32 && strcmp(names[i], asked) != 0)
        i++;
    if (asked && i == count && cli_op_has_algorithm(&cli_op_conv2d, asked))
        return clg__fail(CLG_UNSUPPORTED, "conv2d: there is no algorithm %s in this direction",
                         asked);
    return clg_conv2d_create(op_context(call), desc, plan);
}

static clg_status run(struct op_call *call)
{
    static const char *const names[] = {"forward", "backward_data", "backward_filter"};
    struct operands in = {0};
    CLG__TRY(op_need(call, "x", &in.x));
    CLG__TRY(op_need(call, "w", &in.w));
    CLG__TRY(op_input(call, "b", &in.b));
    CLG__TRY(op_input(call, "dy", &in.dy));
    clg_conv2d_desc desc;
    CLG__TRY(read_desc(call, &in, &desc));
    for (int i = 0; i < (in.dy ? 3 : 1); i++) {
        clg_conv2d *plan;
        bool skip;
        desc.directions = 1u << i;
        desc.algorithm[i] = op_algorithm(call);
        clg_conv2d_direction direction = (clg_conv2d_direction)i;
        CLG__TRY(op_maybe_refused(call, names[i], create(call, &desc, direction, &plan), &skip));
        if (skip)
            continue;
        clg_status status = run_direction(call, plan, direction, &in);
        clg_conv2d_destroy(plan);
        CLG__TRY(status);
    }
    return CLG_OK;
}

/* The union of the three directions' tables. */
static size_t algorithms(const char **names, size_t capacity)
{
    size_t count = 0;
    for (int direction = 0; direction < 3; direction++) {
        const char *some[32];
        size_t n = clg_conv2d_algorithms((clg_conv2d_direction)direction, some, 32);
        for (size_t i = 0; i < n && i < 32; i++) {
            size_t j = 0;
            while (j < count && j < capacity && strcmp(names[j], some[i]) != 0)
                j++;
            if (j == count && count < capacity)
                names[count++] = some[i];
        }
    }
    return count;
}

const struct cli_op cli_op_conv2d = {
    "conv2d", "x w b dy stride pad dilation groups pad_mode pad_value", run, algorithms};
