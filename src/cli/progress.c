#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 30 };

double progress_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_begin(struct progress *progress)
{
    const char *term = getenv("TERM");
    progress->terminal = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    progress->shown = 0;
}

bool progress_due(const struct progress *progress)
{
    return progress->terminal && progress_seconds() - progress->shown >= 0.1;
}

void progress_draw(struct progress *progress, const char *label, int64_t done, int64_t total,
                   const char *text)
{
    char bar[WIDTH + 1];
    int full = (int)(done * WIDTH / total);
    memset(bar, '.', WIDTH);
    memset(bar, '#', (size_t)full);
    bar[WIDTH] = '\0';
    printf("\r\033[K%s [%s] %3d%%  %s", label, bar, (int)(100 * done / total), text);
    fflush(stdout);
    progress->shown = progress_seconds();
}

void progress_clear(const struct progress *progress)
{
    if (progress->terminal)
        printf("\r\033[K");
}
