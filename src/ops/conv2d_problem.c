#include "ops/conv2d_problem.h"

#include <math.h>

#include "base/error.h"
#include "ops/plan.h"

static const char call[] = "clg_conv2d";

static clg_status check_positive(const char *name, const int64_t *values, int count)
{
    for (int i = 0; i < count; i++) {
        if (values[i] < 1)
            return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is %lld, at least 1 is needed", call,
                             name, (long long)values[i]);
        if (values[i] > INT32_MAX)
            return clg__fail(CLG_TOO_LARGE, "%s: %s is %lld, at most 2147483647 is possible", call,
                             name, (long long)values[i]);
    }
    return CLG_OK;
}

static clg_status check_epilogue(const clg_conv2d_desc *desc)
{
    if ((unsigned)desc->epilogue >= CLG_EPILOGUE_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: epilogue %d is unknown", call,
                         (int)desc->epilogue);
    return CLG_OK;
}

static clg_status check_groups(const clg_conv2d_desc *desc)
{
    if (desc->x.dims[1] % desc->groups != 0 || desc->filters % desc->groups != 0)
        return clg__fail(
            CLG_INVALID_SHAPE, "%s: %lld groups do not divide %lld channels and %lld filters", call,
            (long long)desc->groups, (long long)desc->x.dims[1], (long long)desc->filters);
    return CLG_OK;
}

static clg_status check_padding(const clg_conv2d_desc *desc)
{
    if ((unsigned)desc->pad_mode >= CLG_PAD_MODE_COUNT)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: padding mode %d is unknown", call,
                         (int)desc->pad_mode);
    if (!isfinite(desc->pad_value))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: the padding value is %g", call,
                         (double)desc->pad_value);
    for (int i = 0; i < 4; i++) {
        int64_t pad = desc->padding[i];
        if (pad < -INT32_MAX / 4 || pad > INT32_MAX / 4)
            return clg__fail(CLG_TOO_LARGE, "%s: a padding of %lld", call, (long long)pad);
        if (pad < 0 && desc->pad_mode != CLG_PAD_ZEROS)
            return clg__fail(CLG_INVALID_ARGUMENT,
                             "%s: a negative padding, %lld, needs the mode zeros, not %s", call,
                             (long long)pad, clg_pad_mode_name(desc->pad_mode));
        int64_t size = desc->x.dims[2 + i % 2];
        bool fits = desc->pad_mode == CLG_PAD_REFLECT    ? pad < size
                    : desc->pad_mode == CLG_PAD_CIRCULAR ? pad <= size
                                                         : true;
        if (!fits)
            return clg__fail(CLG_INVALID_ARGUMENT,
                             "%s: a padding of %lld with mode %s is too large for an input of "
                             "size %lld",
                             call, (long long)pad, clg_pad_mode_name(desc->pad_mode),
                             (long long)size);
    }
    return CLG_OK;
}

/* axis 0: rows, 1: columns */
static clg_status output_size(const clg_conv2d_desc *desc, int axis, int64_t *size)
{
    int64_t padded = desc->x.dims[2 + axis] + desc->padding[axis] + desc->padding[axis + 2];
    int64_t kernel = desc->kernel[axis], dilation = desc->dilation[axis];
    if (kernel - 1 > (INT32_MAX / 4) / dilation)
        return clg__fail(CLG_TOO_LARGE, "%s: a window of %lld with dilation %lld", call,
                         (long long)kernel, (long long)dilation);
    int64_t window = (kernel - 1) * dilation + 1;
    if (padded < window)
        return clg__fail(CLG_INVALID_SHAPE,
                         "%s: the window, %lld %s (kernel %lld, dilation %lld), is larger than the "
                         "padded input, %lld",
                         call, (long long)window, axis ? "columns" : "rows", (long long)kernel,
                         (long long)dilation, (long long)padded);
    if (padded > INT32_MAX / 4)
        return clg__fail(CLG_TOO_LARGE, "%s: a padded input of %lld", call, (long long)padded);
    *size = (padded - window) / desc->stride[axis] + 1;
    return CLG_OK;
}

