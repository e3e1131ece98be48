/* Which process did something, and whether it still lives. */
#ifndef CLG_RUNTIME_PROCESS_H
#define CLG_RUNTIME_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

enum { CLG__PROCESS_TEXT = 160 };

/* The running process: host, number, and when it started, as numbers are used again. */
void clg__process_name(char text[CLG__PROCESS_TEXT]);

/* Whether a process of that name may be alive: false when it surely is not, true also for one on
 * another host. *here: whether it is of this host. */
bool clg__process_may_live(const char *text, bool *here);

#endif
