/* A progress bar on a terminal; nothing where the output goes to a file. */
#ifndef CLG_CLI_PROGRESS_H
#define CLG_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool terminal;
    double shown; /* seconds; when it was drawn last */
};

/* Seconds of a clock that only goes forward. */
double progress_seconds(void);

void progress_begin(struct progress *progress);
/* Whether it is time to draw again: a few times a second, never without a terminal. */
bool progress_due(const struct progress *progress);
void progress_draw(struct progress *progress, const char *label, int64_t done, int64_t total,
                   const char *text);
/* Removes the bar, so that a line can be printed in its place. */
void progress_clear(const struct progress *progress);

#endif
