#include "cli/shape_list.h"

#include <string.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/suggest.h"

const char *const shape_direction_names[SHAPE_DIRECTIONS] = {"fwd", "bwd_data", "bwd_filter"};

bool shape_wants(const char *asked, int direction)
{
    return !asked || strcmp(asked, "all") == 0 ||
           strcmp(asked, shape_direction_names[direction]) == 0;
}

const char *shape_title(const struct benchdnn_entry *entry)
{
    return entry->problem.name[0] && !entry->error[0] ? entry->problem.name : entry->text;
}

int shape_title_width(const struct benchdnn_list *list)
{
    int width = 0;
    for (size_t i = 0; i < list->count; i++) {
        int length = (int)strlen(shape_title(&list->entries[i]));
        if (length > width && length <= 40)
            width = length;
    }
    return width;
}

bool shape_has_algorithm(clg_conv2d_direction direction, const char *name)
{
    const char *names[SHAPE_MAX_ALGORITHMS];
    size_t count = clg_conv2d_algorithms(direction, names, SHAPE_MAX_ALGORITHMS);
    for (size_t i = 0; i < count && i < SHAPE_MAX_ALGORITHMS; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

int shape_check_algorithm(const char *command, const char *asked)
{
    const char *names[SHAPE_MAX_ALGORITHMS];
    if (!asked || strcmp(asked, "all") == 0 || strcmp(asked, "auto") == 0)
        return CLI_OK;
    struct suggestion hint;
    suggest_begin(&hint, asked);
    for (int d = 0; d < SHAPE_DIRECTIONS; d++) {
        if (shape_has_algorithm((clg_conv2d_direction)d, asked))
            return CLI_OK;
        size_t count = clg_conv2d_algorithms((clg_conv2d_direction)d, names, SHAPE_MAX_ALGORITHMS);
        for (size_t i = 0; i < count && i < SHAPE_MAX_ALGORITHMS; i++)
            suggest_offer(&hint, names[i], strlen(names[i]));
    }
    return cli_usage(command, "conv2d has no algorithm \"%s\"%s", asked, suggest_text(&hint, ""));
}

clg_status shape_describe(const struct benchdnn_problem *problem, clg_layout layout,
                          clg_conv2d_desc *desc, clg_tensor_desc *y, clg_tensor_desc *w)
{
    const struct benchdnn_axis *depth = &problem->axes[BENCHDNN_DEPTH];
    const struct benchdnn_axis *rows = &problem->axes[BENCHDNN_HEIGHT];
    const struct benchdnn_axis *columns = &problem->axes[BENCHDNN_WIDTH];
    if (depth->in > 1 || depth->out > 1 || depth->kernel > 1)
        return clg__fail(CLG_UNSUPPORTED, "3-D: clgrad convolves in two dimensions");
    clg_tensor_desc x = clg_desc_4d(problem->batch, problem->in_channels, rows->in, columns->in);
    x.layout = layout;
    *desc = clg_conv2d_desc_init(x, problem->out_channels, rows->kernel, columns->kernel);
    desc->stride[0] = rows->stride;
    desc->stride[1] = columns->stride;
    desc->padding[0] = rows->pad_begin;
    desc->padding[1] = columns->pad_begin;
    desc->padding[2] = rows->pad_end;
    desc->padding[3] = columns->pad_end;
    desc->dilation[0] = rows->dilation;
    desc->dilation[1] = columns->dilation;
    desc->groups = problem->groups;
    CLG__TRY(clg_conv2d_output_size(desc, y, w));
    if (y->dims[2] != rows->out || y->dims[3] != columns->out)
        return clg__fail(CLG_INTERNAL_ERROR, "the output is %lldx%lld, the list says %lldx%lld",
                         (long long)y->dims[2], (long long)y->dims[3], (long long)rows->out,
                         (long long)columns->out);
    return CLG_OK;
}