clg_status clg_conv2d_output_size(const clg_conv2d_desc *desc, clg_tensor_desc *y,
                                  clg_tensor_desc *w)
{
    if (!desc)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_conv2d_output_size: desc is NULL");
    CLG__TRY(clg__check_float_4d(call, "x", &desc->x));
    CLG__TRY(check_positive("filters", &desc->filters, 1));
    CLG__TRY(check_positive("kernel", desc->kernel, 2));
    CLG__TRY(check_positive("stride", desc->stride, 2));
    CLG__TRY(check_positive("dilation", desc->dilation, 2));
    CLG__TRY(check_positive("groups", &desc->groups, 1));
    CLG__TRY(check_epilogue(desc));
    CLG__TRY(check_groups(desc));
    CLG__TRY(check_padding(desc));
    int64_t p = 0, q = 0, count;
    CLG__TRY(output_size(desc, 0, &p));
    CLG__TRY(output_size(desc, 1, &q));
    clg_tensor_desc out = clg_desc_4d(desc->x.dims[0], desc->filters, p, q);
    out.layout = desc->y_layout;
    clg_tensor_desc filter = clg_desc_4d(desc->filters, desc->x.dims[1] / desc->groups,
                                         desc->kernel[0], desc->kernel[1]);
    CLG__TRY(clg__check_float(call, "y", &out, &count));
    CLG__TRY(clg__check_float(call, "w", &filter, &count));
    if (y)
        *y = out;
    if (w)
        *w = filter;
    return CLG_OK;
}

struct conv2d_args clg__conv2d_with_layouts(struct conv2d_args a, clg_layout x, clg_layout y)
{
    a.x_channels_last = x == CLG_NHWC;
    a.x_n = a.c * a.h * a.w;
    a.x_c = a.x_channels_last ? 1 : a.h * a.w;
    a.x_h = a.x_channels_last ? a.w * a.c : a.w;
    a.x_w = a.x_channels_last ? a.c : 1;
    a.y_channels_last = y == CLG_NHWC;
    a.y_n = a.k * a.p * a.q;
    a.y_k = a.y_channels_last ? 1 : a.p * a.q;
    a.y_p = a.y_channels_last ? a.q * a.k : a.q;
    a.y_q = a.y_channels_last ? a.k : 1;
    return a;
}

clg_status clg__conv2d_problem_init(const clg_conv2d_desc *desc, struct conv2d_args *args)
{
    clg_tensor_desc y, x = desc->x;
    CLG__TRY(clg_conv2d_output_size(desc, &y, NULL));
    bool padded = desc->pad_mode != CLG_PAD_ZEROS;
    int64_t count;
    if (padded) {
        x.dims[2] += desc->padding[0] + desc->padding[2];
        x.dims[3] += desc->padding[1] + desc->padding[3];
        CLG__TRY(clg__check_float(call, "padded x", &x, &count));
    }
    struct conv2d_args a = {
        .n = (int)x.dims[0],
        .c = (int)x.dims[1],
        .h = (int)x.dims[2],
        .w = (int)x.dims[3],
        .k = (int)desc->filters,
        .r = (int)desc->kernel[0],
        .s = (int)desc->kernel[1],
        .p = (int)y.dims[2],
        .q = (int)y.dims[3],
        .stride_h = (int)desc->stride[0],
        .stride_w = (int)desc->stride[1],
        .pad_top = padded ? 0 : (int)desc->padding[0],
        .pad_left = padded ? 0 : (int)desc->padding[1],
        .dilation_h = (int)desc->dilation[0],
        .dilation_w = (int)desc->dilation[1],
        .groups = (int)desc->groups,
        .relu = desc->epilogue == CLG_EPILOGUE_RELU,
    };
    *args = clg__conv2d_with_layouts(a, desc->x.layout, desc->y_layout);
    return CLG_OK;
}
