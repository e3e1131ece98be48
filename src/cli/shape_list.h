/* Lists of convolutions (cli/benchdnn.h) as commands go through them, direction by direction. */
#ifndef CLG_CLI_SHAPE_LIST_H
#define CLG_CLI_SHAPE_LIST_H

#include "clgrad/conv2d.h"
#include "cli/benchdnn.h"

enum { SHAPE_DIRECTIONS = 3, SHAPE_MAX_ALGORITHMS = 64 };

/* fwd, bwd_data, bwd_filter; and what the option --dir takes. */
extern const char *const shape_direction_names[SHAPE_DIRECTIONS];
#define SHAPE_DIRECTION_CHOICES "fwd|bwd_data|bwd_filter|all"

/* Whether a direction is the asked-for one; NULL and "all" ask for each. */
bool shape_wants(const char *asked, int direction);

/* The problem's name, or its text when it has none or could not be read. */
const char *shape_title(const struct benchdnn_entry *entry);
/* Characters of the longest title, titles of more than 40 left out. */
int shape_title_width(const struct benchdnn_list *list);

bool shape_has_algorithm(clg_conv2d_direction direction, const char *name);
/* CLI_OK when some direction has the algorithm, or for NULL, "all" and "auto"; else a usage message
 * of the command and its exit code. */
int shape_check_algorithm(const char *command, const char *asked);

/*
 * The problem as clgrad describes it, with x and y in one layout, and the shapes of y and w.
 * Errors: CLG_UNSUPPORTED (3-D), those of clg_conv2d_output_size.
 */
clg_status shape_describe(const struct benchdnn_problem *problem, clg_layout layout,
                          clg_conv2d_desc *desc, clg_tensor_desc *y, clg_tensor_desc *w);

#endif
