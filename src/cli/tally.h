/* What `clgrad verify` counts and the tables it prints at the end. */
#ifndef CLG_CLI_TALLY_H
#define CLG_CLI_TALLY_H

#include <stdbool.h>
#include <stddef.h>

#include "clgrad/status.h"

/* One line of the table: an operation (or direction) and an algorithm. */
struct tally_row {
    char what[48], how[48];
    long cases, passed, refused;
    double worst; /* relative L2 error of the runs that gave a result */
};

/* Why something was not done, and how often. */
struct tally_reason {
    char *text;
    long count;
};

struct tally {
    struct tally_row *rows;
    size_t num_rows;
    struct tally_reason *reasons;
    size_t num_reasons;
    long failed;
};

enum tally_outcome { TALLY_PASSED, TALLY_REFUSED, TALLY_FAILED };

/* Counts one case in its row. Out of memory ends the program: there is nothing left to report. */
void tally_count(struct tally *tally, const char *what, const char *how, enum tally_outcome outcome,
                 double error);
/* Counts a reason. */
void tally_reason(struct tally *tally, const char *text);

/* The table with `what` as the first column's title, in the order of the rows' first cases; then
 * the reasons under a title, most frequent first. */
void tally_print(const struct tally *tally, const char *what);
void tally_print_reasons(struct tally *tally, const char *title);

void tally_free(struct tally *tally);

#endif
