#include "runtime/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Its start in clock ticks, from Linux's /proc; 0 where there is none. *dead: it has ended and only
 * its parent has not asked yet. */
static unsigned long long start_of(long process, bool *dead)
{
    char path[64], text[1024];
    *dead = false;
    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    /* The second field is the program's name in parentheses, which may hold anything. */
    const char *at = strrchr(text, ')');
    char state = ' ';
    unsigned long long start = 0;
    static const char fields[] = ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                                 "%*s %*s %*s %llu";
    if (!at || sscanf(at, fields, &state, &start) != 2)
        return 0;
    *dead = state == 'Z' || state == 'X';
    return start;
}

static void host_name(char *host, size_t size)
{
    if (gethostname(host, size) != 0)
        snprintf(host, size, "unknown");
    host[size - 1] = '\0';
    for (char *at = host; *at; at++)
        if (*at == ' ')
            *at = '_';
}

void clg__process_name(char text[CLG__PROCESS_TEXT])
{
    char host[100];
    bool dead;
    host_name(host, sizeof host);
    snprintf(text, CLG__PROCESS_TEXT, "%s %ld %llu", host, (long)getpid(),
             start_of((long)getpid(), &dead));
}

bool clg__process_may_live(const char *text, bool *here)
{
    char host[100], named[100];
    long process;
    unsigned long long start;
    bool dead;
    *here = true;
    if (sscanf(text, "%99s %ld %llu", named, &process, &start) != 3 || process <= 0)
        return false;
    host_name(host, sizeof host);
    *here = strcmp(host, named) == 0;
    if (!*here)
        return true;
    if (kill((pid_t)process, 0) != 0 && errno == ESRCH)
        return false;
    return start_of(process, &dead) == start && !dead;
}
